import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { ownFolder, type Partition } from "../../../common/partition/partition.ts"
import { openVolume, requireHeader } from "../../../common/volume/volume.ts"
import {
  findDraft,
  finishDraft,
  installDraft,
  VolumeDraft,
  volumesInSwitch,
} from "../../../common/volume/volume-draft.ts"
import { infoInode, largeIndexInode } from "../../../common/volume/volume-header.ts"
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

/** Prepares an empty volume of another name in place of the sample. */
function prepare(store: InodeStore): void {
  const header = requireHeader(store.partition, sampleId)
  const draft = VolumeDraft.begin(store, header)
  using volume = openVolume(store.partition, sampleId, "write")
  draft.complete({ ...volume.info, name: "next", filecount: 0 })
  draft.close()
}

/** Name and number of small vnodes of the volume on disk. */
function contents(partition: Partition): [string, number] {
  using volume = openVolume(partition, sampleId, "read")
  return [volume.info.name, [...volume.small.records()].length]
}

const oldContents = [`v.${sampleId}`, 1]
const newContents = ["next", 0]

/** What is left of drafts and switches, and names of special files that are no plain files. */
function leftovers({ root, partition }: InodeStore): string[] {
  const own = join(partition.path, ownFolder)
  const drafts = existsSync(own) ? readdirSync(own).filter((name) => name.startsWith("V")) : []
  const switches = readdirSync(root).filter((name) => name.startsWith("."))
  const special = readdirSync(join(root, "special"), { withFileTypes: true })
  return [...drafts, ...switches, ...special.filter((entry) => !entry.isFile()).map(({ name }) => name)]
}

/** Installs with a disk that ends at the nth change. @returns true if it was cut */
function cutInstall(partition: Partition, store: InodeStore, at: number): boolean {
  const cut = cutDisk({ at, how: "throw" })
  try {
    installDraft(new InodeStore(partitionOn(cut, partition), store.group), sampleId)
    return false
  } catch (error) {
    if (!(error instanceof DiskCut)) throw error
    return true
  }
}

test("an installed draft is the volume, and nothing is left of it", (t) => {
  const { partition, store } = sample(t)
  prepare(store)
  installDraft(store, sampleId)
  t.deepEqual(contents(partition), newContents)
  t.deepEqual(leftovers(store), [])
  installDraft(store, sampleId)
  t.deepEqual(contents(partition), newContents, "installing twice is installing once")
})

test("a draft that is left without being installed leaves the volume as it was", (t) => {
  const { partition, store } = sample(t)
  {
    using draft = VolumeDraft.begin(store, requireHeader(partition, sampleId))
    draft.small.write(new Uint8Array(64), 64)
  }
  t.deepEqual(contents(partition), oldContents)
  t.deepEqual(leftovers(store), [])
})

test("a draft that was never completed is thrown away by whoever finds it", (t) => {
  const { partition, store } = sample(t)
  VolumeDraft.begin(store, requireHeader(partition, sampleId)).close()
  t.is(findDraft(store, sampleId), "unfinished")
  t.is(finishDraft(store, sampleId), "discarded")
  t.deepEqual(contents(partition), oldContents)
  t.is(finishDraft(store, sampleId), "none")
})

// Three renames one after the other leave, for a crash between them, the directories of one tree with the files of another:
// served like that, or salvaged like that, every file that only one of them names would be lost.
test("an installation that is cut off anywhere leaves a whole volume, old or new, before anybody tidies up and after", (t) => {
  const seen = new Set<string>()
  for (let at = 1; ; at++) {
    const { partition, store } = sample(t)
    prepare(store)
    const isCut = cutInstall(partition, store, at)
    const found = findDraft(store, sampleId)
    const before = contents(partition)
    const isNew = seen.has("next") || found !== "unfinished" // once new it stays so
    t.deepEqual(before, isNew ? newContents : oldContents, `cut ${at}`)
    seen.add(before[0])
    t.is(
      finishDraft(store, sampleId),
      ({ none: "none", complete: "finished", unfinished: "discarded" } as const)[found],
    )
    t.deepEqual(contents(partition), before, `cut ${at}`)
    t.deepEqual(leftovers(store), [], `cut ${at}`)
    if (!isCut) break
  }
  t.deepEqual([...seen], [`v.${sampleId}`, "next"])
})

test("what another program repairs in the middle of a switch stays", (t) => {
  for (let at = 1; ; at++) {
    const { partition, store } = sample(t)
    prepare(store)
    if (!cutInstall(partition, store, at)) break
    const [name] = contents(partition)
    {
      using volume = openVolume(partition, sampleId, "write")
      volume.info.maxquota = 4711
      volume.writeInfo()
    }
    finishDraft(store, sampleId)
    using volume = openVolume(partition, sampleId, "read")
    t.deepEqual([volume.info.name, volume.info.maxquota], [name, 4711], `cut ${at}`)
  }
})

test("a volume that another program removed in the middle of a switch does not come back, and one made in its place stays", (t) => {
  for (let at = 1; ; at++) {
    const { partition, store } = sample(t)
    prepare(store)
    if (!cutInstall(partition, store, at)) break
    const info = store.path(infoInode(requireHeader(partition, sampleId)))
    unlinkSync(info)
    const large = store.path(largeIndexInode(requireHeader(partition, sampleId)))
    unlinkSync(large)
    writeFileSync(large, "another")
    finishDraft(store, sampleId)
    t.false(existsSync(info), `cut ${at}`)
    t.is(readFileSync(large, "latin1"), "another", `cut ${at}`)
    t.deepEqual(leftovers(store), [], `cut ${at}`)
  }
})

test("the last file of a group takes the rest of a broken switch with it", (t) => {
  const { partition, store } = sample(t)
  prepare(store)
  t.true(cutInstall(partition, store, 12))
  t.deepEqual(volumesInSwitch(readdirSync(store.root)), [sampleId])
  for (const { path } of store.files()) unlinkSync(path)
  t.true(store.removeFolders())
  t.false(existsSync(store.root))
})
