/**
 * One of the four slots of a connection: carries one call at a time, and remembers of the last one what its late packets
 * must be answered with.
 */
import { type AckReason, ackReasons, packetFlags, packetTypes, type RxHeader, rxHeader } from "../protocol/rx-packet.ts"
import type { Call } from "./call.ts"
import type { Unsealer } from "./call-input.ts"
import type { Connection } from "./connection.ts"
import { joinPackets } from "./jumbogram.ts"
import { abortsInARow, windowInitial } from "./limits.ts"
import type { Packet } from "./packet-pool.ts"
import type { ReceiveWindow } from "./receive-window.ts"
import type { PacketBody, PacketIdentity } from "./security/security.ts"
import { TimerSlots } from "./timers.ts"

export class Channel implements Unsealer {
  readonly connection: Connection
  readonly index: number
  /** Of the call that runs or ran last; 0 before the first. */
  number = 0
  call: Call | undefined
  /** How the last call ended; 0 with a reply. */
  abortCode = 0
  /** Where the last call's receiver stood: what came next, what came last. */
  #next = 1
  #highest = 0
  /** Calls in a row that ended with `#repeated`. */
  #repeats = 0
  #repeated = 0
  /** Set while an ABORT is held back. */
  #heldAbort: TimerSlots | undefined
  /** The peer's receive window on this channel. */
  peerWindow: number = windowInitial

  constructor(connection: Connection, index: number) {
    this.connection = connection
    this.index = index
  }

  get isFree(): boolean {
    return this.call === undefined || this.call.state === "dally"
  }

  /** The call lets go of the channel. */
  ended(call: Call, code: number, receive: ReceiveWindow | undefined): void {
    if (this.call !== call) return
    this.call = undefined
    this.abortCode = code
    if (code === 0) this.#repeats = 0
    this.#next = receive?.next ?? 1
    this.#highest = receive?.highest ?? 0
  }

  /** The numbers of the channel grow; what is remembered of the last call is forgotten. */
  begin(call: Call, number: number): void {
    const before = this.call
    this.call = call
    this.number = number
    this.abortCode = 0
    this.#dropHeld()
    // A call that is still here has answered: its client has gone on to the next.
    if (before !== undefined) this.#repeats = 0
    before?.supersede()
    call.start(this, number)
  }

