/**
 * What goes out in one direction of a call: what is written is cut into packets, kept until the peer has it, and sent as
 * the peer's window, the congestion window and the host's flight allow.
 *
 *     first ── sent: acked, on the way, or lost ── sent end ── waits ── filling
 *
 * Congestion control is OpenAFS's (rx/rx.c) but for two things: a packet counts as lost as soon as three transmitted after
 * it have arrived, and growth stops while the application, not the window, is the limit.
 */
import type { Millis } from "../clock.ts"
import {
  type AckView,
  ackReasons,
  ethernetPacketSize,
  jumboBodySize,
  packetFlags,
  rxHeader,
} from "../protocol/rx-packet.ts"
import { reorderTolerance, replyAllowanceMs, windowInitial, windowMax } from "./limits.ts"
import type { Packet, PacketPool } from "./packet-pool.ts"
import type { FlightWaiter, Peer } from "./peer.ts"
import { sampleRoundTrip } from "./rtt.ts"

/** The call that sends: gives packets their headers and their way out. */
export interface Carrier {
  readonly peer: Peer
  readonly pool: PacketPool
  /** Bytes before and behind user data that belong to the security class. */
  readonly headerSize: number
  readonly trailerSize: number
  readonly queueMax: number
  readonly resendMaxMs: Millis
  /** The reply acknowledges the request, so its last packet waits longer. */
  readonly isClient: boolean
  /** The peer was heard of since the last packets went out. */
  readonly isPeerAlive: boolean
  /** Our own packets per jumbogram; above 1 packets are filled for them. */
  readonly jumbograms: number
  now(): Millis
  /** Sends one packet with these flags (LAST and CLIENT_INITIATED are the carrier's) and notes its serial. */
  transmit(packet: Packet, flags: number): void
  /** Sends packets in one datagram. */
  transmitJumbogram(packets: readonly Packet[], flags: number): void
  /** Sets the resend timer, or clears it. */
  armResend(at: Millis | undefined): void
  /** Asks the peer how far it is. */
  ping(): void
  /** A round trip was measured. */
  measured(ms: Millis): void
}

/** Timeouts in a row after which packets are suspected to be too large for the path. */
const tooLargeAfter = 3

export class SendWindow implements FlightWaiter {
  isWaitingForFlight = false
  /** The application has written all. */
  isFinished = false
  /** The peer's receive window. */
  peerWindow: number = windowInitial
  congestionWindow = 1
  slowStartThreshold: number = windowMax
  /** Sent and neither acknowledged nor lost. */
  outstanding = 0
  #carrier: Carrier | undefined
  /** Complete packets that the peer has not taken for good; the first `#sent` have been sent once at least. */
  readonly #queue: Packet[] = []
  #sent = 0
  /** Of the queue: acknowledged softly, and lost. */
  #acked = 0
  #lost = 0
  #filling: Packet | undefined
  #nextSeq = 1
  #order = 0
  /** The latest transmission that is known to have arrived. */
  #arrivedOrder = 0
  /** A loss of packets up to here has been paid for; `#isRecovering` unless by the timer, which starts slowly anyway. */
  #recoverUpTo = 0
  #isRecovering = false
  #previousPacket = 0
  #backOff = 0
  #growth = 0
  readonly #train: Packet[] = []
  #isArmed = false
  /** The call has no channel yet: what is written is kept. */
  #isHeld = false

  /** Begins a direction of a call, as its peer's last one ended. */
  open(carrier: Carrier, peerWindow: number, isHeld = false): this {
    this.#carrier = carrier
    this.peerWindow = peerWindow
    this.#isHeld = isHeld
    this.congestionWindow = carrier.peer.congestionWindow
    this.slowStartThreshold = carrier.peer.slowStartThreshold
    this.isFinished = false
    this.outstanding = 0
    this.#sent = 0
    this.#acked = 0
    this.#lost = 0
    this.#nextSeq = 1
    this.#order = 0
    this.#arrivedOrder = 0
    this.#recoverUpTo = 0
    this.#isRecovering = false
    this.#previousPacket = 0
    this.#backOff = 0
    this.#growth = 0
    this.#isArmed = false
    return this
  }

