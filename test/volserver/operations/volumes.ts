/** Operations that make, remove and describe volumes. */
import { existsSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { headerPath, type Partition } from "../../../common/partition/partition.ts"
import { indexPieces } from "../../../common/vnode/index-piece.ts"
import { openVolume } from "../../../common/volume/volume.ts"
import { newVolumeHeader, smallIndexInode } from "../../../common/volume/volume-header.ts"
import { backupVolume } from "../../../volserver/operations/backup.ts"
import { convertToReadWrite } from "../../../volserver/operations/convert.ts"
import { createVolume } from "../../../volserver/operations/create.ts"
import { examineVolume, listVolumeStatus } from "../../../volserver/operations/examine.ts"
import { releaseVolume } from "../../../volserver/operations/release.ts"
import { removeVolume } from "../../../volserver/operations/remove.ts"
import { renameVolume } from "../../../volserver/operations/rename.ts"
import { putOnline, takeOffline } from "../../../volserver/operations/service.ts"
import { setFields } from "../../../volserver/operations/set-fields.ts"
import { zapVolume } from "../../../volserver/operations/zap.ts"
import { firstVolumeId } from "../../../volserver/volume-id.ts"
import { sampleTree } from "../../support/dump-builder.ts"
import { salvageHere } from "../../support/salvage-here.ts"
import { infoOnDisk, patchInfo } from "../../support/served-volumes.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition } from "../../support/volume-builder.ts"
import { volumeRig } from "../../support/volume-rig.ts"

test("create: an empty volume that a server can put online, sound from the first moment", async (t) => {
  const rig = volumeRig(t)
  const { id } = await createVolume(rig.context, { partition: rig.partition, name: "v", maxquota: 7 })
  t.is(id, firstVolumeId)
  t.like(infoOnDisk(rig.partition, id), {
    name: "v",
    type: 0,
    inService: 1,
    blessed: 1,
    destroyMe: 0,
    maxquota: 7,
    uniquifier: 2,
  })
  t.deepEqual(Object.keys(rig.tree(id)), ["/"])
  t.deepEqual(rig.problems(), [])
})

test("create: names that would be trouble are refused", async (t) => {
  const rig = volumeRig(t)
  for (const name of ["", "x".repeat(23), "123", "a.readonly", "a.backup", "a/b", "a b", "a\nb"]) {
    await t.throwsAsync(createVolume(rig.context, { partition: rig.partition, name }), { code: "EINVAL" }, name)
  }
  for (const maxquota of [-1, 2 ** 31, 1.5]) {
    await t.throwsAsync(createVolume(rig.context, { partition: rig.partition, name: "v", maxquota }), {
      code: "EINVAL",
    })
  }
  t.deepEqual(
    readdirSync(rig.partition.path).filter((name) => name.endsWith(".vol")),
    [],
  )
})

test("create: names and ids that are taken are refused, on any partition of the server", async (t) => {
  const rig = volumeRig(t)
  const other = newPartition(join(temporaryDirectory(t), "vicepb"))
  const context = { ...rig.context, partitions: [rig.partition, other] }
  const { id } = await createVolume(context, { partition: other, name: "v" })
  await t.throwsAsync(createVolume(context, { partition: rig.partition, name: "v" }), { code: "VVOLEXISTS" })
  await t.throwsAsync(createVolume(context, { partition: rig.partition, name: "w", id }), { code: "VVOLEXISTS" })
  const second = await createVolume(context, { partition: rig.partition, name: "w" })
  t.is(second.id, id + 1)
})

test("create: a name of other letters is kept byte for byte, and found again", async (t) => {
  const rig = volumeRig(t)
  const { id } = await createVolume(rig.context, { partition: rig.partition, name: "grün" })
  t.is((await examineVolume(rig.context, rig.place(id))).name, "grün")
  t.is(infoOnDisk(rig.partition, id).name, Buffer.from("grün").toString("latin1"))
})

test("create: ids above 2^31 work as any other", async (t) => {
  const rig = volumeRig(t)
  const { id } = await createVolume(rig.context, { partition: rig.partition, name: "top", id: 0xffff_fffe })
  await backupVolume(rig.context, rig.place(id), { id: 0xffff_ffff })
  t.deepEqual(rig.problems(), [])
  const { id: next } = await createVolume(rig.context, { partition: rig.partition, name: "next" })
  t.is(next, firstVolumeId, "and do not use ids up")
})

test("remove: nothing of the last volume of a group is left, and of others everything", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const keep = await rig.volume("keep", sampleTree)
  const before = rig.tree(keep)
  const { id: backup } = await backupVolume(rig.context, rig.place(id))
  const { id: readonly } = await releaseVolume(rig.context, rig.place(id))
  const kept = rig.tree(readonly)
  const removed = await removeVolume(rig.context, rig.place(id))
  t.deepEqual(
    removed.map((volume) => volume.id),
    [id, backup],
  )
  t.deepEqual(rig.tree(readonly), kept)
  t.deepEqual(rig.problems(), [])
  await removeVolume(rig.context, rig.place(readonly))
  t.false(existsSync(new InodeStore(rig.partition, id).root))
  t.deepEqual(rig.tree(keep), before)
  t.deepEqual(rig.problems(), [])
})

