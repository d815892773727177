/** Sound partitions: a salvage finds nothing and changes nothing. */
import test from "ava"
import { cleanFixtures, unpackFixture } from "../support/fixture.ts"
import { found, salvageAll, snapshot } from "../support/salvaged.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

for (const name of cleanFixtures) {
  test(`salvage of the clean partition ${name}: no finding, and not a byte changed`, async (t) => {
    const directory = temporaryDirectory(t, name === "large" ? "disk" : "anywhere")
    unpackFixture(name, directory)
    const before = name === "large" ? {} : snapshot(directory)
    const run = await salvageAll(directory)
    t.deepEqual(found(run), [])
    t.true(run.results.length > 0)
    t.true(run.results.every(({ status }) => status === "clean"))
    if (name !== "large") t.deepEqual(snapshot(directory), before)
  })
}

test("salvage without --force: groups whose volumes are all marked as consistent are skipped, damage behind the mark included", async (t) => {
  const directory = temporaryDirectory(t)
  unpackFixture("base", directory)
  const { results } = await salvageAll(directory, { force: false })
  t.deepEqual([...new Set(results.map(({ status }) => status))], ["skipped"])
})
