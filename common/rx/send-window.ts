/**
 * What goes out in one direction of a call, and when.
 *
 *     write ──► packet-cutter.ts ──► send-queue.ts ──► here: may it go? ──► carrier
 *     ACK ────────────────────────► send-queue.ts: what has arrived, what is lost ──► congestion.ts
 *
 * A packet goes if the peer's window, the congestion window and the host's flight allow it. The resend timer runs while
 * something is on the way. OpenAFS rx/rx.c; docs/rx.md says where it differs.
 */
import type { Millis } from "../clock.ts"
import { type AckView, jumboBodySize, packetFlags, rxHeader } from "../protocol/rx-packet.ts"
import { Congestion } from "./congestion.ts"
import { replyAllowanceMs, windowInitial, windowMax } from "./limits.ts"
import { PacketCutter } from "./packet-cutter.ts"
import type { Packet } from "./packet-pool.ts"
import type { FlightWaiter, HostFlight } from "./peer.ts"
import { sampleRoundTrip } from "./rtt.ts"
import type { SendPath } from "./send-path.ts"
import { SendQueue } from "./send-queue.ts"
import { countRoundTrip } from "./statistics.ts"

/** The call that sends: gives packets their headers and their way out. */
export interface Carrier {
  readonly connection: SendPath
  /** The peer was heard of since the last packets went out. */
  readonly isPeerAlive: boolean
  /** Sends one packet with these flags (LAST and CLIENT_INITIATED are the carrier's) and notes its serial. */
  transmit(packet: Packet, flags: number): void
  /** Sends packets in one datagram. */
  transmitJumbogram(packets: readonly Packet[], flags: number): void
  /** Sets the resend timer, or clears it. */
  armResend(at: Millis | undefined): void
  /** Asks the peer how far it is. */
  ping(): void
}

/** Timeouts in a row after which packets are suspected to be too large for the path. */
const tooLargeAfter = 3

/** So many packets have arrived; one by one, since the flight grows with each. */
function landClean(flight: HostFlight, count: number): void {
  for (let left = count; left > 0; left--) flight.landed(1, true)
}

export class SendWindow implements FlightWaiter {
  isWaitingForFlight = false
  /** The application has written all. */
  isFinished = false
  /** The peer's receive window. */
  peerWindow: number = windowInitial
  #carrier: Carrier | undefined
  readonly #cutter = new PacketCutter()
  readonly #queue = new SendQueue()
  readonly #congestion = new Congestion()
  #previousPacket = 0
  /** Timeouts in a row. */
  #backOff = 0
  readonly #train: Packet[] = []
  #isArmed = false
  /** The call has no channel yet: what is written is kept. */
  #isHeld = false

  /** Begins a direction of a call, as its peer's last one ended. */
  open(carrier: Carrier, peerWindow: number, isHeld = false): this {
    this.#carrier = carrier
    this.peerWindow = peerWindow
    this.#isHeld = isHeld
    this.#congestion.open(carrier.connection.peer)
    this.isFinished = false
    this.#previousPacket = 0
    this.#backOff = 0
    this.#isArmed = false
    return this
  }

  /** Ends it: packets go back, and the peer remembers how it went. */
  close(): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    this.#carrier = undefined
    this.isWaitingForFlight = false
    const { endpoint, peer } = carrier.connection
    this.#congestion.close(peer)
    peer.flight.landed(this.#queue.outstanding, false)
    this.#queue.clear(endpoint.pool)
    this.#cutter.reset(carrier.connection)
    peer.flight.wake()
  }

  /** The call has its channel: sends what has been written. */
  start(peerWindow: number): void {
    this.peerWindow = peerWindow
    this.#isHeld = false
    this.pump()
  }

  /** Sequence number of the first packet that the peer has not taken for good. */
  get first(): number {
    return this.#queue.first?.seq ?? this.#cutter.seq
  }

  /** Packets that may be on the way. */
  get congestionWindow(): number {
    return this.#congestion.window
  }

  /** Everything was written and has arrived. */
  get isDelivered(): boolean {
    return this.isFinished && this.#queue.isAcknowledged
  }

  /** Something waits for the peer. */
  get isWaiting(): boolean {
    return !this.#queue.isAcknowledged
  }

  /** A writer who waited may go on: with room for many packets at once, while what is left keeps the peer busy. */
  get hasRoomAgain(): boolean {
    const carrier = this.#carrier
    if (carrier === undefined || this.isFinished) return false
    return this.#queue.length <= carrier.connection.endpoint.limits.sendQueue >> 1
  }

