/**
 * How long does it take from the start of the process until the first query over FSSYNC is answered, on a partition with 2,000
 * volumes? The client tries to connect all the time. dafileserver's salvageserver, which it cannot start without, runs already.
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

const volumeCount = 2_000
const program = join(import.meta.dirname, "..", "cli", "dafs.js")
const tryEveryMs = 1

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

function ourSide({ partition, volumes }: FilledPartition, stateDirectory: string): Side {
  const words = [
    program,
    "fileserver",
    "--partition",
    partition.path,
    "--state-dir",
    stateDirectory,
    "--log-level",
    "error",
  ]
  const rule = { connectPauses: [], triesMax: 1, tryWindowMs: 0 }
  const ask = async (): Promise<boolean> => {
    await using client = new FssyncClient({
      path: join(stateDirectory, "fssync.sock"),
      programType: "debugUtility",
      rule,
    })
    return (await client.queryVolume(volumes.at(-1) ?? 0)).response === responses.OK
  }
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
    const ours = ourSide(mine, join(directory, "state"))
    const what = "start to first answer, 2,000 volumes"
    const absolute = await answer({ what, unit: "ms", ours, goal: { atMost: 400 }, rounds: 5 })
    const peer = theirs === undefined ? undefined : peerSide(theirs)
    report([absolute, await answer({ what: `${what}, beside the peer`, unit: "ms", ours, peer, rounds: 5 })])
  }),
)
