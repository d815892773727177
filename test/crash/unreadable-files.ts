/**
 * Files that vanish while a salvage looks at them, and files and folders that cannot be read: each costs its own group's
 * salvage at most, with an error that says why, and the next salvage comes to a good end.
 */
import { existsSync, rmSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { DiskError, isDiskError } from "../../common/disk/disk.ts"
import { groupFolder } from "../../common/partition/namei-path.ts"
import { headerPath, openPartition } from "../../common/partition/partition.ts"
import type { GroupResult } from "../../salvager/salvage.ts"
import { lookDisk } from "../support/look-disk.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { base } from "../support/patch.ts"
import { fuzzMs, type Random, seededRandom } from "../support/random.ts"
import { damagedPartition, outcome, salvageAll } from "../support/salvaged.ts"

/** Its repair takes every kind of step. */
const damage = "multi-crash"
const roundsMin = 12

/** Paths that an undisturbed salvage looks at, in order, without the partition's. */
async function looksOf(t: ExecutionContext): Promise<string[]> {
  const directory = damagedPartition(t, damage)
  const looks: string[] = []
  const disk = lookDisk((_call, path) => void looks.push(path.slice(directory.length)))
  await salvageAll(directory, {}, disk)
  return looks
}

/** Rounds with places of the given choice, as many as there is time for. */
async function rounds(t: ExecutionContext, work: (random: Random) => Promise<void>): Promise<void> {
  t.timeout(120_000 + 2 * fuzzMs)
  const random = seededRandom(t)
  const end = performance.now() + fuzzMs
  let count = 0
  do await work(random)
  while (++count < roundsMin || performance.now() < end)
  t.log(`${count} rounds`)
}

/** At most one group failed, or so many; its error says what happened. */
function requireFailure(
  t: ExecutionContext,
  results: readonly GroupResult[],
  why: RegExp,
  where: string,
  most = 1,
): void {
  const bad = results.filter(({ status }) => status !== "clean" && status !== "repaired")
  t.true(bad.length <= most, where)
  for (const { status, error } of bad) {
    t.is(status, "failed", where)
    t.regex(error?.message ?? "", why, where)
  }
}

/** Without them nobody can tell which groups there are: the whole run ends. */
const isOfAll = (path: string): boolean => /^$|^\/AFSIDat(\/.)?$|^\/\.dafs\/development$/.test(path)

/** Every repair puts files there before they have their places. */
const isOfRepairs = (path: string): boolean => path === "/.dafs"

test("files and folders that vanish between two looks: their group fails or does without, others are salvaged, the next run completes it", async (t) => {
  const looks = await looksOf(t)
  await rounds(t, async (random) => {
    const directory = damagedPartition(t, damage)
    const at = random.below(looks.length)
    const where = `DAFS_SEED=${random.seed}: look ${at} of ${looks.length}: ${looks[at]}`
    let count = 0
    const disk = lookDisk((_call, path) => {
      if (count++ === at && !isOfAll(path.slice(directory.length))) rmSync(path, { recursive: true, force: true })
    })
    const { results } = await salvageAll(directory, {}, disk)
    requireFailure(t, results, /ENOENT|missing|does not exist|ends|short/, where)
    const again = await salvageAll(directory)
    t.true(
      again.results.every(({ status }) => status === "clean" || status === "repaired"),
      where,
    )
    t.deepEqual(partitionProblems(directory), [], where)
  })
})

test("neither a volume's header nor its group's folders can be read: that group fails, the others are salvaged", async (t) => {
  for (const [volume, group] of [
    [base.docs, base.docs],
    [base.ann.ro, base.ann.rw],
  ] as const) {
    const directory = damagedPartition(t, damage)
    const bad = [headerPath({ path: directory }, volume), `${directory}/${groupFolder(group)}/special`]
    const disk = lookDisk((call, path) => {
      if (bad.includes(path)) throw new DiskError(call, path, Object.assign(new Error("EIO"), { code: "EIO" }))
    })
    const { results } = await salvageAll(directory, {}, disk)
    const failed = results.filter(({ status }) => status === "failed").map((one) => one.group)
    t.deepEqual(failed, [...new Set([group, volume])])
    t.true(results.some(({ status }) => status === "clean" || status === "repaired"))
    t.true(existsSync(headerPath({ path: directory }, volume)))
    await salvageAll(directory)
    t.deepEqual(partitionProblems(directory), [])
  }
})

test("files and folders that cannot be read: their group fails with EIO and nothing of it is taken for damage, others are salvaged", async (t) => {
  const paths = [...new Set(await looksOf(t))]
  const whole = damagedPartition(t, damage)
  await salvageAll(whole)
  await rounds(t, async (random) => {
    const directory = damagedPartition(t, damage)
    const bad = random.pick(paths)
    const where = `DAFS_SEED=${random.seed}: ${bad}`
    const disk = lookDisk((call, path) => {
      if (path === directory + bad) throw new DiskError(call, path, Object.assign(new Error("EIO"), { code: "EIO" }))
    })
    try {
      const { results } = await salvageAll(directory, {}, disk)
      requireFailure(t, results, /EIO/, where, isOfRepairs(bad) ? results.length : 1)
    } catch (error) {
      t.true(isDiskError(error, "EIO") && isOfAll(bad), `${where}: ${error}`)
    }
    await salvageAll(directory)
    t.deepEqual(outcome(directory), outcome(whole), where)
  })
})

/** One bad folder once ended the salvage of the whole partition. */
test("a folder of special files that cannot be read: that group alone fails, its headers stay, every other group is salvaged", async (t) => {
  const directory = damagedPartition(t, damage)
  const partition = openPartition(directory)
  const bad = `${directory}/${groupFolder(base.proj.rw)}/special`
  const disk = lookDisk((call, path) => {
    if (path === bad) throw new DiskError(call, path, Object.assign(new Error("EIO"), { code: "EIO" }))
  })
  const { results } = await salvageAll(directory, {}, disk)
  for (const { group, status } of results) {
    if (group === base.proj.rw) t.is(status, "failed")
    else t.true(status === "clean" || status === "repaired", `${group}: ${status}`)
  }
  t.true(results.length > 2 && results.some(({ group }) => group === base.proj.rw))
  for (const volume of [base.proj.rw, base.proj.bk]) t.true(existsSync(headerPath(partition, volume)))
})
