/** Random work on an attached volume against a model, with clones made in between, and second readers' judgement at the end. */
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { backupVolume } from "../../volserver/operations/backup.ts"
import { releaseVolume } from "../../volserver/operations/release.ts"
import { attachedVolume, TestVolume, testCaches } from "../support/attached.ts"
import { runDasalvager } from "../support/dasalvager.ts"
import { partitionProblems, readPartitionState } from "../support/partition-state.ts"
import { fuzzMs, type Random, seededRandom } from "../support/random.ts"
import { linesOf, RandomWork } from "../support/random-work.ts"
import { needsCell } from "../support/requirements.ts"
import { salvageHere } from "../support/salvage-here.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, standaloneContext } from "../support/volume-builder.ts"

const clones = { ro: 1, bk: 2 } as const
const firstTree = {
  one: "1",
  two: { size: 3000 },
  sub: { folder: { three: { size: 100_000 }, link: { link: "one" } } },
}

/** The same whatever is in core: with room for everything, and for as little as can be. */
const limits = {
  roomy: { volumeFiles: 1000, dataFiles: 1000, vnodes: 10_000, directoryBytes: 1 << 24 },
  tight: { volumeFiles: 0, dataFiles: 0, vnodes: 0, directoryBytes: 0 },
}

/** Steps in a row; a failure says which. */
function steps(t: ExecutionContext, work: RandomWork, count: number): void {
  for (let step = 0; step < count; step++) {
    try {
      work.step()
    } catch (error) {
      t.log(`step ${step}: ${work.last}`)
      throw error
    }
  }
}

async function makeClones(
  home: TestVolume,
  random: Random,
  expected: Map<number, string[]>,
  lines: string[],
): Promise<void> {
  const context = standaloneContext([home.partition])
  const place = { partition: home.partition, id: home.id }
  home.detach()
  const [kind, id] =
    random.below(2) === 0 ? (["bk", home.id + clones.bk] as const) : (["ro", home.id + clones.ro] as const)
  if (kind === "bk") await backupVolume(context, place, expected.has(id) ? {} : { id })
  else await releaseVolume(context, place, expected.has(id) ? {} : { id })
  expected.set(id, lines)
  home.attachAgain()
}

/** Works for a while; gives the partition, detached. */
async function work(t: ExecutionContext, random: Random, caches: keyof typeof limits, ms: number): Promise<TestVolume> {
  const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
  const home = await attachedVolume(t, firstTree, { partition, caches: testCaches({ limits: limits[caches] }) })
  const working = new RandomWork(home, random)
  const expected = new Map<number, string[]>()
  const end = performance.now() + ms
  do {
    steps(t, working, 60)
    t.deepEqual(linesOf(home), working.model.lines())
    home.reopen()
    const lines = linesOf(home)
    t.deepEqual(lines, working.model.lines())
    await makeClones(home, random, expected, lines)
  } while (performance.now() < end)
  t.log(`${working.model.lines().length} paths`)
  const state = readPartitionState(partition.path).volumes.get(home.id)
  const pages = [...(state?.vnodes.values() ?? [])].filter(({ vnode }) => vnode % 2 === 1)
  const blocks = pages.reduce((sum, { length }) => sum + length / 1024, working.model.smallBlocks())
  t.is(home.volume.space.used, blocks)
  home.detach()
  for (const [id, lines] of expected) {
    const clone = new TestVolume(partition, id, testCaches())
    t.deepEqual(linesOf(clone), lines, `clone ${id}`)
    clone.detach()
  }
  return home
}

for (const caches of ["roomy", "tight"] as const) {
  test(`attached volume: random work with ${caches} caches leaves what a model says, and clones what they were`, async (t) => {
    t.timeout(120_000 + fuzzMs)
    const home = await work(t, seededRandom(t), caches, 2 * fuzzMs)
    const { path } = home.partition
    t.deepEqual(partitionProblems(path), [])
    const before = readPartitionState(path)
    await salvageHere(path)
    t.deepEqual(partitionProblems(path), [])
    for (const [id, volume] of before.volumes) t.deepEqual(readPartitionState(path).volumes.get(id)?.tree, volume.tree)
  })
}

/** A file that was made and never written: its data file says version 1, its vnode 0. OpenAFS leaves the same. */
const isUsual = (finding: string): boolean => /version < inode version; fixed \(old status\)/.test(finding)

needsCell("attached volume: OpenAFS's salvager finds nothing after random work", async (t) => {
  t.timeout(180_000 + fuzzMs)
  const home = await work(t, seededRandom(t), "roomy", fuzzMs)
  const { findings, salvaged } = await runDasalvager(t, home.partition.path)
  t.deepEqual(
    findings.filter((finding) => !isUsual(finding)),
    [],
  )
  t.true(salvaged.includes(home.id))
})
