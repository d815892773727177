/**
 * Fileserver and salvage server at work on damaged volumes, with clients that go on accessing: volumes come back by
 * themselves, whoever is killed meanwhile.
 */

import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import test, { type ExecutionContext } from "ava"
import { connectJson } from "../../fssync/json-channel.ts"
import { type JobView, salvageBoardName } from "../../salvager/job-view.ts"
import {
  damageIndex,
  historyOf,
  requireSettled,
  type SalvageRig,
  served,
  startSalvageRig,
} from "../support/salvage-rig.ts"
import { isAlive, spawnDafs } from "../support/spawned.ts"

/** A job's worker, once it runs. */
async function workerOf({ salvageserver }: SalvageRig, volume: number): Promise<number> {
  const line = await salvageserver.line(new RegExp(`"volume":${volume},.*salvage started`), 60_000)
  return Number(/"worker":(\d+)/.exec(line)?.[1])
}

/** Two volumes, and a worker at the salvage of one. */
async function salvaging(t: ExecutionContext): Promise<{ made: SalvageRig; damaged: number; worker: number }> {
  const made = await startSalvageRig(t, { count: 2 })
  const [damaged = 0] = made.volumes
  damageIndex(made, damaged)
  await made.fileserver.access(damaged)
  return { made, damaged, worker: await workerOf(made, damaged) }
}

test("a damaged volume is salvaged at its next access, without an operator, and the others never pause", async (t) => {
  t.timeout(120_000)
  const made = await startSalvageRig(t, { count: 3 })
  const [damaged = 0, ...others] = made.volumes
  damageIndex(made, damaged)
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
  await requireSettled(t, made)
})

test("20 damaged volumes are salvaged in the order of their priorities, each of them once, and all come back", async (t) => {
  t.timeout(240_000)
  const made = await startSalvageRig(t, { count: 20, words: ["--parallel", "1"] })
  for (const volume of made.volumes) damageIndex(made, volume)
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
  await requireSettled(t, made)
})

test("a salvage server that is killed is asked again when it is back: its worker finished, or the next one does", async (t) => {
  t.timeout(120_000)
  const { made, worker } = await salvaging(t)
  process.kill(made.salvageserver.pid, "SIGKILL")
  while (isAlive(worker)) await delay(20)
  await made.startSalvageserver()
  await requireSettled(t, made)
})

test("a fileserver that is killed during a salvage and started again serves the volume when it is done", async (t) => {
  t.timeout(120_000)
  const { made } = await salvaging(t)
  await made.fileserver.kill()
  await made.fileserver.start()
  await requireSettled(t, made)
})

test("dafs salvage status, history and cancel tell and change what the salvage server does", async (t) => {
  t.timeout(120_000)
  const made = await startSalvageRig(t, { count: 1 })
  const [damaged = 0] = made.volumes
  const state = ["--state-dir", made.fileserver.stateDirectory]
  const run = async (...words: string[]) => (await spawnDafs(t, ["salvage", ...words, ...state]).ended).stdout
  damageIndex(made, damaged)
  t.is(await served(made, damaged), "ok")
  const emptied: unknown = JSON.parse(await run("cancelall", "--json"))
  t.deepEqual(Object.keys(emptied as object), ["sq_len", "pq_len"]) // it is about no volume
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
  await requireSettled(t, made)
})
