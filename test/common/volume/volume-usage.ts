import test from "ava"
import { Attachment } from "../../../common/volume/attachment.ts"
import { newVolumeHeader } from "../../../common/volume/volume-header.ts"
import { newVolumeInfo, volumeInfoLayout } from "../../../common/volume/volume-info.ts"
import { VolumeUsage } from "../../../common/volume/volume-usage.ts"
import { attachedVolume, by, nameOf, newVnode, now } from "../../support/attached.ts"
import { infoOnDisk } from "../../support/served-volumes.ts"

const daySeconds = 86_400

test("usage: changes count vnodes and their blocks, and set the volume's date", async (t) => {
  const home = await attachedVolume(t, { file: "content" })
  const before = home.volume.attachment.info
  home.volume.makeDirectory(home.root, nameOf("d"), newVnode({ now: now + 7 }))
  home.put(home.root, "f", new Uint8Array(5000))
  home.volume.removeFile(home.root, nameOf("file"), { author: 1, now: now + 8 })
  const { filecount, diskused, updateDate, volUpdateCounter } = home.volume.attachment.info
  t.is(filecount, before.filecount + 1)
  t.is(diskused, before.diskused + 2 + 5 - 1)
  t.is(updateDate, now + 8)
  t.true(volUpdateCounter > before.volUpdateCounter)
  home.detach()
  t.like(infoOnDisk(home.partition, home.id), { filecount, diskused, updateDate })
})

test("usage: accesses are counted by day, and written after 128 of them", async (t) => {
  const home = await attachedVolume(t)
  for (let count = 0; count < 127; count++) home.volume.accessed(now)
  t.is(infoOnDisk(home.partition, home.id).dayUse, 0)
  home.volume.accessed(now)
  t.like(infoOnDisk(home.partition, home.id), { dayUse: 128, accessDate: now })
  for (let count = 0; count < 128; count++) home.volume.accessed(now + 1)
  t.is(infoOnDisk(home.partition, home.id).dayUse, 128, "not twice within five seconds")
  home.volume.accessed(now + 3 * daySeconds)
  const { dayUse, weekUse, dayUseDate } = home.volume.attachment.info
  t.is(dayUse, 1)
  t.deepEqual(
    [...weekUse].filter((uses) => uses > 0),
    [256],
  )
  t.true(dayUseDate <= now + 3 * daySeconds && dayUseDate > now + 2 * daySeconds - 1)
})

test("usage: a directory that grows takes blocks that no quota refuses", async (t) => {
  const home = await attachedVolume(t, {}, { quota: 100 })
  const { used } = home.volume.space
  for (let count = 0; count < 40; count++) {
    home.volume.createFile(home.root, nameOf(`${"n".repeat(100)}${count}`), newVnode())
  }
  t.is(home.volume.space.used, used - 2 + 40 + home.root.length / 1024)
  home.volume.removeFile(home.root, nameOf(`${"n".repeat(100)}0`), by)
  t.is(home.volume.space.used, used - 2 + 39 + home.root.length / 1024)
})

test("volume status: quota, name and message are on disk at once", async (t) => {
  const home = await attachedVolume(t)
  home.volume.setVolume({ maxQuota: 99, minQuota: 5, name: "other", offlineMessage: "later" })
  t.like(infoOnDisk(home.partition, home.id), { maxquota: 99, minquota: 5, name: "other", offlineMessage: "later" })
  t.deepEqual(home.volume.space, { used: 2, max: 99, min: 5 })
})

test("usage: a store may go beyond the quota as far as the server is told, new objects never", (t) => {
  const info = newVolumeInfo({ id: 5, maxquota: 1000, diskused: 990 })
  const attachment = new Attachment(newVolumeHeader(5, 5), volumeInfoLayout.encode(info))
  const usage = new VolumeUsage(attachment, (quota) => quota / 10)
  t.notThrows(() => usage.require(110, "store", 5))
  t.throws(() => usage.require(111, "store", 5), { code: "VOVERQUOTA" })
  t.notThrows(() => usage.require(10, "create", 5))
  t.throws(() => usage.require(11, "create", 5), { code: "VOVERQUOTA" })
  t.notThrows(() => new VolumeUsage(attachment).require(1034, "store", 5))
})

test("usage: the counter of updates counts what is made, removed, stored, or moved to another directory, as dafileserver's does", async (t) => {
  const home = await attachedVolume(t, { folder: { folder: {} } })
  const { volume, root } = home
  const counted = (work: () => unknown): number => {
    const before = volume.attachment.info.volUpdateCounter
    work()
    return volume.attachment.info.volUpdateCounter - before
  }
  const [one, two, three] = ["one", "two", "three"].map(nameOf) as [Uint8Array, Uint8Array, Uint8Array]
  t.is(
    counted(() => volume.createFile(root, one, newVnode())),
    1,
  )
  const file = home.at("one")
  t.is(
    counted(() => home.store(file, { length: 1, fileLength: 1 }, new Uint8Array(1))),
    1,
  )
  t.is(
    counted(() => volume.makeDirectory(root, nameOf("d"), newVnode())),
    1,
  )
  t.is(
    counted(() => volume.makeLink(root, two, file, by)),
    0,
  )
  t.is(
    counted(() => volume.setStatus(file, { mode: 0o600, now })),
    0,
  )
  t.is(
    counted(() => volume.rename(root, two, root, three, by)),
    0,
  )
  t.is(
    counted(() => volume.removeFile(root, three, by)),
    0,
  )
  t.is(
    counted(() => volume.rename(root, one, home.at("folder"), one, by)),
    1,
  )
  t.is(
    counted(() => volume.removeFile(home.at("folder"), one, by)),
    1,
  )
  t.is(
    counted(() => volume.removeDirectory(root, nameOf("d"), by)),
    1,
  )
})
