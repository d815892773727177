/**
 * How long does the first access of a volume take, which attaches it, and how long one after it? Ours: VOL_GET over FSSYNC, by
 * a client process of its own. The peer's: FetchStatus of the volume's root over Rx, by a client in Node. Each figure is a
 * whole round trip, with the waking of the server; the difference of the two is the attach itself.
 */
import { join } from "node:path"
import { FssyncClient, requireOk } from "../fssync/fssync-client.ts"
import { fssyncReasons } from "../fssync/message.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { withBoth } from "./both-servers.ts"
import { startFileserver } from "./fileserver-process.ts"
import { type Answer, answer, type Goal, inTemporaryDirectory, median, report } from "./measure.ts"
import { OpenafsFssync } from "./openafs-fssync.ts"
import { startPeerClient } from "./peer-client.ts"

const volumeCount = 300
const roundCount = 9
const peerName = "dafileserver, FetchStatus"
const none: Round = { first: Number.NaN, later: Number.NaN }
const partitionName = "/vicepa"

interface Accesses {
  /** Puts every volume into the state in which a start leaves it. */
  preattach(): Promise<void>
  /** Microseconds per volume. */
  access(): Promise<number[]>
}

/** What one round shows: medians over the volumes. */
interface Round {
  readonly first: number
  readonly later: number
}

async function oneRound(accesses: Accesses): Promise<Round> {
  await accesses.preattach()
  return { first: median(await accesses.access()), later: median(await accesses.access()) }
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

/** The rounds are run once; every question is answered from all of them. */
async function measure(ours: Accesses, peer: Accesses | undefined): Promise<Answer[]> {
  const rounds: { mine: Round; theirs: Round | undefined }[] = []
  for (let round = 0; round <= roundCount; round++) {
    rounds.push({ mine: await oneRound(ours), theirs: peer === undefined ? undefined : await oneRound(peer) })
  }
  const ask = (what: string, figure: (round: Round) => number, goal?: Goal): Promise<Answer> => {
    const [mine, theirs] = [rounds.values(), rounds.values()]
    const question = {
      what,
      unit: "µs",
      rounds: roundCount,
      ours: { name: "dafs fileserver", round: () => figure(mine.next().value?.mine ?? none) },
      peer:
        peer === undefined ? undefined : { name: peerName, round: () => figure(theirs.next().value?.theirs ?? none) },
    }
    return answer(goal === undefined ? question : { ...question, goal })
  }
  return [
    await ask("first access of a volume", ({ first }) => first, { atMost: 0.5 }),
    await ask("of it, the attach", ({ first, later }) => first - later),
    await ask("access of an attached volume", ({ later }) => later),
  ]
}

await inTemporaryDirectory((directory) =>
  withBoth(directory, volumeCount, async (mine, theirs) => {
    await using server = await startFileserver(mine.partition.path, join(directory, "state"))
    await using client = new FssyncClient({ path: server.socket, programType: "debugUtility", rule: impatientRule })
    const ours = ourAccesses(client, mine.volumes)
    if (theirs === undefined) return report(await measure(ours, undefined))
    theirs.cell.start("fs")
    using fssync = await OpenafsFssync.open(theirs.cell.fssyncSocket)
    await using peer = startPeerClient(theirs.cell)
    await peer.access(theirs.volumes.slice(0, 1)) // the server gets to know its client
    report(await measure(ours, peerAccesses(fssync, peer, theirs.volumes)))
  }),
)
