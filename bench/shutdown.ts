/**
 * How long does a clean end take with 2,000 attached volumes: from the signal until the process is gone? Ours writes every
 * volume's information and waits until the disk has it. Both attach all volumes before, which is not counted.
 */
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { requireOk } from "../fssync/answer-meaning.ts"
import { FssyncClient } from "../fssync/fssync-client.ts"
import { type FilledCell, type FilledPartition, isAlive, withBoth } from "./both-servers.ts"
import { startFileserver } from "./fileserver-process.ts"
import { answer, inTemporaryDirectory, report, type Side } from "./measure.ts"
import { startPeerClient } from "./peer-client.ts"

const volumeCount = 2_000
const lookEveryMs = 2

/** Milliseconds from the signal to the end. */
async function timeEnd(pid: number, signal: NodeJS.Signals): Promise<number> {
  const begin = performance.now()
  process.kill(pid, signal)
  while (isAlive(pid)) await delay(lookEveryMs)
  return performance.now() - begin
}

function ourSide({ partition, volumes }: FilledPartition, stateDirectory: string): Side {
  return {
    name: "dafs fileserver",
    async round() {
      await using server = await startFileserver(partition.path, stateDirectory)
      {
        await using client = new FssyncClient({ path: server.socket, programType: "debugUtility" })
        for (const volume of volumes) {
          requireOk(await client.get(volume), "get")
          requireOk(await client.put(volume), "put")
        }
      }
      return await timeEnd(server.pid, "SIGTERM")
    },
  }
}

function peerSide({ cell, volumes }: FilledCell): Side {
  return {
    name: "dafileserver",
    async round() {
      cell.start("fs")
      {
        await using client = startPeerClient(cell)
        await client.access(volumes.slice(0, 1))
        await client.access(volumes)
      }
      const spent = await timeEnd(cell.pid("fs"), "SIGQUIT")
      cell.stop("fs")
      return spent
    },
  }
}

await inTemporaryDirectory((directory) =>
  withBoth(directory, volumeCount, async (mine, theirs) => {
    const ours = ourSide(mine, join(directory, "state"))
    const peer = theirs === undefined ? undefined : peerSide(theirs)
    const what = "clean shutdown of 2,000 attached volumes"
    report([await answer({ what, unit: "ms", ours, peer, goal: { atMost: 0.2 }, rounds: 5 })])
  }),
)
