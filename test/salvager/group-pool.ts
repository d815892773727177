/** Salvages by several processes. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { setTimeout as delay } from "node:timers/promises"
import test, { type ExecutionContext } from "ava"
import { DiskError } from "../../common/disk/disk.ts"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import { type GroupTask, salvageGroups, workersFor } from "../../salvager/group-pool.ts"
import { salvagePartitions } from "../../salvager/partition-run.ts"
import { type GroupResult, type SalvageEvent, salvageGroup } from "../../salvager/salvage.ts"
import { Survey } from "../../salvager/survey.ts"
import { lookDisk } from "../support/look-disk.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { base } from "../support/patch.ts"
import { builtProgram } from "../support/project.ts"
import { damagedPartition, snapshot, standaloneOptions } from "../support/salvaged.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, volumeOf } from "../support/volume-builder.ts"

const { now: _now, claimant: _claimant, force: _force, ...plain } = standaloneOptions

function run(
  partitions: readonly Partition[],
  parallel: number,
  emit: (event: SalvageEvent) => void = () => undefined,
) {
  const order = { stateDirectory: "/nowhere", hasFileserver: false }
  return salvagePartitions(partitions, { salvage: standaloneOptions, parallel, order, atOnce: parallel }, emit)
}

async function manyVolumes(t: ExecutionContext, count: number): Promise<Partition> {
  const partition = newPartition(temporaryDirectory(t))
  for (let index = 0; index < count; index++) await volumeOf(partition, `v.${index}`, { file: "content" })
  return partition
}

test("several processes: every group of every partition is salvaged once, results come in order, findings with their group", async (t) => {
  const directories = ["multi-crash", "vnode-links-dir", "dir-cut"].map((name) => damagedPartition(t, name))
  const partitions = directories.map((directory) => openPartition(directory))
  const events: SalvageEvent[] = []
  const results = await run(partitions, 3, (event) => events.push(event))
  const wanted = partitions.flatMap((partition) =>
    new Survey(partition).allGroups().map((group) => [partition.name, group]),
  )
  t.deepEqual(
    results.map(({ partition, group }) => [partition, group]),
    wanted,
  )
  t.is(events.filter(({ type }) => type === "group").length, wanted.length)
  t.true(events.some(({ type }) => type === "finding"))
  for (const directory of directories) t.deepEqual(partitionProblems(directory), [])
})

test("several processes come to the same end as one", async (t) => {
  const [alone, together] = [damagedPartition(t, "multi-crash"), damagedPartition(t, "multi-crash")]
  const strip = (results: readonly GroupResult[]) =>
    results.map(({ milliseconds: _ms, partition: _partition, ...rest }) => rest)
  const one = await run([openPartition(alone)], 1)
  const many = await run([openPartition(together)], 4)
  t.deepEqual(strip(many), strip(one))
  t.deepEqual(Object.keys(snapshot(together)), Object.keys(snapshot(alone)))
})

test("several processes: locks of others are respected by each of them", async (t) => {
  const partition = await manyVolumes(t, 12)
  const groups = new Survey(partition).allGroups()
  const locks = groups.map((group) => lockVolume(partition, group, "read", "a dump"))
  const results = await salvageGroups(
    tasksOf(partition, groups),
    // this process holds the locks itself: one of the others that did not look for them would find its group clean
    { parallel: 3, order: orderOf(), work: slowWork(partition) },
    () => undefined,
  )
  for (const lock of locks) lock.release()
  t.deepEqual(new Set(results.map(({ status }) => status)), new Set(["busy"]))
  t.true(results.every(({ error }) => error?.code === "LOCKED"))
})

const orderOf = () =>
  ({
    type: "order",
    options: plain,
    program: "salvager",
    stateDirectory: "/nowhere",
    hasFileserver: false,
    optimizesLate: false,
  }) as const

const tasksOf = ({ path, name }: Partition, groups: readonly number[]): GroupTask[] =>
  groups.map((group) => ({ partition: path, name, group, force: true }))

/** Lets the other processes come to their share. */
function slowWork(partition: Partition): (task: GroupTask) => Promise<GroupResult> {
  const survey = new Survey(partition)
  return async ({ group }) => {
    await delay(300)
    return salvageGroup(survey, group, standaloneOptions, () => undefined)
  }
}

