/** Counts, flags and dates of VolumeInfo after a salvage. */
import test from "ava"
import { dontSalvageMark } from "../../../common/volume/volume-info.ts"
import { base, dataPath, patchDirectory, patchVolumeInfo, volumeInfoOnDisk } from "../../support/patch.ts"
import { damagedPartition, found, salvageAll, salvageTime } from "../../support/salvaged.ts"

const { docs } = base
const info = (directory: string) => volumeInfoOnDisk(directory, docs, docs)

test("contents that changed: clients have to be told at the next attach, and incremental dumps see it", async (t) => {
  const directory = damagedPartition(t, "base")
  patchVolumeInfo(directory, docs, docs, { dontSalvage: 0 })
  patchDirectory(dataPath(directory, docs, 7, 25), (one) => one.remove(Buffer.from("amber022.dat")))
  await salvageAll(directory)
  const { needsCallback, updateDate, dontSalvage, inUse } = info(directory)
  t.deepEqual([needsCallback, updateDate, dontSalvage, inUse], [1, salvageTime, dontSalvageMark, 0])
})

test("a repair that no client can notice leaves the dates, and asks for no callbacks", async (t) => {
  const directory = damagedPartition(t, "base")
  const before = info(directory)
  patchVolumeInfo(directory, docs, docs, { filecount: 1, dontSalvage: 0 })
  await salvageAll(directory)
  t.deepEqual(info(directory), { ...before, dontSalvage: dontSalvageMark })
})

/** A volume that was never cloned does not count its root: OpenAFS's own servers leave it so. */
test("a file count without the root is right; any other is not", async (t) => {
  const directory = damagedPartition(t, "base")
  const { filecount } = info(directory)
  patchVolumeInfo(directory, docs, docs, { filecount: filecount - 1 })
  t.deepEqual(found(await salvageAll(directory)), [])
  patchVolumeInfo(directory, docs, docs, { filecount: filecount - 2 })
  t.deepEqual(found(await salvageAll(directory)), [`info-counts ${docs}`])
  t.is(info(directory).filecount, filecount)
})

test("a callback that is still due from an earlier salvage stays due", async (t) => {
  const directory = damagedPartition(t, "base")
  patchVolumeInfo(directory, docs, docs, { needsCallback: 1, inUse: 3 })
  await salvageAll(directory)
  t.is(info(directory).needsCallback, 1)
})

test("a lost date is made from what is left of them", async (t) => {
  const directory = damagedPartition(t, "base")
  const { updateDate, copyDate } = info(directory)
  patchVolumeInfo(directory, docs, docs, { creationDate: 0 })
  t.deepEqual(found(await salvageAll(directory)), [`info-field ${docs}`])
  t.deepEqual([info(directory).creationDate, info(directory).updateDate], [copyDate, updateDate])
  t.deepEqual(found(await salvageAll(directory)), [])
})
