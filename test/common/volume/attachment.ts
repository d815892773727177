import test from "ava"
import { Attachment, uniquifierReserve } from "../../../common/volume/attachment.ts"
import { requireHeader } from "../../../common/volume/volume.ts"
import { newVolumeHeader } from "../../../common/volume/volume-header.ts"
import { newVolumeInfo, type VolumeInfo, volumeInfoLayout } from "../../../common/volume/volume-info.ts"
import { clones, fixturePartition, infoOnDisk } from "../../support/served-volumes.ts"

const attachmentOf = (fields: Partial<VolumeInfo>): Attachment =>
  new Attachment(newVolumeHeader(5, 4), volumeInfoLayout.encode(newVolumeInfo({ id: 5, ...fields })))

test("attachment: tells what the volume information says, without handing out the copy in core", (t) => {
  const attachment = attachmentOf({ type: 0, inUse: 1, inService: 1, blessed: 1, dontSalvage: 0xe5, uniquifier: 77 })
  t.deepEqual([attachment.group, attachment.readWrite, attachment.inUse, attachment.inService], [4, true, true, true])
  t.deepEqual([attachment.blessed, attachment.isMarkedSound, attachment.nextUnique], [true, true, 77])
  attachment.bytes.fill(0)
  attachment.info.name = "changed"
  t.is(attachment.info.id, 5)
  t.is(attachment.info.name, "")
  t.false(attachmentOf({ type: 2 }).readWrite)
})

test("attachment: an edit stays in core, a write reaches the disk; bytes that no field owns survive both", (t) => {
  const partition = fixturePartition(t)
  const bytes = volumeInfoLayout.encode(infoOnDisk(partition, clones.rw))
  bytes.set(Buffer.from("tail"), 12 + 20) // behind the name's NUL
  const attachment = new Attachment(requireHeader(partition, clones.rw), bytes)
  attachment.edit((info) => {
    info.dayUse = 41
  })
  t.not(infoOnDisk(partition, clones.rw).dayUse, 41)
  attachment.write(partition, {})
  t.is(infoOnDisk(partition, clones.rw).dayUse, 41)
  t.is(Buffer.from(attachment.bytes.subarray(32, 36)).toString(), "tail")
})

test("attachment: uniquifiers are written with a reserve while in use, exactly when not, and never wrap into 1", (t) => {
  const partition = fixturePartition(t)
  const attachment = new Attachment(
    requireHeader(partition, clones.rw),
    volumeInfoLayout.encode(infoOnDisk(partition, clones.rw)),
  )
  const written = (inUse: number): number => {
    attachment.write(partition, { inUse })
    return infoOnDisk(partition, clones.rw).uniquifier
  }
  attachment.nextUnique = 1000
  t.is(written(1), 1000 + uniquifierReserve)
  t.is(written(0), 1000)
  attachment.nextUnique = 0xffff_ffff - uniquifierReserve
  t.is(written(1), 0xffff_ffff)
  attachment.nextUnique = 0xffff_ffff - uniquifierReserve + 1
  t.is(written(1), 2 + uniquifierReserve)
  attachment.nextUnique = 0
  t.is(written(0), 2)
})
