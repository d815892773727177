/**
 * How long does the first access of a volume take, which attaches it, and how long one after it? Ours: VOL_GET over FSSYNC, by
 * a client process of its own. The peer's: FetchStatus of the volume's root over Rx, by a client in Node. Each figure is a
 * whole round trip, with the waking of the server; the difference of the two is the attach itself.
 */
import { join } from "node:path"
import { createPartition, type Partition } from "../common/partition/partition.ts"
import { FssyncClient, requireOk } from "../fssync/fssync-client.ts"
import { fssyncReasons } from "../fssync/message.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { startFileserver } from "./fileserver-process.ts"
import { type Answer, answer, inTemporaryDirectory, median, report } from "./measure.ts"
import { OpenafsFssync } from "./openafs-fssync.ts"
import { canHaveCell, startPeerCell } from "./peer-cell.ts"
import { startPeerClient } from "./peer-client.ts"
import { makeVolumes } from "./volumes.ts"

const volumeCount = 300
const partitionName = "/vicepa"
const development = process.geteuid?.() !== 0

interface Accesses {
  /** Puts every volume into the state in which a start leaves it. */
  preattach(): Promise<void>
  /** Microseconds per volume. */
  access(): Promise<number[]>
}

/** First and later accesses of every volume, as medians; one round serves all questions. */
class Rounds {
  readonly #accesses: Accesses
  later = 0
  attach = 0

  constructor(accesses: Accesses) {
    this.#accesses = accesses
  }

  async first(): Promise<number> {
    await this.#accesses.preattach()
    const first = median(await this.#accesses.access())
    this.later = median(await this.#accesses.access())
    this.attach = first - this.later
    return first
  }
}

function ourAccesses(client: FssyncClient, volumes: readonly number[]): Accesses {
  return {
    async preattach() {
      for (const volume of volumes) {
        requireOk(await client.volumeOff(volume, partitionName, fssyncReasons.WHATEVER), "off")
        requireOk(await client.volumeOn(volume, partitionName), "on")
      }
    },
    async access() {
      const spent: number[] = []
      for (const volume of volumes) {
        const begin = performance.now()
        requireOk(await client.get(volume, partitionName), "get")
        spent.push((performance.now() - begin) * 1000)
        requireOk(await client.put(volume, partitionName), "put")
      }
      return spent
    },
  }
}

function peerAccesses(
  fssync: OpenafsFssync,
  client: { access(volumes: readonly number[]): Promise<number[]> },
  volumes: readonly number[],
): Accesses {
  return {
    async preattach() {
      for (const volume of volumes) {
        await fssync.volumeOff(volume, partitionName)
        await fssync.volumeOn(volume, partitionName)
      }
    },
    access: () => client.access(volumes),
  }
}

async function measure(ours: Accesses, peer: Accesses | undefined): Promise<Answer[]> {
  const mine = new Rounds(ours)
  const theirs = peer === undefined ? undefined : new Rounds(peer)
  const peerName = "dafileserver, FetchStatus"
  const side = (figure: (rounds: Rounds) => number | Promise<number>) => ({
    ours: { name: "dafs fileserver", round: () => figure(mine) },
    peer: theirs === undefined ? undefined : { name: peerName, round: () => figure(theirs) },
  })
  const rounds = 9
  const first = await answer({
    what: "first access of a volume",
    unit: "µs",
    rounds,
    goal: { atMost: 0.5 },
    ...side((one) => one.first()),
  })
  const attach = await answer({
    what: "of it, the attach",
    unit: "µs",
    rounds,
    ...side(async (one) => {
      await one.first()
      return one.attach
    }),
  })
  const later = await answer({
    what: "access of an attached volume",
    unit: "µs",
    rounds,
    ...side(async (one) => {
      await one.first()
      return one.later
    }),
  })
  return [first, attach, later]
}

async function withOurs<T>(directory: string, work: (accesses: Accesses) => Promise<T>): Promise<T> {
  const partition = createPartition(join(directory, "vicepa"), { development })
  const volumes = await makeVolumes(partition, volumeCount)
  await using server = await startFileserver(partition.path, directory)
  await using client = new FssyncClient({ path: server.socket, programType: "debugUtility", rule: impatientRule })
  return await work(ourAccesses(client, volumes))
}

/** The peer's partition is filled before its server starts. */
async function withPeer<T>(directory: string, work: (accesses: Accesses | undefined) => Promise<T>): Promise<T> {
  if (!canHaveCell()) return await work(undefined)
  using cell = startPeerCell(directory, "vl", "pt", "sal")
  const partition: Partition = createPartition(join(directory, "vicepa"), { development })
  const volumes = await makeVolumes(partition, volumeCount)
  cell.start("fs")
  using fssync = await OpenafsFssync.open(cell.fssyncSocket)
  await using client = startPeerClient(cell)
  await client.access(volumes.slice(0, 1)) // the server gets to know its client
  return await work(peerAccesses(fssync, client, volumes))
}

await inTemporaryDirectory(async (directory) => {
  const answers = await withOurs(join(directory), (ours) =>
    withPeer(join(directory, "cell"), (peer) => measure(ours, peer)),
  )
  report(answers)
})
