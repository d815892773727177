import { existsSync, readFileSync, writeFileSync } from "node:fs"
import test from "ava"
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { newLinkTable } from "../../common/partition/link-table-format.ts"
import { headerPath } from "../../common/partition/partition.ts"
import { infoInode, largeIndexInode } from "../../common/volume/volume-header.ts"
import { createVolume } from "../../volserver/operations/create.ts"
import { removeVolume } from "../../volserver/operations/remove.ts"
import { makeVolumeFiles, unmakeVolumeFiles } from "../../volserver/volume-files.ts"
import { infoOnDisk } from "../support/served-volumes.ts"
import { type VolumeRig, volumeRig } from "../support/volume-rig.ts"

const id = 536_870_950
const storeOf = ({ partition }: VolumeRig): InodeStore => new InodeStore(partition, id)

test("volume files: what is made carries the destroy mark, and goes again without a trace", (t) => {
  const rig = volumeRig(t)
  const header = makeVolumeFiles(rig.partition, id, id, 5)
  t.like(infoOnDisk(rig.partition, id), { id, parentId: id, copyDate: 5, destroyMe: 0xd3, inService: 0, blessed: 0 })
  unmakeVolumeFiles(rig.partition, header)
  t.false(existsSync(headerPath(rig.partition, id)))
  t.false(existsSync(storeOf(rig).root))
})

// A volume that lost its header, or whose information cannot be read, may still have all its files: a salvager makes it whole.
test("volume files: where files of the id are, nothing is made and nothing is taken away", async (t) => {
  const rig = volumeRig(t)
  const store = storeOf(rig)
  const header = makeVolumeFiles(rig.partition, id, id, 5)
  unmakeVolumeFiles(rig.partition, header)
  store.create(specialInode(id, "linkTable"), id).close()
  for (const inode of [largeIndexInode(header), infoInode(header)]) {
    store.create(inode, id).close()
    writeFileSync(store.path(inode), "precious")
    await t.throwsAsync(createVolume(rig.context, { partition: rig.partition, name: "v", id }), { code: "VVOLEXISTS" })
    t.is(readFileSync(store.path(inode), "utf8"), "precious")
    store.unlink(inode)
  }
})

test("volume files: a link table that a crash left without volumes counts from one again", async (t) => {
  const rig = volumeRig(t)
  const store = storeOf(rig)
  const table = specialInode(id, "linkTable")
  store.create(table, id).close()
  writeFileSync(store.path(table), newLinkTable().fill(3, 8, 9))
  await createVolume(rig.context, { partition: rig.partition, name: "v", id })
  t.deepEqual(rig.problems(), [])
  await removeVolume(rig.context, rig.place(id))
  t.false(existsSync(store.root))
})

test("volume files: in a group without its link table no volume is made", async (t) => {
  const rig = volumeRig(t)
  await createVolume(rig.context, { partition: rig.partition, name: "v", id })
  storeOf(rig).unlink(specialInode(id, "linkTable"))
  t.throws(() => makeVolumeFiles(rig.partition, id + 1, id, 5), { code: "VSALVAGE" })
  t.false(existsSync(headerPath(rig.partition, id + 1)))
})