test("remove: a volume with a damaged record is refused as it is, and zap removes it", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const keep = await rig.volume("keep", sampleTree)
  const store = new InodeStore(rig.partition, id)
  const index = store.path(smallIndexInode(newVolumeHeader(id, id)))
  {
    using file = rig.partition.disk.open(index, "write")
    file.write(new Uint8Array(4).fill(9), 64 + 36) // the first record's magic
  }
  await t.throwsAsync(removeVolume(rig.context, rig.place(id)), { message: /magic/ })
  const zapped = await zapVolume(rig.context, rig.place(id), { force: true })
  t.like(zapped, { id, byName: false, dataLeft: false })
  t.false(existsSync(store.root))
  t.is(Object.keys(rig.tree(keep)).length, Object.keys(sampleTree).length + 5)
})

for (const what of ["header", "index", "info"] as const) {
  test(`zap: with force, a volume whose ${what} is destroyed goes, and its clone stays whole`, async (t) => {
    const rig = volumeRig(t)
    const id = await rig.volume("v", sampleTree)
    const { id: readonly } = await releaseVolume(rig.context, rig.place(id))
    const before = rig.tree(readonly)
    const store = new InodeStore(rig.partition, id)
    const header = newVolumeHeader(id, id)
    const path = {
      header: headerPath(rig.partition, id),
      index: store.path(smallIndexInode(header)),
      info: store.path({ high: header.infoHigh, low: header.infoLow }),
    }[what]
    writeFileSync(path, "garbage")
    await t.throwsAsync(zapVolume(rig.context, rig.place(id), { force: false }))
    await zapVolume(rig.context, rig.place(id), { force: true })
    t.false(existsSync(headerPath(rig.partition, id)))
    await salvageHere(rig.partition.path)
    t.deepEqual(rig.tree(readonly), before)
    t.deepEqual(rig.problems(), [])
  })
}

test("zap: files of a volume that has lost its header are found by their names", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  rig.partition.disk.unlink(headerPath(rig.partition, id))
  const { byName } = await zapVolume(rig.context, rig.place(id), { force: true })
  t.true(byName)
  t.false(existsSync(new InodeStore(rig.partition, id).root))
  await t.throwsAsync(zapVolume(rig.context, rig.place(id), { force: true }), { code: "VNOVOL" })
})

test("rename: a volume and its clones, and nothing else of the group", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("old", sampleTree)
  await backupVolume(rig.context, rig.place(id))
  await releaseVolume(rig.context, rig.place(id))
  const renamed = await renameVolume(rig.context, rig.place(id), "new")
  t.deepEqual(
    renamed.map(({ name }) => name),
    ["new", "new.readonly", "new.backup"],
  )
  await rig.volume("other", sampleTree)
  await t.throwsAsync(renameVolume(rig.context, rig.place(id), "other"), { code: "VVOLEXISTS", message: /^rename: / })
  const again = await renameVolume(rig.context, rig.place(id), "new")
  t.deepEqual(
    again.map(({ name, oldName }) => [oldName, name]),
    renamed.map(({ name }) => [name, name]),
    "to the name it has",
  )
  t.deepEqual(rig.problems(), [])
})

test("set fields: what is named changes, everything else stays", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const before = infoOnDisk(rig.partition, id)
  await setFields(rig.context, rig.place(id), { maxquota: 9, owner: 4_000_000_000, offlineMessage: "back soon" })
  t.deepEqual(infoOnDisk(rig.partition, id), {
    ...before,
    statInitialized: 1,
    maxquota: 9,
    owner: 4_000_000_000,
    offlineMessage: "back soon",
  })
  await t.throwsAsync(setFields(rig.context, rig.place(id), { owner: -1 }), { code: "EINVAL" })
  await t.throwsAsync(setFields(rig.context, rig.place(id), { offlineMessage: "x".repeat(128) }), { code: "EINVAL" })
})

