/**
 * What becomes of a client while a server is flooded? FetchStatus, one call after the other, alone and while calls are begun that
 * never go on, ten thousand a second, each by another sender who does not exist (flood-client.c); and what the flood leaves
 * in memory: it must be no more after the last round than after the first. Our fileserver and dafileserver in one cell. Needs gcc.
 */
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { startFileserver } from "./fileserver-process.ts"
import {
  type Answer,
  answer,
  benchFile,
  hasProgram,
  inTemporaryDirectory,
  median,
  report,
  type Side,
} from "./measure.ts"
import { canHaveCell, type PeerCell, startPeerCell } from "./peer-cell.ts"
import { type AccessClient, startPeerClient } from "./peer-client.ts"
import { residentMib } from "./resident-memory.ts"
import { makeTwinVolumes } from "./twin-volumes.ts"

const ourPort = 7100
const peerPort = 7000
/** Half-open calls a second. */
const rate = 10_000
/** The flood has gone on for this long when calls are measured: what a server keeps of it is full then. */
const headStartMs = 2_000
const calls = 4_000
const warmUps = 4_000
const rounds = 3

/** What a server did in one round. */
interface Flooded {
  /** Median of a call without and with the flood, in microseconds. */
  readonly alone: number
  readonly during: number
  /** Resident memory afterwards, in MiB. */
  readonly memory: number
  /** Half-open calls that it was sent. */
  readonly sent: number
}

interface Flood {
  /** Ends it; gives how many calls were begun. */
  end(): Promise<number>
}

function startFlood(cell: PeerCell, program: string, port: number): Flood {
  const child = cell.spawn(program, "10.99.0.1", String(port), String(rate))
  let told = ""
  child.stdout.on("data", (text) => {
    told += String(text)
  })
  return {
    async end() {
      child.stdin.end()
      await once(child, "close")
      return Number(told)
    },
  }
}

async function medianOfCalls(client: AccessClient, volume: number): Promise<number> {
  return median(await client.access(Array.from({ length: calls }, () => volume)))
}

async function measureOne(
  cell: PeerCell,
  program: string,
  { client, port, pid, volume }: { client: AccessClient; port: number; pid: number; volume: number },
): Promise<Flooded> {
  const alone = await medianOfCalls(client, volume)
  const flood = startFlood(cell, program, port)
  await delay(headStartMs)
  const during = await medianOfCalls(client, volume)
  const sent = await flood.end()
  return { alone, during, memory: residentMib(pid), sent }
}

/** Both servers are flooded once a round, and each question is answered from the same rounds. */
async function ask(seen: readonly { ours: Flooded; peer: Flooded }[]): Promise<Answer[]> {
  const one = (what: string, unit: string, figure: (flooded: Flooded) => number, goal?: { atMost: number }) => {
    const [ours, peer] = [seen.values(), seen.values()]
    const side = (name: string, next: () => Flooded | undefined): Side => ({
      name,
      round: () => {
        const flooded = next()
        return flooded === undefined ? Number.NaN : figure(flooded)
      },
    })
    return answer({
      what,
      unit,
      rounds,
      ours: side("dafs fileserver", () => ours.next().value?.ours),
      // A goal is for our own figure; dafileserver's stands in a line without one.
      peer: goal === undefined ? side("dafileserver", () => peer.next().value?.peer) : undefined,
      ...(goal === undefined ? {} : { goal }),
    })
  }
  const slowdown = ({ alone, during }: Flooded): number => during / alone
  return [
    await one("FetchStatus alone", "µs", ({ alone }) => alone),
    await one("FetchStatus in the flood", "µs", ({ during }) => during),
    await one("FetchStatus in the flood, to alone", "x", slowdown, { atMost: 2 }),
    await one("FetchStatus in the flood, to alone, beside the peer", "x", slowdown),
    await one("half-open calls sent", "calls", ({ sent }) => sent),
    await one("resident memory after floods", "MiB", ({ memory }) => memory),
  ]
}

async function measure(directory: string): Promise<Answer[]> {
  const program = join(directory, "flood-client")
  execFileSync("gcc", ["-O2", benchFile("flood-client.c"), "-o", program], { stdio: ["ignore", "inherit", "inherit"] })
  using cell = startPeerCell(join(directory, "cell"), "vl", "pt", "sal", "fs", "vol")
  cell.exec("ip", "route", "add", "local", "198.18.0.0/15", "dev", "lo")
  const { id: volume, partition } = makeTwinVolumes(cell, directory, "load")
  await using server = await startFileserver(partition, join(directory, "state"), {
    run: cell.inside,
    options: ["--port", String(ourPort)],
  })
  await using ourClient = startPeerClient(cell, ourPort)
  await using peerClient = startPeerClient(cell, peerPort)
  const ours = { client: ourClient, port: ourPort, pid: server.pid, volume }
  const peer = { client: peerClient, port: peerPort, pid: cell.pid("fs"), volume }
  for (const { client } of [ours, peer]) await client.access(Array.from({ length: warmUps }, () => volume))
  const seen: { ours: Flooded; peer: Flooded }[] = []
  for (let round = 0; round <= rounds; round++) {
    seen.push({ ours: await measureOne(cell, program, ours), peer: await measureOne(cell, program, peer) })
  }
  return await ask(seen)
}

const absence = hasProgram("gcc")
  ? canHaveCell()
    ? undefined
    : "a cell needs root and OpenAFS's programs"
  : "there is no gcc"
if (absence !== undefined) process.stderr.write(`skipped: ${absence}\n`)
else await inTemporaryDirectory(async (directory) => report(await measure(directory)))