  /** Ends it: packets go back, and the peer remembers how it went. */
  close(): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    this.#carrier = undefined
    this.isWaitingForFlight = false
    carrier.peer.congestionWindow = this.congestionWindow
    carrier.peer.slowStartThreshold = this.slowStartThreshold
    for (let packet = this.#queue.pop(); packet !== undefined; packet = this.#queue.pop()) carrier.pool.release(packet)
    if (this.#filling !== undefined) carrier.pool.release(this.#filling)
    this.#filling = undefined
    const { flight } = carrier.peer
    flight.landed(this.outstanding, false)
    this.outstanding = 0
    flight.wake()
  }

  /** The call has its channel: sends what has been written. */
  start(peerWindow: number): void {
    this.peerWindow = peerWindow
    this.#isHeld = false
    this.pump()
  }

  /** Sequence number of the first packet that the peer has not taken for good. */
  get first(): number {
    return this.#queue[0]?.seq ?? this.#filling?.seq ?? this.#nextSeq
  }

  /** Everything was written and has arrived. */
  get isDelivered(): boolean {
    return this.isFinished && this.#acked === this.#queue.length
  }

  /** Something waits for the peer. */
  get isWaiting(): boolean {
    return this.#acked < this.#queue.length
  }

  /** The writer need not wait. */
  get hasRoom(): boolean {
    const carrier = this.#carrier
    return carrier !== undefined && !this.isFinished && this.#queue.length < carrier.queueMax
  }

  /** A writer who waited may go on: with room for many packets at once, while what is left keeps the peer busy. */
  get hasRoomAgain(): boolean {
    return this.hasRoom && this.#queue.length <= (this.#carrier?.queueMax ?? 0) >> 1
  }

  get hasStarted(): boolean {
    return this.#order > 0
  }

  /** Takes as much as there is room for; gives how many bytes that was. */
  write(bytes: Uint8Array, from: number, to: number): number {
    const carrier = this.#carrier
    if (carrier === undefined || this.isFinished) return 0
    let at = from
    while (at < to) {
      const packet = this.#packetWithRoom(carrier)
      if (packet === undefined) break
      const count = Math.min(to - at, this.#capacity(carrier) - packet.end)
      packet.bytes.set(at === 0 && count === bytes.length ? bytes : bytes.subarray(at, at + count), packet.end)
      packet.end += count
      at += count
    }
    this.pump()
    return at - from
  }

  /** Nothing more will be written. */
  finish(): void {
    const carrier = this.#carrier
    if (carrier === undefined || this.isFinished) return
    const packet = this.#filling ?? this.#newPacket(carrier)
    packet.isLast = true
    this.#filling = undefined
    this.#queue.push(packet)
    this.isFinished = true
    this.pump()
  }

  #capacity(carrier: Carrier): number {
    const { peer } = carrier
    const body = peer.packetSize - rxHeader.size
    // A packet that is larger than Ethernet's goes alone.
    const isJoined = carrier.jumbograms > 1 && peer.packetSize <= ethernetPacketSize
    const limit = isJoined ? Math.min(body, jumboBodySize) : body
    return rxHeader.size + limit - carrier.trailerSize
  }

  #newPacket(carrier: Carrier): Packet {
    return carrier.pool.acquire(this.#nextSeq++, rxHeader.size + carrier.headerSize)
  }

  /** A full packet is queued when more follows, so that the last one can be told from the others. */
  #packetWithRoom(carrier: Carrier): Packet | undefined {
    const packet = this.#filling
    if (packet !== undefined) {
      if (packet.end < this.#capacity(carrier)) return packet
      if (this.#queue.length >= carrier.queueMax) return undefined
      this.#queue.push(packet)
      this.#filling = undefined
    }
    if (this.#queue.length >= carrier.queueMax) return undefined
    this.#filling = this.#newPacket(carrier)
    return this.#filling
  }

  /** Sends what may be sent. */
  pump(): void {
    const carrier = this.#carrier
    if (carrier === undefined || this.#isHeld) return
    let burst = 0
    for (let packet = this.#allowed(carrier); packet !== undefined; ) {
      burst++
      if (packet.transmissions === 0 && carrier.peer.packetsPerDatagram > 1) this.#gather(carrier, packet)
      else this.#train.push(packet)
      const train = this.#train
      for (const member of train) this.#leave(carrier, member)
      const next = this.#allowed(carrier)
      const last = train[train.length - 1] ?? packet
      const flags = (next === undefined ? 0 : packetFlags.morePackets) | this.#askFlag(last, burst, next === undefined)
      if (train.length > 1) carrier.transmitJumbogram(train, flags)
      else carrier.transmit(packet, flags)
      while (train.length > 0) train.pop()
      packet = next
    }
    this.#arm(carrier, burst > 0 && this.outstanding === burst)
  }

  /** Notes that a packet goes out now. */
  #leave(carrier: Carrier, packet: Packet): void {
    if (packet.isLost) {
      packet.isLost = false
      this.#lost--
    } else this.#sent++
    packet.order = ++this.#order
    packet.sentAt = carrier.now()
    this.outstanding++
    carrier.peer.flight.sent()
  }

  /** The next packet if it may go now: lost ones first. */
  #allowed(carrier: Carrier): Packet | undefined {
    const packet = this.#lost > 0 ? this.#firstLost() : this.#queue[this.#sent]
    if (packet === undefined || packet.seq >= this.first + this.peerWindow) return undefined
    // Each call may have one packet on the way, whatever the others of its host have.
    if (this.outstanding === 0) return packet
    // What later packets have overtaken is sent again at once.
    const isUrgent = packet.isLost && this.#isRecovering
    if (!isUrgent && this.outstanding >= this.congestionWindow) return undefined
    if (carrier.peer.flight.hasRoom) return packet
    carrier.peer.flight.wait(this)
    return undefined
  }

  #firstLost(): Packet | undefined {
    for (let index = 0; index < this.#sent; index++) if (this.#queue[index]?.isLost === true) return this.#queue[index]
    return undefined
  }

  /** Fills the train with fresh packets that may go in one datagram behind `packet`. */
  #gather(carrier: Carrier, packet: Packet): void {
    const train = this.#train
    train.push(packet)
    let room = carrier.peer.datagramSize - packet.end
    for (let index = this.#sent + 1; train.length < carrier.peer.packetsPerDatagram; index++) {
      const before = this.#queue[index - 1]
      const next = this.#queue[index]
      if (before === undefined || next === undefined || before.end !== rxHeader.size + jumboBodySize) return
      room -= next.end - rxHeader.size + 4
      if (room < 0 || next.seq >= this.first + this.peerWindow) return
      if (this.outstanding + train.length >= this.congestionWindow || !carrier.peer.flight.hasRoom) return
      train.push(next)
    }
  }

  /**
   * Asks for an ACK where the sender would otherwise wait for the receiver's delayed one: retransmissions, tiny windows,
   * and the end of a burst that leaves an odd packet.
   */
  #askFlag(packet: Packet, burst: number, isEnd: boolean): number {
    if (packet.transmissions > 0) return packetFlags.requestAck
    if (packet.isLast) return 0
    if (this.congestionWindow <= 2 || (isEnd && (burst & 1) === 1 && this.#sent < this.#queue.length))
      return packetFlags.requestAck
    return 0
  }

  #timeoutMs(carrier: Carrier): Millis {
    const backedOff = Math.min(carrier.peer.roundTrip.timeoutMs * 2 ** this.#backOff, carrier.resendMaxMs)
    const isReplyAwaited = carrier.isClient && this.isFinished && this.#sent === this.#queue.length
    return backedOff + (isReplyAwaited ? replyAllowanceMs : 0)
  }

  /** The timer runs while something is on the way, or while the peer's window is shut. */
  #arm(carrier: Carrier, afresh: boolean): void {
    const isNeeded = this.outstanding > 0 || this.#lost > 0 || this.#sent < this.#queue.length
    if (isNeeded && (afresh || !this.#isArmed)) carrier.armResend(carrier.now() + this.#timeoutMs(carrier))
    else if (!isNeeded && this.#isArmed) carrier.armResend(undefined)
    this.#isArmed = isNeeded
  }

  /** The resend timer fired: everything on the way is to be sent again, slowly. */
  expire(): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    this.#isArmed = false
    this.#backOff++
    if (this.outstanding + this.#lost === 0) carrier.ping()
    else this.#loseAll(carrier)
    if (this.#backOff >= tooLargeAfter) this.#doubtSize(carrier)
    this.pump()
    carrier.peer.flight.wake()
  }

  /** Nothing has arrived for long: perhaps packets of this size never do. */
  #doubtSize(carrier: Carrier): void {
    const first = this.#queue[0]
    if (first !== undefined && carrier.isPeerAlive) carrier.peer.sizes.tooLarge(first.end)
  }

  /** Everything on the way was refused, not lost: sends it again without slowing down for it. */
  sendAgain(): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    this.#isArmed = false
    this.#giveUpAll(carrier)
    this.pump()
  }

  #loseAll(carrier: Carrier): void {
    this.#giveUpAll(carrier)
    this.#payForLoss(carrier, true)
    this.congestionWindow = 1
  }

  #giveUpAll(carrier: Carrier): void {
    for (let index = 0; index < this.#sent; index++) {
      const packet = this.#queue[index]
      if (packet === undefined || packet.isAcked || packet.isLost) continue
      packet.isLost = true
      this.#lost++
    }
    carrier.peer.flight.landed(this.outstanding, false)
    this.outstanding = 0
  }

  #payForLoss(carrier: Carrier, isTimeout: boolean): void {
    this.slowStartThreshold = Math.max(4, Math.min(this.congestionWindow, this.peerWindow)) >> 1
    this.congestionWindow = this.slowStartThreshold
    this.#growth = 0
    this.#recoverUpTo = (this.#queue[this.#sent - 1]?.seq ?? 0) + 1
    this.#isRecovering = !isTimeout
    carrier.peer.trouble(isTimeout)
    carrier.peer.flight.lost()
  }