test("little work is done by one process; where it turns out to be long, others join in", async (t) => {
  const partition = await manyVolumes(t, 8)
  const tasks = tasksOf(partition, new Survey(partition).allGroups())
  const doneHere = async (pauseMs: number, aloneMs: number): Promise<number> => {
    let count = 0
    const survey = new Survey(partition)
    const work = async ({ group }: GroupTask): Promise<GroupResult> => {
      count++
      await delay(pauseMs)
      return salvageGroup(survey, group, standaloneOptions, () => undefined)
    }
    const results = await salvageGroups(
      tasks,
      { parallel: 2, order: orderOf(), work, atOnce: 0, aloneMs },
      () => undefined,
    )
    t.deepEqual(new Set(results.map(({ status }) => status)), new Set(["clean"]))
    return count
  }
  t.is(await doneHere(0, 600_000), tasks.length)
  t.true((await doneHere(1000, 1)) < tasks.length)
})

test("others are started for what they are worth", (t) => {
  t.is(workersFor(100), 0)
  t.is(workersFor(600), 2)
  t.is(workersFor(2500), 10) // the pool starts no more than it may
})

test("a process that dies takes down the group that it had in hand and no other, and it is told which", async (t) => {
  const partition = await manyVolumes(t, 12)
  const groups = new Survey(partition).allGroups()
  const program = builtProgram("test/salvager/dying-worker.program.js")
  const pool = { parallel: 2, order: orderOf(), work: slowWork(partition), program }
  const results = await salvageGroups(tasksOf(partition, groups), pool, () => undefined)
  const failed = results.filter(({ status }) => status === "failed")
  t.is(failed.length, 1)
  t.regex(failed[0]?.error?.message ?? "", /was killed by SIGKILL/)
  t.is(results.filter(({ status }) => status === "clean").length, groups.length - 1)
})

test("what a process had said before it died counts, whatever it was to do next", async (t) => {
  const partition = await manyVolumes(t, 12)
  const groups = new Survey(partition).allGroups()
  const program = builtProgram("test/salvager/parting-worker.program.js")
  const pool = { parallel: 2, order: orderOf(), work: slowWork(partition), program }
  const results = await salvageGroups(tasksOf(partition, groups), pool, () => undefined)
  t.deepEqual(
    results.map(({ group }) => group),
    groups,
  )
  t.true(results.some(({ milliseconds, status }) => milliseconds === 4711 && status === "clean"))
  t.true(results.filter(({ status }) => status !== "clean").length <= 1)
})

test("groups that share a volume by damage: that another process of the run has it is no reason to leave one out", async (t) => {
  const partition = await manyVolumes(t, 12)
  const groups = new Survey(partition).allGroups()
  const told: SalvageEvent[] = []
  let wasBusyHere = false
  const survey = new Survey(partition)
  const work = async ({ group }: GroupTask, emit: (event: SalvageEvent) => void): Promise<GroupResult> => {
    await delay(wasBusyHere ? 100 : 1000) // the other process comes to its share
    using _lock = wasBusyHere ? undefined : lockVolume(partition, group, "read", "another process")
    wasBusyHere = true
    return await salvageGroup(survey, group, standaloneOptions, emit)
  }
  const pool = { parallel: 2, order: orderOf(), work, program: builtProgram("test/salvager/busy-worker.program.js") }
  const results = await salvageGroups(tasksOf(partition, groups), pool, (event) => told.push(event))
  const wanted = groups.map((group) => `${group} clean`)
  t.deepEqual(
    results.map(({ group, status }) => `${group} ${status}`),
    wanted,
  )
  const said = told.flatMap((event) => (event.type === "group" ? [`${event.group} ${event.status}`] : []))
  t.deepEqual(said.toSorted(), wanted)
})

