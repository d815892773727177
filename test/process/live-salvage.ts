/**
 * All three daemons up, clients writing over RX, and volumes damaged on the disk behind the fileserver's back: whoever
 * accesses one is told to wait, and gets it back without an operator; nobody else notices anything.
 */
import { setTimeout as delay } from "node:timers/promises"
import test, { type ExecutionContext } from "ava"
import { fetchWhole, storeContents } from "../../client/contents.ts"
import { rootOf } from "../../client/fid.ts"
import { Fileserver } from "../../client/fileserver.ts"
import { createFile } from "../../client/namespace.ts"
import { fetchStatus, lookUp } from "../../client/tree.ts"
import { isAfsError } from "../../common/error.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { recordOffset, vnodeClasses } from "../../common/vnode/vnode-record.ts"
import { patchBytes, specialPath } from "../support/patch.ts"
import {
  damageIndex,
  historyOf,
  requireSettled,
  type SalvageRig,
  type SalvageRigOptions,
  startSalvageRig,
} from "../support/salvage-rig.ts"
import { chosenSteps, steppingOptions, stepsOf, stopAt, stoppedAt } from "../support/salvage-steps.ts"
import { runDafs, spawnDafs } from "../support/spawned.ts"

interface LiveRig extends SalvageRig {
  client(): Promise<Fileserver>
  /** Runs `dafs vos WORDS` by way of the volserver. */
  vos(...words: string[]): Promise<void>
  /** Runs `dafs fssync WORD` for a volume. */
  fssync(word: string, volume: number): Promise<void>
}

/** A fileserver, a volserver and a salvage server. */
async function startLiveRig(t: ExecutionContext, options: SalvageRigOptions): Promise<LiveRig> {
  const rig = await startSalvageRig(t, options)
  const where = ["--partition", rig.partition.path, "--state-dir", rig.fileserver.stateDirectory]
  await spawnDafs(t, ["volserver", ...where]).line(/volserver ready/)
  const port = Number(/"port":(\d+)/.exec(rig.fileserver.process.stderr())?.[1])
  const run = async (words: readonly string[]): Promise<void> => {
    const { status, stderr } = await runDafs(words)
    t.is(status, 0, stderr)
  }
  const state = ["--state-dir", rig.fileserver.stateDirectory]
  return Object.assign(rig, {
    async client() {
      const client = await Fileserver.open({ host: parseHost("127.0.0.1") ?? 0, port })
      t.teardown(() => client.close())
      return client
    },
    vos: (...words: string[]) => run(["vos", ...words, "--volserver", ...where]),
    fssync: (word: string, volume: number) =>
      run(["fssync", word, "--volumeid", String(volume), "--partition", rig.partition.name, ...state]),
  })
}

/** Makes a file of its own, and changes and reads it again and again; any error of the server ends it, and the test. */
class Writer {
  rounds = 0
  #isStopped = false
  readonly #done: Promise<void>

  constructor(client: Fileserver, volume: number) {
    this.#done = this.#write(client, volume)
    this.#done.catch(() => undefined) // whoever stops it sees it
  }

