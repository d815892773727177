/** Scanning the folders of a group with several threads. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { isDiskError } from "../../common/disk/disk.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { dataInode } from "../../common/partition/inode-number.ts"
import { encodeInode } from "../../common/partition/namei-path.ts"
import { FileColumns } from "../../salvager/file-columns.ts"
import type { DataFolder, Oddity } from "../../salvager/folder-scan.ts"
import { beginScan, ScanThreads } from "../../salvager/scan-threads.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const perFolder = 40

/** Folders of data files, with a foreign and a misplaced file in each. */
function folders(t: ExecutionContext, count: number): DataFolder[] {
  const root = temporaryDirectory(t)
  return Array.from({ length: count }, (_, index) => {
    const path = join(root, String(index))
    mkdirSync(path)
    for (let file = 0; file < perFolder; file++) {
      const name = encodeInode(dataInode(index * 512 + file, 1 + file, file % 5))
      writeFileSync(join(path, name), "x".repeat(file))
      chmodSync(join(path, name), file % 5)
    }
    writeFileSync(join(path, "lost+found"), "")
    writeFileSync(join(path, encodeInode(dataInode((index + 1) * 512, 1, 0))), "")
    return { path, place: (index >>> 5) * 512 + index } // both levels of folders as one number
  })
}

function scanned(all: readonly DataFolder[], threads: number): { files: string[]; odd: string[] } {
  const odd: string[] = []
  const files = new FileColumns()
  using others = new ScanThreads(threads - 1)
  const scan = beginScan(nodeDisk, all, false, others)
  scan.finish({ files, odd: ({ kind, path }: Oddity) => void odd.push(`${kind} ${path}`) })
  return { files: linesOf(files).sort(), odd: odd.sort() }
}

const linesOf = ({ count, vnode, unique, tag, size, version }: FileColumns): string[] =>
  Array.from({ length: count }, (_, at) => [vnode[at], unique[at], tag[at], size[at], version[at]].join(" "))

test("several threads find what one finds: every file once, with size and version, and what is odd", (t) => {
  const all = folders(t, 60)
  const alone = scanned(all, 1)
  t.is(alone.files.length, 60 * perFolder)
  t.is(alone.odd.filter((one) => !one.startsWith("owner")).length, 2 * 60)
  for (const threads of [2, 3]) t.deepEqual(scanned(all, threads), alone)
})

test("a folder that cannot be read is an error of the caller, whichever thread met it", (t) => {
  const all = folders(t, 30)
  const path = join(temporaryDirectory(t), "x".repeat(300))
  const error = t.throws(() => scanned([...all, ...Array.from({ length: 30 }, () => ({ path, place: 1 }))], 3))
  t.true(isDiskError(error, "ENAMETOOLONG"))
})

test("few folders are read without threads, and a folder that is gone holds nothing", (t) => {
  const [first] = folders(t, 1)
  t.is(scanned(first === undefined ? [] : [first, { path: `${first.path}-gone`, place: 1 }], 4).files.length, perFolder)
})
