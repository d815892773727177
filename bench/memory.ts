/**
 * How much memory do 1,000 attached volumes take? Resident memory of the server with 2,000 volumes known and none attached,
 * with half of them attached and accessed a few times (a garbage collector then has the room that it works in), and with all.
 * The difference of the last two is what 1,000 volumes add.
 */
import { join } from "node:path"
import { requireOk } from "../fssync/answer-meaning.ts"
import { FssyncClient } from "../fssync/fssync-client.ts"
import { type FilledCell, type FilledPartition, withBoth } from "./both-servers.ts"
import { startFileserver } from "./fileserver-process.ts"
import { type Answer, answer, inTemporaryDirectory, report } from "./measure.ts"
import { startPeerClient } from "./peer-client.ts"
import { residentMib } from "./resident-memory.ts"

const volumeCount = 2_000
const rounds = 3
const warmUps = 6

interface Memory {
  readonly known: number
  readonly half: number
  readonly attached: number
}

/** Resident memory at the three moments. `access` attaches volumes. */
async function watch(
  pid: number,
  volumes: readonly number[],
  access: (some: readonly number[]) => Promise<unknown>,
): Promise<Memory> {
  const known = residentMib(pid)
  const middle = volumes.length >> 1
  for (let turn = 0; turn < warmUps; turn++) await access(volumes.slice(0, middle))
  const half = residentMib(pid)
  await access(volumes.slice(middle))
  return { known, half, attached: residentMib(pid) }
}

async function ourMemory({ partition, volumes }: FilledPartition, stateDirectory: string): Promise<Memory> {
  await using server = await startFileserver(partition.path, stateDirectory)
  await using client = new FssyncClient({ path: server.socket, programType: "debugUtility" })
  requireOk(await client.list(), "list")
  return await watch(server.pid, volumes, async (some) => {
    for (const volume of some) {
      requireOk(await client.get(volume), "get")
      requireOk(await client.put(volume), "put")
    }
  })
}

async function peerMemory({ cell, volumes }: FilledCell): Promise<Memory> {
  cell.start("fs")
  await using client = startPeerClient(cell)
  await client.access(volumes.slice(0, 1))
  const memory = await watch(cell.pid("fs"), volumes, (some) => client.access(some))
  cell.stop("fs")
  return memory
}

/** The servers run once per round; every question is answered from the same rounds. */
async function measure(mine: FilledPartition, theirs: FilledCell | undefined, state: string): Promise<Answer[]> {
  const seen: { ours: Memory; peer: Memory | undefined }[] = []
  for (let round = 0; round <= rounds; round++) {
    seen.push({ ours: await ourMemory(mine, state), peer: theirs === undefined ? undefined : await peerMemory(theirs) })
  }
  const ask = (what: string, figure: (memory: Memory) => number): Promise<Answer> => {
    const [ours, peer] = [seen.values(), seen.values()]
    const of = (memory: Memory | undefined): number => (memory === undefined ? Number.NaN : figure(memory))
    return answer({
      what,
      unit: "MiB",
      rounds,
      ours: { name: "dafs fileserver", round: () => of(ours.next().value?.ours) },
      peer: theirs === undefined ? undefined : { name: "dafileserver", round: () => of(peer.next().value?.peer) },
    })
  }
  return [
    await ask("resident, 2,000 volumes known", ({ known }) => known),
    await ask("resident, 2,000 volumes attached", ({ attached }) => attached),
    await ask("1,000 more attached", ({ half, attached }) => ((attached - half) * 2000) / volumeCount),
  ]
}

await inTemporaryDirectory((directory) =>
  withBoth(directory, volumeCount, async (mine, theirs) =>
    report(await measure(mine, theirs, join(directory, "state"))),
  ),
)
