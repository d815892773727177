/** Partitions damaged at random places: whatever the damage, a salvage ends, the next one finds nothing, and what was not damaged is still there. */
import test, { type ExecutionContext } from "ava"
import { type PartitionState, readPartitionState, type VolumeState } from "../support/partition-state.ts"
import { fuzzMs, type Random, randomOf, seededRandom } from "../support/random.ts"
import { damageAtRandom } from "../support/random-damage.ts"
import { undamagedState } from "../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll, snapshot } from "../support/salvaged.ts"

const directoryType = 2
/** Files that nobody could name stay where they are. */
const foreign = /stray file|stray directory/

/** Contents of a volume's files and links, by path. */
function contentsOf(volume: VolumeState): Map<string, string> {
  const contents = new Map<string, string>()
  for (const [path, { target }] of volume.tree)
    if (target !== undefined && target.type !== directoryType) contents.set(path, target.content ?? "missing")
  return contents
}

/** Files of the undamaged partition whose content is in the volume neither at its place nor under another new name. */
function lostContents(after: PartitionState): string[] {
  const lost: string[] = []
  for (const volume of undamagedState().volumes.values()) {
    const now = after.volumes.get(volume.id)
    const contents = now === undefined ? new Map<string, string>() : contentsOf(now)
    const before = contentsOf(volume)
    const moved = new Set([...contents].filter(([path]) => !before.has(path)).map(([, content]) => content))
    for (const [path, content] of before)
      if (contents.get(path) !== content && !moved.has(content)) lost.push(`${volume.id} ${path}`)
  }
  return lost
}

async function round(t: ExecutionContext, random: Random, damages: number): Promise<void> {
  const directory = damagedPartition(t, "base")
  const done = Array.from({ length: damages }, () => damageAtRandom(directory, random))
  const words = `DAFS_SEED=${random.seed}: ${done.map((damage) => damage.words).join("; ")}`

  const { results } = await salvageAll(directory)
  const broken = results.filter(({ status }) => status !== "clean" && status !== "repaired")
  t.deepEqual(broken, [], words)
  const after = snapshot(directory)
  t.deepEqual(found(await salvageAll(directory)), [], words)
  t.deepEqual(snapshot(directory), after, words)

  const state = readPartitionState(directory)
  t.deepEqual(
    state.problems.filter((problem) => !foreign.test(problem)),
    [],
    words,
  )
  const isDataTouched = done.some(({ touched }) => touched.length > 0)
  if (damages === 1 && !isDataTouched) t.deepEqual(lostContents(state), [], words)
}

async function rounds(t: ExecutionContext, damages: number): Promise<void> {
  t.timeout(60_000 + 2 * fuzzMs)
  const seed = seededRandom(t).seed
  const end = performance.now() + 2 * fuzzMs
  let count = 0
  do await round(t, randomOf(seed + 7919 * count++), damages)
  while (performance.now() < end)
  t.log(`${count} rounds`)
}

test("salvage of a partition with one damage at a random place: nothing that was not damaged is lost, a second run writes nothing", (t) =>
  rounds(t, 1))
test("salvage of a partition with four damages at random places: it comes to an end, and a second run writes nothing", (t) =>
  rounds(t, 4))
