/** What our salvager repaired, OpenAFS's finds sound. */
import type { ExecutionContext } from "ava"
import { type Cell, cellAddress, startCell } from "../support/cell.ts"
import { runDasalvager } from "../support/dasalvager.ts"
import { damagedFixtures } from "../support/fixture.ts"
import { readPartitionState } from "../support/partition-state.ts"
import { builtProgram } from "../support/project.ts"
import { fuzzMs, randomOf, seededRandom } from "../support/random.ts"
import { damageAtRandom } from "../support/random-damage.ts"
import { needsCell, needsOpenafs } from "../support/requirements.ts"
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

const accessDenied = 13

/** Codes of an access to each volume that is to be in service, at a dafileserver that begins with this partition. */
async function accessCodes(cell: Cell, directory: string): Promise<Record<string, number>> {
  const { volumes } = readPartitionState(directory, { contents: false })
  const wanted = [...volumes.values()].filter(({ info }) => info?.inService === 1 && info.blessed === 1)
  await cell.exec("mount", "--bind", directory, "/vicepa")
  await cell.start("fs")
  const words = [builtProgram("test/interop/volume-access.program.ts"), cellAddress, ...wanted.map(({ id }) => `${id}`)]
  const codes = await cell.exec(process.execPath, ...words)
  await cell.kill("fs")
  await cell.exec("umount", "/vicepa")
  return JSON.parse(codes) as Record<string, number> // as the program prints them
}

needsCell("dafileserver attaches every volume of partitions with random damage that we salvaged", async (t) => {
  const seed = seededRandom(t).seed
  const cell = await startCell(t, "vl", "pt", "sal")
  t.timeout(300_000 + 2 * fuzzMs)
  const end = performance.now() + fuzzMs
  for (let round = 0; round < 3 || performance.now() < end; round++) {
    const random = randomOf(seed + 7919 * round)
    const directory = damagedPartition(t, "base")
    const words = [1, 2, 3].map(() => damageAtRandom(directory, random).words).join("; ")
    await salvageAll(directory)
    const codes = await accessCodes(cell, directory)
    t.true(Object.keys(codes).length > 0, words)
    const refused = Object.entries(codes).filter(([, code]) => code !== 0 && code !== accessDenied)
    t.deepEqual(refused, [], `DAFS_SEED=${random.seed}: ${words}`)
  }
})
