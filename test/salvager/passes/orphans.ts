/** Vnodes that no directory leads to. */
import { chmodSync, chownSync, copyFileSync, rmSync, truncateSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { openPartition } from "../../../common/partition/partition.ts"
import { undoSalvage } from "../../../salvager/salvage.ts"
import { partitionProblems, readPartitionState } from "../../support/partition-state.ts"
import {
  base,
  dataPath,
  entry,
  patchBytes,
  patchDirectory,
  patchRecord,
  recordOnDisk,
  specialPath,
  zeroRecord,
} from "../../support/patch.ts"
import { undamagedState } from "../../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll, snapshot } from "../../support/salvaged.ts"

const { docs } = base
const api = (directory: string): string => dataPath(directory, docs, 7, 25)
const pathsOf = (directory: string, id: number = docs): string[] => [
  ...(readPartitionState(directory).volumes.get(id)?.tree.keys() ?? []),
]
const allPaths = (id: number = docs): string[] => [...(undamagedState().volumes.get(id)?.tree.keys() ?? [])]

async function settled(t: ExecutionContext, directory: string): Promise<void> {
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
}

/** /api/amber022.dat has lost its name. */
function withOrphan(t: ExecutionContext): string {
  const directory = damagedPartition(t, "base")
  patchDirectory(api(directory), (one) => one.remove(Buffer.from("amber022.dat")))
  return directory
}

/** In the root of the volume, where OpenAFS attaches, anybody who may read that could read it. */
test("an orphan is attached in the directory that its record names, behind the access list that guarded it", async (t) => {
  const directory = withOrphan(t)
  t.deepEqual(found(await salvageAll(directory)), [`orphan-attached ${docs} 44`])
  t.true(pathsOf(directory).includes("/api/__ORPHANFILE__.44.26"))
  t.is(recordOnDisk(directory, docs, docs, 44).parent, 7)
  await settled(t, directory)
})

test("an orphan whose directory does not exist is attached in the root; a directory with all that is in it", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(dataPath(directory, docs, 1, 1), (one) => one.remove(Buffer.from("api")))
  patchRecord(directory, docs, docs, 7, { parent: 99 })
  await salvageAll(directory)
  const expected = allPaths().map((path) => path.replace(/^\/api/, "/__ORPHANDIR__.7.25"))
  t.deepEqual(pathsOf(directory).sort(), expected.sort())
  await settled(t, directory)
})

test("--orphans remove: the vnode goes, and with the last user its data file", async (t) => {
  const directory = withOrphan(t)
  t.deepEqual(found(await salvageAll(directory, { orphans: "remove" })), [
    `orphan-removed ${docs} 44`,
    `info-counts ${docs}`,
  ])
  t.is(recordOnDisk(directory, docs, docs, 44).type, 0)
  t.deepEqual(partitionProblems(directory), [])
})

test("--orphans ignore: the vnode stays as it is, and is told each time", async (t) => {
  const directory = withOrphan(t)
  const first = found(await salvageAll(directory, { orphans: "ignore" }))
  t.true(first.includes(`orphan-left ${docs} 44`))
  t.deepEqual(found(await salvageAll(directory, { orphans: "ignore" })), [`orphan-left ${docs} 44`])
  t.is(recordOnDisk(directory, docs, docs, 44).type, 1)
})

/** OpenAFS's salvager leaves such a volume without a root, or with --orphans remove empty. */
for (const orphans of ["ignore", "remove", "attach"] as const) {
  test(`a volume that lost its root directory for good gets a new one, and everything hangs in it, also with --orphans ${orphans}`, async (t) => {
    const directory = damagedPartition(t, "base")
    zeroRecord(directory, docs, docs, 1)
    rmSync(dataPath(directory, docs, 1, 1))
    const codes = found(await salvageAll(directory, { orphans }))
    t.true(codes.includes(`root-missing ${docs} 1`))
    const paths = pathsOf(directory)
    t.true(paths.includes("/__ORPHANDIR__.7.25/v1/meadow029.c"))
    t.true(paths.includes("/__ORPHANFILE__.4.3"))
    t.is(paths.length, allPaths().length)
    await settled(t, directory)
  })
}

