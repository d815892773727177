/**
 * How long does it take to check an attached volume out, to verify that, and to give it back? Each cycle takes the volume
 * offline, which writes its information, and leaves it to be attached again; that is not counted. There is no peer beside it
 * here: dafileserver attaches a volume only for a client of AFS. It needed 415 µs for a checkout and a check-in.
 */
import { join } from "node:path"
import { attachModes, programTypes, volumeTypes } from "../common/protocol/codes.ts"
import { FssyncClient, requireOk } from "../fssync/fssync-client.ts"
import { fssyncCommands } from "../fssync/message.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { verifyCheckout } from "../fssync/verify-checkout.ts"
import { unpackFixture } from "../test/support/fixture.ts"
import { startFileserver } from "./fileserver-process.ts"
import { answer, inTemporaryDirectory, median, report } from "./measure.ts"

const partition = "/vicepa"
const cyclesPerRound = 200
const peerMicroseconds = 415

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
async function round(client: FssyncClient, volume: number): Promise<number> {
  const spent: number[] = []
  for (let count = 0; count < cyclesPerRound; count++) {
    await attach(client, volume)
    const begin = performance.now()
    await cycle(client, volume)
    spent.push((performance.now() - begin) * 1000)
  }
  return median(spent)
}

/** A read-write volume of the partition. */
async function findReadWrite(client: FssyncClient): Promise<number> {
  const { payload = [] } = requireOk(await client.listVolumes(), "list volumes")
  for (const { volume } of payload) {
    await attach(client, volume)
    const { payload: info } = requireOk(await client.queryHeader(volume, partition), "query the header")
    if (info?.type === volumeTypes.RW) return volume
  }
  throw new Error("no read-write volume on the partition")
}

await inTemporaryDirectory(async (directory) => {
  const place = join(directory, "vicepa")
  unpackFixture("clones", place)
  await using server = await startFileserver(place, directory)
  await using client = new FssyncClient({ path: server.socket, programType: "volumeServer", rule: impatientRule })
  const volume = await findReadWrite(client)
  const ours = { name: "dafs fileserver", round: () => round(client, volume) }
  const goal = { atMost: peerMicroseconds / 4 }
  report([await answer({ what: "check out, verify, check in an attached volume", unit: "µs", ours, goal, rounds: 15 })])
})