  /** Takes as much as there is room for; gives how many bytes that was. */
  write(bytes: Uint8Array, from: number, to: number): number {
    const carrier = this.#carrier
    if (carrier === undefined || this.isFinished) return 0
    const count = this.#cutter.write(bytes, from, to, carrier.connection, this.#queue)
    this.pump()
    return count
  }

  /** Nothing more will be written. */
  finish(): void {
    const carrier = this.#carrier
    if (carrier === undefined || this.isFinished) return
    this.#cutter.finish(carrier.connection, this.#queue)
    this.isFinished = true
    this.pump()
  }

  // Out.

  /** Sends what may be sent. */
  pump(): void {
    const carrier = this.#carrier
    if (carrier === undefined || this.#isHeld) return
    const { peer, endpoint } = carrier.connection
    let burst = 0
    for (let packet = this.#allowed(carrier); packet !== undefined; ) {
      burst++
      if (packet.transmissions === 0 && peer.packetsPerDatagram > 1) this.#gather(carrier, packet)
      else this.#train.push(packet)
      const train = this.#train
      const now = endpoint.currentTime()
      for (const member of train) {
        this.#queue.leave(member, now)
        peer.flight.sent()
      }
      const next = this.#allowed(carrier)
      const last = train[train.length - 1] ?? packet
      const flags = (next === undefined ? 0 : packetFlags.morePackets) | this.#askFlag(last, burst, next === undefined)
      if (train.length > 1) carrier.transmitJumbogram(train, flags)
      else carrier.transmit(packet, flags)
      while (train.length > 0) train.pop()
      packet = next
    }
    this.#arm(carrier, burst > 0 && this.#queue.outstanding === burst)
  }

  /** The next packet if it may go now. */
  #allowed(carrier: Carrier): Packet | undefined {
    const packet = this.#queue.next
    if (packet === undefined || packet.seq >= this.first + this.peerWindow) return undefined
    // Each call may have one packet on the way, whatever the others of its host have.
    if (this.#queue.outstanding === 0) return packet
    // What later packets have overtaken is sent again at once.
    const isUrgent = packet.isLost && this.#congestion.isRecovering
    if (!isUrgent && this.#queue.outstanding >= this.#congestion.window) return undefined
    const { flight } = carrier.connection.peer
    if (flight.hasRoom) return packet
    flight.wait(this)
    return undefined
  }

  /** Fills the train with fresh packets that may go in one datagram behind `packet`. */
  #gather(carrier: Carrier, packet: Packet): void {
    const { peer } = carrier.connection
    const train = this.#train
    train.push(packet)
    let room = peer.datagramSize - packet.end
    for (let before = packet; train.length < peer.packetsPerDatagram; ) {
      const next = this.#queue.unsent(train.length)
      if (next === undefined || before.end !== rxHeader.size + jumboBodySize) return
      room -= next.end - rxHeader.size + 4
      if (room < 0 || next.seq >= this.first + this.peerWindow) return
      if (this.#queue.outstanding + train.length >= this.#congestion.window || !peer.flight.hasRoom) return
      train.push(next)
      before = next
    }
  }

  /**
   * Asks for an ACK where the sender would otherwise wait for the receiver's delayed one: retransmissions, tiny windows,
   * and the end of a burst that leaves an odd packet.
   */
  #askFlag(packet: Packet, burst: number, isEnd: boolean): number {
    if (packet.transmissions > 0) return packetFlags.requestAck
    if (packet.isLast) return 0
    if (this.#congestion.window <= 2 || (isEnd && (burst & 1) === 1 && !this.#queue.isSent))
      return packetFlags.requestAck
    return 0
  }

  // The timer.

  #timeoutMs({ peer, endpoint, isClient }: SendPath): Millis {
    const backedOff = Math.min(peer.roundTrip.timeoutMs * 2 ** this.#backOff, endpoint.timing.resendMaxMs)
    const isReplyAwaited = isClient && this.isFinished && this.#queue.isSent
    return backedOff + (isReplyAwaited ? replyAllowanceMs : 0)
  }

  /** The timer runs while something is on the way, or while the peer's window is shut. */
  #arm(carrier: Carrier, afresh: boolean): void {
    const queue = this.#queue
    const isNeeded = queue.outstanding > 0 || queue.hasLost || !queue.isSent
    if (isNeeded && (afresh || !this.#isArmed)) {
      const { connection } = carrier
      carrier.armResend(connection.endpoint.currentTime() + this.#timeoutMs(connection))
    } else if (!isNeeded && this.#isArmed) carrier.armResend(undefined)
    this.#isArmed = isNeeded
  }

  /** The resend timer fired: everything on the way is to be sent again, slowly. */
  expire(): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    const { peer } = carrier.connection
    this.#isArmed = false
    this.#backOff++
    if (this.#queue.outstanding > 0 || this.#queue.hasLost) this.#loseAll(carrier)
    else carrier.ping()
    if (this.#backOff >= tooLargeAfter) this.#doubtSize(carrier)
    this.pump()
    peer.flight.wake()
  }

  /** Nothing has arrived for long: perhaps packets of this size never do. */
  #doubtSize(carrier: Carrier): void {
    const { first } = this.#queue
    if (first !== undefined && carrier.isPeerAlive) carrier.connection.peer.sizes.tooLarge(first.end)
  }

  /** Everything on the way was refused, not lost: sends it again without slowing down for it. */
  sendAgain(): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    this.#isArmed = false
    this.#giveUp(carrier)
    this.pump()
  }

  #giveUp(carrier: Carrier): void {
    carrier.connection.peer.flight.landed(this.#queue.outstanding, false)
    this.#queue.giveUp()
  }

  // Losses and acknowledgements.

  #loseAll(carrier: Carrier): void {
    const { peer } = carrier.connection
    this.#giveUp(carrier)
    this.#congestion.timedOut(this.peerWindow, this.#queue.sentEnd)
    peer.trouble(true)
    peer.flight.lost()
  }

  /** Looks for packets that later ones have overtaken. */
  #findLost(carrier: Carrier): boolean {
    const { peer } = carrier.connection
    const before = this.#queue.outstanding
    const highest = this.#queue.findLost()
    if (highest === 0) return false
    peer.flight.landed(before - this.#queue.outstanding, false)
    if (!this.#congestion.isNews(highest)) return true
    this.#congestion.overtaken(this.peerWindow, this.#queue.sentEnd)
    peer.trouble(false)
    peer.flight.lost()
    return true
  }

  /** Everything sent has arrived: ACKALL, or data that could only follow it. */
  acknowledgeAll(): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    const { peer, endpoint } = carrier.connection
    const before = this.#queue.outstanding
    this.#queue.acknowledgeAll(endpoint.pool)
    landClean(peer.flight, before - this.#queue.outstanding)
    this.#arm(carrier, false)
    peer.flight.wake()
  }

  /** Evaluates an ACK. False if it says nothing: out of order, or about packets never sent. */
  acknowledge(ack: AckView, bytes: Uint8Array): boolean {
    const carrier = this.#carrier
    if (carrier === undefined || !this.#isCurrent(ack)) return false
    const { peer } = carrier.connection
    if (ack.receiveWindow !== 0) this.peerWindow = Math.min(ack.receiveWindow, windowMax)
    const before = this.#queue.outstanding
    const arrived = this.#take(carrier, ack, bytes)
    const isLoss = arrived > 0 && this.#findLost(carrier)
    if (arrived > 0) {
      this.#backOff = 0
      if (!isLoss) {
        this.#congestion.arrived(arrived, before, this.first)
        peer.cleanAck()
      }
    }
    this.pump()
    this.#arm(carrier, arrived > 0)
    peer.flight.wake()
    return true
  }

  /** Gives how many packets have arrived, by this ACK for the first time. */
  #take(carrier: Carrier, ack: AckView, bytes: Uint8Array): number {
    const { peer, endpoint } = carrier.connection
    const queue = this.#queue
    const before = queue.outstanding
    const arrived = queue.acknowledge(ack, bytes, endpoint.pool)
    landClean(peer.flight, before - queue.outstanding)
    if (queue.answeredAt < 0) return arrived
    const ms = endpoint.currentTime() - queue.answeredAt
    sampleRoundTrip(peer.roundTrip, ms)
    countRoundTrip(endpoint.statistics, ms)
    return arrived
  }

  #isCurrent(ack: AckView): boolean {
    const { first } = this
    const sentEnd = first + this.#queue.sent
    if (ack.firstPacket < first || ack.firstPacket > sentEnd) return false
    // Some old peers put a serial number here, which is no sequence number of this window.
    if (ack.previousPacket >= first + this.peerWindow) return true
    if (ack.firstPacket === first && ack.previousPacket < this.#previousPacket) return false
    this.#previousPacket = ack.previousPacket
    return true
  }
}
