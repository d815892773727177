/** Folders that are read through the C library, and without it. */
import { mkdirSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { isDiskError } from "../../../common/disk/disk.ts"
import { folderReader, type ReadFolder, readerOf } from "../../../common/disk/folder-reader.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const readers: Readonly<Record<string, ReadFolder>> = { "the fastest": folderReader(), "node:fs": readerOf(nodeDisk) }

function contents(read: ReadFolder, path: string): string[] {
  const lines: string[] = []
  read(path, (entry) => {
    const { name, isDirectory } = entry
    const stat = isDirectory ? undefined : entry.stat()
    const { size, uid, gid, mode, isFile } = stat ?? { size: 0, uid: 0, gid: 0, mode: 0, isFile: false }
    lines.push(`${name} ${isDirectory} ${size} ${uid}:${gid} ${mode.toString(8)} ${isFile} ${stat === undefined}`)
  })
  return lines.sort()
}

function oddFolder(t: ExecutionContext): string {
  const path = temporaryDirectory(t)
  for (let index = 0; index < 3000; index++) writeFileSync(join(path, `file number ${index}`), "x".repeat(index % 7))
  for (const name of ["x".repeat(255), "ö ✓", "\n", "=", "..."]) writeFileSync(join(path, name), name)
  writeFileSync(join(path, "sparse"), "")
  truncateSync(join(path, "sparse"), 2 ** 33 + 5)
  mkdirSync(join(path, "folder"))
  symlinkSync("sparse", join(path, "link"))
  symlinkSync("folder", join(path, "link to a folder"))
  symlinkSync("nowhere", join(path, "link to nowhere"))
  return path
}

test("folder reader: names, kinds, sizes and owners are those that node:fs tells", (t) => {
  const path = oddFolder(t)
  const wanted = contents(readerOf(nodeDisk), path)
  t.is(wanted.length, 3000 + 5 + 1 + 1 + 3)
  t.true(wanted.some((line) => line.startsWith(`sparse false ${2 ** 33 + 5} `)))
  t.deepEqual(contents(folderReader(), path), wanted)
  t.deepEqual(contents(folderReader(), join(path, "folder")), [])
})

for (const [name, read] of Object.entries(readers)) {
  test(`folder reader: ${name} finds nothing in what is no folder, and tells what cannot be read`, (t) => {
    const path = oddFolder(t)
    for (const none of ["gone", "sparse", "sparse/below", "link to nowhere"])
      t.deepEqual(contents(read, join(path, none)), [])
    const error = t.throws(() => contents(read, join(path, "y".repeat(300))))
    t.true(isDiskError(error, "ENAMETOOLONG"))
  })

  test(`folder reader: ${name} says of a file that goes meanwhile that it is gone`, (t) => {
    const path = temporaryDirectory(t)
    writeFileSync(join(path, "file"), "x")
    read(path, (entry) => {
      unlinkSync(join(path, entry.name))
      t.is(entry.stat(), undefined)
    })
  })
}
