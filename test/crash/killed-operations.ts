/**
 * The same with processes that are really killed: their locks vanish, their files are closed, and nothing of them runs any
 * more. A salvage then makes the partition whole.
 */
import test from "ava"
import { contentsOf, harmedVolumes } from "../support/crash-cases.ts"
import { CrashFolder } from "../support/cut-images.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { builtProgram } from "../support/project.ts"
import { needsCellAndPatience } from "../support/requirements.ts"
import { salvageHere } from "../support/salvage-here.ts"
import { spawnProgram } from "../support/spawned.ts"

/** A process for each cut takes its time: unless there is some, every fifth has to do. */
const every = needsCellAndPatience.met ? 1 : 5
const program = builtProgram("test/crash/cut-operation.program.ts")

const folder = new CrashFolder()
test.before(() => folder.prepare())
test.after.always(() => folder.remove())

for (const name of ["create", "make a clone", "restore over a volume", "remove the last volume of a group"] as const) {
  test(`crash: ${name}, killed and salvaged: every volume is the old or the new one`, async (t) => {
    t.timeout(300_000)
    const { before, after } = await folder.outcomes(name)
    let kills = 0
    for (let at = 1 + (name.length % every); ; at += every) {
      const directory = folder.copy(name, at)
      const { signal, status, stderr } = await spawnProgram(t, process.execPath, [program, directory, String(at), name])
        .ended
      if (signal === null) {
        t.is(status, 0, stderr)
        break
      }
      t.is(signal, "SIGKILL")
      kills++
      await salvageHere(directory)
      t.deepEqual(partitionProblems(directory), [], `killed at change ${at}`)
      t.deepEqual(harmedVolumes(before, after, contentsOf(directory)), [], `killed at change ${at}`)
      folder.drop(name, at)
    }
    t.true(kills >= 3)
  })
}
