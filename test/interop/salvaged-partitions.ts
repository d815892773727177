/** What our salvager repaired, OpenAFS's finds sound. */
import type { ExecutionContext } from "ava"
import { runDasalvager } from "../support/dasalvager.ts"
import { damagedFixtures } from "../support/fixture.ts"
import { fuzzMs, randomOf, seededRandom } from "../support/random.ts"
import { damageAtRandom } from "../support/random-damage.ts"
import { needsOpenafs } from "../support/requirements.ts"
import { damagedPartition, salvageAll } from "../support/salvaged.ts"

const half = Math.ceil(damagedFixtures().length / 2)

async function judge(t: ExecutionContext, names: readonly string[]): Promise<void> {
  t.timeout(300_000)
  for (const name of names) {
    const directory = damagedPartition(t, name)
    await salvageAll(directory)
    const { findings, salvaged } = await runDasalvager(t, directory)
    t.deepEqual(findings, [], name)
    t.true(salvaged.length > 0, name)
  }
}

const names = damagedFixtures().map(({ name }) => name)
needsOpenafs("dasalvager finds nothing in damaged partitions that we salvaged, first half", (t) =>
  judge(t, names.slice(0, half)),
)
needsOpenafs("dasalvager finds nothing in damaged partitions that we salvaged, second half", (t) =>
  judge(t, names.slice(half)),
)

/** What it says of files whose names are no server's, or that nobody uses where they lie. */
const ofStrays =
  /^Note:$|isplaced file|^ignoring for now|^you may try|^If the relevant|^appear to contain|^delete them|^expert if/

/** The damage is of any structure and any field: see random-damage.ts. */
needsOpenafs("dasalvager finds nothing in partitions with random damage that we salvaged", async (t) => {
  t.timeout(300_000 + 2 * fuzzMs)
  const seed = seededRandom(t).seed
  const end = performance.now() + fuzzMs
  for (let round = 0; round < 3 || performance.now() < end; round++) {
    const random = randomOf(seed + 7919 * round)
    const directory = damagedPartition(t, "base")
    const words = [1, 2].map(() => damageAtRandom(directory, random).words).join("; ")
    await salvageAll(directory)
    const { findings } = await runDasalvager(t, directory)
    const found = findings.filter((line) => !ofStrays.test(line))
    t.deepEqual(found, [], `DAFS_SEED=${random.seed}: ${words}`)
  }
})