  /** Until it has made so many rounds more. */
  async goesOn(count: number): Promise<void> {
    for (const end = this.rounds + count; this.rounds < end; ) await Promise.race([delay(5), this.#done])
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#done
  }

  async #write(client: Fileserver, volume: number): Promise<void> {
    const { fid } = await createFile(client, { directory: rootOf(volume), name: Buffer.from("written") }, {})
    for (; !this.#isStopped; this.rounds++) {
      const bytes = Buffer.from(`round ${this.rounds} of volume ${volume}`)
      await storeContents(client, fid, [bytes], bytes.length)
      const found = await fetchWhole(client, fid, 1000)
      if (!found.bytes.equals(bytes)) throw new Error(`volume ${volume}: ${found.bytes.toString()}`)
      await delay(2)
    }
  }
}

async function startWriters(rig: LiveRig, volumes: readonly number[]): Promise<Writer[]> {
  return await Promise.all(volumes.map(async (volume) => new Writer(await rig.client(), volume)))
}

/** What a cache manager does: it tries again while the volume is busy. Gives how often it was told so. */
async function patiently(work: () => Promise<unknown>): Promise<number> {
  for (let refusals = 0; ; refusals++) {
    try {
      await work()
      return refusals
    } catch (error) {
      if (!isAfsError(error, "VBUSY") || refusals > 2000) throw error
      await delay(20)
    }
  }
}

const fileIn = (volume: number, name: string) => ({ directory: rootOf(volume), name: Buffer.from(name) })

/** Overwrites what the vnode index says of one file, and nothing that an attachment looks at. */
function damageRecord({ partition }: SalvageRig, { Volume, Vnode }: AFSFid): void {
  const path = specialPath(partition.path, Volume, Volume, "smallIndex")
  patchBytes(path, recordOffset(Vnode), vnodeClasses.small.recordSize, (bytes) => bytes.fill(0x5a))
}

for (const [what, damage] of [
  ["of which the attachment takes notice", (rig: LiveRig, { Volume }: AFSFid) => damageIndex(rig, Volume)],
  ["of which only the operation takes notice", damageRecord],
] as const) {
  test(`a vnode index damaged while its volume is detached, ${what}: a client that writes gets through, others never pause`, async (t) => {
    t.timeout(120_000)
    const rig = await startLiveRig(t, { count: 4 })
    const [volume = 0, ...others] = rig.volumes
    const client = await rig.client()
    const { fid } = await createFile(client, fileIn(volume, "mine"), {})
    const store = (text: string) => () => storeContents(client, fid, [Buffer.from(text)], text.length)
    await store("before")()
    const writers = await startWriters(rig, others)
    await rig.fssync("offline", volume)
    damage(rig, fid)
    await rig.fssync("online", volume)
    await rig.vos("examine", String(others[0]))
    t.true((await patiently(store("after"))) > 0, "it was told to wait")
    t.is((await fetchWhole(client, fid, 100)).bytes.toString(), "after")
    t.is((await fetchWhole(client, await lookUp(client, fileIn(volume, "file")), 100)).bytes.toString(), "content")
    for (const writer of writers) await writer.stop()
    t.true(writers.every(({ rounds }) => rounds > 0))
    const [salvage] = await historyOf(rig, 1)
    t.like(salvage, { volume, state: "done", outcome: { status: "repaired" } })
    await client.close()
    await requireSettled(t, rig)
  })
}

/** Volumes that nobody damages. */
const soundCount = 3
/** Steps of a salvage at which it stands still, and volumes that are salvaged before, to learn the steps. */
const standstills = 8
const undisturbed = 2

test("a salvage that stands still at any of its steps, keeping what it has taken: writers on other volumes go on", async (t) => {
  t.timeout(180_000)
  const { steps, options } = steppingOptions(t)
  const rig = Object.assign(await startLiveRig(t, { ...options, count: undisturbed + standstills + soundCount }), {
    steps,
  })
  const [first = 0, second = 0, ...damaged] = rig.volumes.slice(0, undisturbed + standstills)
  const writers = await startWriters(rig, rig.volumes.slice(-soundCount))
  const client = await rig.client()
  const salvaged = async (volume: number): Promise<void> => {
    await patiently(() => fetchStatus(client, rootOf(volume)))
    const file = await lookUp(client, fileIn(volume, "file"))
    t.is((await fetchWhole(client, file, 100)).bytes.toString(), "content")
  }
  const refused = async (volume: number): Promise<void> => {
    damageIndex(rig, volume)
    await t.throwsAsync(fetchStatus(client, rootOf(volume)), { code: "VBUSY" })
  }
  for (const volume of [first, second]) {
    await refused(volume)
    await salvaged(volume)
  }
  for (const [index, step] of chosenSteps(stepsOf(rig, second).length, standstills).entries()) {
    const volume = damaged[index] ?? 0
    stopAt(rig, volume, step)
    await refused(volume)
    const worker = await stoppedAt(rig, volume)
    await Promise.all(writers.map((writer) => writer.goesOn(10)))
    process.kill(worker, "SIGCONT")
    await salvaged(volume)
  }
  for (const writer of writers) await writer.stop()
  await client.close()
  await requireSettled(t, rig)
})

const damagedCount = 20

/** The order in which a salvage server started salvages, by its log. */
const startedIn = ({ salvageserver }: SalvageRig): number[] =>
  [...salvageserver.stderr().matchAll(/"volume":(\d+),.*"salvage started"/g)].map((match) => Number(match[1]))

/** The highest priority that a salvage server was told for a volume. */
function priorityIn({ salvageserver }: SalvageRig, volume: number): number {
  const lines = salvageserver.stderr().matchAll(/"volume":(\d+),.*"priority":(\d+),.*"salvage requested"/g)
  return Math.max(-1, ...[...lines].filter((match) => Number(match[1]) === volume).map((match) => Number(match[2])))
}

test("20 volumes damaged at once: those that clients ask for most are salvaged first, and writers on others see nothing of it", async (t) => {
  t.timeout(180_000)
  const { steps, options } = steppingOptions(t)
  const rig = Object.assign(
    await startLiveRig(t, { ...options, count: damagedCount + soundCount, words: ["--parallel", "1"] }),
    { steps },
  )
  const damaged = rig.volumes.slice(0, damagedCount)
  const writers = await startWriters(rig, rig.volumes.slice(damagedCount))
  const client = await rig.client()
  for (const volume of damaged) damageIndex(rig, volume)

  // the first one's worker stops at its beginning until the others have queued up
  const [first = 0, ...waiting] = damaged
  stopAt(rig, first, 1)
  const [often = 0, sometimes = 0] = waiting.slice(-2).reverse()
  const clients = await Promise.all(Array.from({ length: 6 }, () => rig.client()))
  const refused = (client: Fileserver, volume: number) =>
    t.throwsAsync(fetchStatus(client, rootOf(volume)), { code: "VBUSY" })
  for (const [index, volume] of damaged.entries()) await refused(clients[index % clients.length] ?? client, volume)
  // the salvage server hears at most every three seconds how often a volume was asked for
  while (priorityIn(rig, often) < 4 || priorityIn(rig, sometimes) < 1) {
    for (const one of clients) await refused(one, often)
    await refused(client, sometimes)
    await delay(500)
  }
  process.kill(await stoppedAt(rig, first), "SIGCONT")

  for (const volume of damaged) {
    await patiently(() => fetchStatus(client, rootOf(volume)))
    const file = await lookUp(client, fileIn(volume, "file"))
    t.is((await fetchWhole(client, file, 100)).bytes.toString(), "content")
  }
  t.true(priorityIn(rig, often) > priorityIn(rig, sometimes))
  t.deepEqual(startedIn(rig), [first, often, sometimes, ...waiting.slice(0, -2)])
  for (const writer of writers) await writer.stop()
  t.true(writers.every(({ rounds }) => rounds > 0))
  t.true(
    (await historyOf(rig, damagedCount)).every(
      ({ state, outcome }) => state === "done" && outcome?.status === "repaired",
    ),
  )
  for (const one of [client, ...clients]) await one.close()
  await requireSettled(t, rig)
})
