/**
 * Has a volume checked out, locked and marked in use, as a volserver or a salvager in the middle of its work has.
 * SIGTERM: gives it back and ends. SIGUSR2: unlocks. Arguments: socket, partition, volume, program type, attach mode (or
 * SALVAGE, OFF), lock (read, write, none), inUse.
 */
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { openPartition } from "../../common/partition/partition.ts"
import { type AttachMode, attachModes, type ProgramType, programTypes } from "../../common/protocol/codes.ts"
import { FssyncClient } from "../../fssync/fssync-client.ts"
import { fssyncReasons, responses } from "../../fssync/message.ts"
import { patchInfo } from "./served-volumes.ts"

const [socket = "", path = "", number = "", type = "", how = "", lock = "none", inUse = "0"] = process.argv.slice(2)
const volume = Number(number)
const partition = openPartition(path)

const isProgramType = (word: string): word is ProgramType => word in programTypes
const isAttachMode = (word: string): word is AttachMode => word in attachModes
if (!isProgramType(type)) throw new Error(`program type ${type}`)

const client = new FssyncClient({ path: socket, programType: type })
const { response, reason } = isAttachMode(how)
  ? await client.needVolume(volume, partition.name, how)
  : await client.volumeOff(volume, partition.name, how === "SALVAGE" ? fssyncReasons.SALVAGE : fssyncReasons.WHATEVER)
if (response !== responses.OK) throw new Error(`checkout: response ${response}, reason ${reason}`)
const held = lock === "read" || lock === "write" ? lockVolume(partition, volume, lock) : undefined
if (inUse !== "0") {
  patchInfo(partition, volume, (info) => {
    info.inUse = Number(inUse)
  })
}
process.once("SIGUSR2", () => {
  held?.release()
  process.stdout.write("unlocked\n")
})
process.once("SIGTERM", () => void giveBack())
const alive = setInterval(() => undefined, 2 ** 30) // also without a connection
process.stdout.write("holding\n")

async function giveBack(): Promise<void> {
  clearInterval(alive)
  if (inUse !== "0") {
    patchInfo(partition, volume, (info) => {
      info.inUse = 0
    })
  }
  held?.release()
  const answer = await client.volumeOn(volume, partition.name)
  process.stdout.write(`given back: ${answer.response}\n`)
  await client.close()
}
