/**
 * Clients at work in the same directories while the volume goes and comes: it is detached for being idle, checked out by others,
 * cloned again and again. Nobody ever sees an error that does not pass, or anything that is not so.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as after } from "node:timers/promises"
import test, { type ExecutionContext } from "ava"
import { Fileserver } from "../../client/fileserver.ts"
import type { Partition } from "../../common/partition/partition.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { FssyncClient } from "../../fssync/fssync-client.ts"
import { responses } from "../../fssync/message.ts"
import { backupVolume } from "../../volserver/operations/backup.ts"
import { DirectoryWorker } from "../support/directory-worker.ts"
import { fuzzMs, type Random, randomOf, seededRandom } from "../support/random.ts"
import { storeStatus } from "../support/rxafs-client.ts"
import { salvageHere } from "../support/salvage-here.ts"
import { type Spawned, spawnSource } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, standaloneContext, volumeOf } from "../support/volume-builder.ts"

const workers = 4
const stepsPause = 12

interface Site {
  readonly partition: Partition
  readonly volume: number
  readonly server: Spawned
  readonly port: number
  readonly fssync: FssyncClient
}

async function startSite(t: ExecutionContext): Promise<Site> {
  const directory = temporaryDirectory(t)
  const partition = newPartition(join(directory, "vicepa"))
  const volume = await volumeOf(partition, "home", {})
  const state = join(directory, "state")
  mkdirSync(state, { mode: 0o700 })
  const server = spawnSource(t, "test/support/hasty-fileserver.program.ts", [partition.path, state])
  const port = Number((await server.line(/^serving \d+$/)).split(" ")[1])
  const fssync = new FssyncClient({ path: join(state, "fssync.sock"), programType: "volumeServer" })
  t.teardown(() => fssync.close())
  return { partition, volume, server, port, fssync }
}

async function client(t: ExecutionContext, { port }: Site): Promise<Fileserver> {
  const opened = await Fileserver.open({ host: parseHost("127.0.0.1") ?? 0, port })
  t.teardown(() => opened.close())
  return opened
}

/** Three directories, of which one is in another. */
async function makePlaces(server: Fileserver, volume: number): Promise<AFSFid[]> {
  const root = { Volume: volume, Vnode: 1, Unique: 1 }
  const make = async (DirFid: AFSFid, name: string): Promise<AFSFid> =>
    (await server.rxafs.MakeDir({ DirFid, Name: Buffer.from(name), InStatus: storeStatus({ mode: 0o755 }) })).OutFid
  const one = await make(root, "one")
  return [one, await make(root, "two"), await make(one, "three")]
}

/** What volume operations do to a volume, one after the other, until it is over. Gives how often. */
async function disturb({ partition, volume, fssync }: Site, random: Random, isOver: () => boolean): Promise<number> {
  const claimant = { program: "volumeServer", fileserver: fssync } as const
  const context = { ...standaloneContext([partition]), claimant }
  let times = 0
  for (; !isOver(); times++) {
    if (random.below(2) === 0) await backupVolume(context, { partition, id: volume })
    else {
      const mode = random.pick(["READONLY", "CLONE", "VOLUPD", "DUMP"] as const)
      const { response } = await fssync.needVolume(volume, partition.name, mode)
      if (response !== responses.OK) throw new Error(`NEEDVOLUME ${mode}: ${response}`)
      await after(random.below(10))
      await fssync.volumeOn(volume, partition.name)
    }
    await after(random.below(60))
  }
  return times
}

async function work(worker: DirectoryWorker, random: Random, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    for (let step = 0; step < stepsPause; step++) await worker.step()
    // Long enough for the volume to be idle.
    await after(random.below(8))
  }
}

test("clients that work in one directory see no error and nothing wrong while its volume goes and comes", async (t) => {
  t.timeout(120_000 + 5 * fuzzMs)
  const random = seededRandom(t)
  const site = await startSite(t)
  const first = await client(t, site)
  const places = await makePlaces(first, site.volume)
  const crew: DirectoryWorker[] = []
  for (let index = 0; index < workers; index++)
    crew.push(new DirectoryWorker(await client(t, site), `w${index}`, randomOf(random.below(2 ** 32)), places))
  let isOver = false
  const disturbing = disturb(site, random, () => isOver)
  const timer = setTimeout(() => {
    isOver = true
  }, 4 * fuzzMs)
  t.teardown(() => clearTimeout(timer))
  const working = Promise.all(crew.map((worker) => work(worker, random, () => isOver)))
  try {
    await Promise.race([working, disturbing])
  } catch (error) {
    t.log(site.server.stderr().slice(-4000))
    throw error
  } finally {
    isOver = true
  }
  const [times] = await Promise.all([disturbing, working])
  for (const worker of crew) await worker.check()
  const log = site.server.stderr()
  const detached = log.split("idle volume detached").length - 1
  const [calls, refusals] = [
    crew.reduce((sum, one) => sum + one.calls, 0),
    crew.reduce((sum, one) => sum + one.refusals, 0),
  ]
  t.log(`${calls} calls, ${refusals} of them later; ${times} volume operations, ${detached} times idle`)
  t.true(detached > 0 && times > 0 && calls > 100)
  t.notRegex(log, /"level":(50|60)/)
  await site.server.stop()
  for (const { group, counts } of await salvageHere(site.partition.path))
    t.deepEqual({ group, ...counts }, { group, note: 0, repaired: 0, loss: 0, left: 0 })
})
