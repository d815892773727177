/**
 * A connection: one security context and one service between two peers, with four channels that each carry one call at a
 * time. Made by the client side; a server keeps it until it has been silent for long.
 */
import type { Millis } from "../clock.ts"
import {
  channelCount,
  channelMask,
  jumboBodySize,
  packetFlags,
  packetTypes,
  type RxHeader,
  rxHeader,
} from "../protocol/rx-packet.ts"
import { Call } from "./call.ts"
import { Channel } from "./channel.ts"
import { ClientProof } from "./client-proof.ts"
import { type EndReason, RxError, rxCodes } from "./codes.ts"
import { abortCodeOf } from "./control-packets.ts"
import type { Endpoint, Service } from "./endpoint.ts"
import { hasNextMember, nextMember } from "./jumbogram.ts"
import { type RxTiming, windowMax } from "./limits.ts"
import type { Peer } from "./peer.ts"
import type { ProvedUser, Security } from "./security/security.ts"
import { TimerSlots } from "./timers.ts"

/** How a connection of ours differs from the endpoint's other ones. */
export interface ConnectOptions {
  readonly security?: Security
  readonly timing?: Partial<RxTiming>
}

export class Connection {
  readonly endpoint: Endpoint
  readonly peer: Peer
  readonly epoch: number
  /** Low two bits 0. */
  readonly cid: number
  readonly serviceId: number
  readonly isClient: boolean
  readonly security: Security
  readonly timing: RxTiming
  /** 0, or the code that every packet is answered with. */
  error = 0
  lastUsed: Millis
  /** For the table of connections: the next one of this hash, the place in the list. */
  next: Connection | undefined
  key = 0
  place = -1
  /** Used since the endpoint looked for one to give up. */
  isFresh = true
  /** For the service: whatever belongs to this connection. */
  context: unknown
  readonly #service: Service | undefined
  readonly channels: (Channel | undefined)[] = [undefined, undefined, undefined, undefined]
  readonly #waiting: Call[] = []
  #serial = 0
  #proof: ClientProof | undefined
  /** Set while the ABORT of bad authentication is held back. */
  #heldAbort: TimerSlots | undefined

  constructor(
    endpoint: Endpoint,
    peer: Peer,
    names: { readonly epoch: number; readonly cid: number; readonly serviceId: number },
    security: Security,
    timing: RxTiming,
    service: Service | undefined,
  ) {
    this.endpoint = endpoint
    this.peer = peer
    this.epoch = names.epoch
    this.cid = names.cid
    this.serviceId = names.serviceId
    this.isClient = service === undefined
    this.security = security
    this.timing = timing
    this.#service = service
    this.lastUsed = endpoint.time
  }

  /** Whom the security class has proved the client to be; undefined for anybody. */
  get user(): ProvedUser | undefined {
    return this.security.user
  }

  /** Serial of the last packet sent. */
  get serial(): number {
    return this.#serial
  }

  get hasCalls(): boolean {
    for (const channel of this.channels) if (channel?.call !== undefined) return true
    return this.#waiting.length > 0
  }

  /** Starts a call; if all four channels are taken it waits for one. @throws RxError if the connection has failed or too many wait */
  newCall(): Call {
    if (this.error !== 0) throw new RxError(this.error, "connection failed", "newCall")
    if (this.#waiting.length >= this.endpoint.limits.waitingCalls)
      throw new RxError(rxCodes.busy, "too many calls", "newCall")
    this.lastUsed = this.endpoint.currentTime()
    const call = new Call(this, true)
    this.endpoint.roll.begin(this.peer)
    this.#waiting.push(call)
    this.startWaiting()
    return call
  }

  /** Gives free channels to calls that wait. */
  startWaiting(): void {
    while (this.#waiting.length > 0) {
      const channel = this.#freeChannel()
      const call = channel === undefined ? undefined : this.#waiting.shift()
      if (call === undefined || channel === undefined) return
      channel.begin(call, channel.number + 1)
    }
  }

  /** A call gives up waiting. */
  dropWaiting(call: Call): void {
    const index = this.#waiting.indexOf(call)
    if (index >= 0) this.#waiting.splice(index, 1)
  }

  #freeChannel(): Channel | undefined {
    for (let index = 0; index < channelCount; index++) {
      const channel = this.#channel(index)
      if (channel.isFree) return channel
    }
    return undefined
  }

