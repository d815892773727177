import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { backupVolume } from "../../volserver/operations/backup.ts"
import { createVolume } from "../../volserver/operations/create.ts"
import { removeVolume } from "../../volserver/operations/remove.ts"
import { firstVolumeId, nextVolumeId, rememberVolumeId } from "../../volserver/volume-id.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, standaloneContext, volumeOf } from "../support/volume-builder.ts"

test("volume id: the first one, then one above the highest on any partition", (t) => {
  const [a, b] = ["vicepa", "vicepb"].map((name) => newPartition(join(temporaryDirectory(t), name)))
  if (a === undefined || b === undefined) return t.fail()
  t.is(nextVolumeId([a, b], undefined), firstVolumeId)
  writeFileSync(join(b.path, "V0536870999.vol"), "")
  t.is(nextVolumeId([a, b], undefined), 536_871_000)
  writeFileSync(join(a.path, "V4294967295.vol"), "")
  t.is(nextVolumeId([a, b], undefined), 536_871_000, "ids above 2^31 are for those who ask for them")
  return undefined
})

// A backup volume was removed, its source still notes it: the id went to an unrelated volume, which the next backup of the
// source would have been made over.
test("volume id: what volumes note of clones that are gone is not given to others, nor can they take it", async (t) => {
  const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
  const context = standaloneContext([partition])
  const id = await volumeOf(partition, "source", { file: "text" })
  const clone = await backupVolume(context, { partition, id }, { id: firstVolumeId + 50 })
  await removeVolume(context, { partition, id: clone.id })
  t.is(nextVolumeId([partition], undefined), firstVolumeId + 51)
  const refused = { code: "VVOLEXISTS", message: /notes this id as that of its clone/ }
  await t.throwsAsync(createVolume(context, { partition, name: "other", id: clone.id }), refused)
  t.is((await backupVolume(context, { partition, id })).id, clone.id)
})

// The id of a volume that was removed a moment ago is still in clients' caches and in mount points.
test("volume id: an id is not given again soon, even if its volume is gone", (t) => {
  const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
  const state = temporaryDirectory(t)
  rememberVolumeId(state, firstVolumeId + 4)
  t.is(nextVolumeId([partition], state), firstVolumeId + 5)
  rememberVolumeId(state, firstVolumeId + 2)
  t.is(nextVolumeId([partition], state), firstVolumeId + 5)
})

test("volume id: a counter that cannot be understood is no obstacle", (t) => {
  const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
  const state = temporaryDirectory(t)
  writeFileSync(join(state, "volume-id"), "garbage")
  t.is(nextVolumeId([partition], state), firstVolumeId)
  rememberVolumeId(state, firstVolumeId)
  t.is(nextVolumeId([partition], state), firstVolumeId + 1)
  t.notThrows(() => rememberVolumeId(join(state, "none"), firstVolumeId))
})
