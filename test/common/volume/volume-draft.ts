import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { ownFolder, type Partition } from "../../../common/partition/partition.ts"
import { openVolume, requireHeader } from "../../../common/volume/volume.ts"
import { discardDraft, findDraft, finishDraft, installDraft, VolumeDraft } from "../../../common/volume/volume-draft.ts"
import { infoInode } from "../../../common/volume/volume-header.ts"
import { volumeInfoLayout } from "../../../common/volume/volume-info.ts"
import { cutDisk, DiskCut } from "../../support/cut-disk.ts"
import { makeSampleVolume, sampleId } from "../../support/sample-volume.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition, partitionOn } from "../../support/volume-builder.ts"

interface Sample {
  readonly partition: Partition
  readonly store: InodeStore
}

function sample(t: ExecutionContext): Sample {
  const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
  return { partition, store: makeSampleVolume(partition, { files: { a: "one" } }) }
}

/** Prepares an empty volume of another name in place of the sample, and marks the one on disk. */
function prepare(store: InodeStore): void {
  const header = requireHeader(store.partition, sampleId)
  const draft = VolumeDraft.begin(store, header)
  using volume = openVolume(store.partition, sampleId, "write")
  const next = { ...volume.info, name: "next", filecount: 0 }
  volume.info.needsSalvaged = 1
  const marked = volumeInfoLayout.encode(volume.info)
  draft.complete(next, marked)
  draft.close()
  using info = store.open(infoInode(header), "write")
  info.write(marked, 0)
}

/** Name, mark and number of small vnodes of the volume on disk. */
function contents(partition: Partition): [string, number, number] {
  using volume = openVolume(partition, sampleId, "read")
  return [volume.info.name, volume.info.needsSalvaged, [...volume.small.records()].length]
}

const drafts = (partition: Partition): string[] =>
  existsSync(join(partition.path, ownFolder))
    ? readdirSync(join(partition.path, ownFolder)).filter((name) => name.startsWith("V"))
    : []

test("an installed draft is the volume, and nothing is left of it", (t) => {
  const { partition, store } = sample(t)
  prepare(store)
  installDraft(store, sampleId)
  t.deepEqual(contents(partition), ["next", 0, 0])
  t.deepEqual(drafts(partition), [])
  installDraft(store, sampleId)
  t.deepEqual(contents(partition), ["next", 0, 0], "installing twice is installing once")
})

test("a draft that is left without being installed leaves the volume as it was", (t) => {
  const { partition, store } = sample(t)
  {
    using draft = VolumeDraft.begin(store, requireHeader(partition, sampleId))
    draft.small.write(new Uint8Array(64), 64)
  }
  t.deepEqual(contents(partition), [`v.${sampleId}`, 0, 1])
  t.deepEqual(drafts(partition), [])
})

test("a draft that was never completed is thrown away by whoever finds it", (t) => {
  const { partition, store } = sample(t)
  const header = requireHeader(partition, sampleId)
  VolumeDraft.begin(store, header).close()
  t.is(findDraft(store, header), "unfinished")
  t.is(finishDraft(store, header), "discarded")
  t.deepEqual(contents(partition), [`v.${sampleId}`, 0, 1])
  t.false(discardDraft(partition, sampleId))
})

// A crash in the middle of the three renames leaves the directories of one tree with the files of another: served like
// that, or salvaged like that, every file that only one of them names would be lost.
test("an installation that was cut off anywhere is finished by whoever finds it, or never began", (t) => {
  for (let at = 1; ; at++) {
    const { partition, store } = sample(t)
    prepare(store)
    const cut = cutDisk({ at, how: "throw" })
    const torn = new InodeStore(partitionOn(cut, partition), store.group)
    let isCut = false
    try {
      installDraft(torn, sampleId)
    } catch (error) {
      if (!(error instanceof DiskCut)) throw error
      isCut = true
    }
    const outcome = finishDraft(store, requireHeader(partition, sampleId))
    const [name, marked, files] = contents(partition)
    if (outcome === "finished" || name === "next") t.deepEqual([name, marked, files], ["next", 0, 0], `cut ${at}`)
    else t.deepEqual([name, marked, files], [`v.${sampleId}`, 1, 1], `cut ${at}`)
    t.deepEqual(drafts(partition), [], `cut ${at}`)
    if (!isCut) return
  }
})

test("a complete draft of a volume that somebody repaired meanwhile is thrown away", (t) => {
  const { partition, store } = sample(t)
  prepare(store)
  const cut = cutDisk({ at: 2, how: "throw" }) // the folder has its final name, no part is in place
  t.throws(() => installDraft(new InodeStore(partitionOn(cut, partition), store.group), sampleId), {
    instanceOf: DiskCut,
  })
  const header = requireHeader(partition, sampleId)
  t.is(findDraft(store, header), "complete")
  {
    using volume = openVolume(partition, sampleId, "write")
    volume.info.needsSalvaged = 0
    volume.writeInfo()
  }
  t.is(finishDraft(store, header), "discarded")
  t.deepEqual(contents(partition), [`v.${sampleId}`, 0, 1])
})
