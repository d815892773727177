import { cpSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { openPartition } from "../../../common/partition/partition.ts"
import { dumpVolume } from "../../../volserver/operations/dump.ts"
import { groupMembers } from "../../../volserver/volume-list.ts"
import { partitionProblems } from "../../support/partition-state.ts"
import { salvageHere } from "../../support/salvage-here.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition, standaloneContext, volumeOf } from "../../support/volume-builder.ts"

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
