import { utimesSync } from "node:fs"
import test from "ava"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import { readVolumeHeader, smallIndexInode } from "../../common/volume/volume-header.ts"
import { VolumePackage } from "../../common/volume/volume-package.ts"
import { volumeStamp } from "../../fileserver/volume-stamp.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, volumeOf } from "../support/volume-builder.ts"

const log = { debug() {}, info() {}, warn() {}, error() {} }

async function useOnce(partition: Partition, volume: number): Promise<void> {
  await using volumes = new VolumePackage([partition], { log, callbacks: { breakVolume() {} } })
  using _use = await volumes.acquire(volume)
}

test("volume stamp: stays while nobody uses the volume, and changes when a fileserver attaches it", async (t) => {
  const partition = newPartition(temporaryDirectory(t))
  const volume = await volumeOf(partition, "stamped", { file: "content" })
  const other = await volumeOf(partition, "other", { file: "content" })
  const before = volumeStamp(partition, volume)
  t.is(typeof before, "string")
  t.is(volumeStamp(openPartition(partition.path), volume), before)
  t.not(volumeStamp(partition, other), before)
  await useOnce(partition, volume)
  t.not(volumeStamp(partition, volume), before)
})

test("volume stamp: changes with a vnode index alone", async (t) => {
  const partition = newPartition(temporaryDirectory(t))
  const volume = await volumeOf(partition, "stamped", { file: "content" })
  const before = volumeStamp(partition, volume)
  const header = readVolumeHeader(partition, volume)
  if (header === undefined) throw new Error("there is no header")
  utimesSync(new InodeStore(partition, header.parent).path(smallIndexInode(header)), 1_000_000_000, 1_000_000_000)
  t.not(volumeStamp(partition, volume), before)
})

test("volume stamp: a volume that is not there has none", (t) => {
  const partition = newPartition(temporaryDirectory(t))
  t.is(volumeStamp(partition, 5), undefined)
})
