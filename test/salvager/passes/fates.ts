/** Which volumes stay, and which go. */
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { destroyMeMark } from "../../../common/volume/volume-info.ts"
import { describeTree, partitionProblems, readPartitionState } from "../../support/partition-state.ts"
import { base, patchVolumeInfo, specialPath, volumeInfoOnDisk, zeroRecord } from "../../support/patch.ts"
import { undamagedState } from "../../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll } from "../../support/salvaged.ts"

const marked = { destroyMe: destroyMeMark, inService: 0 }
const headerOf = (directory: string, id: number): string => join(directory, `V0${id}.vol`)

function treeOf(directory: string, id: number): Record<string, string> {
  const volume = readPartitionState(directory).volumes.get(id)
  return volume === undefined ? {} : describeTree(volume)
}

function undamagedTree(id: number): Record<string, string> {
  const volume = undamagedState().volumes.get(id)
  return volume === undefined ? {} : describeTree(volume)
}

async function isClean(t: ExecutionContext, directory: string): Promise<void> {
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
}

/**
 * An incremental restore over a good volume sets the mark before it begins. When it is broken off, OpenAFS's salvager
 * deletes the volume with everything in it.
 */
test("a volume with the mark of unfinished ones but with content of its own is kept, out of service and without the mark", async (t) => {
  const directory = damagedPartition(t, "base")
  patchVolumeInfo(directory, base.docs, base.docs, marked)
  t.deepEqual(found(await salvageAll(directory)), [`volume-unfinished-kept ${base.docs}`])
  const info = volumeInfoOnDisk(directory, base.docs, base.docs)
  t.deepEqual([info.destroyMe, info.inService, info.blessed], [0, 0, 1])
  t.deepEqual(treeOf(directory, base.docs), undamagedTree(base.docs))
  await isClean(t, directory)
})

test("a marked volume whose VolumeInfo is as creation wrote it was being made: it goes, with header, files and folders", async (t) => {
  const directory = damagedPartition(t, "base")
  patchVolumeInfo(directory, base.docs, base.docs, { ...marked, uniquifier: 2, filecount: 0, diskused: 2 })
  t.deepEqual(found(await salvageAll(directory)), [`volume-unfinished ${base.docs}`])
  t.false(existsSync(headerOf(directory, base.docs)))
  t.false(existsSync(join(directory, "AFSIDat", "7", "7+++U")))
  await isClean(t, directory)
})

test("a marked volume whose root is gone was being deleted: the deletion is completed", async (t) => {
  const directory = damagedPartition(t, "base")
  patchVolumeInfo(directory, base.docs, base.docs, marked)
  zeroRecord(directory, base.docs, base.docs, 1)
  zeroRecord(directory, base.docs, base.docs, 3)
  t.deepEqual(found(await salvageAll(directory)), [`volume-unfinished ${base.docs}`])
  t.false(existsSync(headerOf(directory, base.docs)))
  await isClean(t, directory)
})

test("a marked clone beside its read-write volume goes; the read-write volume and the other clone keep all they have", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw, ro, bk } = base.ann
  patchVolumeInfo(directory, rw, bk, marked)
  t.deepEqual(found(await salvageAll(directory)), [`volume-unfinished ${bk}`])
  t.false(existsSync(headerOf(directory, bk)))
  for (const id of [rw, ro]) t.deepEqual(treeOf(directory, id), undamagedTree(id))
  await isClean(t, directory)
})

test("a marked read-only volume that is the only one of its group here is kept: its content is nowhere else", async (t) => {
  const directory = damagedPartition(t, "base")
  const { group, ro } = base.sw
  patchVolumeInfo(directory, group, ro, marked)
  t.deepEqual(found(await salvageAll(directory)), [`volume-unfinished-kept ${ro}`])
  t.deepEqual(treeOf(directory, ro), undamagedTree(ro))
  await isClean(t, directory)
})

/** Its data files, the clones' records and the link counts say what it was. */
test("a read-write volume of which only the header and the data files are left is rebuilt, its clones stay as they are", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw, ro, bk } = base.ann
  for (const type of ["volumeInfo", "smallIndex", "largeIndex"] as const) rmSync(specialPath(directory, rw, rw, type))
  await salvageAll(directory)
  const paths = Object.keys(treeOf(directory, rw)).filter((path) => !path.includes("__ORPHAN"))
  t.deepEqual(paths, Object.keys(undamagedTree(rw)))
  t.is(volumeInfoOnDisk(directory, rw, rw).name, "ann")
  for (const id of [ro, bk]) t.deepEqual(treeOf(directory, id), undamagedTree(id))
  await isClean(t, directory)
})

test("a header of a volume of which nothing exists goes", async (t) => {
  const directory = damagedPartition(t, "base")
  rmSync(join(directory, "AFSIDat", "7", "7+++U"), { recursive: true })
  t.deepEqual(found(await salvageAll(directory)), [`header-without-data ${base.docs}`])
  t.false(existsSync(headerOf(directory, base.docs)))
  await isClean(t, directory)
})

test("on a partition without any data nothing is removed: it may not be mounted", async (t) => {
  const directory = damagedPartition(t, "base")
  rmSync(join(directory, "AFSIDat"), { recursive: true })
  const { results } = await salvageAll(directory)
  t.true(results.length > 0)
  for (const { status, error } of results) {
    t.is(status, "failed")
    t.regex(error?.message ?? "", /is it mounted\?/)
  }
  t.true(existsSync(headerOf(directory, base.docs)))
})
