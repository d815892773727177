/** Data files whose names are damaged. OpenAFS's salvager loses most of them, and changes the fids of the others. */
import { copyFileSync, existsSync, linkSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { encodeInode } from "../../../common/partition/namei-path.ts"
import { openPartition } from "../../../common/partition/partition.ts"
import { undoSalvage } from "../../../salvager/salvage.ts"
import { describeTree, partitionProblems, readPartitionState } from "../../support/partition-state.ts"
import { base, dataPath, specialPath } from "../../support/patch.ts"
import { undamagedState } from "../../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll, snapshot, standaloneOptions } from "../../support/salvaged.ts"

const { docs, ann } = base
/** /api/amber022.dat, and /api itself. */
const file = { vnode: 44, unique: 26 }
const folder = { vnode: 7, unique: 25 }

const named = (high: number, low: number): string => encodeInode({ high, low: low >>> 0 })

/** Other names that a data file may get, by what is wrong with them. */
const names: Readonly<Record<string, (object: typeof file) => string>> = {
  "another uniquifier": ({ vnode, unique }) => named(unique + 500, vnode),
  "a tag that no server gives": ({ vnode, unique }) => named(unique, vnode | (7 << 26)),
  "a bit that no server sets": ({ vnode, unique }) => named(unique, vnode | (1 << 30)),
  "no meaning": () => "#lost",
  "a digit too many": ({ vnode, unique }) => `${named(unique, vnode)}+`,
}

async function comesBack(t: ExecutionContext, directory: string, group: number, code = "data-misnamed"): Promise<void> {
  const first = await salvageAll(directory)
  t.deepEqual(found(first), [code])
  t.deepEqual(partitionProblems(directory), [])
  for (const volume of readPartitionState(directory).volumes.values()) {
    const before = undamagedState().volumes.get(volume.id)
    if (volume.group !== group || before === undefined) continue
    t.deepEqual(describeTree(volume, { dates: false }), describeTree(before, { dates: false }))
  }
  t.deepEqual((await salvageAll(directory)).findings, [])
}

for (const [what, nameOf] of Object.entries(names))
  for (const object of [file, folder])
    test(`the data file of vnode ${object.vnode} under a name with ${what} gets its own name back`, async (t) => {
      const directory = damagedPartition(t, "base")
      const path = dataPath(directory, docs, object.vnode, object.unique)
      renameSync(path, join(dirname(path), nameOf(object)))
      await comesBack(t, directory, docs)
      t.true(existsSync(path))
    })

test("a misnamed data file that several volumes use comes back to all of them", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = dataPath(directory, ann.rw, 150, 90)
  renameSync(path, join(dirname(path), named(95, 150)))
  await comesBack(t, directory, ann.rw)
})

test("the data file of a root directory gets its own name back", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = dataPath(directory, docs, 1, 1)
  renameSync(path, join(dirname(path), named(6, 1)))
  await comesBack(t, directory, docs)
})

test("a data file among the special files is moved to where it belongs", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = dataPath(directory, docs, file.vnode, file.unique)
  renameSync(path, join(dirname(specialPath(directory, docs, docs, "volumeInfo")), basename(path)))
  await comesBack(t, directory, docs, "data-misplaced")
})

test("a salvage that gave a data file its name back can be taken back", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = dataPath(directory, docs, file.vnode, file.unique)
  renameSync(path, join(dirname(path), named(900, file.vnode)))
  const withoutOwn = (): Record<string, string> =>
    Object.fromEntries(Object.entries(snapshot(directory)).filter(([name]) => !name.startsWith(".dafs")))
  const before = withoutOwn()
  const { results } = await salvageAll(directory, { undo: { seconds: 60, bytes: 2 ** 30 } })
  t.true(existsSync(path))
  for (const { undo } of results)
    if (undo !== undefined) await undoSalvage(openPartition(directory), undo, standaloneOptions.claimant)
  t.deepEqual(withoutOwn(), before)
})

test("of two files that may be a vnode's neither is taken for it, and neither is removed", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = dataPath(directory, docs, file.vnode, file.unique)
  renameSync(path, join(dirname(path), "#lost"))
  linkSync(join(dirname(path), "#lost"), join(dirname(path), "#found"))
  const codes = found(await salvageAll(directory))
  t.true(codes.includes(`vnode-data-missing ${docs} ${file.vnode}`))
  t.true(existsSync(join(dirname(path), "#lost")) && existsSync(join(dirname(path), "#found")))
  t.deepEqual(found(await salvageAll(directory)), [])
})

test("a file of another length is not taken for a vnode's", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = dataPath(directory, docs, file.vnode, file.unique)
  rmSync(path)
  writeFileSync(join(dirname(path), "#notes"), "not ninety bytes", { mode: 0 })
  const codes = found(await salvageAll(directory))
  t.true(codes.includes(`entry-dangling ${docs} ${folder.vnode}`))
  t.is(statSync(join(dirname(path), "#notes")).size, 16)
})

test("a file in the place of a folder of data files is put aside where the folder is needed", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = dirname(dataPath(directory, docs, 1, 1))
  const holder = `${path}.old`
  renameSync(path, holder)
  writeFileSync(path, "no folder")
  t.false(found(await salvageAll(directory)).some((code) => code.startsWith("failed")))
  t.true(statSync(path).isDirectory())
  t.deepEqual(
    partitionProblems(directory).filter((problem) => !problem.includes("stray")),
    [],
  )
  mkdirSync(holder, { recursive: true })
})

// A version of a file that nobody uses goes; under a name that no server gives it stayed, and OpenAFS's salvager found it each time.
for (const tag of [5, 6, 7])
  test(`a second version of a data file under a name with tag ${tag} goes`, async (t) => {
    const directory = damagedPartition(t, "base")
    const path = dataPath(directory, docs, file.vnode, file.unique)
    const stray = join(dirname(path), named(file.unique, file.vnode | (tag << 26)))
    copyFileSync(path, stray)
    t.deepEqual(found(await salvageAll(directory)), [`data-superseded ${file.vnode}`])
    t.false(existsSync(stray))
    t.true(existsSync(path))
    t.deepEqual(partitionProblems(directory), [])
    t.deepEqual(found(await salvageAll(directory)), [])
  })

// The salvage of the whole group failed: the file was looked for where it belongs, and is not yet.
test("a file among the special files whose vnode number is another object's gets a number of its own", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = dataPath(directory, docs, file.vnode, file.unique)
  const special = dirname(specialPath(directory, docs, docs, "volumeInfo"))
  copyFileSync(path, join(special, named(900, file.vnode)))
  const codes = found(await salvageAll(directory))
  t.true(codes.some((code) => code.startsWith("orphan-attached")))
  t.false(codes.some((code) => code.startsWith("failed")))
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
})
