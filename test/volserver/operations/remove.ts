import test from "ava"
import { openPartition } from "../../../common/partition/partition.ts"
import { backupVolume } from "../../../volserver/operations/backup.ts"
import { cloneVolume } from "../../../volserver/operations/clone.ts"
import { removeVolume } from "../../../volserver/operations/remove.ts"
import { groupMembers } from "../../../volserver/volume-list.ts"
import { partitionProblems } from "../../support/partition-state.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition, standaloneContext, volumeOf } from "../../support/volume-builder.ts"

// A snapshot made after the backup volume became the one that VolumeInfo notes as the backup: the removal of the
// read-write volume took the snapshot, which its owner wanted to keep, and left the backup.
test("remove: a read-write volume goes with its backup volume; a snapshot under another name stays", async (t) => {
  const directory = temporaryDirectory(t)
  newPartition(directory)
  const partition = openPartition(directory)
  const context = standaloneContext([partition])
  const id = await volumeOf(partition, "home.ann", { file: "text" })
  const place = { partition, id }
  const backup = await backupVolume(context, place)
  const snapshot = await cloneVolume(context, { source: place, name: "home.ann.monday", type: "BK" })
  const removed = await removeVolume(context, place)
  t.deepEqual(
    removed.map((volume) => volume.id),
    [id, backup.id],
  )
  t.deepEqual(
    groupMembers(partition, id).map((volume) => volume.id),
    [snapshot.id],
  )
  t.deepEqual(partitionProblems(directory), [])
})
