/** Inside a cell: stands where the volserver would, and answers its Monitor call with as many transactions as were asked for. */
import { openRxSocket } from "../../common/rx/socket.ts"
import { answering } from "../support/rx-network.ts"

const volserver = { port: 7005, service: 4, monitor: 118 }
const unknownOpcode = -455
/** transDebugInfo (OpenAFS volser/volint.xg) in words: nine numbers, a name of 30 characters, five numbers. */
const entryWords = 44
const count = Number(process.argv[2])

function transactions(): Buffer {
  const bytes = Buffer.alloc(4 + count * entryWords * 4)
  bytes.writeUInt32BE(count, 0)
  for (let index = 0; index < count; index++) {
    const at = 4 + index * entryWords * 4
    bytes.writeInt32BE(index + 1, at)
    bytes.writeInt32BE(536_870_912 + index, at + 16)
  }
  return bytes
}

const monitor = answering(
  (request) => (Buffer.from(request).readUInt32BE(0) === volserver.monitor ? transactions() : unknownOpcode),
  volserver.service,
)
await openRxSocket({ port: volserver.port, services: [monitor], version: "dafs in a cell" })