test("what is told of a group is told together, whoever else has something to say meanwhile", async (t) => {
  const directory = damagedPartition(t, "multi-crash")
  const partition = openPartition(directory)
  const told: SalvageEvent[] = []
  const survey = new Survey(partition)
  const work = async ({ group }: GroupTask, emit: (event: SalvageEvent) => void): Promise<GroupResult> => {
    let isFirst = true
    const waiting: SalvageEvent[] = []
    const result = await salvageGroup(survey, group, standaloneOptions, (event) => {
      if (isFirst) emit(event)
      else waiting.push(event)
      isFirst = false
    })
    await delay(500) // as one that gives its volumes back to a fileserver
    for (const event of waiting) emit(event)
    return result
  }
  const tasks = tasksOf(partition, survey.allGroups())
  await salvageGroups(tasks, { parallel: 2, order: orderOf(), work }, (event) => told.push(event))
  const groups = told.flatMap((event) => (event.type === "phase" ? [] : [event.group]))
  t.deepEqual(
    groups.filter((group, index) => group !== groups[index - 1]),
    [...new Set(groups)],
  )
})

test("where no other process can be started, this one does it all", async (t) => {
  const partition = await manyVolumes(t, 4)
  const groups = new Survey(partition).allGroups()
  const { execPath } = process
  t.teardown(() => {
    process.execPath = execPath
  })
  // there is no such program; Node.js throws, as it does where the system says that there is no memory
  for (const path of ["/nowhere/node", "\0"]) {
    process.execPath = path
    const pool = { parallel: 2, order: orderOf(), work: slowWork(partition) }
    const running = salvageGroups(tasksOf(partition, groups), pool, () => undefined)
    process.execPath = execPath
    t.deepEqual(new Set((await running).map(({ status }) => status)), new Set(["clean"]), path)
  }
})

test("the tasks of a process that leaves are done by others", async (t) => {
  const partition = await manyVolumes(t, 12)
  const groups = new Survey(partition).allGroups()
  const program = builtProgram("test/salvager/leaving-worker.program.js")
  const pool = { parallel: 2, order: orderOf(), work: slowWork(partition), program }
  const results = await salvageGroups(tasksOf(partition, groups), pool, () => undefined)
  t.deepEqual(
    results.map(({ group, status }) => `${group} ${status}`),
    groups.map((group) => `${group} clean`),
  )
})

test("a run that is told to stop when all groups are done has come to its end", async (t) => {
  const directory = damagedPartition(t, "base")
  writeFileSync(`${directory}/FORCESALVAGE`, "")
  const partition = openPartition(directory)
  const stop = new AbortController()
  const order = { stateDirectory: "/nowhere", hasFileserver: false }
  const salvage = { ...standaloneOptions, signal: stop.signal }
  let left = new Survey(partition).allGroups().length
  const emit = (event: SalvageEvent): void => {
    if (event.type === "group" && --left === 0) stop.abort()
  }
  const results = await salvagePartitions([partition], { salvage, parallel: 1, order }, emit)
  t.is(results.length, new Survey(partition).allGroups().length)
  t.false(existsSync(`${directory}/FORCESALVAGE`))
})

test("a partition whose mark cannot be removed is told, and so is what became of its groups", async (t) => {
  const directory = damagedPartition(t, "base")
  mkdirSync(`${directory}/FORCESALVAGE/folder`, { recursive: true })
  const partition = openPartition(directory)
  const told: string[] = []
  const order = { stateDirectory: "/nowhere", hasFileserver: false }
  const unsettled = ({ path }: Partition, error: Error): void => void told.push(`${path}: ${error.message}`)
  const run = { salvage: standaloneOptions, parallel: 1, order, unsettled }
  const results = await salvagePartitions([partition], run, () => undefined)
  t.is(results.length, new Survey(partition).allGroups().length)
  t.is(told.length, 1)
  t.regex(told[0] ?? "", /FORCESALVAGE/)
})

