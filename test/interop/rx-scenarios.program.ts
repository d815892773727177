/**
 * Hand-made packets against a fileserver: `host port volume`. Prints as JSON, scenario by scenario, what it answered.
 */
import { setTimeout as after } from "node:timers/promises"
import { RXAFS } from "../../common/protocol/afsint.ts"
import { ackReasons, jumboBodySize, packetFlags, packetTypes } from "../../common/protocol/rx-packet.ts"
import { pieces } from "../../common/rpc/bulk-stream.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { fid } from "../support/cache-manager.ts"
import { randomOf } from "../support/random.ts"
import { RawSocket } from "../support/rx-raw-socket.ts"
import { wireClient } from "../support/wire-client.ts"

const [, , host = "", portText = "", volumeText = ""] = process.argv
const port = Number(portText)
const volume = Number(volumeText)
const root = fid(volume, 1, 1)
const noStatus = { Mask: 0, ClientModTime: 0, Owner: 0, Group: 0, UnixModeBits: 0, SegSize: 0 }
const { requestAck, lastPacket, jumbo } = packetFlags

const withOpcode = (opcode: number, body: Uint8Array = new Uint8Array(0)): Buffer => {
  const bytes = Buffer.alloc(4 + body.length)
  bytes.writeUInt32BE(opcode, 0)
  bytes.set(body, 4)
  return bytes
}
const { FetchStatus, StoreData64 } = RXAFS.operations
const statusOf = (of: typeof root): Buffer => withOpcode(FetchStatus.opcode, FetchStatus.request.encode({ Fid: of }))
const store = (of: typeof root, length: number): Buffer =>
  withOpcode(
    StoreData64.opcode,
    StoreData64.request.encode({ Fid: of, InStatus: noStatus, Pos: 0, Length: length, FileLength: length }),
  )

const client = await wireClient(
  { host: parseHost(host) ?? 0, port },
  {
    uuid: `${(0x2000_0000 + process.pid).toString(16)}-4fcf-1b01-8b-16-0a6300010aa8`,
    addresses: [parseHost(host) ?? 0],
  },
)
let files = 0
async function newFile() {
  const Name = Buffer.from(`rx-${process.pid}-${files++}`)
  const { OutFid } = await client.calls.CreateFile({
    DirFid: root,
    Name,
    InStatus: { ...noStatus, Mask: 8, UnixModeBits: 0o666 },
  })
  return OutFid
}

// A file that nobody changes: promises to peers that have gone would hold up whoever changes something.
const quiet = await newFile()
const status = (): Buffer => statusOf(quiet)

/** A socket that the server knows already. */
async function known(): Promise<RawSocket> {
  const raw = await RawSocket.open(host, port)
  raw.call(status())
  await raw.until("DATA")
  await raw.all()
  return raw
}

async function answered(raw: RawSocket, request: Uint8Array): Promise<string> {
  raw.call(request)
  const words = await raw.words()
  return words[0] ?? ""
}

async function stored(of: typeof root): Promise<Buffer> {
  const got: Uint8Array[] = []
  await client.calls.FetchData64({ Fid: of, Pos: 0, Length: 1 << 20 }, async (bulk) => {
    for await (const piece of pieces(bulk)) got.push(piece)
  })
  return Buffer.concat(got)
}

type Scenario = (raw: RawSocket) => Promise<unknown>

