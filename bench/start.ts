/**
 * How long does it take from the start of the process until the first query over FSSYNC is answered, on a partition with 2,000
 * volumes, and until the first call of an AFS client is, which the server has to make the acquaintance of and to attach a
 * volume for? The client tries all the time. dafileserver's salvageserver, which it cannot start without, runs already.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { FssyncClient } from "../fssync/fssync-client.ts"
import { responses } from "../fssync/message.ts"
import { type FilledCell, type FilledPartition, isAlive, withBoth } from "./both-servers.ts"
import { answer, inTemporaryDirectory, report, type Side } from "./measure.ts"
import { OpenafsFssync } from "./openafs-fssync.ts"
import { RxClient } from "./rx-client.ts"

const volumeCount = 2_000
const program = join(import.meta.dirname, "..", "cli", "dafs.js")
const tryEveryMs = 1
/** Where nobody else serves. */
const ourPort = 7100

/** Asks until somebody answers. */
async function untilAnswered(ask: () => Promise<boolean>): Promise<void> {
  for (;;) {
    try {
      if (await ask()) return
    } catch {
      // nobody there yet
    }
    await delay(tryEveryMs)
  }
}

/** A start of our fileserver; what counts is when `ask` is answered. */
function ourSide({ partition }: FilledPartition, stateDirectory: string, ask: () => Promise<boolean>): Side {
  const own = ["--partition", partition.path, "--state-dir", stateDirectory, "--port", String(ourPort)]
  const words = [program, "fileserver", ...own, "--log-level", "error"]
  return {
    name: "dafs fileserver",
    async round() {
      const begin = performance.now()
      const child = spawn(process.execPath, words, { stdio: ["ignore", "inherit", "inherit"] })
      await untilAnswered(ask)
      const spent = performance.now() - begin
      child.kill("SIGTERM")
      await once(child, "exit")
      return spent
    },
  }
}

async function answersFssync(path: string, volume: number): Promise<boolean> {
  const rule = { connectPauses: [], triesMax: 1, tryWindowMs: 0 }
  await using client = new FssyncClient({ path, programType: "debugUtility", rule })
  return (await client.queryVolume(volume)).response === responses.OK
}

function peerSide({ cell, volumes }: FilledCell): Side {
  const ask = async (): Promise<boolean> => {
    using client = await OpenafsFssync.open(cell.fssyncSocket)
    return (await client.queryVolume(volumes.at(-1) ?? 0, "/vicepa"))?.attach_state === 1
  }
  return {
    name: "dafileserver",
    async round() {
      const begin = performance.now()
      const child = cell.spawn(
        "/usr/lib/openafs/dafileserver",
        "-p",
        "64",
        "-vc",
        "2000",
        "-l",
        "20000",
        "-cb",
        "100000",
      )
      await untilAnswered(ask)
      const spent = performance.now() - begin
      process.kill(child.pid ?? 0, "SIGQUIT")
      while (isAlive(child.pid ?? 0)) await delay(5)
      return spent
    },
  }
}

await inTemporaryDirectory((directory) =>
  withBoth(directory, volumeCount, async (mine, theirs) => {
    const state = join(directory, "state")
    const last = mine.volumes.at(-1) ?? 0
    const ours = ourSide(mine, state, () => answersFssync(join(state, "fssync.sock"), last))
    const what = "start to first answer, 2,000 volumes"
    const common = { unit: "ms", goal: { atMost: 400 }, rounds: 5 }
    const absolute = await answer({ ...common, what, ours })
    using client = await RxClient.open("127.0.0.1", ourPort)
    const answersCall = async (): Promise<boolean> => (await client.fetchStatus(last, 10_000, tryEveryMs)) === 0
    const toClients = ourSide(mine, state, answersCall)
    const call = await answer({ ...common, what: `${what} on the client port`, ours: toClients })
    const peer = theirs === undefined ? undefined : peerSide(theirs)
    const beside = await answer({ what: `${what}, beside the peer`, unit: "ms", rounds: 5, ours, peer })
    report([absolute, call, beside])
  }),
)
