/** What our salvager repaired, OpenAFS's finds sound. */
import type { ExecutionContext } from "ava"
import { runDasalvager } from "../support/dasalvager.ts"
import { damagedFixtures } from "../support/fixture.ts"
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
