/**
 * How long does the first access of a volume take, which attaches it, and how long one after it? FetchStatus of the volume's
 * root over Rx, by the same client in Node at both servers. Each figure is a whole round trip, with the waking of the
 * server; the difference of the two is the attach itself.
 */
import { join } from "node:path"
import { requireOk } from "../fssync/answer-meaning.ts"
import { FssyncClient } from "../fssync/fssync-client.ts"
import { fssyncReasons } from "../fssync/message.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { withBoth } from "./both-servers.ts"
import { startFileserver } from "./fileserver-process.ts"
import { type Answer, answerFrom, type Goal, inTemporaryDirectory, median, report } from "./measure.ts"
import { OpenafsFssync } from "./openafs-fssync.ts"
import { type AccessClient, startClient, startPeerClient } from "./peer-client.ts"

const volumeCount = 300
const roundCount = 9
/** Where our server listens; the peer has a network of its own. */
const port = 17_000
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

function ourAccesses(fssync: FssyncClient, client: AccessClient, volumes: readonly number[]): Accesses {
  return {
    async preattach() {
      for (const volume of volumes) {
        requireOk(await fssync.volumeOff(volume, partitionName, fssyncReasons.WHATEVER), "off")
        requireOk(await fssync.volumeOn(volume, partitionName), "on")
      }
    },
    access: () => client.access(volumes),
  }
}

function peerAccesses(fssync: OpenafsFssync, client: AccessClient, volumes: readonly number[]): Accesses {
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
  const [mine, theirs]: [Round[], Round[]] = [[], []]
  for (let round = 0; round <= roundCount; round++) {
    const pair = { mine: await oneRound(ours), theirs: peer && (await oneRound(peer)) }
    if (round === 0) continue // the first one lets both run in
    mine.push(pair.mine)
    if (pair.theirs !== undefined) theirs.push(pair.theirs)
  }
  const ask = (what: string, figure: (round: Round) => number, goal?: Goal): Answer => {
    const against = peer && { name: "dafileserver", figures: theirs.map(figure) }
    return answerFrom({ what, unit: "µs", ours: mine.map(figure), peer: against, goal })
  }
  return [
    ask("first access of a volume", ({ first }) => first, { atMost: 0.5 }),
    ask("of it, the attach", ({ first, later }) => first - later),
    ask("access of an attached volume", ({ later }) => later),
  ]
}

await inTemporaryDirectory((directory) =>
  withBoth(directory, volumeCount, async (mine, theirs) => {
    const options = ["--port", String(port)]
    await using server = await startFileserver(mine.partition.path, join(directory, "state"), { options })
    await using fssync = new FssyncClient({ path: server.socket, programType: "debugUtility", rule: impatientRule })
    await using client = startClient(port)
    await client.access(mine.volumes.slice(0, 1)) // the server gets to know its client
    const ours = ourAccesses(fssync, client, mine.volumes)
    if (theirs === undefined) return report(await measure(ours, undefined))
    theirs.cell.start("fs")
    using theirFssync = await OpenafsFssync.open(theirs.cell.fssyncSocket)
    await using peer = startPeerClient(theirs.cell)
    await peer.access(theirs.volumes.slice(0, 1)) // the server gets to know its client
    report(await measure(ours, peerAccesses(theirFssync, peer, theirs.volumes)))
  }),
)
