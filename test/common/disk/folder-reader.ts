/** Folders that are read through the C library, and without it. */
import { mkdirSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { type DiskEntry, isDiskError } from "../../../common/disk/disk.ts"
import { folderOpener, listFolder, type OpenFolder, openerOf } from "../../../common/disk/folder-reader.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const openers: Readonly<Record<string, OpenFolder>> = { "the fastest": folderOpener(), "node:fs": openerOf(nodeDisk) }

function contents(open: OpenFolder, path: string): string[] {
  const lines: string[] = []
  using folder = open(path)
  while (folder.next()) {
    const { name, isDirectory, bytes, start, end } = folder
    const stat = isDirectory ? undefined : folder.stat()
    const { size, uid, gid, mode, isFile } = stat ?? { size: 0, uid: 0, gid: 0, mode: 0, isFile: false }
    const spelled = Buffer.from(bytes.subarray(start, end)).toString()
    lines.push(
      `${name} ${spelled} ${isDirectory} ${size} ${uid}:${gid} ${mode.toString(8)} ${isFile} ${stat === undefined}`,
    )
  }
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
  const wanted = contents(openerOf(nodeDisk), path)
  t.is(wanted.length, 3000 + 5 + 1 + 1 + 3)
  t.true(wanted.some((line) => line.startsWith(`sparse sparse false ${2 ** 33 + 5} `)))
  t.deepEqual(contents(folderOpener(), path), wanted)
  t.deepEqual(contents(folderOpener(), join(path, "folder")), [])
})

test("folder reader: a folder is listed as node:fs lists it, and what is no folder as nothing", (t) => {
  const path = oddFolder(t)
  const sorted = (entries: readonly DiskEntry[] | undefined) => entries?.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  folderOpener()
  t.deepEqual(sorted(listFolder(nodeDisk, path)), sorted(nodeDisk.list(path)))
  t.deepEqual(listFolder(nodeDisk, join(path, "folder")), [])
  for (const none of ["gone", "sparse"]) t.is(listFolder(nodeDisk, join(path, none)), undefined)
})

for (const [name, open] of Object.entries(openers)) {
  test(`folder reader: ${name} finds nothing in what is no folder, and tells what cannot be read`, (t) => {
    const path = oddFolder(t)
    for (const none of ["gone", "sparse", "sparse/below", "link to nowhere"])
      t.deepEqual(contents(open, join(path, none)), [])
    const error = t.throws(() => contents(open, join(path, "y".repeat(300))))
    t.true(isDiskError(error, "ENAMETOOLONG"))
  })

  test(`folder reader: ${name} says of a file that goes meanwhile that it is gone`, (t) => {
    const path = temporaryDirectory(t)
    writeFileSync(join(path, "file"), "x")
    using folder = open(path)
    t.true(folder.next())
    unlinkSync(join(path, folder.name))
    t.is(folder.stat(), undefined)
    t.false(folder.next())
  })
}
