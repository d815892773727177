/** Names, places and owners of files. */
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import test from "ava"
import { specialInode } from "../../../common/partition/inode-number.ts"
import { encodeInode } from "../../../common/partition/namei-path.ts"
import { partitionProblems } from "../../support/partition-state.ts"
import { base, dataPath, recordOnDisk, specialPath } from "../../support/patch.ts"
import { needsRoot } from "../../support/requirements.ts"
import { damagedPartition, found, salvageAll, snapshot } from "../../support/salvaged.ts"

const { docs } = base

test("files and folders that no server made are told, and never touched", async (t) => {
  const directory = damagedPartition(t, "base")
  const folder = dirname(dataPath(directory, docs, 4, 3))
  const names = [
    join(folder, "core.1234"),
    join(folder, "+++"),
    join(dirname(folder), "notes"),
    join(folder, "README.txt"),
  ]
  for (const name of names) writeFileSync(name, "keep me")
  mkdirSync(join(folder, "a folder"))
  symlinkSync("/nowhere", join(folder, "link"))
  const { findings } = await salvageAll(directory)
  t.true(findings.length >= names.length)
  t.true(findings.every(({ code }) => code === "file-foreign" || code === "file-misplaced"))
  for (const name of names) t.is(statSync(name).size, 7)
})

test("obsolete special files and another group's link table go", async (t) => {
  const directory = damagedPartition(t, "base")
  const folder = dirname(specialPath(directory, docs, docs, "linkTable"))
  const rubbish = [specialInode(docs, "accessList"), specialInode(docs, "mountTable"), specialInode(77, "linkTable")]
  for (const inode of rubbish) writeFileSync(join(folder, encodeInode(inode)), "old", { mode: 0o600 })
  t.deepEqual(found(await salvageAll(directory)), ["special-obsolete", "special-obsolete", "special-obsolete"])
  for (const inode of rubbish) t.false(existsSync(join(folder, encodeInode(inode))))
  t.deepEqual(partitionProblems(directory), [])
})

needsRoot("owners of special files and of data files that say something else are set right", async (t) => {
  const directory = damagedPartition(t, "base")
  const small = specialPath(directory, docs, docs, "smallIndex")
  const table = specialPath(directory, docs, docs, "linkTable")
  const data = dataPath(directory, docs, 4, 3)
  const before = [small, table].map((path) => ownerOf(path))
  chownSync(small, 0, 0)
  chmodSync(table, 0o644)
  chmodSync(data, 0o603)
  const codes = found(await salvageAll(directory))
  t.true(codes.includes("file-owner"))
  t.deepEqual(
    [small, table].map((path) => ownerOf(path)),
    before,
  )
  t.is(statSync(data).mode & 0o777, 0)
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
})

function ownerOf(path: string): string {
  const { uid, gid, mode } = statSync(path)
  return `${uid}:${gid} ${mode.toString(8)}`
}

/** OpenAFS's salvager ignores the file, and then removes the vnode that has none. */
test("a data file in the wrong folder is moved to where it belongs if it is used, and left alone if not", async (t) => {
  const directory = damagedPartition(t, "base")
  const before = Object.keys(snapshot(directory))
  const used = dataPath(directory, base.docs, 44, recordOnDisk(directory, base.docs, base.docs, 44).inodeHigh)
  const folder = join(used, "..", "..", "7")
  mkdirSync(folder)
  renameSync(used, join(folder, basename(used)))
  const stray = join(folder, basename(dataPath(directory, base.docs, 4000, 9)))
  writeFileSync(stray, "nobody's")
  const { findings } = await salvageAll(directory)
  t.deepEqual(findings.map(({ code }) => code).sort(), ["data-misplaced", "file-misplaced"])
  t.deepEqual(
    Object.keys(snapshot(directory)).filter((path) => before.includes(path)),
    before,
  )
  t.true(existsSync(stray))
  t.deepEqual(
    (await salvageAll(directory)).findings.map(({ code }) => code),
    ["file-misplaced"],
  )
})
