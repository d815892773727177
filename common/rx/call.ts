/**
 * One RPC, at a server or at a client: data one way, then data the other way, or an error.
 *
 *              server                                   client
 *     precall ──► active ──► hold ──► dally    waiting ──► active ──► dally
 *        │           │         │        │         │          │          │
 *        └───────────┴─────────┴────────┴── reset ┴──────────┴──────────┘
 *
 * waiting: all four channels are taken. precall: the client has to prove itself. hold: the reply is not acknowledged yet.
 * dally: a client that still owes the last ACK. After reset only the channel remembers the call: its number, how far it
 * came, and how it ended.
 *
 * The application is called from within `receive` and may answer there and then. It reads when it likes: what it does not
 * read closes the receive window, and `write` takes no more than the send queue holds.
 */
import type { Millis } from "../clock.ts"
import {
  type AckReason,
  type AckView,
  ackReasons,
  packetFlags,
  packetTypes,
  type RxHeader,
} from "../protocol/rx-packet.ts"
import type { Ranked, RecencyList } from "../recency-list.ts"
import { AckDebt } from "./ack.ts"
import type { Channel } from "./channel.ts"
import { type EndReason, RxError, rxCodes } from "./codes.ts"
import type { Connection } from "./connection.ts"
import { type CallTimes, deadMs, nextDeadline, overdue } from "./deadline.ts"
import { busyWait, windowInitial } from "./limits.ts"
import type { Packet } from "./packet-pool.ts"
import type { Peer } from "./peer.ts"
import type { ReceiveWindow } from "./receive-window.ts"
import type { PacketBody } from "./security/security.ts"
import type { Carrier, SendWindow } from "./send-window.ts"
import { TimerSlots } from "./timers.ts"

export type CallState = "waiting" | "precall" | "active" | "hold" | "dally" | "reset"

export const callFollowers: Readonly<Record<CallState, readonly CallState[]>> = {
  waiting: ["active", "reset"],
  precall: ["active", "reset"],
  active: ["hold", "dally", "reset"],
  hold: ["reset"],
  dally: ["reset"],
  reset: [],
}

/** As `rxdebug` prints them; a channel whose call is over dallies. */
export const callStateNumbers: Readonly<Record<CallState, number>> = {
  waiting: 0,
  precall: 1,
  active: 2,
  dally: 3,
  hold: 4,
  reset: 5,
}

const timer = { resend: 0, ack: 1, keepAlive: 2, deadline: 3 } as const

/** In the pool of buffers, since it is the application's and soon let go. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = Buffer.allocUnsafe(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}

/** Called with the error if the call ended otherwise than with its whole reply. */
export type EndListener = (call: Call, error: RxError | undefined) => void

export class Call implements Carrier, Ranked<Call> {
  readonly connection: Connection
  readonly isClient: boolean
  /** 0 while it waits for a channel. */
  number = 0
  /** Rides on every packet of ours. */
  userStatus = 0
  /** There is data, or the end of it (`isRead` after `read`). */
  onData: ((call: Call) => void) | undefined
  /** `write` takes bytes again. */
  onRoom: ((call: Call) => void) | undefined
  /** Once: with undefined when the peer has the reply (server) or it has been read (client). */
  onEnd: EndListener | undefined
  /** For the service: whatever belongs to this call. */
  context: unknown
  /** For the endpoint: the list of calls that this one is in, and its neighbours there. */
  listed: RecencyList<Call> | undefined
  older: Call | undefined
  newer: Call | undefined
  weight = 1
  #channel: Channel | undefined
  #state: CallState
  #receive: ReceiveWindow | undefined
  #send: SendWindow | undefined
  readonly #debt = new AckDebt()
  readonly #timers: TimerSlots
  #lastSent: Millis
  readonly #times: CallTimes
  /** The service has been told. */
  #isAnnounced = false
  /** Inside `receiveData`: ACKs wait for its end. */
  #isReceiving = false
  /** What still comes in is thrown away, for the answer is being written. */
  #isDeaf = false
  #dataSent = 0
  /** Waits for the end of the batch, in answer to the packet of this serial. */
  #heldAck: AckReason | undefined
  #heldSerial = 0
  #openedSeq = 0
  #wantsRoom = false
  /** How often a server has said BUSY, and whether the resend timer runs for that. */
  #refusals = 0
  #isRefused = false