test("offline and online: the volume stays out of service until it is put back", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  t.false((await takeOffline(rig.context, rig.place(id))).inService)
  t.is(infoOnDisk(rig.partition, id).inService, 0)
  t.true((await putOnline(rig.context, rig.place(id))).inService)
  t.is((await takeOffline(rig.context, rig.place(id), { forMs: 1, busy: true })).inService, true)
  await t.throwsAsync(takeOffline(rig.context, rig.place(id), { busy: true }), { code: "EINVAL" })
})

// `vos online` on the rest of a failed restore puts a fragment into service.
test("online: what never was complete, or was invented by a salvager, does not come online by itself", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  patchInfo(rig.partition, id, (info) => Object.assign(info, { destroyMe: 0xd3 }))
  await t.throwsAsync(putOnline(rig.context, rig.place(id)), { code: "EINVAL" })
  patchInfo(rig.partition, id, (info) => Object.assign(info, { destroyMe: 0, blessed: 0 }))
  await t.throwsAsync(putOnline(rig.context, rig.place(id)), { code: "VNOSERVICE" })
  await setFields(rig.context, rig.place(id), { blessed: true })
  await putOnline(rig.context, rig.place(id))
  t.like(infoOnDisk(rig.partition, id), { inService: 1, blessed: 1 })
})

/** Vnode numbers of directories that are copied before they change. */
function sharedDirectories(partition: Partition, id: number): number[] {
  using volume = openVolume(partition, id, "read")
  const pieces = [...indexPieces(volume.large.file, "large")]
  return pieces.flatMap((piece) =>
    Array.from({ length: piece.count }, (_, slot) => slot)
      .filter((slot) => piece.used(slot) && piece.isCloned(slot))
      .map((slot) => piece.vnode(slot)),
  )
}

test("convert: a read-only volume whose read-write volume is lost becomes it; others are refused", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const { id: readonly } = await releaseVolume(rig.context, rig.place(id))
  await t.throwsAsync(convertToReadWrite(rig.context, rig.place(readonly)), { code: "VVOLEXISTS" })
  await t.throwsAsync(convertToReadWrite(rig.context, rig.place(id)), { code: "EINVAL" })
  const before = rig.tree(readonly)
  const { uniquifier } = infoOnDisk(rig.partition, readonly)
  await removeVolume(rig.context, rig.place(id))
  t.deepEqual(await convertToReadWrite(rig.context, rig.place(readonly)), {
    id,
    name: "v",
    partition: rig.partition.name,
    from: readonly,
  })
  t.deepEqual(rig.tree(id), before)
  t.like(infoOnDisk(rig.partition, id), { type: 0, restoredFromId: readonly, uniquifier: uniquifier + 5000 })
  t.false(existsSync(headerPath(rig.partition, readonly)))
  t.deepEqual(sharedDirectories(rig.partition, id), [], "nobody shares them: they need no copy before they change")
  t.deepEqual(rig.problems(), [])
})

// The backup volume shares the directories of the read-only one that becomes read-write: without the mark the first change
// of a directory would change the backup too.
test("convert: directories that another clone shares keep the mark by which they are copied before they change", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const { id: readonly } = await releaseVolume(rig.context, rig.place(id))
  const { id: backup } = await backupVolume(rig.context, rig.place(id))
  await removeVolume(rig.context, rig.place(id), { keepBackup: true })
  await convertToReadWrite(rig.context, rig.place(readonly))
  const shared = sharedDirectories(rig.partition, id)
  t.true(shared.includes(1))
  await removeVolume(rig.context, rig.place(backup))
  t.deepEqual(rig.problems(), [])
})

test("examine: a volume's fields; one that cannot be read is listed as such and does not hide the others", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const { id: backup } = await backupVolume(rig.context, rig.place(id))
  writeFileSync(headerPath(rig.partition, backup), "garbage")
  patchInfo(rig.partition, id, (info) => Object.assign(info, { needsSalvaged: 1 }))
  const [first, second] = await listVolumeStatus(rig.context, rig.partition)
  t.like(first, { id, name: "v", type: "RW", condition: "offline", why: "marked for a salvage", source: "disk" })
  t.like(second, { id: backup, condition: "unreadable" })
  t.regex(second?.why ?? "", /volume header|VolumeHeader/)
  await t.throwsAsync(examineVolume(rig.context, rig.place(4711)), { code: "VNOVOL" })
})