test("a run that is told to stop finishes what it has in hand and says that it was interrupted", async (t) => {
  const partition = await manyVolumes(t, 6)
  const stop = new AbortController()
  const order = { stateDirectory: "/nowhere", hasFileserver: false }
  const salvage = { ...standaloneOptions, signal: stop.signal }
  const emit = (event: SalvageEvent): void => {
    if (event.type === "group") stop.abort()
  }
  await t.throwsAsync(salvagePartitions([partition], { salvage, parallel: 2, order, atOnce: 1 }, emit), {
    message: /INTERRUPTED/,
  })
  t.deepEqual(partitionProblems(partition.path), [])
})

test("a partition that asks for a salvage as a whole is looked at in full, and then may be served again", async (t) => {
  const directory = damagedPartition(t, "base")
  writeFileSync(`${directory}/FORCESALVAGE`, "")
  writeFileSync(`${directory}/salvage.inodes.vicepa.4711`, "left behind")
  const salvage = { ...standaloneOptions, force: false }
  const order = { stateDirectory: "/nowhere", hasFileserver: false }
  const go = () => salvagePartitions([openPartition(directory)], { salvage, parallel: 1, order }, () => undefined)
  const lock = lockVolume(openPartition(directory), base.docs, "read", "a dump")
  t.true((await go()).some(({ status }) => status === "busy"))
  t.true(existsSync(`${directory}/FORCESALVAGE`), "a group was not salvaged")
  lock.release()
  t.true((await go()).every(({ status }) => status === "clean"))
  t.false(existsSync(`${directory}/FORCESALVAGE`))
  t.false(existsSync(`${directory}/salvage.inodes.vicepa.4711`))
  t.true((await go()).every(({ status }) => status === "skipped"))
  mkdirSync(`${directory}/FORCESALVAGE`) // whatever it is, it keeps fileservers away
  t.true((await go()).every(({ status }) => status === "clean"))
  t.false(existsSync(`${directory}/FORCESALVAGE`))
})

test("a volume's index of which nothing can be told: that group fails, in a run of the whole partition too", async (t) => {
  const directory = damagedPartition(t, "base")
  const partition = openPartition(directory)
  const index = new InodeStore(partition, base.docs).path(specialInode(base.docs, "smallIndex"))
  const disk = lookDisk((call, path) => {
    if (path === index) throw new DiskError(call, path, Object.assign(new Error("EIO"), { code: "EIO" }))
  })
  const order = { stateDirectory: "/nowhere", hasFileserver: false }
  const run = { salvage: standaloneOptions, parallel: 1, order }
  const results = await salvagePartitions([openPartition(directory, disk)], run, () => undefined)
  t.deepEqual(
    results.filter(({ status }) => status === "failed").map(({ group, error }) => [group, error?.code]),
    [[base.docs, undefined]],
  )
  t.true(results.every(({ group, status }) => group === base.docs || status === "clean"))
})

test("files that end like headers and are none are told, and put aside; nothing of them is lost", async (t) => {
  const directory = damagedPartition(t, "base")
  const names = ["V.vol", "V0000000000.vol", "Vabc.vol", "x.vol"]
  for (const name of names) writeFileSync(`${directory}/${name}`, name)
  const order = { stateDirectory: "/nowhere", hasFileserver: false }
  const go = async (readOnly: boolean): Promise<string[]> => {
    const told: string[] = []
    const salvage = { ...standaloneOptions, readOnly }
    await salvagePartitions([openPartition(directory)], { salvage, parallel: 1, order }, (event) => {
      if (event.type === "finding") told.push(`${event.code} ${event.file} ${event.done}`)
    })
    return told.sort()
  }
  const wanted = (done: boolean): string[] => names.map((name) => `header-stray ${directory}/${name} ${done}`).sort()
  t.deepEqual(await go(true), wanted(false))
  t.deepEqual(await go(false), wanted(true))
  t.deepEqual(await go(false), [])
  t.deepEqual(
    readdirSync(`${directory}/.dafs/aside`)
      .map((name) => name.replace(/-\d+$/, ""))
      .sort(),
    [...names].sort(),
  )
})
