import test from "ava"
import { indexPieces } from "../../../common/vnode/index-piece.ts"
import { openVolume } from "../../../common/volume/volume.ts"
import { backupVolume } from "../../../volserver/operations/backup.ts"
import { cloneVolume } from "../../../volserver/operations/clone.ts"
import { releaseVolume } from "../../../volserver/operations/release.ts"
import { removeVolume } from "../../../volserver/operations/remove.ts"
import { takeOffline } from "../../../volserver/operations/service.ts"
import { manyFiles, sampleTree, treeDump } from "../../support/dump-builder.ts"
import { infoOnDisk } from "../../support/served-volumes.ts"
import { type VolumeRig, volumeRig } from "../../support/volume-rig.ts"

const clone = (rig: VolumeRig, id: number, name: string, more = {}) =>
  cloneVolume(rig.context, { source: rig.place(id), type: "BK", name, ...more })

test("clone: it is what its source was, and stays so when the source changes", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const { id: copy } = await clone(rig, id, "v.monday")
  const before = rig.tree(id)
  t.deepEqual(rig.tree(copy), before)
  await rig.restore(treeDump({ other: "x" }, { name: "v" }), { name: "v", overwrite: "full" })
  t.deepEqual(rig.tree(copy), before)
  t.deepEqual(rig.problems(), [])
})

test("clone: directories of the source are marked as shared, files need no mark, the clone has none", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const { id: copy } = await clone(rig, id, "v.monday")
  const marks = (volumeId: number) => {
    using volume = openVolume(rig.partition, volumeId, "read")
    const cloned = (cls: "large" | "small") => [...volume.index(cls).records()].map(({ record }) => record.cloned)
    return { large: [...new Set(cloned("large"))], small: [...new Set(cloned("small"))] }
  }
  t.deepEqual(marks(id), { large: [1], small: [0] })
  t.deepEqual(marks(copy), { large: [0], small: [0] })
})

test("clone: renewing one takes what changed and gives back what only it had", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const first = await backupVolume(rig.context, rig.place(id))
  await rig.restore(treeDump({ other: "x", ...manyFiles(120, 10) }, { name: "v" }), { name: "v", overwrite: "full" })
  const again = await backupVolume(rig.context, rig.place(id))
  t.like(again, { id: first.id, again: true, name: "v.backup" })
  t.deepEqual(rig.tree(again.id), rig.tree(id))
  await rig.restore(treeDump({}, { name: "v" }), { name: "v", overwrite: "full" })
  await backupVolume(rig.context, rig.place(id))
  t.deepEqual(Object.keys(rig.tree(first.id)), ["/"])
  t.deepEqual(rig.problems(), [])
})

// OpenAFS fails at the eighth with EIO, and forces the read-write volume offline for a salvage.
test("clone: renewing one of which nothing has changed leaves its files and renews its dates", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const { id: copy } = await backupVolume(rig.context, rig.place(id))
  const identities = () => {
    using volume = openVolume(rig.partition, copy, "read")
    return volume.files().map((file) => file.stat().identity)
  }
  const [before, tree] = [identities(), rig.tree(copy)]
  const later = { ...rig.context, now: () => 1_900_000_000 }
  await backupVolume(later, rig.place(id))
  t.deepEqual(identities(), before)
  t.deepEqual(rig.tree(copy), tree)
  t.like(infoOnDisk(rig.partition, copy), { creationDate: 1_900_000_000, inUse: 0, needsSalvaged: 0, inService: 1 })
  t.is(infoOnDisk(rig.partition, id).backupDate, 1_900_000_000)
  t.deepEqual(rig.problems(), [])
})

// A salvage rebuilt a directory and took its mark: a clone that has the same record must not lose it at the next change.
test("clone: renewing one marks directories again that have lost their mark", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  await backupVolume(rig.context, rig.place(id))
  const rootMark = (set?: boolean): boolean => {
    using volume = openVolume(rig.partition, id, "write")
    const [piece] = [...indexPieces(volume.large.file, "large")]
    if (piece === undefined) throw new Error("no directories")
    if (set !== undefined) {
      piece.setCloned(0, set)
      volume.large.file.write(piece.record(0), piece.offset)
    }
    return piece.isCloned(0)
  }
  t.false(rootMark(false))
  await backupVolume(rig.context, rig.place(id))
  t.true(rootMark())
})

test("clone: the eighth volume to share a file is refused, and nothing has changed", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", { file: "content" })
  for (let count = 1; count <= 6; count++) await clone(rig, id, `v.${count}x`)
  const before = infoOnDisk(rig.partition, id)
  const error = await t.throwsAsync(clone(rig, id, "v.7x"), { code: "EMLINK" })
  t.regex(error?.message ?? "", /at most 7/)
  t.deepEqual(infoOnDisk(rig.partition, id), before)
  t.deepEqual(rig.problems(), [])
  await removeVolume(rig.context, rig.place(id + 3))
  await clone(rig, id, "v.7x")
  t.deepEqual(rig.problems(), [])
})

test("clone: an id that belongs to something else is refused", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const other = await rig.volume("other", sampleTree)
  const { id: otherBackup } = await backupVolume(rig.context, rig.place(other))
  await t.throwsAsync(clone(rig, id, "c", { id }), { code: "EINVAL" })
  await t.throwsAsync(clone(rig, id, "c", { id: other }), { code: "EXDEV" })
  await t.throwsAsync(clone(rig, id, "c", { id: otherBackup }), { code: "EXDEV" })
  t.deepEqual(rig.problems(), [])
})

test("clone: what is out of service or unfinished is not cloned", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  await takeOffline(rig.context, rig.place(id))
  await t.throwsAsync(backupVolume(rig.context, rig.place(id)), { code: "VOFFLINE" })
})

test("clone: of a clone, it shares the same files and marks nothing", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const { id: readonly } = await releaseVolume(rig.context, rig.place(id))
  const { id: second } = await clone(rig, readonly, "v.second")
  t.deepEqual(rig.tree(second), rig.tree(id))
  t.is(infoOnDisk(rig.partition, second).parentId, id)
  t.deepEqual(rig.problems(), [])
})

test("backup: only of a read-write volume, under its own name, with the id that it had before", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const { id: backup } = await backupVolume(rig.context, rig.place(id))
  await t.throwsAsync(backupVolume(rig.context, rig.place(backup)), { code: "EINVAL" })
  await removeVolume(rig.context, rig.place(backup))
  t.like(await backupVolume(rig.context, rig.place(id)), { id: backup, again: false })
})

// `vos clone` notes its clone as the volume's backup: the next backup must not be written over it.
test("backup: a clone that was made for another purpose is not taken for the backup volume", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const snapshot = await clone(rig, id, "v.monday")
  t.is(infoOnDisk(rig.partition, id).backupId, snapshot.id)
  const before = rig.tree(snapshot.id)
  await rig.restore(treeDump({}, { name: "v" }), { name: "v", overwrite: "full" })
  const backup = await backupVolume(rig.context, rig.place(id))
  t.not(backup.id, snapshot.id)
  t.deepEqual(rig.tree(snapshot.id), before)
})

test("release: a read-only clone carries its own id as that of the clone", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const { id: readonly, name } = await releaseVolume(rig.context, rig.place(id))
  t.is(name, "v.readonly")
  t.like(infoOnDisk(rig.partition, readonly), { type: 1, cloneId: readonly, parentId: id, inService: 1, destroyMe: 0 })
  t.is(infoOnDisk(rig.partition, id).cloneId, readonly)
})