  /** Made by Connection. */
  constructor(connection: Connection, isClient: boolean) {
    const now = connection.endpoint.currentTime()
    this.connection = connection
    this.isClient = isClient
    this.#state = isClient ? "waiting" : "precall"
    this.#timers = new TimerSlots((slot, at) => this.#expire(slot, at))
    this.#lastSent = now
    this.#times = { isClient, startedAt: now, lastReceived: now, lastProgress: now }
    this.#receive = connection.endpoint.acquireReceive()
    if (isClient) this.#openSend()
  }

  // What the application sees.

  get state(): CallState {
    return this.#state
  }

  get peer(): Peer {
    return this.connection.peer
  }

  /** Nothing can be read or written any more. */
  get isOver(): boolean {
    return this.#state === "reset"
  }

  /** Everything the peer will send is here, read or not. */
  get isComplete(): boolean {
    return this.#receive?.isComplete ?? false
  }

  /** Everything the peer sent has been read. */
  get isRead(): boolean {
    return this.#receive?.isRead ?? false
  }

  /** Bytes that can be read now (with what the security class added, if it adds anything). */
  get available(): number {
    const window = this.#receive
    if (window === undefined || !this.#mayRead) return 0
    return window.unread === 0 ? 0 : window.unreadBytes
  }

  /**
   * The next bytes in order, as they came in one packet; undefined if there are none. They are the caller's. At a client
   * the call ends (`onEnd`) when there is nothing left to read and somebody has looked.
   */
  read(): Uint8Array | undefined {
    const window = this.#readable()
    if (window === undefined) {
      this.#endIfRead()
      return undefined
    }
    const { bytes, start, end, isLent } = window
    this.#shift(window)
    this.#consumed()
    return isLent ? copyOf(bytes, start, end) : bytes.subarray(start, end)
  }

  /** Copies up to `length` bytes in order to `target`; gives how many. */
  readInto(target: Uint8Array, at: number, length: number): number {
    let done = 0
    for (let window = this.#readable(); window !== undefined && done < length; window = this.#readable()) {
      const { bytes, start, end } = window
      const count = Math.min(length - done, end - start)
      target.set(bytes.subarray(start, start + count), at + done)
      done += count
      if (count < end - start) {
        this.#cut(window, start + count, end)
        break
      }
      this.#shift(window)
    }
    if (done > 0) this.#consumed()
    else this.#endIfRead()
    return done
  }

  /** Takes bytes of the answer (of the request); gives how many: fewer than there are if the queue is full, see `onRoom`. */
  write(bytes: Uint8Array, from = 0, to = bytes.length): number {
    if (!this.#beginWriting()) return 0
    const count = this.#send?.write(bytes, from, to) ?? 0
    this.#wantsRoom = count < to - from
    return count
  }

  /** Nothing more will be written. What was written goes out in the background. */
  finish(): void {
    if (!this.#beginWriting()) return
    this.#send?.finish()
    if (this.isClient || this.isOver) return
    this.#move("hold")
    this.connection.endpoint.callEnds(this.connection.peer)
    this.#settleReply()
    if (!this.isOver) this.connection.endpoint.hold(this)
  }

  /** Ends the call with an error on both sides. */
  abort(code: number, reason: EndReason = "aborted here"): void {
    const channel = this.#channel
    if (this.isOver || this.#state === "dally") return
    this.end(code, reason)
    if (channel !== undefined && (!this.isClient || this.number !== 0)) channel.sendFirstAbort()
  }

  // What the connection does with it.

  get channel(): Channel | undefined {
    return this.#channel
  }

  /** Only a part of the request has come, and nobody has looked at it. */
  get isHalfOpen(): boolean {
    return !this.isClient && !this.#isAnnounced && !this.isOver
  }

  get hasInput(): boolean {
    return (this.#receive?.unread ?? 0) > 0
  }
  get hasOutput(): boolean {
    return this.#send?.isWaiting ?? false
  }
  /** As `rxdebug` prints it: 1 sending, 2 receiving, 3 error, 4 eof. */
  get mode(): number {
    if (this.isOver) return 3
    if (this.#state === "hold" || this.#state === "dally") return 4
    const isSending = this.isClient ? (this.#receive?.highest ?? 0) === 0 : this.#isDeaf
    return isSending ? 1 : 2
  }

  /** Gets its channel and number; what is written already goes out. */
  start(channel: Channel, number: number): void {
    this.#channel = channel
    this.number = number
    if (!this.isClient) return
    this.#move("active")
    this.watch()
    this.#send?.start(channel.peerWindow)
  }

  /** The client may be served. */
  admit(): void {
    if (this.#state !== "precall") return
    this.#move("active")
    this.#deliver()
    if (!this.isOver) this.watch()
  }

  receive(header: RxHeader, bytes: Uint8Array, end: number): void {
    const now = this.connection.endpoint.time
    this.#times.lastReceived = now
    switch (header.type) {
      case packetTypes.ack:
        return this.#receiveAck(header, bytes, end)
      case packetTypes.ackAll:
        return this.#receiveAckAll()
      case packetTypes.abort:
        return this.#receiveAbort(bytes, end)
      case packetTypes.busy:
        return this.#receiveBusy()
      case packetTypes.challenge:
      case packetTypes.response:
      case packetTypes.params:
      case packetTypes.paramsTwo:
      case packetTypes.paramsThree:
        return
      default:
        this.abort(rxCodes.protocolError, "protocol error")
    }
  }

  /** One DATA packet, its body between `start` and `end`. `hasMore`: others of its datagram follow at once. */
  receiveData(header: RxHeader, bytes: Uint8Array, start: number, end: number, hasMore = false): void {
    const { endpoint } = this.connection
    this.#times.lastReceived = endpoint.time
    if (this.#state === "waiting") return
    if (this.isClient) this.#replyBegins()
    const window = this.#receive
    if (window === undefined) return
    if (!this.#hasMemoryFor(window, header, end - start)) return
    const isLast = (header.flags & packetFlags.lastPacket) !== 0
    const before = window.unreadBytes
    const arrival = window.place(header.seq, isLast, bytes, start, end, header.checksum)
    endpoint.unreadBytes += window.unreadBytes - before
    if (arrival === "malformed") return this.abort(rxCodes.protocolError, "protocol error")
    if (arrival === "duplicate") endpoint.statistics.duplicates++
    const reason = this.#debt.arrived(arrival, (header.flags & packetFlags.requestAck) !== 0)
    const sentBefore = this.#dataSent
    if (endpoint.isLent && (arrival === "next" || arrival === "gap")) window.lend(header.seq)
    if (arrival === "next") this.#receiveNext(endpoint.time)
    if (endpoint.isLent) window.keep()
    if (reason === ackReasons.idle && hasMore) return
    this.#acknowledge(reason, header.serial, this.#dataSent > sentBefore)
  }

  #receiveNext(now: Millis): void {
    this.#times.lastProgress = now
    this.#isReceiving = true
    this.#deliver()
    this.#isReceiving = false
    this.#endIfRead()
  }

  #acknowledge(reason: AckReason | undefined, serial: number, hasAnswered: boolean): void {
    if (this.isOver) return
    const isNews = reason === ackReasons.idle || reason === ackReasons.requested
    // The answer says all that this ACK could.
    if (isNews && hasAnswered) this.#answered()
    else if (isNews && this.connection.endpoint.isBatch) return this.#ackAtEnd(reason, serial)
    else if (reason !== undefined) this.sendAck(reason, serial)
    else if (this.#debt.isOwed) this.#oweAck()
    if (this.isOver || this.#state !== "dally" || this.#debt.isOwed) return
    this.#forget()
  }

  /** Several packets of a batch are acknowledged together at its end. */
  #ackAtEnd(reason: AckReason, serial: number): void {
    if (this.#heldAck === undefined) this.connection.endpoint.settleAtEnd(this)
    this.#heldAck = reason
    this.#heldSerial = serial
  }

  /** The batch is over: sends the ACK that was held back if nothing has said the same since. */
  settle(): void {
    if (this.isOver || this.#heldAck === undefined) return
    this.sendAck(this.#heldAck, this.#heldSerial)
    if (this.#state === "dally") this.#forget()
  }

  #answered(): void {
    this.#heldAck = undefined
    this.#debt.answered()
  }

  /** The last reply on this channel is acknowledged by a new call on it. */
  supersede(): void {
    if (this.#state === "hold") this.#replied()
    else if (this.#state === "dally") this.#forget()
  }

  /** Ends it here; the channel remembers the code for what the peer still sends. Tells the application last. */
  end(code: number, reason: EndReason): void {
    if (this.isOver) return
    const wasDallying = this.#state === "dally"
    const listener = this.onEnd
    this.#reset(code)
    if (!wasDallying) listener?.(this, new RxError(code, reason, this.describe()))
  }

  describe(): string {
    const { peer, serviceId } = this.connection
    const host = [peer.host >>> 24, (peer.host >>> 16) & 255, (peer.host >>> 8) & 255, peer.host & 255].join(".")
    return `call ${this.number} of service ${serviceId} ${this.isClient ? "to" : "from"} ${host}:${peer.port}`
  }

  // Carrier: what the send window needs.

  get isPeerAlive(): boolean {
    return this.connection.endpoint.time - this.#times.lastReceived < deadMs(this.connection.timing) / 2
  }

  transmit(packet: Packet, flags: number): void {
    this.#noteData()
    this.#channel?.sendData(this, packet, flags)
  }

  transmitJumbogram(packets: readonly Packet[], flags: number): void {
    this.#noteData()
    this.#channel?.sendJumbogram(this, packets, flags)
  }

  #noteData(): void {
    this.#dataSent++
    this.#lastSent = this.connection.endpoint.time
    this.#answered()
  }

  armResend(at: Millis | undefined): void {
    const { timers } = this.connection.endpoint
    if (at === undefined) timers.clear(this.#timers, timer.resend)
    else timers.set(this.#timers, timer.resend, at)
  }

  ping(): void {
    this.connection.endpoint.statistics.pingsSent++
    this.sendAck(ackReasons.ping, 0)
  }

  /** Tells the peer what has come; `serial` is that of the packet that asked for it. */
  sendAck(reason: AckReason, serial: number, padTo = 0): void {
    const window = this.#receive
    if (window === undefined || this.#channel === undefined) return
    this.#lastSent = this.connection.endpoint.currentTime()
    this.#debt.acked(window.first)
    this.#heldAck = undefined
    this.connection.endpoint.timers.clear(this.#timers, timer.ack)
    this.#channel.sendAck(this, window, reason, serial, padTo)
  }

  // States.

  #move(state: CallState): void {
    if (!callFollowers[this.#state].includes(state))
      throw new Error(`${this.describe()} cannot go from ${this.#state} to ${state}`)
    this.#state = state
  }

  #openSend(): SendWindow {
    const window = this.connection.endpoint.acquireSend()
    this.#send = window.open(this, this.#channel?.peerWindow ?? windowInitial, this.#channel === undefined)
    return window
  }

  /** Lets go of everything; only the channel remembers. */
  #reset(code: number): void {
    const { endpoint } = this.connection
    const channel = this.#channel
    const isCounted = this.#state !== "hold" && this.#state !== "dally"
    if (isCounted) endpoint.callEnds(this.connection.peer)
    endpoint.release(this)
    endpoint.timers.drop(this.#timers)
    this.#move("reset")
    channel?.ended(this, code, this.#receive)
    this.#closeWindows()
    if (channel === undefined) this.connection.dropWaiting(this)
    this.onData = undefined
    this.onRoom = undefined
    this.onEnd = undefined
    if (channel !== undefined && this.isClient) this.connection.startWaiting()
  }

  #closeWindows(): void {
    const { endpoint } = this.connection
    const { channel } = this
    if (channel !== undefined && this.#send !== undefined) channel.peerWindow = this.#send.peerWindow
    if (this.#receive !== undefined) endpoint.releaseReceive(this.#receive)
    if (this.#send !== undefined) endpoint.releaseSend(this.#send)
    this.#receive = undefined
    this.#send = undefined
  }

  /** Server: true if the answer may be written. The first byte of it makes us deaf for the rest of the request. */
  #beginWriting(): boolean {
    this.#times.lastProgress = this.connection.endpoint.currentTime()
    if (this.isClient) return this.#state === "active" || this.#state === "waiting"
    if (this.#state !== "active") return false
    if (!this.#isDeaf) {
      this.#isDeaf = true
      this.#dropUnread()
    }
    if (this.#send === undefined) this.#openSend()
    return true
  }

  #dropUnread(): void {
    const window = this.#receive
    if (window === undefined || window.unread === 0) return
    while (window.unread > 0) this.#shift(window)
    this.#consumed()
  }

  /** Server, finished: is that all? */
  #settleReply(): void {
    if (this.#state === "hold" && this.#send?.isDelivered === true) this.#replied()
  }

  #replied(): void {
    const listener = this.onEnd
    this.#reset(0)
    listener?.(this, undefined)
  }

  /** Client: the last ACK is sent, or not needed any more. */
  #forget(): void {
    this.#reset(0)
  }

  // Receiving.

  get #mayRead(): boolean {
    return this.#state === "active" && !this.#isDeaf
  }

  #hasMemoryFor(window: ReceiveWindow, header: RxHeader, size: number): boolean {
    const { endpoint } = this.connection
    if (endpoint.unreadBytes + size <= endpoint.limits.unreadBytes) return true
    if (header.seq < window.next) return true
    if (
      header.seq === window.next &&
      window.highest < header.seq &&
      window.unread === 0 &&
      size <= endpoint.packetSizeMax
    )
      return true
    endpoint.statistics.packetsRefused++
    this.sendAck(ackReasons.noSpace, header.serial)
    return false
  }

  /** Client: the first packet of the reply says that the request has arrived. */
  #replyBegins(): void {
    const send = this.#send
    if (send === undefined || this.#state !== "active") return
    if (this.#channel !== undefined) this.#channel.peerWindow = send.peerWindow
    this.connection.endpoint.releaseSend(send)
    this.connection.endpoint.timers.clear(this.#timers, timer.resend)
    this.#send = undefined
  }

  #deliver(): void {
    const window = this.#receive
    if (window === undefined || this.#state !== "active" || window.unread === 0) {
      if (this.#isDeaf || this.#state === "hold") this.#dropUnread()
      return
    }
    if (this.#isDeaf) return this.#dropUnread()
    if (!this.isClient && !this.#isAnnounced) {
      this.#isAnnounced = true
      this.connection.endpoint.release(this)
      this.connection.endpoint.statistics.callsExecuted++
      this.connection.announce(this)
      return
    }
    const isEmpty = this.#readable() === undefined
    if (this.isOver) return
    if (isEmpty) this.#consumed()
    if (!isEmpty || (window.isRead && !this.isClient)) this.onData?.(this)
  }

  /** The receive window with a packet to read in front, opened by the security class; empty packets are passed over. */
  #readable(): ReceiveWindow | undefined {
    const window = this.#receive
    if (window === undefined || !this.#mayRead) return undefined
    while (window.unread > 0) {
      if (!this.connection.security.isTransparent && !this.#open(window)) return undefined
      if (window.end > window.start) return window
      this.#shift(window)
    }
    return undefined
  }

  #open(window: ReceiveWindow): boolean {
    if (this.#openedSeq === window.first) return true
    const { connection } = this
    const body: PacketBody = {
      bytes: window.bytes,
      start: window.start,
      end: window.end,
      checksum: window.checksum,
    }
    const identity = { ...connection.identity(this), seq: window.first }
    try {
      connection.security.open(identity, body)
    } catch (error) {
      connection.fail(error instanceof RxError ? error.code : rxCodes.protocolError, "protocol error")
      return false
    }
    this.#openedSeq = window.first
    this.#cut(window, body.start, body.end)
    return true
  }

  #cut(window: ReceiveWindow, start: number, end: number): void {
    const before = window.unreadBytes
    window.trim(start, end)
    this.connection.endpoint.unreadBytes += window.unreadBytes - before
  }

  #shift(window: ReceiveWindow): void {
    const before = window.unreadBytes
    window.shift()
    this.connection.endpoint.unreadBytes += window.unreadBytes - before
  }

  /** The reader has come further: tell the sender, soon or now. */
  #consumed(): void {
    const window = this.#receive
    if (window === undefined) return
    this.#times.lastProgress = this.connection.endpoint.currentTime()
    const isUrgent = this.#debt.consumed(window.first)
    if (this.#isReceiving) return
    if (isUrgent && !window.isRead) this.sendAck(ackReasons.delay, 0)
    else if (this.#debt.isOwed) this.#oweAck()
  }

  /** Client: nothing more will come. */
  #endIfRead(): void {
    if (this.isClient && !this.#isReceiving && this.#receive?.isRead === true) this.#replyIsRead()
  }

  /** Client: the call is over for the application; its last ACK may be saved by the next call on the channel. */
  #replyIsRead(): void {
    if (this.#state !== "active") return
    const { endpoint } = this.connection
    this.#replyBegins()
    this.#move("dally")
    endpoint.callEnds(this.connection.peer)
    endpoint.timers.clear(this.#timers, timer.keepAlive)
    endpoint.timers.clear(this.#timers, timer.deadline)
    this.#debt.isOwed = true
    this.#oweAck()
    const listener = this.onEnd
    this.onEnd = undefined
    this.connection.startWaiting()
    listener?.(this, undefined)
  }

  #oweAck(): void {
    const { endpoint } = this.connection
    if (this.#timers.isSet(timer.ack)) return
    endpoint.timers.set(this.#timers, timer.ack, endpoint.currentTime() + endpoint.timing.ackDelayMs)
  }

  #receiveAck(header: RxHeader, bytes: Uint8Array, end: number): void {
    const { endpoint, peer } = this.connection
    const ack = endpoint.ack
    if (!endpoint.readAck(bytes, end)) return
    if (ack.reason === ackReasons.pingResponse) {
      peer.sizes.answered(ack.serial)
      this.connection.reached()
    }
    if (this.isOver) return
    this.#learn(ack)
    if ((header.flags & packetFlags.requestAck) !== 0) this.sendAck(ackReasons.pingResponse, header.serial)
    const send = this.#send
    if (send === undefined) return
    const before = send.first
    if (!send.acknowledge(ack, bytes)) endpoint.statistics.ignoredAcks++
    if (send.isWaiting) this.#probeSize()
    if (send.first > before || peer.flight.hasRoom) this.#sendProgressed(send, before)
  }

  /** While much is sent: would larger packets pass? */
  #probeSize(): void {
    const { endpoint, peer } = this.connection
    const size = peer.sizes.wanted(endpoint.time)
    if (size === undefined) return
    endpoint.statistics.pingsSent++
    this.sendAck(ackReasons.ping, 0, size)
    peer.sizes.sent(this.connection.serial, endpoint.time)
  }

  #learn(ack: AckView): void {
    const { peer, endpoint } = this.connection
    peer.learn(ack.maxMtu, ack.interfaceMtu, ack.packetsPerDatagram, endpoint)
  }

  #sendProgressed(send: SendWindow, before: number): void {
    if (send.first > before) this.#times.lastProgress = this.connection.endpoint.time
    if (this.#state === "hold") return this.#settleReply()
    if (this.#wantsRoom && send.hasRoomAgain) {
      this.#wantsRoom = false
      this.onRoom?.(this)
    }
  }

  #receiveAckAll(): void {
    const send = this.#send
    if (send === undefined) return
    const before = send.first
    send.acknowledgeAll()
    this.#sendProgressed(send, before)
  }

  /** Client: the server has not finished the call before. It soon will have: do not wait as if packets had been lost. */
  #receiveBusy(): void {
    if (!this.isClient || this.#state !== "active" || this.#send === undefined || this.#isRefused) return
    const { endpoint } = this.connection
    const wait = Math.min(busyWait.firstMs * 2 ** this.#refusals++, busyWait.maxMs)
    this.#isRefused = true
    endpoint.timers.set(this.#timers, timer.resend, endpoint.time + wait)
  }

  #resend(): void {
    if (this.#isUnreachable) return this.end(rxCodes.callDead, "nobody listens")
    if (!this.#isRefused) return this.#send?.expire()
    this.#isRefused = false
    this.#send?.sendAgain()
  }

  #receiveAbort(bytes: Uint8Array, end: number): void {
    if (this.#state === "waiting" || this.#state === "dally") return
    this.end(this.connection.endpoint.abortCode(bytes, end), "aborted by the peer")
  }

  // Time.

  #expire(slot: number, now: Millis): void {
    if (slot === timer.resend) this.#resend()
    else if (slot === timer.ack) this.#ackDue()
    else if (slot === timer.keepAlive) this.#keepAlive(now)
    else if (slot === timer.deadline) this.#checkDeadlines(now)
  }

  #ackDue(): void {
    if (!this.#debt.isOwed) return
    this.#endIfRead()
    this.sendAck(ackReasons.delay, 0)
    if (this.#state === "dally") this.#forget()
  }

  /** Starts the timers of a call that does not end at once. */
  watch(): void {
    const { endpoint } = this.connection
    const now = endpoint.currentTime()
    this.#times.lastReceived = Math.max(this.#times.lastReceived, now)
    if (this.#state !== "hold")
      endpoint.timers.set(this.#timers, timer.keepAlive, now + deadMs(this.connection.timing) / 6)
    this.#setDeadline()
  }

  #keepAlive(now: Millis): void {
    if (this.#state !== "active" && this.#state !== "precall") return
    if (this.#isUnreachable) return this.end(rxCodes.callDead, "nobody listens")
    const interval = deadMs(this.connection.timing) / 6
    if (now - this.#lastSent > interval && (!this.isClient || this.#dataSent > 0)) this.ping()
    this.connection.endpoint.timers.set(this.#timers, timer.keepAlive, now + interval)
  }

  /** Since anything came from the peer the system has said that nobody listens there. */
  get #isUnreachable(): boolean {
    return this.peer.unreachableAt > this.#times.lastReceived
  }

  /** Server: the peer has to do something, and we have nothing to do. */
  get #isWaitingForPeer(): boolean {
    if (this.isClient || this.#state !== "active") return false
    const window = this.#receive
    const isReading = !this.#isDeaf && window !== undefined && !window.isComplete && window.unread === 0
    return isReading || (this.#send?.isWaiting ?? false)
  }

  #checkDeadlines(now: Millis): void {
    const { timing, peer } = this.connection
    const end = overdue(this.#times, timing, peer.roundTrip, now, this.#isWaitingForPeer)
    if (end !== undefined) this.end(end.code, end.reason)
    else this.#setDeadline()
  }

  #setDeadline(): void {
    const { endpoint, timing, peer } = this.connection
    endpoint.timers.set(this.#timers, timer.deadline, nextDeadline(this.#times, timing, peer.roundTrip, endpoint.time))
  }
}
