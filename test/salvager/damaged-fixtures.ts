/** Every damaged partition, against what OpenAFS's salvager made of it. */
import test from "ava"
import { damagedFixtures, type SalvageMode } from "../support/fixture.ts"
import { compareSalvage } from "../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll, snapshot } from "../support/salvaged.ts"

/** Files that no server made are never touched, and so are found again each time. */
const foreignFile = /stray file/

for (const { name, title } of damagedFixtures()) {
  test(`salvage of ${name}: nothing is kept worse than by dasalvager, nothing is left wrong, a second run writes nothing: ${title}`, async (t) => {
    const directory = damagedPartition(t, name)
    const before = snapshot(directory)

    const planned = await salvageAll(directory, { readOnly: true })
    t.deepEqual(snapshot(directory), before, "--nowrite wrote")
    const repaired = await salvageAll(directory)
    t.deepEqual(found(repaired), found(planned), "the plan is not what was done")
    t.deepEqual(
      repaired.results.filter(({ status }) => status === "failed" || status === "busy"),
      [],
    )

    for (const mode of ["force", "attach"] as const satisfies readonly SalvageMode[]) {
      const { worse, problems } = compareSalvage(name, directory, mode)
      t.deepEqual(worse, [])
      t.deepEqual(
        problems.filter((problem) => !foreignFile.test(problem)),
        [],
      )
    }

    const after = snapshot(directory)
    t.deepEqual(found(await salvageAll(directory)), [])
    t.deepEqual(snapshot(directory), after)
  })
}