  /** Everything sent has arrived: ACKALL, or data that could only follow it. */
  acknowledgeAll(): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    this.#takeOff(carrier, Number.POSITIVE_INFINITY, undefined)
    this.#arm(carrier, false)
    carrier.peer.flight.wake()
  }

  /** Evaluates an ACK. False if it says nothing: out of order, or about packets never sent. */
  acknowledge(ack: AckView, bytes: Uint8Array): boolean {
    const carrier = this.#carrier
    if (carrier === undefined || !this.#isCurrent(ack)) return false
    if (ack.receiveWindow !== 0) this.peerWindow = Math.min(ack.receiveWindow, windowMax)
    const before = this.outstanding
    const arrived = this.#takeOff(carrier, ack.firstPacket, ack) + this.#markArray(carrier, ack, bytes)
    const isLoss = arrived > 0 && this.#findLost(carrier)
    if (arrived > 0) {
      this.#backOff = 0
      if (!isLoss) {
        if (!this.#isRecovering || this.first >= this.#recoverUpTo) this.#grow(arrived, before)
        carrier.peer.cleanAck()
      }
    }
    this.pump()
    this.#arm(carrier, arrived > 0)
    carrier.peer.flight.wake()
    return true
  }

  #isCurrent(ack: AckView): boolean {
    const first = this.first
    const sentEnd = first + this.#sent
    if (ack.firstPacket < first || ack.firstPacket > sentEnd) return false
    // Some old peers put a serial number here, which is no sequence number of this window.
    if (ack.previousPacket >= first + this.peerWindow) return true
    if (ack.firstPacket === first && ack.previousPacket < this.#previousPacket) return false
    this.#previousPacket = ack.previousPacket
    return true
  }

  /** Lets go what the peer has taken for good, below `first`; gives how many of those were news. */
  #takeOff(carrier: Carrier, first: number, ack: AckView | undefined): number {
    let news = 0
    for (let packet = this.#queue[0]; packet !== undefined && this.#sent > 0 && packet.seq < first; ) {
      if (packet.isAcked) this.#acked--
      else news += this.#arrive(carrier, packet, ack)
      this.#queue.shift()
      this.#sent--
      carrier.pool.release(packet)
      packet = this.#queue[0]
    }
    return news
  }

  #markArray(carrier: Carrier, ack: AckView, bytes: Uint8Array): number {
    let news = 0
    const count = Math.min(ack.count, this.#sent)
    for (let index = 0; index < count; index++) {
      const packet = this.#queue[index]
      if (packet === undefined) break
      const isThere = ((bytes[ack.arrayAt + index] ?? 0) & 1) === 1
      if (isThere && !packet.isAcked) {
        news += this.#arrive(carrier, packet, ack)
        packet.isAcked = true
        this.#acked++
      } else if (!isThere && packet.isAcked) this.#takeBack(packet)
    }
    return news
  }

  /** A peer may drop what it has acknowledged softly: then it wants it again. */
  #takeBack(packet: Packet): void {
    packet.isAcked = false
    this.#acked--
    packet.isLost = true
    this.#lost++
  }

  #arrive(carrier: Carrier, packet: Packet, ack: AckView | undefined): 1 {
    if (packet.isLost) {
      packet.isLost = false
      this.#lost--
    } else {
      this.outstanding--
      carrier.peer.flight.landed(1, true)
    }
    if (packet.order > this.#arrivedOrder) this.#arrivedOrder = packet.order
    const isMeasured =
      ack !== undefined &&
      packet.transmissions === 1 &&
      ack.serial === packet.serial &&
      ack.serial !== 0 &&
      ack.reason !== ackReasons.delay
    if (isMeasured) {
      const ms = carrier.now() - packet.sentAt
      sampleRoundTrip(carrier.peer.roundTrip, ms)
      carrier.measured(ms)
    }
    return 1
  }

  /** Marks what later transmissions have overtaken. */
  #findLost(carrier: Carrier): boolean {
    let found = 0
    let isNew = false
    for (let index = 0; index < this.#sent; index++) {
      const packet = this.#queue[index]
      if (packet === undefined || packet.isAcked || packet.isLost) continue
      if (this.#arrivedOrder - packet.order < reorderTolerance) continue
      packet.isLost = true
      found++
      if (packet.seq >= this.#recoverUpTo) isNew = true
    }
    if (found === 0) return false
    this.#lost += found
    this.outstanding -= found
    carrier.peer.flight.landed(found, false)
    if (isNew) this.#payForLoss(carrier, false)
    return true
  }

  #grow(arrived: number, before: number): void {
    if (before < this.congestionWindow) return
    if (this.congestionWindow < this.slowStartThreshold) this.congestionWindow += arrived
    else {
      this.#growth += arrived
      if (this.#growth >= this.congestionWindow) {
        this.#growth = 0
        this.congestionWindow++
      }
    }
    if (this.congestionWindow > windowMax) this.congestionWindow = windowMax
  }
}
