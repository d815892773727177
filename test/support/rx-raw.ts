/** A peer that sends hand-made Rx packets to an endpoint in a network, and reads what comes back field by field. */
import {
  emptyAck,
  packetFlags,
  packetTypes,
  type RxHeader,
  readAck,
  rxHeader,
} from "../../common/protocol/rx-packet.ts"
import { type Address, clientAddress, type RxNetwork, serverAddress, serviceId } from "./rx-network.ts"

/** A packet that came, in words. */
export interface Seen {
  readonly at: number
  readonly header: RxHeader
  readonly body: Buffer
}

const typeNames = new Map<number, string>(Object.entries(packetTypes).map(([name, type]) => [type, name]))

/** `ACK REQUESTED 2/1/7 [+-]`, `ABORT -455`, `DATA 1 LAST 12`: as captures are written. */
export function wordsOf({ header, body }: Seen): string {
  const name = (typeNames.get(header.type) ?? `type ${header.type}`).toUpperCase()
  if (header.type === packetTypes.abort) return `${name} ${body.readInt32BE(0)}`
  if (header.type === packetTypes.data) {
    const last = (header.flags & packetFlags.lastPacket) === 0 ? "" : " LAST"
    return `${name} ${header.seq}${last} ${body.length}`
  }
  if (header.type !== packetTypes.ack) return name
  const ack = emptyAck()
  const whole = Buffer.concat([Buffer.alloc(rxHeader.size), body])
  if (!readAck(whole, rxHeader.size, whole.length, ack)) return "ACK malformed"
  const array = [...whole.subarray(ack.arrayAt, ack.arrayAt + ack.count)].map((there) => (there === 1 ? "+" : "-"))
  const reasons = [
    "",
    "REQUESTED",
    "DUPLICATE",
    "OUT_OF_SEQUENCE",
    "EXCEEDS_WINDOW",
    "NOSPACE",
    "PING",
    "PING_RESPONSE",
    "DELAY",
    "IDLE",
  ]
  return `ACK ${reasons[ack.reason]} ${ack.firstPacket}/${ack.previousPacket}/${ack.serial} [${array.join("")}]`
}

export interface RawAck {
  readonly first: number
  readonly previous?: number
  readonly serial?: number
  readonly reason?: number
  readonly array?: readonly number[]
  /** maxMtu, interfaceMtu, receiveWindow, packetsPerDatagram; as many as are sent. */
  readonly trailer?: readonly number[]
}

/** The body of an ACK. */
export function ackBody({ first, previous = 0, serial = 0, reason = 8, array = [], trailer = [] }: RawAck): Buffer {
  const bytes = Buffer.alloc(18 + array.length + (trailer.length === 0 ? 0 : 3 + 4 * trailer.length))
  bytes.writeUInt32BE(first, 4)
  bytes.writeUInt32BE(previous, 8)
  bytes.writeUInt32BE(serial, 12)
  bytes[16] = reason
  bytes[17] = array.length
  bytes.set(array, 18)
  for (const [index, value] of trailer.entries()) bytes.writeUInt32BE(value, 18 + array.length + 3 + 4 * index)
  return bytes
}

export class RawPeer {
  readonly seen: Seen[] = []
  readonly network: RxNetwork
  readonly address: Address
  /** What packets are made from; may be changed. */
  base: Partial<RxHeader>
  serial = 0

  constructor(network: RxNetwork, address: Address = clientAddress, base: Partial<RxHeader> = {}) {
    this.network = network
    this.address = address
    this.base = {
      epoch: 0x9123_4567,
      cid: 0x1000,
      callNumber: 1,
      flags: packetFlags.clientInitiated,
      serviceId,
      ...base,
    }
    network.attach(address, (bytes, _, now) => {
      this.seen.push({ at: now, header: rxHeader.read(bytes), body: Buffer.from(bytes.subarray(rxHeader.size)) })
    })
  }

  send(fields: Partial<RxHeader>, body: Uint8Array = new Uint8Array(0), to: Address = serverAddress): number {
    this.serial++
    const zero = { epoch: 0, cid: 0, callNumber: 0, seq: 0, serial: this.serial, type: 1, flags: 0, userStatus: 0 }
    const header = { ...zero, securityIndex: 0, checksum: 0, serviceId: 0, ...this.base, ...fields }
    this.network.send(Buffer.concat([rxHeader.encode(header), body]), this.address, to)
    return header.serial
  }

  /** DATA; `last` and other flags beside CLIENT_INITIATED. */
  data(seq: number, body: Uint8Array | string, flags = 0, fields: Partial<RxHeader> = {}): number {
    const bytes = typeof body === "string" ? Buffer.from(body) : body
    return this.send({ type: packetTypes.data, seq, ...fields, flags: (this.base.flags ?? 0) | flags }, bytes)
  }

  ack(ack: RawAck, fields: Partial<RxHeader> = {}, flags = 0): number {
    return this.send({ type: packetTypes.ack, ...fields, flags: (this.base.flags ?? 0) | flags }, ackBody(ack))
  }

  /** What has come since the last look, after `ms` more, in words. */
  words(ms = 50): string[] {
    this.network.run(ms)
    return this.seen.splice(0).map(wordsOf)
  }

  /** The packets themselves. */
  take(ms = 50): Seen[] {
    this.network.run(ms)
    return this.seen.splice(0)
  }
}
