import { cpSync, truncateSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { FormatError, isAfsError } from "../../../common/error.ts"
import { headerPath, openPartition } from "../../../common/partition/partition.ts"
import { openVolume } from "../../../common/volume/volume.ts"
import { backupVolume } from "../../../volserver/operations/backup.ts"
import { dumpSize, dumpVolume } from "../../../volserver/operations/dump.ts"
import { groupMembers } from "../../../volserver/volume-list.ts"
import { sampleTree } from "../../support/dump-builder.ts"
import { partitionProblems } from "../../support/partition-state.ts"
import { salvageHere } from "../../support/salvage-here.ts"
import { infoOnDisk } from "../../support/served-volumes.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition, standaloneContext, volumeOf } from "../../support/volume-builder.ts"
import { volumeRig } from "../../support/volume-rig.ts"

const noSink = { write: (): void => undefined }

test("dump: its size is known beforehand to the byte, full or incremental, with directories or without", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  for (const from of [0, 1_700_000_000, 0xffff_ffff]) {
    for (const omitDirectories of [false, true]) {
      const { length } = await rig.dump(id, { from, omitDirectories })
      t.is(await dumpSize(rig.context, rig.place(id), { from, omitDirectories }), length)
    }
  }
})

test("dump: says what it is of, and which state it holds", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const request = { place: rig.place(id), from: 5, omitDirectories: false, sink: noSink }
  const dumped = await dumpVolume(rig.context, request)
  t.like(dumped, { id, name: "v", from: 5, to: infoOnDisk(rig.partition, id).updateDate })
  t.is(dumped.length, (await rig.dump(id, { from: 5 })).length)
})

test("dump: by way of a clone it holds the same, and the clone is gone without a trace in the volume", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const before = infoOnDisk(rig.partition, id)
  const direct = await rig.dump(id)
  const viaClone = await rig.dump(id, { viaClone: true })
  t.is(viaClone.length, direct.length)
  t.true(viaClone.includes("v\0"))
  t.like(infoOnDisk(rig.partition, id), { cloneId: before.cloneId, backupId: before.backupId, inUse: 0 })
  const copy = await rig.restore(viaClone, { name: "copy" })
  t.deepEqual(rig.tree(copy.id), rig.tree(id))
  t.deepEqual(rig.problems(), [])
})

test("dump: a read-only volume is dumped as it is, and nothing of it is written", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const backup = await backupVolume(rig.context, rig.place(id))
  const before = infoOnDisk(rig.partition, backup.id)
  await rig.dump(backup.id)
  t.deepEqual(infoOnDisk(rig.partition, backup.id), before)
})

// A dump of what does not fit together would be restored as if it were sound.
for (const [title, change] of [
  ["longer", 10],
  ["shorter", -1],
] as const) {
  test(`dump: a data file that is ${title} than its vnode says is refused, by its path and vnode`, async (t) => {
    const rig = volumeRig(t)
    const id = await rig.volume("v", sampleTree)
    {
      using volume = openVolume(rig.partition, id, "read")
      const big = [...volume.small.records()].find(({ record }) => record.lengthLow === 300_000)
      using file = volume.openData(big?.vnode ?? 0, big?.record ?? t.fail())
      truncateSync(file?.path ?? "", 300_000 + change)
    }
    const error = await t.throwsAsync(rig.dump(id), { instanceOf: FormatError })
    t.regex(error.message, new RegExp(`vnode \\d+ of volume ${id}.*found ${300_000 + change} bytes, wanted 300000`))
    t.is(infoOnDisk(rig.partition, id).inUse, 0)
  })
}

test("dump: a data file that is missing is an error of its vnode", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  {
    using volume = openVolume(rig.partition, id, "read")
    const [slot] = volume.small.records()
    volume.store.unlink({ high: slot?.record.inodeHigh ?? 0, low: slot?.record.inodeLow ?? 0 })
  }
  const error = await t.throwsAsync(rig.dump(id))
  t.true(isAfsError(error, "VIO"))
  t.regex(error?.message ?? "", /vnode 2/)
})

test("dump: a sink that fails is an error of the sink, and the volume is given back", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", sampleTree)
  const sink = {
    write: () => {
      throw new Error("no tape")
    },
  }
  await t.throwsAsync(dumpVolume(rig.context, { place: rig.place(id), from: 0, omitDirectories: false, sink }), {
    message: "no tape",
  })
  t.is(infoOnDisk(rig.partition, id).inUse, 0)
})

test("dump: a volume that is not there is not found", async (t) => {
  const rig = volumeRig(t)
  const error = await t.throwsAsync(rig.dump(4711))
  t.true(isAfsError(error, "VNOVOL"))
  t.regex(error?.message ?? "", new RegExp(headerPath(rig.partition, 4711)))
})

// A dump by way of a clone that was killed left the clone behind. Nobody knew of it; six of them, and the volume could not
// be backed up or released any more, because no eighth volume can share a file.
test("dump: the clone of a dump that was killed goes with the next salvage", async (t) => {
  const directory = temporaryDirectory(t)
  const [path, killed] = [join(directory, "vicepa"), join(directory, "killed")]
  newPartition(path, "development")
  const partition = openPartition(path)
  const id = await volumeOf(partition, "home.ann", { file: "text" })
  let members: number | undefined
  const write = (): void => {
    if (members !== undefined) return
    members = groupMembers(partition, id).length
    cpSync(path, killed, { recursive: true, filter: (name) => !name.endsWith(".lock") })
  }
  const place = { partition, id }
  await dumpVolume(standaloneContext([partition]), {
    ...{ place, from: 0, omitDirectories: false, viaClone: true },
    sink: { write },
  })
  t.is(members, 2)
  for (const folder of [path, killed]) {
    await salvageHere(folder)
    t.deepEqual(
      groupMembers(openPartition(folder), id).map((volume) => volume.id),
      [id],
    )
    t.deepEqual(partitionProblems(folder), [])
  }
})