test("entries that a damaged directory lost are put back from a clone's version of it, under their own names", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw } = base.ann
  const { inodeLow, inodeHigh } = recordOnDisk(directory, rw, rw, 31)
  truncateSync(dataPath(directory, rw, 31, inodeHigh, inodeLow >>> 26), 0) // /many
  const run = await salvageAll(directory)
  t.true(found(run).includes(`directory-damaged ${rw} 31`))
  const names = pathsOf(directory, rw).filter((path) => path.startsWith("/many/"))
  const recovered = run.findings.filter(({ code }) => code === "entry-recovered").length
  t.true(recovered > 20)
  t.is(names.filter((path) => !path.includes("__ORPHAN")).length, recovered)
  t.is(names.length, allPaths(rw).filter((path) => path.startsWith("/many/")).length)
  await settled(t, directory)
})

test("a directory whose data file is gone is made again, and what its children say of it is believed", async (t) => {
  const directory = damagedPartition(t, "base")
  rmSync(api(directory))
  t.true(found(await salvageAll(directory)).includes(`directory-lost ${docs} 7`))
  const below = pathsOf(directory).filter((path) => path.startsWith("/api/"))
  t.true(below.includes("/api/__ORPHANDIR__.9.33/meadow029.c"))
  t.is(below.length, allPaths().filter((path) => path.startsWith("/api/")).length)
  await settled(t, directory)
})

test("an orphan's name that is taken already becomes another, and neither is lost", async (t) => {
  const directory = withOrphan(t)
  patchDirectory(api(directory), (one) => {
    one.remove(Buffer.from("cedar023.log"))
    one.add(...entry("__ORPHANFILE__.44.26", 46, 27))
  })
  await salvageAll(directory)
  const names = pathsOf(directory).filter((path) => path.startsWith("/api/__ORPHANFILE__.44.26"))
  t.is(names.length, 2)
  await settled(t, directory)
})

test("a data file that nothing names is attached, also where its vnode number is another object's", async (t) => {
  const directory = damagedPartition(t, "data-extra")
  const run = await salvageAll(directory)
  t.true(pathsOf(directory).includes("/__ORPHANFILE__.400.45"))
  t.true(run.findings.some(({ code }) => code === "vnode-guessed"))
  await settled(t, directory)

  const other = damagedPartition(t, "base")
  // the record of /api/amber022.dat says that it is another file, whose data is there too, with a name of its own
  patchBytes(specialPath(other, docs, docs, "linkTable"), 8 + 2 * 44, 2, (bytes) => bytes.writeUInt16LE(0o11))
  copyData(other)
  const moved = found(await salvageAll(other))
  t.true(moved.includes("data-moved"), moved.join())
  t.true(pathsOf(other).some((path) => path.startsWith("/__ORPHANFILE__.")))
  t.deepEqual(
    pathsOf(other).filter((path) => !path.includes("ORPHAN")),
    allPaths(),
  )
  await settled(t, other)
})

test("a data file whose vnode number is another object's: taken back it has its name, owner and mode again; with --orphans remove nothing is left of it", async (t) => {
  const directory = damagedPartition(t, "base")
  patchBytes(specialPath(directory, docs, docs, "linkTable"), 8 + 2 * 44, 2, (bytes) => bytes.writeUInt16LE(0o11))
  copyData(directory)
  const withoutOwn = (): [string, string][] =>
    Object.entries(snapshot(directory)).filter(([path, text]) => !path.startsWith(".dafs") && !text.endsWith("folder"))
  const before = withoutOwn()
  const { results } = await salvageAll(directory, { undo: { seconds: 60, bytes: 2 ** 30 } })
  const name = results.find(({ undo }) => undo !== undefined)?.undo ?? ""
  await undoSalvage(openPartition(directory), name, { program: "salvager", fileserver: undefined })
  t.deepEqual(withoutOwn(), before)

  const removed = found(await salvageAll(directory, { orphans: "remove" }))
  t.true(
    removed.some((code) => code.startsWith("orphan-removed")),
    removed.join(),
  )
  t.false(removed.includes("data-moved"))
  t.deepEqual(pathsOf(directory), allPaths())
  await settled(t, directory)
})

/** A second file under the number of vnode 44, with another uniquifier and tag. */
function copyData(directory: string): void {
  const to = dataPath(directory, docs, 44, 12, 1)
  copyFileSync(dataPath(directory, docs, 46, 27), to)
  if (process.geteuid?.() !== 0) return
  chownSync(to, 1, 0)
  chmodSync(to, 1)
}
