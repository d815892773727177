/** Inside a cell: calls the vlserver and the ptserver with our client and prints what they answered. */

import { RxError } from "../../common/rx/codes.ts"
import type { Connection } from "../../common/rx/connection.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { exchange } from "../../common/rx/exchange.ts"
import { openRxSocket } from "../../common/rx/socket.ts"

const host = parseHost(process.argv[2] ?? "") ?? 0
const vl = { port: 7003, service: 52, probe: 514 }
const pt = { port: 7002, service: 73, nameToId: 504 }

const words = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value, 4 * index)
  return bytes
}

async function codeOf(connection: Connection, request: Uint8Array): Promise<number> {
  try {
    await exchange(connection, request)
    return 0
  } catch (error) {
    if (error instanceof RxError) return error.code
    throw error
  }
}

/** The protection database has names in 64 words of one character each. */
const name = (text: string): Buffer => words(...Array.from({ length: 64 }, (_, index) => text.charCodeAt(index) || 0))

const socket = await openRxSocket()
const volumes = socket.endpoint.connect(host, vl.port, vl.service)
const names = socket.endpoint.connect(host, pt.port, pt.service)
const many = await Promise.all(Array.from({ length: 200 }, () => exchange(volumes, words(vl.probe))))
const answers = {
  probe: Buffer.from(await exchange(volumes, words(vl.probe))).toString("hex"),
  probeMany: many.filter((reply) => reply.length === 0).length,
  unknownOpcode: await codeOf(volumes, words(9999)),
  shortRequest: await codeOf(volumes, Buffer.alloc(2)),
  unknownService: await codeOf(socket.endpoint.connect(host, vl.port, 999), words(vl.probe)),
  nameToId: Buffer.from(await exchange(names, Buffer.concat([words(pt.nameToId, 1), name("anonymous")]))).toString(
    "hex",
  ),
  unknownPtOpcode: await codeOf(names, words(9999)),
}
process.stdout.write(JSON.stringify(answers))
await socket.close()
