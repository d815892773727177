import { readFileSync, truncateSync } from "node:fs"
import test from "ava"
import type { Inode } from "../../../common/partition/inode-number.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import type { Partition } from "../../../common/partition/partition.ts"
import { recordOffset } from "../../../common/vnode/vnode-record.ts"
import { type AttachOutcome, attachVolume } from "../../../common/volume/attach.ts"
import { lookAtIndexes } from "../../../common/volume/index-contents.ts"
import { requireHeader } from "../../../common/volume/volume.ts"
import { largeIndexInode, smallIndexInode, type VolumeHeader } from "../../../common/volume/volume-header.ts"
import { salvageVolume } from "../../../salvager/salvage.ts"
import { patchBytes } from "../../support/patch.ts"
import { standaloneOptions } from "../../support/salvaged.ts"
import { clones, fixturePartition, infoOnDisk, patchInfo } from "../../support/served-volumes.ts"

type IndexOf = (header: VolumeHeader) => Inode

function pathOf(partition: Partition, inode: IndexOf): string {
  const header = requireHeader(partition, clones.rw)
  return new InodeStore(partition, header.parent).path(inode(header))
}

const attach = (partition: Partition): AttachOutcome => attachVolume(partition, clones.rw, () => undefined)

test("index contents: records of both indexes, and whether the root directory has one", (t) => {
  const partition = fixturePartition(t)
  const header = requireHeader(partition, clones.rw)
  const { slots, hasRoot } = lookAtIndexes(new InodeStore(partition, header.parent), header)
  const sizes = [smallIndexInode, largeIndexInode].map((inode) => readFileSync(pathOf(partition, inode)).length)
  t.is(slots, (sizes[0] ?? 0) / 64 - 1 + (sizes[1] ?? 0) / 256 - 1)
  t.true(hasRoot)
})

/** Rows: what is wrong, how it comes about, and what the error says. */
const harms: [what: string, harm: (partition: Partition) => void, error: RegExp][] = [
  [
    "small index ends within a record",
    (partition) => truncateSync(pathOf(partition, smallIndexInode), 64 * 4 + 20),
    /small vnode index.*20 bytes of a record/,
  ],
  [
    "large index ends within the root directory's record",
    (partition) => truncateSync(pathOf(partition, largeIndexInode), 256 + 20),
    /large vnode index.*20 bytes of a record/,
  ],
  [
    "large index is as it was when it was made",
    (partition) => truncateSync(pathOf(partition, largeIndexInode), 8),
    /large vnode index.*root directory/,
  ],
  [
    "root directory's record is free",
    (partition) => patchBytes(pathOf(partition, largeIndexInode), recordOffset(1), 256, (bytes) => bytes.fill(0)),
    /large vnode index.*root directory/,
  ],
  [
    "indexes have fewer records than it has files",
    (partition) =>
      patchInfo(partition, clones.rw, (info) => {
        info.filecount = 1000
      }),
    /vnode indexes.*records/,
  ],
]

for (const [what, harm, error] of harms) {
  test(`index contents: a volume whose ${what}: it is damaged, is not marked in use, and attaches after a salvage`, async (t) => {
    const partition = fixturePartition(t)
    harm(partition)
    const outcome = attach(partition)
    t.is(outcome.kind === "damaged" ? outcome.reason : outcome.kind, "ERROR")
    t.regex(outcome.kind === "damaged" ? outcome.error.message : "", error)
    t.is(infoOnDisk(partition, clones.rw).inUse, 0)
    await salvageVolume(partition, clones.rw, standaloneOptions, () => undefined)
    t.is(attach(partition).kind, "attached")
  })
}

test("index contents: an unfinished volume is doomed, whatever it has of a root directory", (t) => {
  const partition = fixturePartition(t)
  truncateSync(pathOf(partition, largeIndexInode), 8)
  patchInfo(partition, clones.rw, (info) => {
    info.destroyMe = 0xd3
  })
  t.is(attach(partition).kind, "doomed")
})

test("index contents: a count of files that is negative, as OpenAFS may leave it, keeps no volume away", (t) => {
  const partition = fixturePartition(t)
  patchInfo(partition, clones.rw, (info) => {
    info.filecount = -3
  })
  t.is(attach(partition).kind, "attached")
})