  #header(type: number, number: number, flags: number, userStatus = 0): RxHeader {
    const header = this.connection.header(type, flags)
    header.cid = (this.connection.cid | this.index) >>> 0
    header.callNumber = number
    header.userStatus = userStatus
    return header
  }

  /** Sends a DATA packet of the call; the security class sees it before the first time. */
  sendData(call: Call, packet: Packet, flags: number): void {
    this.#prepare(call, packet, flags)
    this.connection.transmit(packet.bytes, packet.end, packetTypes.data)
  }

  #prepare(call: Call, packet: Packet, flags: number): void {
    const { connection } = this
    if (packet.transmissions === 0) this.#seal(packet)
    else connection.countResend()
    const header = this.#header(
      packetTypes.data,
      call.number,
      flags | (packet.isLast ? packetFlags.lastPacket : 0),
      call.userStatus,
    )
    header.seq = packet.seq
    header.checksum = packet.checksum
    packet.serial = header.serial
    packet.transmissions++
    rxHeader.write(header, packet.bytes)
  }

  #seal(packet: Packet): void {
    const { security } = this.connection
    if (security.isTransparent) return
    const body: PacketBody = { bytes: packet.bytes, start: packet.start, end: packet.end, checksum: 0 }
    security.seal(this.#identity(packet.seq), body)
    packet.end = body.end
    packet.checksum = body.checksum
  }

  /** Opens a packet of the call that is on the channel. @throws RxError if it is not the peer's */
  unseal(seq: number, body: PacketBody): void {
    this.connection.security.open(this.#identity(seq), body)
  }

  /** Of a packet of the call that is on the channel. */
  #identity(seq: number): PacketIdentity {
    const { epoch, cid, security } = this.connection
    return {
      epoch,
      cid: (cid | this.index) >>> 0,
      callNumber: this.number,
      seq,
      securityIndex: security.index,
    }
  }

  /** Sends packets, all but the last of 1412 bytes, as one datagram. */
  sendJumbogram(call: Call, packets: readonly Packet[], flags: number): void {
    for (const [index, packet] of packets.entries()) {
      const isEnd = index === packets.length - 1
      this.#prepare(call, packet, isEnd ? flags : packetFlags.jumbo | (flags & packetFlags.morePackets))
    }
    const bytes = this.connection.endpoint.pool.long()
    this.connection.transmit(bytes, joinPackets(packets, bytes), packetTypes.data)
  }

  /** Tells what the call's receiver has. */
  sendAck(call: Call, window: ReceiveWindow, reason: AckReason, serial: number, padTo = 0): void {
    const isPing = reason === ackReasons.ping
    const header = this.#header(
      packetTypes.ack,
      call.number,
      packetFlags.slowStartOk | (isPing ? packetFlags.requestAck : 0),
      call.userStatus,
    )
    const { endpoint, peer } = this.connection
    endpoint.control.sendAck(peer, header, window.first, window.highest, reason, serial, window, padTo)
  }

  #sendAckOfEnded(reason: AckReason, serial: number): void {
    const header = this.#header(packetTypes.ack, this.number, packetFlags.slowStartOk)
    const { endpoint, peer } = this.connection
    endpoint.control.sendAck(peer, header, this.#next, this.#highest, reason, serial, undefined)
  }

  /** Tells that the call has ended with this channel's code: at once, or late to a client that does not learn from it. */
  sendFirstAbort(): void {
    const delay = this.#abortDelay()
    if (delay === 0) return this.sendAbort(this.number)
    const { endpoint } = this.connection
    this.#heldAbort ??= new TimerSlots(() => {
      if (this.call === undefined && this.abortCode !== 0) this.sendAbort(this.number)
    })
    endpoint.timers.set(this.#heldAbort, 0, endpoint.time + delay)
  }

  #abortDelay(): number {
    const { abortDelayMs } = this.connection.timing
    if (this.connection.isClient || abortDelayMs === 0 || this.abortCode === abortsInARow.exempt) return 0
    this.#repeats = this.abortCode === this.#repeated ? this.#repeats + 1 : 1
    this.#repeated = this.abortCode
    return this.#repeats > abortsInARow.free ? abortDelayMs : 0
  }

  #dropHeld(): void {
    if (this.#heldAbort !== undefined) this.connection.endpoint.timers.drop(this.#heldAbort)
  }

  /** The connection is forgotten. */
  close(): void {
    this.#dropHeld()
  }

  /** Tells that call `number` has ended with this channel's code. */
  sendAbort(number: number): void {
    const { endpoint, peer } = this.connection
    endpoint.control.sendAbort(peer, this.#header(packetTypes.abort, number, 0), this.abortCode)
  }

  sendBusy(number: number): void {
    const { endpoint, peer } = this.connection
    endpoint.statistics.busiesSent++
    endpoint.control.sendBusy(peer, this.#header(packetTypes.busy, number, 0))
  }

  /** A packet for the last call, which is over: a duplicate, a ping, or something for a call that failed. */
  receiveForEnded(header: RxHeader, bytes: Uint8Array, end: number): void {
    if (header.type === packetTypes.abort) return
    const { endpoint } = this.connection
    if (header.type === packetTypes.ack) {
      const ack = endpoint.control.readAck(bytes, end)
      if (ack?.reason === ackReasons.pingResponse) this.connection.reached()
    }
    if (this.abortCode !== 0) {
      if (this.#heldAbort?.isSet(0) !== true) this.sendAbort(this.number)
    } else if (header.type === packetTypes.data) {
      endpoint.statistics.duplicates++
      this.#sendAckOfEnded(ackReasons.duplicate, header.serial)
    } else if (header.type === packetTypes.ack && (header.flags & packetFlags.requestAck) !== 0)
      this.#sendAckOfEnded(ackReasons.pingResponse, header.serial)
  }
}
