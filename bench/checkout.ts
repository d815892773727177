/**
 * How long does it take to check an attached volume out, to verify that, and to give it back? Each cycle takes the volume
 * offline, which writes its information, and leaves it to be attached again; that is not counted. The peer's volume is
 * attached each time by a client of AFS, ours by VOL_GET.
 */
import { join } from "node:path"
import { attachModes, programTypes } from "../common/protocol/codes.ts"
import { requireOk } from "../fssync/answer-meaning.ts"
import { FssyncClient } from "../fssync/fssync-client.ts"
import { fssyncCommands } from "../fssync/message.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { verifyCheckout } from "../fssync/verify-checkout.ts"
import { type FilledCell, withBoth } from "./both-servers.ts"
import { startFileserver } from "./fileserver-process.ts"
import { answer, inTemporaryDirectory, median, report, type Side } from "./measure.ts"
import { OpenafsFssync } from "./openafs-fssync.ts"
import { startPeerClient } from "./peer-client.ts"

const partition = "/vicepa"
const cyclesPerRound = 400
const volumeCount = 3

/** Has the volume attached, and in use by nobody. */
async function attach(client: FssyncClient, volume: number): Promise<void> {
  requireOk(await client.get(volume, partition), "attach")
  requireOk(await client.put(volume, partition), "attach")
}

const claim = {
  programType: programTypes.volumeServer,
  pid: process.pid,
  command: fssyncCommands.VOL_NEEDVOLUME,
  reason: attachModes.VOLUPD,
}

async function cycle(client: FssyncClient, volume: number): Promise<void> {
  requireOk(await client.needVolume(volume, partition, "VOLUPD"), "check out")
  const verdict = verifyCheckout(claim, await client.queryVolumeOperation(volume, partition))
  if (verdict !== "verified") throw new Error(`the checkout is ${verdict}`)
  requireOk(await client.volumeOn(volume, partition), "check in")
}

/** Microseconds of the middle one of many cycles: other work on the machine then spoils few rounds. */
async function middleOf(prepare: () => Promise<unknown>, work: () => Promise<unknown>): Promise<number> {
  const spent: number[] = []
  for (let count = 0; count < cyclesPerRound; count++) {
    await prepare()
    const begin = performance.now()
    await work()
    spent.push((performance.now() - begin) * 1000)
  }
  return median(spent)
}

async function withPeer(theirs: FilledCell, work: (peer: Side) => Promise<void>): Promise<void> {
  theirs.cell.start("fs")
  using fssync = await OpenafsFssync.open(theirs.cell.fssyncSocket, "volumeServer")
  await using client = startPeerClient(theirs.cell)
  const [volume = 0] = theirs.volumes
  const cycleOfPeer = async (): Promise<void> => {
    await fssync.needVolume(volume, partition, "VOLUPD")
    await fssync.queryVolumeOperation(volume, partition)
    await fssync.volumeOn(volume, partition)
  }
  await work({ name: "dafileserver", round: () => middleOf(() => client.access([volume]), cycleOfPeer) })
}

async function measure(client: FssyncClient, volume: number, peer: Side | undefined): Promise<void> {
  const ours = {
    name: "dafs fileserver",
    round: () =>
      middleOf(
        () => attach(client, volume),
        () => cycle(client, volume),
      ),
  }
  const what = "check out, verify, check in an attached volume"
  report([await answer({ what, unit: "µs", ours, peer, goal: { atMost: 0.25 }, rounds: 9 })])
}

await inTemporaryDirectory((directory) =>
  withBoth(directory, volumeCount, async (mine, theirs) => {
    await using server = await startFileserver(mine.partition.path, join(directory, "state"))
    await using client = new FssyncClient({ path: server.socket, programType: "volumeServer", rule: impatientRule })
    const [volume = 0] = mine.volumes
    if (theirs === undefined) await measure(client, volume, undefined)
    else await withPeer(theirs, (peer) => measure(client, volume, peer))
  }),
)
