/** Packets that carry no data: an endpoint's ACKs, ABORTs and BUSYs, and what is read from those that come. */
import { wordAt } from "../codec/network-order.ts"
import {
  type AckReason,
  type AckView,
  emptyAck,
  emptyHeader,
  ethernetPacketSize,
  packetTypes,
  type RxHeader,
  readAck,
  rxAck,
  rxHeader,
  writeAck,
} from "../protocol/rx-packet.ts"
import { rxCodes } from "./codes.ts"
import { windowMax } from "./limits.ts"
import { jumbogramSize, type PacketPool } from "./packet-pool.ts"
import type { Peer } from "./peer.ts"
import type { ReceiveWindow } from "./receive-window.ts"

/** An endpoint, as far as packets leave through it. */
export interface PacketExit {
  readonly pool: PacketPool
  /** What it says of itself in ACKs. */
  readonly jumbograms: number
  readonly packetSizeMax: number
  /** Sends the front of `bytes`, an Rx packet of this type. */
  transmit(peer: Peer, bytes: Uint8Array, length: number, type: number): void
  /** The same to somebody who is no peer yet. */
  transmitTo(host: number, port: number, bytes: Uint8Array, length: number, type: number): void
}

const abortSize = rxHeader.size + 4

/** The code in an ABORT; one that is too short or says 0 is a protocol error. */
export function abortCodeOf(bytes: Uint8Array, end: number): number {
  const code = end < abortSize ? 0 : wordAt(bytes, rxHeader.size) | 0
  return code === 0 ? rxCodes.protocolError : code
}

export class ControlPackets {
  readonly #exit: PacketExit
  /** Scratch, each used by one packet at a time. */
  readonly #incomingAck: AckView = emptyAck()
  readonly #outgoingAck: AckView = emptyAck()
  readonly #header: RxHeader = emptyHeader()

  constructor(exit: PacketExit) {
    this.#exit = exit
  }

  /** The body of an ACK, until the next one is read; undefined if it is none. */
  readAck(bytes: Uint8Array, end: number): AckView | undefined {
    return readAck(bytes, rxHeader.size, end, this.#incomingAck) ? this.#incomingAck : undefined
  }

  /** Tells what has come: everything below `first` for good, `previous` last, and what `window` holds. */
  sendAck(
    peer: Peer,
    header: RxHeader,
    first: number,
    previous: number,
    reason: AckReason,
    serial: number,
    window: ReceiveWindow | undefined,
    padTo = 0,
  ): void {
    const exit = this.#exit
    const bytes = exit.pool.control()
    const ack = this.#outgoingAck
    ack.firstPacket = first
    ack.previousPacket = previous
    ack.serial = serial
    ack.reason = reason
    ack.count = window?.writeArray(bytes, rxHeader.size + rxAck.size) ?? 0
    ack.maxMtu = Math.max(exit.jumbograms > 1 ? jumbogramSize : ethernetPacketSize, exit.packetSizeMax)
    ack.interfaceMtu = exit.packetSizeMax
    ack.receiveWindow = windowMax
    ack.packetsPerDatagram = exit.jumbograms
    rxHeader.write(header, bytes)
    const length = writeAck(ack, bytes, rxHeader.size)
    if (padTo <= length) return exit.transmit(peer, bytes, length, packetTypes.ack)
    const padded = new Uint8Array(padTo)
    padded.set(bytes.subarray(0, length))
    exit.transmit(peer, padded, padTo, packetTypes.ack)
  }

  sendAbort(peer: Peer, header: RxHeader, code: number): void {
    this.#exit.transmit(peer, this.#abort(header, code), abortSize, packetTypes.abort)
  }

  /** Answers a packet with an ABORT, leaving no state. */
  refuse(header: RxHeader, host: number, port: number, code: number): void {
    Object.assign(this.#header, header)
    this.#header.seq = 0
    this.#header.serial = 0
    this.#header.type = packetTypes.abort
    this.#header.flags = 0
    this.#header.userStatus = 0
    this.#header.checksum = 0
    this.#exit.transmitTo(host, port, this.#abort(this.#header, code), abortSize, packetTypes.abort)
  }

  sendBusy(peer: Peer, header: RxHeader): void {
    const bytes = this.#exit.pool.control()
    rxHeader.write(header, bytes)
    this.#exit.transmit(peer, bytes, rxHeader.size, packetTypes.busy)
  }

  #abort(header: RxHeader, code: number): Uint8Array {
    const bytes = this.#exit.pool.control()
    rxHeader.write(header, bytes)
    new DataView(bytes.buffer, bytes.byteOffset).setInt32(rxHeader.size, code)
    return bytes
  }
}
