import { join } from "node:path"
import test from "ava"
import { openPartition } from "../../common/partition/partition.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { makeSampleVolume, sampleId } from "../support/sample-volume.ts"
import { runDafs } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition } from "../support/volume-builder.ts"

// `dafs salvager --volumeid` with a mistyped id called the group clean and ended with 0: whoever had a damaged volume to
// repair went away in the belief that it was sound.
test("salvager: a volume that is not there is not called clean", async (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, "vicepa")
  newPartition(path)
  makeSampleVolume(openPartition(path))
  const run = (id: number): ReturnType<typeof runDafs> =>
    runDafs(["salvager", "--partition", path, "--state-dir", directory, "--volumeid", String(id)])
  const missing = await run(sampleId + 1)
  t.is(missing.status, 10)
  t.regex(missing.stderr, new RegExp(`VNOVOL.*volume ${sampleId + 1} on /vicepa`))
  const there = await run(sampleId)
  t.is(there.status, 0, there.stderr)
  t.deepEqual(partitionProblems(path), [])
})