  #channel(index: number): Channel {
    const known = this.channels[index]
    if (known !== undefined) return known
    const made = new Channel(this, index)
    this.channels[index] = made
    return made
  }

  /** Ends all calls with an ABORT, clients' with "try again"; the connection is not used any more. */
  close(): void {
    const code = this.isClient ? rxCodes.userAbort : rxCodes.restarting
    for (const call of this.#allCalls()) call.abort(code, "connection closed")
    this.endpoint.forget(this)
  }

  /** Ends without a word. */
  discard(reason: EndReason): void {
    for (const call of this.#allCalls()) call.end(rxCodes.callDead, reason)
    for (const channel of this.channels) channel?.close()
    this.#proof?.close()
    if (this.#heldAbort !== undefined) this.endpoint.timers.drop(this.#heldAbort)
  }

  #allCalls(): Call[] {
    const running = this.channels.map((channel) => channel?.call).filter((call) => call !== undefined)
    return [...running, ...this.#waiting]
  }

  /** A header with everything that all packets of the connection share, and the next serial. */
  header(type: number, flags: number): RxHeader {
    const { header } = this.endpoint
    header.epoch = this.epoch
    header.cid = this.cid
    header.callNumber = 0
    header.seq = 0
    this.#serial = (this.#serial + 1) >>> 0
    header.serial = this.#serial
    header.type = type
    header.flags = flags | (this.isClient ? packetFlags.clientInitiated : 0)
    header.userStatus = 0
    header.securityIndex = this.security.index
    header.checksum = 0
    header.serviceId = this.serviceId
    return header
  }

  transmit(bytes: Uint8Array, length: number, type: number): void {
    this.endpoint.transmit(this.peer, bytes, length, type)
  }

  countResend(): void {
    this.endpoint.statistics.dataPacketsResent++
    this.peer.packetsResent++
  }

  /** A packet of this connection; the header is the endpoint's and may be changed. */
  receive(header: RxHeader, bytes: Uint8Array): void {
    this.isFresh = true
    this.lastUsed = this.endpoint.time
    this.peer.bytesReceived += bytes.length
    if (header.callNumber === 0) return this.#receiveForConnection(header, bytes)
    if (this.error !== 0) {
      if (header.type !== packetTypes.abort && !this.#isAbortHeld) this.#sendAbort()
      return
    }
    if (header.type === packetTypes.data) this.#receiveDatagram(header, bytes)
    else this.#route(header, bytes, rxHeader.size, bytes.length)
  }

  /** A DATA packet, or the members of a jumbogram one after the other. */
  #receiveDatagram(header: RxHeader, bytes: Uint8Array): void {
    let at: number = rxHeader.size
    let asked = 0
    while ((header.flags & packetFlags.jumbo) !== 0) {
      if (!hasNextMember(bytes, at)) return
      asked |= header.flags & packetFlags.requestAck
      header.flags &= ~(packetFlags.jumbo | packetFlags.requestAck)
      this.#route(header, bytes, at, at + jumboBodySize, true)
      if (this.error !== 0) return
      at = nextMember(header, bytes, at)
    }
    header.flags |= asked
    this.#route(header, bytes, at, bytes.length)
  }

  #route(header: RxHeader, bytes: Uint8Array, start: number, end: number, hasMore = false): void {
    const channel = this.#channel(header.cid & channelMask)
    if (header.callNumber < channel.number) return
    if (header.callNumber > channel.number) {
      if (!this.isClient && header.type === packetTypes.data)
        this.#newServerCall(channel, header, bytes, start, end, hasMore)
      return
    }
    const { call } = channel
    if (call === undefined) return channel.receiveForEnded(header, bytes, end)
    if (header.type === packetTypes.data) call.receiveData(header, bytes, start, end, hasMore)
    else call.receive(header, bytes, end)
  }

  #newServerCall(
    channel: Channel,
    header: RxHeader,
    bytes: Uint8Array,
    start: number,
    end: number,
    hasMore: boolean,
  ): void {
    if (header.seq === 0 || header.seq > windowMax) return
    const running = channel.call
    if (running !== undefined && running.state !== "hold") {
      // The client has given the running call up. It comes again for the new one.
      running.end(rxCodes.callDead, "given up by the client")
      return channel.sendBusy(header.callNumber)
    }
    const { endpoint } = this
    const refusal = endpoint.roll.refusal(this.peer)
    if (refusal !== 0) {
      endpoint.statistics.callsRefused++
      return endpoint.control.refuse(header, this.peer.host, this.peer.port, refusal)
    }
    const call = new Call(this, false)
    endpoint.roll.begin(this.peer)
    channel.begin(call, header.callNumber)
    if (this.security.isAuthenticated && endpoint.reach.isReached(this.peer, this.endpoint.time)) {
      call.admit()
      call.receiveData(header, bytes, start, end, hasMore)
    } else {
      call.receiveData(header, bytes, start, end, hasMore)
      this.#demandProof(call, header)
    }
    if (call.isHalfOpen) endpoint.roll.addHalfOpen(call)
  }

  #demandProof(call: Call, header: RxHeader): void {
    if (call.isOver) return
    call.watch()
    this.#proof ??= new ClientProof(this)
    this.#proof.demand(header.checksum !== 0)
  }

  /** Tells the service of a call's first data. */
  announce(call: Call): void {
    this.#service?.onCall(call)
  }

  /** A call that waits for the client to prove itself. */
  get precall(): Call | undefined {
    for (const channel of this.channels) if (channel?.call?.state === "precall") return channel.call
    return undefined
  }

  /** Sends a CHALLENGE or a RESPONSE. */
  sendSecurity(type: number, body: Uint8Array): void {
    const bytes = new Uint8Array(rxHeader.size + body.length)
    rxHeader.write(this.header(type, 0), bytes)
    bytes.set(body, rxHeader.size)
    this.transmit(bytes, bytes.length, type)
  }

  /** The peer has answered a ping. */
  reached(): void {
    this.endpoint.reach.reached(this.peer, this.endpoint.time)
  }

  /** Lets all calls in that wait and need not any more. */
  admitAll(): void {
    if (!this.security.isAuthenticated || !this.endpoint.reach.isReached(this.peer, this.endpoint.time)) return
    for (const channel of this.channels) channel?.call?.admit()
  }

  #receiveForConnection(header: RxHeader, bytes: Uint8Array): void {
    switch (header.type) {
      case packetTypes.abort: {
        const code = abortCodeOf(bytes, bytes.length)
        return this.#fail(code, "aborted by the peer")
      }
      case packetTypes.params:
      case packetTypes.paramsTwo:
      case packetTypes.paramsThree:
        return
      case packetTypes.challenge:
        if (this.isClient) return this.#receiveChallenge(bytes)
        break
      case packetTypes.response:
        if (!this.isClient) return this.#receiveResponse(bytes)
        break
      default:
    }
    if (this.error !== 0) {
      if (!this.#isAbortHeld) this.#sendAbort()
    } else this.fail(rxCodes.protocolError, "protocol error")
  }

  #receiveChallenge(bytes: Uint8Array): void {
    if (this.error !== 0 || this.security.index === 0) return
    try {
      this.sendSecurity(packetTypes.response, this.security.respond(bytes.subarray(rxHeader.size)))
    } catch (error) {
      if (!(error instanceof RxError)) throw error
      this.fail(error.code, "connection failed")
    }
  }

  /** A RESPONSE for which no CHALLENGE was sent is ignored. */
  #receiveResponse(bytes: Uint8Array): void {
    const proof = this.#proof
    if (this.error !== 0 || proof?.isChallenged !== true) return
    try {
      this.security.verify(bytes.subarray(rxHeader.size))
    } catch (error) {
      if (!(error instanceof RxError)) throw error
      return this.#failLate(error.code)
    }
    proof.answered()
  }

  /** Ends everything on the connection, now and later, with this code on both sides. */
  fail(code: number, reason: EndReason): void {
    if (this.error !== 0) return
    this.#fail(code, reason)
    this.#sendAbort()
  }

  /** Bad authentication is told late, so that guessing is slow. */
  #failLate(code: number): void {
    this.#fail(code, "connection failed")
    const { endpoint } = this
    this.#heldAbort ??= new TimerSlots(() => this.#sendAbort())
    endpoint.timers.set(this.#heldAbort, 0, endpoint.time + endpoint.timing.securityAbortDelayMs)
  }

  get #isAbortHeld(): boolean {
    return this.#heldAbort?.isSet(0) === true
  }

  #fail(code: number, reason: EndReason): void {
    if (this.error !== 0) return
    // 0 would not be an error: a peer that sends it still ends the connection.
    this.error = code === 0 ? rxCodes.callDead : code
    for (const call of this.#allCalls()) call.end(this.error, reason)
  }

  #sendAbort(): void {
    this.endpoint.control.sendAbort(this.peer, this.header(packetTypes.abort, 0), this.error)
  }
}