const scenarios: Readonly<Record<string, Scenario>> = {
  async "VERSION without the client's flag, DEBUG of an unknown type"(raw) {
    raw.send({ type: packetTypes.version, callNumber: 7, flags: 0 }, Uint8Array.of(0))
    raw.send({ type: packetTypes.debug, callNumber: 8 }, Buffer.from("0000004d00000000", "hex"))
    return await raw.all()
  },
  async "unknown service, unknown security index"(raw) {
    raw.send({ cid: 0x2000, callNumber: 1, seq: 1, serviceId: 999 })
    raw.send({ cid: 0x3000, callNumber: 1, seq: 1, securityIndex: 7 })
    return await raw.words(2)
  },
  async "ABORT and ACK for connections that nobody knows"(raw) {
    raw.send({ cid: 0x4000, callNumber: 1, type: packetTypes.abort, flags: 0 }, Buffer.alloc(4, 1))
    raw.send({ cid: 0x5000, callNumber: 1, type: packetTypes.ack, flags: 0 })
    raw.send({ cid: 0x6000, callNumber: 1, type: packetTypes.ack })
    return await raw.all()
  },
  async "an unknown opcode, twenty times"(raw) {
    const words = new Set<string>()
    for (let times = 0; times < 20; times++) words.add(await answered(raw, withOpcode(9999)))
    return [...words]
  },
  async "requests that are too short"(raw) {
    return [await answered(raw, Buffer.alloc(2)), await answered(raw, status().subarray(0, 12))]
  },
  async "bytes behind the arguments"(raw) {
    return await answered(raw, Buffer.concat([status(), Buffer.alloc(33, 7)]))
  },
  async "the same failure on one channel again and again"(raw) {
    const missing = statusOf(fid(volume + 999, 1, 1))
    const first = new Set<string>()
    for (let times = 0; times < 10; times++) first.add(await answered(raw, missing))
    raw.call(missing)
    const isLate = (await Promise.race([raw.words(), after(1_500, "late")])) === "late"
    return { first: [...first], isLate }
  },
  async "a request that comes again, and a ping for its call"(raw) {
    raw.call(status())
    await raw.words()
    raw.data(1, status())
    const again = await raw.words()
    raw.ack({ first: 2, reason: ackReasons.ping }, requestAck)
    return [...again, ...(await raw.words())]
  },
  async "packets 2 and 1 of a store"(raw) {
    const file = await newFile()
    raw.base.callNumber = (raw.base.callNumber ?? 0) + 1
    raw.data(2, Buffer.from("hello"))
    const gap = await raw.words()
    raw.data(1, store(file, 5), 0)
    const end = (await raw.until("DATA")).at(-1)
    return [...gap, end, (await stored(file)).toString()]
  },
  async "sequence numbers beyond the window"(raw) {
    const file = await newFile()
    raw.data(40, Buffer.alloc(10), lastPacket, { cid: 0x1002, callNumber: 1 })
    const asFirst = await raw.all()
    raw.base.callNumber = (raw.base.callNumber ?? 0) + 1
    raw.data(1, store(file, 1_000_000), 0)
    await raw.until("ACK")
    raw.data(60, Buffer.alloc(10), 0)
    const words = await raw.until("ACK EXCEEDS_WINDOW")
    raw.send({ type: packetTypes.abort }, Buffer.from("fffffffa", "hex"))
    return [asFirst, words.at(-1)?.split(" ").slice(0, 2)]
  },
  async "a new call while the one before waits for its data"(raw) {
    const file = await newFile()
    raw.base.callNumber = (raw.base.callNumber ?? 0) + 1
    raw.data(1, store(file, 100), requestAck)
    await raw.until("ACK")
    raw.call(status())
    const first = (await raw.words())[0]
    let last = first
    for (let tries = 0; tries < 100 && last === "BUSY"; tries++) {
      await after(20)
      raw.data(1, status())
      last = (await raw.words())[0]
    }
    return [first, last]
  },
  async "the same connection from a second port"(raw) {
    using second = await RawSocket.open(host, port)
    second.base = { ...raw.base, callNumber: (raw.base.callNumber ?? 0) + 1 }
    second.data(1, status())
    const toFirst = (await raw.words())[0]
    const lower = (raw.base.epoch ?? 0) & 0x3fff_ffff
    raw.base = { ...raw.base, epoch: lower, callNumber: 0 }
    raw.call(status())
    await raw.until("DATA")
    second.base = { ...raw.base, callNumber: 1 }
    second.data(1, status())
    return [toFirst, (await second.until("DATA")).at(-1)]
  },
  async "jumbograms of two and of four packets"(raw) {
    const file = await newFile()
    const content = randomOf(9).bytes(jumboBodySize * 5 + 77)
    const [first, whole] = [store(file, content.length), Buffer.from(content)]
    raw.base.callNumber = (raw.base.callNumber ?? 0) + 1
    const stream = Buffer.concat([first, whole])
    const body = (index: number): Buffer => stream.subarray(index * jumboBodySize, (index + 1) * jumboBodySize)
    const next = (flags: number): Buffer => Buffer.from([flags, 0, 0, 0])
    raw.data(1, Buffer.concat([body(0), next(0), body(1)]), jumbo)
    const rest = [body(2), next(jumbo), body(3), next(jumbo), body(4), next(lastPacket), body(5)]
    raw.data(3, Buffer.concat(rest), jumbo)
    const end = (await raw.until("DATA")).at(-1)
    return [end, (await stored(file)).equals(whole)]
  },
  async "a store that waits on one channel, and a small call on another"(raw) {
    const file = await newFile()
    raw.base.callNumber = (raw.base.callNumber ?? 0) + 1
    raw.data(1, store(file, 3), requestAck)
    await raw.until("ACK")
    raw.data(1, status(), lastPacket, { cid: 0x1001, callNumber: 1 })
    const beside = (await raw.until("DATA")).at(-1)
    raw.data(2, Buffer.from("abc"))
    return [beside, (await raw.until("DATA")).at(-1), (await stored(file)).toString()]
  },
  async "a port that nobody has heard of"() {
    using raw = await RawSocket.open(host, port)
    raw.isReachable = false
    raw.call(status())
    const asked = await raw.words()
    // Eight seconds in all: it is asked again every two.
    const again = await raw.words(4)
    raw.isReachable = true
    return [asked, again, (await raw.until("DATA")).at(-1)]
  },
}

const told: Record<string, unknown> = {}
await Promise.all(
  Object.entries(scenarios).map(async ([name, run]) => {
    using raw = await known()
    told[name] = await Promise.race([run(raw), after(20_000, "no answer", { ref: false })])
  }),
)
process.stdout.write(JSON.stringify(Object.fromEntries(Object.keys(scenarios).map((name) => [name, told[name]]))))
process.exit(0)
