/**
 * Fileserver and salvage server at work on damaged volumes, with clients that go on accessing: volumes come back by
 * themselves, whoever is killed meanwhile.
 */

import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { volumeLockHolders } from "../../common/lock/lock-holder.ts"
import { createPartition, type Partition } from "../../common/partition/partition.ts"
import { connectJson } from "../../fssync/json-channel.ts"
import { type JobView, salvageBoardName, salvageHistoryName } from "../../salvager/job-view.ts"
import { readHistory } from "../../salvager/salvage-history.ts"
import { type FileserverProcess, startFileserver } from "../support/fileserver-process.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { patchBytes, specialPath } from "../support/patch.ts"
import { isAlive, type Spawned, spawnDafs } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { volumeOf } from "../support/volume-builder.ts"

interface Rig {
  readonly partition: Partition
  readonly volumes: readonly number[]
  readonly fileserver: FileserverProcess
  salvageserver: Spawned
  startSalvageserver(...options: string[]): Promise<void>
}

async function rig(t: ExecutionContext, count: number, ...options: string[]): Promise<Rig> {
  const partition = createPartition(join(temporaryDirectory(t), "vicepa"), { development: true })
  const volumes: number[] = []
  const tree = { folder: { folder: { file: "content", other: "more" } }, file: "content" }
  for (let index = 0; index < count; index++) volumes.push(await volumeOf(partition, `v.${index}`, tree))
  const fileserver = await startFileserver(t, [partition])
  const start = async (...more: string[]): Promise<Spawned> => {
    const words = ["--partition", partition.path, "--state-dir", fileserver.stateDirectory, ...more]
    const server = spawnDafs(t, ["salvageserver", ...words])
    await server.line(/salvageserver ready/)
    return server
  }
  const made: Rig = {
    partition,
    volumes,
    fileserver,
    salvageserver: await start(...options),
    async startSalvageserver(...more) {
      made.salvageserver = await start(...more)
    },
  }
  return made
}

/** Overwrites the beginning of the vnode index of a volume that is not attached: its attachment finds that. */
function damage({ partition }: Rig, volume: number): void {
  patchBytes(specialPath(partition.path, volume, volume, "smallIndex"), 0, 64 + 20, (bytes) => bytes.fill(0))
}

/** What a client does: it asks again as long as the volume is being salvaged. */
async function served({ fileserver }: Rig, volume: number, timeoutMs = 60_000): Promise<string> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const answer = await accessed(fileserver, volume)
    if ((answer !== "VBUSY" && answer !== "VSALVAGING" && answer !== "gone") || Date.now() > end) return answer
    await delay(50)
  }
}

async function accessed(fileserver: FileserverProcess, volume: number): Promise<string> {
  try {
    return await fileserver.access(volume)
  } catch {
    return "gone" // between two fileservers
  }
}

/** A job's worker, once it runs. */
async function workerOf({ salvageserver }: Rig, volume: number): Promise<number> {
  const line = await salvageserver.line(new RegExp(`"volume":${volume},.*salvage started`), 60_000)
  return Number(/"worker":(\d+)/.exec(line)?.[1])
}

/** What the salvage server noted. A worker gives its volume back before it ends, and is noted when it has ended. */
async function historyOf({ fileserver }: Rig, count: number): Promise<ReturnType<typeof readHistory>> {
  for (;;) {
    const noted = readHistory(nodeDisk, join(fileserver.stateDirectory, salvageHistoryName))
    if (noted.length >= count) return noted
    await delay(20)
  }
}

/** Two volumes, and a worker at the salvage of one. */
async function salvaging(t: ExecutionContext): Promise<{ made: Rig; damaged: number; worker: number }> {
  const made = await rig(t, 2)
  const [damaged = 0] = made.volumes
  damage(made, damaged)
  await made.fileserver.access(damaged)
  return { made, damaged, worker: await workerOf(made, damaged) }
}

async function settled(t: ExecutionContext, made: Rig): Promise<void> {
  for (const volume of made.volumes) {
    t.is(await served(made, volume), "ok", `volume ${volume}`)
    t.deepEqual(volumeLockHolders(made.partition, volume), [], "no lock is left")
    const operation = await made.fileserver.client().queryVolumeOperation(volume, made.partition.name)
    t.is(operation.payload, undefined, "no checkout is left")
  }
  await made.salvageserver.stop()
  await made.fileserver.stop()
  t.deepEqual(partitionProblems(made.partition.path), [])
}

