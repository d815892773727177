import test from "ava"
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
