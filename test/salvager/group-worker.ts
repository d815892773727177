/** A process that salvages groups for another one: how it ends when it is told to. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import type { Partition } from "../../common/partition/partition.ts"
import type { SyncAnswer } from "../../fssync/message.ts"
import type { WorkerOrder, WorkerReport } from "../../salvager/group-worker.ts"
import { Survey } from "../../salvager/survey.ts"
import { shelfPath } from "../../salvager/undo/journal.ts"
import { base, patchVolumeInfo } from "../support/patch.ts"
import { builtProgram } from "../support/project.ts"
import { standaloneOptions } from "../support/salvaged.ts"
import { failed, scriptedFileserver } from "../support/scripted-fileserver.ts"
import { fixturePartition } from "../support/served-volumes.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, volumeOf } from "../support/volume-builder.ts"

const { now: _now, claimant: _claimant, force: _force, ...plain } = standaloneOptions
const order: WorkerOrder = {
  type: "order",
  options: { ...plain, undo: { seconds: 86_400, bytes: 2 ** 30 } },
  program: "salvager",
  stateDirectory: "/nowhere",
  hasFileserver: false,
  optimizesLate: false,
}
const groupCount = 24

async function damagedVolumes(t: ExecutionContext): Promise<Partition> {
  const partition = newPartition(temporaryDirectory(t))
  for (let index = 0; index < groupCount; index++) {
    const group = await volumeOf(partition, `v.${index}`, { file: "content" })
    patchVolumeInfo(partition.path, group, group, { filecount: 7 })
  }
  return partition
}

interface Rig {
  readonly partition: Partition
  readonly worker: ChildProcess
  readonly reports: readonly WorkerReport[]
  readonly ended: Promise<readonly unknown[]>
}

/** Its status and signal, when all that it said has arrived. */
async function endOf(worker: ChildProcess): Promise<readonly unknown[]> {
  const [ending] = await Promise.all([once(worker, "exit"), once(worker, "disconnect")])
  return ending
}

/** A worker that stands still, with all groups of a partition to be done as soon as it goes on. */
async function loadedWorker(t: ExecutionContext): Promise<Rig> {
  const partition = await damagedVolumes(t)
  const worker = fork(builtProgram("salvager/group-worker.ts"), [], { serialization: "advanced" })
  t.teardown(() => worker.kill("SIGKILL"))
  const reports: WorkerReport[] = []
  worker.on("message", (report: WorkerReport) => reports.push(report))
  const ended = endOf(worker)
  worker.send(order)
  await once(worker, "message")
  worker.kill("SIGSTOP")
  const { path, name } = partition
  const tasks = new Survey(partition).allGroups().map((group) => ({ partition: path, name, group, force: true }))
  await new Promise((resolve) => worker.send({ type: "tasks", tasks }, resolve))
  return { partition, worker, reports, ended }
}

/** Groups that were repaired, told by what was kept of them. */
function repairedCount(partition: Partition): number {
  return existsSync(shelfPath(partition)) ? readdirSync(shelfPath(partition)).length : 0
}

const toldCount = (reports: readonly WorkerReport[]): number => reports.filter(({ type }) => type === "done").length

test("whoever started it is killed: it begins no other group, for nothing keeps servers from the partition any more", async (t) => {
  const { partition, worker, ended } = await loadedWorker(t)
  worker.disconnect()
  worker.kill("SIGCONT")
  t.deepEqual(await ended, [0, null])
  t.true(repairedCount(partition) < groupCount / 2, String(repairedCount(partition)))
})

for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const)
  test(`${signal} alone: it tells what it has done, and leaves the other groups to others`, async (t) => {
    const { partition, worker, reports, ended } = await loadedWorker(t)
    worker.kill(signal)
    worker.kill("SIGCONT")
    t.deepEqual(await ended, [0, null])
    t.true(repairedCount(partition) < groupCount / 2, String(repairedCount(partition)))
    t.is(toldCount(reports), repairedCount(partition))
    t.is(reports.at(-1)?.type, "leaving")
  })

test("told to stop, it tells what it has done, and begins no other group", async (t) => {
  const { partition, worker, reports, ended } = await loadedWorker(t)
  worker.send({ type: "stop" })
  worker.kill("SIGCONT")
  t.deepEqual(await ended, [0, null])
  t.true(repairedCount(partition) < groupCount / 2, String(repairedCount(partition)))
  t.is(toldCount(reports), repairedCount(partition))
})

test("told to stop while it waits for a fileserver that reads its partition, it gives the volume back and ends", async (t) => {
  const worker = fork(builtProgram("salvager/group-worker.ts"), [], { serialization: "advanced" })
  t.teardown(() => worker.kill("SIGKILL"))
  const scanning = (): SyncAnswer => {
    worker.send({ type: "stop" })
    return failed("PART_SCANNING")
  }
  const { stateDirectory, requests } = await scriptedFileserver(t, { VG_QUERY: scanning }, "volumeSalvager")
  const { path, name } = fixturePartition(t, "base")
  const ended = endOf(worker)
  worker.send({ ...order, program: "volumeSalvager", stateDirectory, hasFileserver: true })
  worker.send({ type: "tasks", tasks: [{ partition: path, name, group: base.ann.rw, force: true }] })
  t.deepEqual(await ended, [0, null])
  t.is(requests.filter((request) => request.startsWith("VG_QUERY")).length, 1)
  t.true(requests.includes(`ON ${base.ann.rw}`), requests.join("; "))
})

test("a fileserver that is gone: it leaves the groups to others, without a word of its own", async (t) => {
  const program = builtProgram("salvager/group-worker.ts")
  const worker = fork(program, [], { serialization: "advanced", stdio: ["ignore", "pipe", "pipe", "ipc"] })
  t.teardown(() => worker.kill("SIGKILL"))
  let said = ""
  worker.stderr?.on("data", (text) => {
    said += String(text)
  })
  const ended = endOf(worker)
  worker.send({ ...order, stateDirectory: temporaryDirectory(t), hasFileserver: true })
  t.deepEqual(await ended, [0, null])
  t.is(said, "")
})
