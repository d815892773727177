/**
 * Files of a volume that claim to be far longer than they can be: a hole costs nothing on the disk, and everything in a
 * program that reads what it is told is there.
 */
import { statSync, truncateSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { headerPath, openPartition, type Partition } from "../../common/partition/partition.ts"
import { walkedSize } from "../../common/vnode/index-piece.ts"
import { openVolume } from "../../common/volume/volume.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { recordOnDisk } from "../support/patch.ts"
import { found, salvageAll } from "../support/salvaged.ts"
import { makeSampleVolume, sampleId } from "../support/sample-volume.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition } from "../support/volume-builder.ts"

const gibibyte = 2 ** 30

function partitionOf(t: Parameters<typeof temporaryDirectory>[0]): Partition {
  const path = join(temporaryDirectory(t), "vicepa")
  newPartition(path)
  const partition = openPartition(path)
  makeSampleVolume(partition, { files: { a: "one", b: "two" } })
  return partition
}

// One header file of three gigabytes ended the salvage of the whole partition: it was read into memory, or not at all.
test("oversized files: a header file is read as far as a header goes, and the other groups are salvaged", async (t) => {
  const partition = partitionOf(t)
  makeSampleVolume(partition, { id: sampleId + 1 })
  truncateSync(headerPath(partition, sampleId), 3 * gibibyte)
  for (const force of [true, false]) {
    const { results } = await salvageAll(partition.path, { force })
    t.is(results.filter(({ status }) => status !== "failed").length, 2)
  }
})

// The salvager called such volumes clean, while every operation on them refused the file as damaged.
for (const [type, cls] of [
  ["smallIndex", "small"],
  ["largeIndex", "large"],
] as const)
  test(`oversized files: the ${cls} vnode index is cut behind its last record`, async (t) => {
    const partition = partitionOf(t)
    const path = new InodeStore(partition, sampleId).path(specialInode(sampleId, type))
    const { size } = statSync(path)
    truncateSync(path, 2 ** 43)
    t.deepEqual(found(await salvageAll(partition.path)), [`index-long ${sampleId}`])
    t.true(statSync(path).size <= size)
    using volume = openVolume(partition, sampleId, "read")
    t.notThrows(() => walkedSize(volume.index(cls).file, cls))
    t.deepEqual(found(await salvageAll(partition.path)), [])
    t.deepEqual(partitionProblems(partition.path), [])
  })

test("oversized files: the link table is cut behind its last row", async (t) => {
  const partition = partitionOf(t)
  const path = new InodeStore(partition, sampleId).path(specialInode(sampleId, "linkTable"))
  const { size } = statSync(path)
  truncateSync(path, 2 ** 40)
  t.deepEqual(found(await salvageAll(partition.path)), ["link-table-long"])
  t.true(statSync(path).size <= size)
  t.deepEqual(found(await salvageAll(partition.path)), [])
  t.deepEqual(partitionProblems(partition.path), [])
})

// A terabyte of hole was to be read into memory, for it to be there if the salvage was taken back.
test("oversized files: what is too long to be kept for an undo is cut all the same", async (t) => {
  const partition = partitionOf(t)
  const path = new InodeStore(partition, sampleId).path(specialInode(sampleId, "smallIndex"))
  const { size } = statSync(path)
  truncateSync(path, 2 ** 40)
  const { results } = await salvageAll(partition.path, { undo: { seconds: 60, bytes: 2 ** 30 } })
  t.deepEqual(
    results.map(({ status, undo }) => [status, undo]),
    [["repaired", undefined]],
  )
  t.true(statSync(path).size <= size)
  t.deepEqual(partitionProblems(partition.path), [])
})

// The count of a volume with more than 2 TiB was found wrong and written anew by every salvage.
test("oversized files: what a volume with a file of 2 TiB uses wraps as everywhere, and is found right the next time", async (t) => {
  const partition = partitionOf(t)
  const record = recordOnDisk(partition.path, sampleId, sampleId, 2)
  truncateSync(new InodeStore(partition, sampleId).path({ high: record.inodeHigh, low: record.inodeLow }), 2 ** 41)
  t.true(found(await salvageAll(partition.path)).includes(`info-counts ${sampleId}`))
  t.deepEqual(found(await salvageAll(partition.path)), [])
})
