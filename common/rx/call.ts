/**
 * One RPC, at a server or at a client: data one way, then data the other way, or an error. Its states are in call-state.ts.
 *
 *     packets ──► connection ──► channel ──► here ──► call-input.ts ──► `read`       ACKs: ack.ts
 *     `write` ──► send-window.ts ──► here ──► channel ──► endpoint                   time: call-clock.ts
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
import { CallClock, callTimers } from "./call-clock.ts"
import type { CallInput } from "./call-input.ts"
import { type CallState, callFollowers } from "./call-state.ts"
import type { Channel } from "./channel.ts"
import { type EndReason, RxError, rxCodes } from "./codes.ts"
import type { Connection } from "./connection.ts"
import { abortCodeOf } from "./control-packets.ts"
import { windowInitial } from "./limits.ts"
import type { Packet } from "./packet-pool.ts"
import type { Peer } from "./peer.ts"
import type { Carrier, SendWindow } from "./send-window.ts"

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
  #input: CallInput | undefined
  #send: SendWindow | undefined
  readonly #debt = new AckDebt()
  readonly #clock: CallClock
  /** The service has been told. */
  #isAnnounced = false
  /** Inside `receiveData`: ACKs wait for its end. */
  #isReceiving = false
  /** What still comes in is thrown away, for the answer is being written. */
  #isDeaf = false
  #dataSent = 0
  #wantsRoom = false

  /** Made by Connection. */
  constructor(connection: Connection, isClient: boolean) {
    this.connection = connection
    this.isClient = isClient
    this.#state = isClient ? "waiting" : "precall"
    this.#clock = new CallClock(connection, isClient, (slot, at) => this.#expire(slot, at))
    this.#input = connection.endpoint.acquireInput()
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
    return this.#input?.window.isComplete ?? false
  }

  /** Everything the peer sent has been read. */
  get isRead(): boolean {
    return this.#input?.window.isRead ?? false
  }

  /** Bytes that can be read now (with what the security class added, if it adds anything). */
  get available(): number {
    return this.#readable?.available ?? 0
  }

  /**
   * The next bytes in order, as they came in one packet; undefined if there are none. They are the caller's. At a client
   * the call ends (`onEnd`) when there is nothing left to read and somebody has looked.
   */
  read(): Uint8Array | undefined {
    const input = this.#readable
    const bytes = input?.read()
    this.#hasRead(input, bytes !== undefined)
    return bytes
  }

  /** Copies up to `length` bytes in order to `target`; gives how many. */
  readInto(target: Uint8Array, at: number, length: number): number {
    const input = this.#readable
    const count = input?.readInto(target, at, length) ?? 0
    this.#hasRead(input, count > 0)
    return count
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
    this.connection.endpoint.roll.finish(this.connection.peer)
    this.#settleReply()
    if (!this.isOver) this.connection.endpoint.roll.hold(this)
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
    return (this.#input?.unread ?? 0) > 0
  }
  get hasOutput(): boolean {
    return this.#send?.isWaiting ?? false
  }
  /** As `rxdebug` prints it: 1 sending, 2 receiving, 3 error, 4 eof. */
  get mode(): number {
    if (this.isOver) return 3
    if (this.#state === "hold" || this.#state === "dally") return 4
    const isSending = this.isClient ? (this.#input?.window.highest ?? 0) === 0 : this.#isDeaf
    return isSending ? 1 : 2
  }

  /** Gets its channel and number; what is written already goes out. */
  start(channel: Channel, number: number): void {
    this.#channel = channel
    this.number = number
    if (!this.connection.security.isTransparent) this.#input?.openBy(channel)
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
    this.#clock.heard()
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
    const { isLent, statistics } = this.connection.endpoint
    this.#clock.heard()
    if (this.#state === "waiting") return
    if (this.isClient) this.#replyBegins()
    const input = this.#input
    if (input === undefined) return
    if (!input.hasMemoryFor(header.seq, end - start)) return this.#refuse(header.serial)
    const arrival = input.place(header, bytes, start, end, isLent)
    if (arrival === "malformed") return this.abort(rxCodes.protocolError, "protocol error")
    if (arrival === "duplicate") statistics.duplicates++
    const reason = this.#debt.arrived(arrival, (header.flags & packetFlags.requestAck) !== 0)
    const sentBefore = this.#dataSent
    if (arrival === "next") this.#receiveNext()
    if (isLent) input.window.keep()
    if (reason === ackReasons.idle && hasMore) return
    this.#acknowledge(reason, header.serial, this.#dataSent > sentBefore)
  }

  /** There is no memory for the packet of this serial. */
  #refuse(serial: number): void {
    this.connection.endpoint.statistics.packetsRefused++
    this.sendAck(ackReasons.noSpace, serial)
  }

  #receiveNext(): void {
    this.#clock.progressed()
    this.#isReceiving = true
    this.#deliver()
    this.#isReceiving = false
    this.#endIfRead()
  }

  #acknowledge(reason: AckReason | undefined, serial: number, hasAnswered: boolean): void {
    if (this.isOver) return
    const isNews = reason === ackReasons.idle || reason === ackReasons.requested
    // The answer says all that this ACK could.
    if (isNews && hasAnswered) this.#debt.answered()
    else if (isNews && this.connection.endpoint.isBatch) return this.#holdAck(reason, serial)
    else if (reason !== undefined) this.sendAck(reason, serial)
    else if (this.#debt.isOwed) this.#clock.armAck()
    if (this.isOver || this.#state !== "dally" || this.#debt.isOwed) return
    this.#forget()
  }

  /** Several packets of a batch are acknowledged together at its end. */
  #holdAck(reason: AckReason, serial: number): void {
    if (this.#debt.hold(reason, serial)) this.connection.endpoint.settleAtEnd(this)
  }

  /** The batch is over: sends the ACK that was held back if nothing has said the same since. */
  settle(): void {
    const { held, heldSerial } = this.#debt
    if (this.isOver || held === undefined) return
    this.sendAck(held, heldSerial)
    if (this.#state === "dally") this.#forget()
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
    return this.#clock.isPeerAlive
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
    this.#clock.sent(this.connection.endpoint.time)
    this.#debt.answered()
  }

  armResend(at: Millis | undefined): void {
    this.#clock.armResend(at)
  }

  ping(): void {
    this.connection.endpoint.statistics.pingsSent++
    this.sendAck(ackReasons.ping, 0)
  }

  /** Tells the peer what has come; `serial` is that of the packet that asked for it. */
  sendAck(reason: AckReason, serial: number, padTo = 0): void {
    const window = this.#input?.window
    if (window === undefined || this.#channel === undefined) return
    this.#clock.sent(this.connection.endpoint.currentTime())
    this.#debt.acked(window.first)
    this.#clock.clearAck()
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
    if (isCounted) endpoint.roll.finish(this.connection.peer)
    endpoint.roll.release(this)
    this.#clock.stop()
    this.#move("reset")
    channel?.ended(this, code, this.#input?.window)
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
    if (this.#input !== undefined) endpoint.releaseInput(this.#input)
    if (this.#send !== undefined) endpoint.releaseSend(this.#send)
    this.#input = undefined
    this.#send = undefined
  }

  /** Server: true if the answer may be written. The first byte of it makes us deaf for the rest of the request. */
  #beginWriting(): boolean {
    this.#clock.progressed()
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
    const input = this.#input
    if (input === undefined || input.unread === 0) return
    input.skip()
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

  /** Undefined while nothing may be read, and when the call is over. */
  get #readable(): CallInput | undefined {
    return this.#state === "active" && !this.#isDeaf ? this.#input : undefined
  }

  /** Client: the first packet of the reply says that the request has arrived. */
  #replyBegins(): void {
    const send = this.#send
    if (send === undefined || this.#state !== "active") return
    if (this.#channel !== undefined) this.#channel.peerWindow = send.peerWindow
    this.connection.endpoint.releaseSend(send)
    this.#clock.armResend(undefined)
    this.#send = undefined
  }

  #deliver(): void {
    const input = this.#input
    if (this.#isDeaf || this.#state === "hold") return this.#dropUnread()
    if (input === undefined || this.#state !== "active" || input.unread === 0) return
    if (!this.isClient && !this.#isAnnounced) {
      this.#isAnnounced = true
      this.connection.endpoint.roll.release(this)
      this.connection.endpoint.statistics.callsExecuted++
      this.connection.announce(this)
      return
    }
    const hasBytes = input.hasBytes()
    if (input.refusal !== 0) return this.#failInput(input)
    if (!hasBytes) this.#consumed()
    if (hasBytes || (this.isRead && !this.isClient)) this.onData?.(this)
  }

  /** Somebody has read, or has found nothing to read. */
  #hasRead(input: CallInput | undefined, isProgress: boolean): void {
    if (input !== undefined && input.refusal !== 0) this.#failInput(input)
    else if (isProgress) this.#consumed()
    else this.#endIfRead()
  }

  /** A packet that is not the peer's fails the connection, and every call on it. */
  #failInput(input: CallInput): void {
    this.connection.fail(input.refusal, "protocol error")
  }

  /** The reader has come further: tell the sender, soon or now. */
  #consumed(): void {
    const window = this.#input?.window
    if (window === undefined) return
    this.#clock.progressed()
    const isUrgent = this.#debt.consumed(window.first)
    if (this.#isReceiving) return
    if (isUrgent && !window.isRead) this.sendAck(ackReasons.delay, 0)
    else if (this.#debt.isOwed) this.#clock.armAck()
  }

  /** Client: nothing more will come. */
  #endIfRead(): void {
    if (this.isClient && !this.#isReceiving && this.isRead) this.#replyIsRead()
  }

  /** Client: the call is over for the application; its last ACK may be saved by the next call on the channel. */
  #replyIsRead(): void {
    if (this.#state !== "active") return
    this.#replyBegins()
    this.#move("dally")
    this.connection.endpoint.roll.finish(this.connection.peer)
    this.#clock.unwatch()
    this.#debt.isOwed = true
    this.#clock.armAck()
    const listener = this.onEnd
    this.onEnd = undefined
    this.connection.startWaiting()
    listener?.(this, undefined)
  }

  #receiveAck(header: RxHeader, bytes: Uint8Array, end: number): void {
    const { endpoint, peer } = this.connection
    const ack = endpoint.control.readAck(bytes, end)
    if (ack === undefined) return
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
    if (send.first > before) this.#clock.progressed()
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
    if (this.isClient && this.#state === "active" && this.#send !== undefined) this.#clock.refused()
  }

  #receiveAbort(bytes: Uint8Array, end: number): void {
    if (this.#state === "waiting" || this.#state === "dally") return
    this.end(abortCodeOf(bytes, end), "aborted by the peer")
  }

  // Time.

  #expire(slot: number, now: Millis): void {
    if (slot === callTimers.resend) this.#resend()
    else if (slot === callTimers.ack) this.#ackDue()
    else if (slot === callTimers.keepAlive) this.#keepAlive(now)
    else if (slot === callTimers.deadline) this.#checkDeadlines(now)
  }

  #resend(): void {
    if (this.#clock.isUnreachable) return this.end(rxCodes.callDead, "nobody listens")
    if (this.#clock.takeRefusal()) this.#send?.sendAgain()
    else this.#send?.expire()
  }

  #ackDue(): void {
    if (!this.#debt.isOwed) return
    this.#endIfRead()
    this.sendAck(ackReasons.delay, 0)
    if (this.#state === "dally") this.#forget()
  }

  /** Starts the timers of a call that does not end at once. */
  watch(): void {
    this.#clock.watch(this.#state !== "hold")
  }

  #keepAlive(now: Millis): void {
    if (this.#state !== "active" && this.#state !== "precall") return
    if (this.#clock.isUnreachable) return this.end(rxCodes.callDead, "nobody listens")
    if (this.#clock.isSilent(now) && (!this.isClient || this.#dataSent > 0)) this.ping()
  }

  /** Server: the peer has to do something, and we have nothing to do. */
  get #isWaitingForPeer(): boolean {
    if (this.isClient || this.#state !== "active") return false
    const input = this.#input
    const isReading = !this.#isDeaf && input !== undefined && !this.isComplete && input.unread === 0
    return isReading || (this.#send?.isWaiting ?? false)
  }

  #checkDeadlines(now: Millis): void {
    const end = this.#clock.overdue(now, this.#isWaitingForPeer)
    if (end !== undefined) this.end(end.code, end.reason)
  }
}