test("a damaged volume is salvaged at its next access, without an operator, and the others never pause", async (t) => {
  t.timeout(120_000)
  const made = await rig(t, 3)
  const [damaged = 0, ...others] = made.volumes
  damage(made, damaged)
  let paused = 0
  const coming = served(made, damaged)
  let isBack = false
  void coming.then(() => {
    isBack = true
  })
  while (!isBack) {
    for (const other of others) if ((await made.fileserver.access(other)) !== "ok") paused++
    await delay(10)
  }
  t.is(await coming, "ok")
  t.is(paused, 0)
  const history = await historyOf(made, 1)
  t.deepEqual(
    history.map(({ volume, state, outcome }) => [volume, state, outcome?.status]),
    [[damaged, "done", "repaired"]],
  )
  await settled(t, made)
})

test("20 damaged volumes are salvaged in the order of their priorities, each of them once, and all come back", async (t) => {
  t.timeout(240_000)
  const made = await rig(t, 20, "--parallel", "1")
  for (const volume of made.volumes) damage(made, volume)
  const [first = 0, ...others] = made.volumes
  await made.fileserver.access(first) // occupies the one worker, so that the others queue up
  for (const volume of others) await made.fileserver.access(volume)
  const wanted = made.volumes.at(-1) ?? 0
  const request = spawnDafs(t, [
    ...["salvage", "request", "--partition", made.partition.name, "--volumeid", String(wanted)],
    ...["--priority", "1000", "--state-dir", made.fileserver.stateDirectory],
  ])
  t.is((await request.ended).status, 0)
  for (const volume of made.volumes) t.is(await served(made, volume, 200_000), "ok")
  const history = await historyOf(made, made.volumes.length)
  t.deepEqual(
    history.map(({ volume }) => volume).sort((a, b) => a - b),
    made.volumes,
  )
  t.true(history.findIndex(({ volume }) => volume === wanted) < 6, "it did not wait for all others")
  await settled(t, made)
})

test("a worker that is killed fails its volume alone; a request by hand brings it back", async (t) => {
  t.timeout(120_000)
  const { made, damaged, worker } = await salvaging(t)
  process.kill(worker, "SIGKILL")
  await made.salvageserver.line(/salvage failed|salvage done/)
  const words = ["--partition", made.partition.name, "--volumeid", String(damaged), "--wait"]
  const request = spawnDafs(t, ["salvage", "request", ...words, "--state-dir", made.fileserver.stateDirectory])
  t.is((await request.ended).status, 0)
  await settled(t, made)
})

test("a salvage server that is killed is asked again when it is back: its worker finished, or the next one does", async (t) => {
  t.timeout(120_000)
  const { made, worker } = await salvaging(t)
  process.kill(made.salvageserver.pid, "SIGKILL")
  while (isAlive(worker)) await delay(20)
  await made.startSalvageserver()
  await settled(t, made)
})

test("a fileserver that is killed during a salvage and started again serves the volume when it is done", async (t) => {
  t.timeout(120_000)
  const { made } = await salvaging(t)
  await made.fileserver.kill()
  await made.fileserver.start()
  await settled(t, made)
})

test("dafs salvage status, history and cancel tell and change what the salvage server does", async (t) => {
  t.timeout(120_000)
  const made = await rig(t, 1)
  const [damaged = 0] = made.volumes
  const state = ["--state-dir", made.fileserver.stateDirectory]
  const run = async (...words: string[]) => (await spawnDafs(t, ["salvage", ...words, ...state]).ended).stdout
  damage(made, damaged)
  t.is(await served(made, damaged), "ok")
  const status = JSON.parse(await run("status", "--json")) as { jobs: readonly JobView[] } // as documented
  t.like(status.jobs[0], { volume: damaged, state: "done", partition: made.partition.name })
  t.regex(await run("status"), new RegExp(`${damaged}\\s+done`))
  t.regex(await run("history"), new RegExp(`${damaged}\\s+done`))
  t.like(JSON.parse(await run("history", "--json")), { type: "job", volume: damaged, outcome: { status: "repaired" } })
  t.regex(await run("status", "--watch"), new RegExp(String(damaged)))
  const words = ["--partition", made.partition.name, "--volumeid", String(damaged)]
  t.regex(await run("cancel", ...words), /done/)
  const channel = await connectJson(join(made.fileserver.stateDirectory, salvageBoardName))
  channel.close()
  await settled(t, made)
})
