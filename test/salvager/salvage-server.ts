import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { silentLog } from "../../common/log.ts"
import { createPartition, headerPath, type Partition } from "../../common/partition/partition.ts"
import { programTypes } from "../../common/protocol/codes.ts"
import { newVolumeHeader, volumeHeaderLayout } from "../../common/volume/volume-header.ts"
import { SyncClient } from "../../fssync/client.ts"
import { salvsyncProtocol, salvsyncRows } from "../../fssync/command-table.ts"
import { connectJson } from "../../fssync/json-channel.ts"
import { responses, salvsyncReasons } from "../../fssync/message.ts"
import { type JobView, salvageBoardName, salvageHistoryName } from "../../salvager/job-view.ts"
import { readHistory } from "../../salvager/salvage-history.ts"
import { SalvageServer, type WorkerCommand } from "../../salvager/salvage-server.ts"
import { salvageStates } from "../../salvager/schedule.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

interface Rig {
  readonly server: SalvageServer
  readonly client: SyncClient
  readonly partition: Partition
  /** Volumes whose failure the fileserver was told. */
  readonly failed: number[]
  until(wanted: () => boolean): Promise<void>
}

/** A server whose workers are the given one-line programs. */
async function rig(t: ExecutionContext, worker: WorkerCommand, parallel = 4): Promise<Rig> {
  const directory = temporaryDirectory(t)
  const partition = createPartition(join(directory, "vicepa"), { development: true })
  const failed: number[] = []
  const socket = join(directory, "state", "salvsync.sock")
  const fileserver = {
    forceError(volume: number): Promise<void> {
      failed.push(volume)
      return Promise.resolve()
    },
  }
  const server = new SalvageServer({
    partitions: [partition],
    socket,
    stateDirectory: join(directory, "state"),
    parallel,
    worker,
    fileserver,
    finishMs: 0,
    log: silentLog(),
  })
  await server.listen()
  const sender = { programType: programTypes.fileServer, pid: process.pid, thread: 0 }
  const client = new SyncClient({ path: socket, protocol: salvsyncProtocol, sender })
  t.teardown(async () => {
    await client.close()
    await server[Symbol.asyncDispose]()
  })
  const until = async (wanted: () => boolean): Promise<void> => {
    const end = Date.now() + 30_000
    while (!wanted()) {
      if (Date.now() > end) throw new Error("what was waited for did not come")
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  return { server, client, partition, failed, until }
}

const node =
  (source: string): WorkerCommand =>
  () => [process.execPath, "-e", source]
const request = (partition: Partition, volume: number, priority = 0) => ({
  volume,
  parent: volume,
  partition: partition.name,
  vnode: priority,
  reason: salvsyncReasons.NEEDED,
})

test("salvage server: a requested salvage is run by a worker and ends as done", async (t) => {
  const { client, partition, server, failed, until } = await rig(t, node(""))
  const asked = await client.call(salvsyncRows.SALVAGE, request(partition, 7))
  t.is(asked.response, responses.OK)
  t.true(asked.payload?.known)
  await until(() => server.schedule.find(7, partition.name)?.state === "done")
  const { payload } = await client.call(salvsyncRows.QUERY, request(partition, 7))
  t.is(payload?.state, salvageStates.done)
  t.deepEqual(failed, [])
})

test("salvage server: a worker that fails is reported, and others go on", async (t) => {
  const source = "console.error('disk is full'); process.exit(1)"
  const worker: WorkerCommand = (_partition, volume) => [process.execPath, "-e", volume === 7 ? source : ""]
  const { client, partition, server, failed, until } = await rig(t, worker)
  await client.call(salvsyncRows.SALVAGE, request(partition, 7))
  await client.call(salvsyncRows.SALVAGE, request(partition, 8))
  await until(() => server.schedule.find(7, partition.name)?.state === "error")
  await until(() => server.schedule.find(8, partition.name)?.state === "done")
  t.deepEqual(failed, [7])
  t.regex(server.schedule.find(7, partition.name)?.failure ?? "", /status 1: disk is full/)
})

test("salvage server: a worker that is killed is followed by another one, and nobody hears of it", async (t) => {
  let workers = 0
  const { client, partition, server, failed, until } = await rig(t, () => {
    workers++
    return [process.execPath, "-e", workers === 1 ? "process.kill(process.pid, 'SIGKILL')" : ""]
  })
  await client.call(salvsyncRows.SALVAGE, request(partition, 7))
  await until(() => server.schedule.find(7, partition.name)?.state === "done")
  t.is(workers, 2)
  t.deepEqual(failed, [])
  t.like(server.jobs()[0], { state: "done", brokenOff: 1, salvages: 1 })
})

test("salvage server: a volume that kills its workers fails after the third, and only one entry of the history says so", async (t) => {
  let workers = 0
  const { client, partition, server, failed, until } = await rig(t, () => {
    workers++
    return [process.execPath, "-e", "process.kill(process.pid, 'SIGKILL')"]
  })
  await client.call(salvsyncRows.SALVAGE, request(partition, 7))
  await until(() => server.schedule.find(7, partition.name)?.state === "error")
  t.is(workers, 3)
  t.deepEqual(failed, [7])
  t.regex(server.schedule.find(7, partition.name)?.failure ?? "", /SIGKILL/)
  t.is(readHistory(nodeDisk, join(partition.path, "..", "state", salvageHistoryName)).length, 1)
})

/** The job of a worker whose fileserver was killed once ended in the error state, and put the volume there in the next fileserver. */
for (const [what, source] of [
  [
    "finds no fileserver",
    `console.error('{"type":"error","code":"UNREACHABLE","message":"no answer"}'); process.exit(1)`,
  ],
  [
    "loses its fileserver half-way",
    `console.log('{"type":"group","status":"failed","counts":{},"files":0,"error":{"code":"UNREACHABLE"}}'); process.exit(1)`,
  ],
  [
    "finds the volume in somebody's hands",
    `console.log('{"type":"group","status":"busy","counts":{},"files":0,"error":{"code":"LOCKED"}}'); process.exit(11)`,
  ],
] as const) {
  test(`salvage server: a worker that ${what} is followed by another one after a pause, and the fileserver is told of no failure`, async (t) => {
    let workers = 0
    const { client, partition, server, failed, until } = await rig(t, () => {
      workers++
      return [process.execPath, "-e", workers === 1 ? source : ""]
    })
    await client.call(salvsyncRows.SALVAGE, request(partition, 7))
    await until(() => server.schedule.find(7, partition.name)?.brokenOff === 1)
    t.is((await client.call(salvsyncRows.QUERY, request(partition, 7))).payload?.state, salvageStates.queued)
    await until(() => server.schedule.find(7, partition.name)?.state === "done")
    t.is(workers, 2)
    t.deepEqual(failed, [])
  })
}

test("salvage server: no more workers run than allowed, and cancelled volumes are not salvaged", async (t) => {
  const { client, partition, server, until } = await rig(
    t,
    node("process.stdin.resume(); setTimeout(() => {}, 60000)"),
    1,
  )
  await client.call(salvsyncRows.SALVAGE, request(partition, 7))
  await client.call(salvsyncRows.SALVAGE, request(partition, 8))
  const { payload } = await client.call(salvsyncRows.QUERY, request(partition, 8))
  t.is(payload?.state, salvageStates.queued)
  t.is(payload?.sq_len, 1)
  t.is(payload?.pq_len, 1)
  const cancelled = await client.call(salvsyncRows.CANCEL, request(partition, 8))
  t.is(cancelled.payload?.state, salvageStates.queued)
  const after = await client.call(salvsyncRows.QUERY, request(partition, 8))
  t.is(after.payload?.state, salvageStates.unknown)
  await until(() => server.schedule.queuedCount === 0)
})

test("salvage server: an unknown partition is refused", async (t) => {
  const { client, partition } = await rig(t, node(""))
  const answer = await client.call(salvsyncRows.SALVAGE, { ...request(partition, 7), partition: "/vicepzz" })
  t.is(answer.response, responses.DENIED)
})

test("salvage server: the group of a clone is salvaged, not the clone beside it", async (t) => {
  const salvaged: number[] = []
  const { client, partition, server, until } = await rig(t, (_partition, volume) => {
    salvaged.push(volume)
    return [process.execPath, "-e", ""]
  })
  writeFileSync(headerPath(partition, 12), volumeHeaderLayout.encode(newVolumeHeader(12, 10)))
  await client.call(salvsyncRows.SALVAGE, request(partition, 12))
  await until(() => server.schedule.find(10, partition.name)?.state === "done")
  t.deepEqual(salvaged, [10])
  const { payload } = await client.call(salvsyncRows.QUERY, request(partition, 12))
  t.is(payload?.state, salvageStates.done)
})

/** OpenAFS's worker links its clone while it still has the clone's lock, and the group's worker may find it locked. */
test("salvage server: a group's worker starts only when the worker that linked its clone has ended", async (t) => {
  const { client, partition, server, until } = await rig(t, (_partition, volume) => [
    process.execPath,
    "-e",
    volume === 12 ? "process.stdin.resume(); setTimeout(() => process.exit(10), 400)" : "",
  ])
  await client.call(salvsyncRows.SALVAGE, request(partition, 12))
  await client.call(salvsyncRows.LINK, { ...request(partition, 12), parent: 10 })
  t.is(server.schedule.find(10, partition.name)?.state, "queued")
  await until(() => server.schedule.find(12, partition.name)?.endedAt !== undefined)
  await until(() => server.schedule.find(10, partition.name)?.state === "done")
  const [clone, group] = [12, 10].map((volume) => server.schedule.find(volume, partition.name))
  t.true((group?.startedAt ?? 0) >= (clone?.endedAt ?? Number.POSITIVE_INFINITY))
})

test("salvage server: whoever watches sees the jobs with what their workers say, until they have ended; then they are history", async (t) => {
  const said = [
    { type: "phase", group: 7, phase: "scan", done: 5, total: 10 },
    { type: "group", group: 7, status: "repaired", counts: { repaired: 2 }, files: 10 },
  ]
  const source = `for (const line of ${JSON.stringify(said)}) console.log(JSON.stringify(line)); setTimeout(() => {}, 700)`
  const { client, partition, server, until } = await rig(t, node(source))
  const state = join(partition.path, "..", "state")
  const seen: JobView[] = []
  const channel = await connectJson(join(state, salvageBoardName))
  t.teardown(() => channel.close())
  channel.listen({
    message: ({ jobs }) => void seen.push(...(jobs as JobView[])), // as documented
    closed: () => undefined,
  })
  channel.send({ type: "watch" })
  await client.call(salvsyncRows.SALVAGE, request(partition, 7))
  await until(() => seen.some((job) => job.state === "done"))
  t.true(seen.some(({ progress }) => progress?.phase === "scan" && progress.done === 5 && progress.total === 10))
  t.like(seen.at(-1), { volume: 7, state: "done", salvages: 1, outcome: { status: "repaired", files: 10 } })
  const history = readHistory(nodeDisk, join(state, salvageHistoryName))
  t.is(history.length, 1)
  t.like(history[0], { volume: 7, partition: partition.name, state: "done", reason: "NEEDED" })
  t.is(server.jobs().length, 1)
})

test("salvage server: a linked clone stands for its group, whose salvage follows", async (t) => {
  const { client, partition, server, until } = await rig(t, (_partition, volume) => [
    process.execPath,
    "-e",
    volume === 12 ? "setTimeout(() => process.exit(10), 300)" : "",
  ])
  await client.call(salvsyncRows.SALVAGE, request(partition, 12))
  const linked = await client.call(salvsyncRows.LINK, { ...request(partition, 12), parent: 10 })
  t.is(linked.response, responses.OK)
  await until(() => server.schedule.find(10, partition.name)?.state === "done")
  const { payload } = await client.call(salvsyncRows.QUERY, request(partition, 12))
  t.is(payload?.state, salvageStates.done)
})

/** What ends a salvage server ends its workers too, at the end of a service's time to stop. */
test("salvage server: workers that are killed while it stops condemn no volume", async (t) => {
  const { client, partition, server, failed, until } = await rig(t, node("setTimeout(() => {}, 60000)"))
  await client.call(salvsyncRows.SALVAGE, request(partition, 7))
  await until(() => server.schedule.runningCount === 1)
  await server[Symbol.asyncDispose]()
  t.like(server.schedule.find(7, partition.name), { state: "error", failure: "the worker was killed by SIGTERM" })
  t.deepEqual(failed, [])
})
