/**
 * The Rx protocol of one UDP port, both roles, without input, output or clock of its own: datagrams and time go in, datagrams
 * leave through `transmit`, and `nextTimeout` says when `timeout` is wanted. OpenAFS rx/rx.c.
 *
 * Rules for the shell: `transmit` must not call back; its bytes stay as they are until `flushed`. Bytes given to `receive` are
 * the endpoint's unless they are lent. Applications may call from anywhere: within `receive` and `timeout`, or between them.
 */
import type { Millis } from "../clock.ts"
import { wordAt } from "../codec/network-order.ts"
import {
  type AckReason,
  type AckView,
  channelMask,
  emptyAck,
  emptyHeader,
  ethernetPacketSize,
  packetFlags,
  packetSizeLimit,
  packetTypes,
  type RxHeader,
  readAck,
  readHeader,
  rxAck,
  rxHeader,
  writeAck,
} from "../protocol/rx-packet.ts"
import { RecencyList } from "../recency-list.ts"
import type { Call } from "./call.ts"
import { rxCodes } from "./codes.ts"
import { Connection, type ConnectOptions } from "./connection.ts"
import { answerDiagnostics } from "./diagnostics.ts"
import { evictionSteps, type RxLimits, type RxTiming, rxLimits, rxTiming, windowMax } from "./limits.ts"
import { jumbogramSize, PacketPool } from "./packet-pool.ts"
import { HostFlight, Peer } from "./peer.ts"
import { ReceiveWindow } from "./receive-window.ts"
import { nullSecurity } from "./security/null.ts"
import type { Security } from "./security/security.ts"
import { SendWindow } from "./send-window.ts"
import { countType, newStatistics, type RxStatistics } from "./statistics.ts"
import { TimerSlots, Timers } from "./timers.ts"

/** Something that can be called at a port. */
export interface Service {
  readonly id: number
  /** For each security index that is offered, a connection's security. Index 0 alone if absent. */
  readonly securities?: Readonly<Record<number, () => Security>>
  readonly timing?: Partial<RxTiming>
  /** The first data of a call is here; if `isComplete`, all of it. May answer at once. */
  onCall(call: Call): void
}

/** Sends the first `length` bytes to a host (IPv4 address as a number) and port. */
export type Transmit = (bytes: Uint8Array, length: number, host: number, port: number) => void

export interface EndpointOptions {
  readonly transmit: Transmit
  /** The time when applications call between `receive` and `timeout`: milliseconds since any moment, never back. */
  readonly now: () => Millis
  /** 32 random bits. */
  readonly random: () => number
  /** `nextTimeout` has become earlier. */
  readonly onEarlier?: () => void
  /** What VERSION packets are answered with, at most 64 characters. */
  readonly version?: string
  readonly services?: readonly Service[]
  readonly timing?: Partial<RxTiming>
  readonly limits?: Partial<RxLimits>
  /** Packets per datagram, 1 to 4. 1, OpenAFS's default, sends no jumbograms and takes them. */
  readonly jumbograms?: number
  /** Largest single packet, 1444 to 16384. Above 1444, Ethernet's, it is used with peers that say the same and where it passes. */
  readonly packetSizeMax?: number
  /** Peers must show that they receive what we send before their calls run. */
  readonly checkReach?: boolean
}

const nullSecurities: Readonly<Record<number, () => Security>> = { 0: () => nullSecurity }

/** A service with its waiting times. */
interface Offered {
  readonly service: Service
  readonly timing: RxTiming
}

const topBit = 0x8000_0000
const secondBit = 0x4000_0000
/** Windows kept for use again. */
const spareWindows = 512

export class Endpoint {
  readonly options: EndpointOptions
  readonly limits: RxLimits
  readonly timing: RxTiming
  readonly jumbograms: number
  readonly packetSizeMax: number
  readonly timers: Timers
  readonly pool: PacketPool
  readonly statistics: RxStatistics = newStatistics()
  /** Ours; top bit set: connections are known by it from any address. */
  readonly epoch: number
  /** As far as the endpoint knows. */
  time: Millis
  /** Calls that are not finished, on both sides. */
  calls = 0
  /** The bytes that are being received are lent: who keeps them has to copy them. */
  isLent = false
  /** Other datagrams may follow in this turn: ACKs that can wait do so until `endBatch`. */
  isBatch = false
  /** Received bytes that wait for readers. */
  unreadBytes = 0
  /** Scratch, each used by one packet at a time: going out, coming in. */
  readonly header: RxHeader = emptyHeader()
  readonly ack: AckView = emptyAck()
  /** All connections and peers, in no order, for diagnostics and sweeping. */
  readonly connections: Connection[] = []
  readonly peers: Peer[] = []
  serverConnections = 0
  readonly #incoming: RxHeader = emptyHeader()
  readonly #outgoingAck: AckView = emptyAck()
  readonly #services = new Map<number, Offered>()
  readonly #byPeer = new Map<number, Peer>()
  readonly #flights = new Map<number, HostFlight>()
  readonly #serverTable = new Map<number, Connection>()
  readonly #clientTable = new Map<number, Connection>()
  /** Lists through the calls themselves: a Set that comes and goes with each call leaves tables behind that keep calls from being collected. */
  readonly #halfOpen = new RecencyList<Call>()
  readonly #held = new RecencyList<Call>()
  readonly #unsettled: Call[] = []
  readonly #awaitReach = new Set<Connection>()
  readonly #receiveWindows: ReceiveWindow[] = []
  readonly #sendWindows: SendWindow[] = []
  readonly #sweep: TimerSlots
  readonly #salt: readonly [number, number]
  #isInside = false
  #nextCid: number
  #hand = 0
  #refusal = 0

  constructor(options: EndpointOptions) {
    this.options = options
    this.limits = { ...rxLimits, ...options.limits }
    this.timing = { ...rxTiming, ...options.timing }
    this.jumbograms = options.jumbograms ?? 1
    this.timers = new Timers(options.onEarlier)
    this.packetSizeMax = Math.max(ethernetPacketSize, Math.min(options.packetSizeMax ?? 0, packetSizeLimit))
    this.pool = new PacketPool(this.limits.sparePackets, this.packetSizeMax)
    this.epoch = ((options.random() | topBit) & ~secondBit) >>> 0
    this.#nextCid = (options.random() & ~channelMask) >>> 0
    this.#salt = [options.random(), options.random()]
    this.time = options.now()
    this.#sweep = new TimerSlots((_, now) => this.#sweepAll(now))
    for (const service of options.services ?? []) this.register(service)
  }

  // In.

  /** Datagrams follow that came together. */
  beginBatch(): void {
    this.isBatch = true
  }

  /** That were all: sends what was held back. */
  endBatch(): void {
    this.isBatch = false
    if (this.#unsettled.length === 0) return
    for (const call of this.#unsettled) call.settle()
    this.#unsettled.length = 0
  }

  /** The call wants to be told of the end of the batch. */
  settleAtEnd(call: Call): void {
    this.#unsettled.push(call)
  }

  /** Takes a datagram. Never throws for what is in it. `isLent`: its bytes may be used until it returns. */
  receive(bytes: Uint8Array, host: number, port: number, now: Millis, isLent = false): void {
    this.time = now
    this.isLent = isLent
    if (bytes.length < rxHeader.size || port === 0) {
      this.statistics.bogusPackets++
      return
    }
    this.#isInside = true
    try {
      this.#receive(bytes, host, port)
    } finally {
      this.#isInside = false
    }
  }

  #receive(bytes: Uint8Array, host: number, port: number): void {
    const header = this.#incoming
    readHeader(bytes, header)
    countType(this.statistics.packetsRead, header.type)
    if (header.type === packetTypes.version || header.type === packetTypes.debug)
      return answerDiagnostics(this, header, bytes, host, port)
    const isFromClient = (header.flags & packetFlags.clientInitiated) !== 0
    const known = isFromClient ? this.#findServer(header, host, port) : this.#findClient(header, port)
    if (known !== undefined) {
      if (known.security.index === header.securityIndex) known.receive(header, bytes)
      else this.statistics.spurious++
      return
    }
    // Only DATA begins anything: other packets for connections we do not know concern nothing.
    if (isFromClient && header.type === packetTypes.data && header.callNumber !== 0)
      this.#newServerConnection(header, host, port)?.receive(header, bytes)
    else this.statistics.spurious++
  }

  /** Runs what is due. */
  timeout(now: Millis): void {
    this.time = now
    this.#isInside = true
    try {
      this.timers.run(now)
    } finally {
      this.#isInside = false
    }
  }

  /** When `timeout` is wanted next; undefined for not at all. */
  nextTimeout(): Millis | undefined {
    return this.timers.next()
  }

  /** What `transmit` got has left; `isDrained` if the socket keeps none of it. */
  flushed(isDrained: boolean): void {
    this.pool.recycle(isDrained)
  }

  /** The time of this packet or timeout, or the clock's if the application calls by itself. */
  currentTime(): Millis {
    if (!this.#isInside) this.time = Math.max(this.time, this.options.now())
    return this.time
  }

  /** The system says that nobody listens there: calls that wait for this peer end when they would ask it again. */
  unreachable(host: number, port: number, now: Millis): void {
    const peer = this.#byPeer.get(host * 65_536 + port)
    if (peer !== undefined) peer.unreachableAt = now
  }

  // Services and connections.

  register(service: Service): void {
    this.#services.set(service.id, { service, timing: { ...this.timing, ...service.timing } })
  }

  /** New calls of clients are answered with this code from now on; 0 takes them again. */
  refuse(code: number): void {
    this.#refusal = code
  }

  /**
   * The code for a peer's new call that cannot be taken, 0 if it can. A host may have as many calls as are free: so whatever some
   * hosts do, there is room for the next one.
   */
  refusal(peer: Peer): number {
    if (this.#refusal !== 0) return this.#refusal
    return peer.flight.calls >= this.limits.calls - this.calls ? rxCodes.busy : 0
  }

  callBegins({ flight }: Peer): void {
    this.calls++
    flight.calls++
  }

  /** It is finished, or has failed. */
  callEnds({ flight }: Peer): void {
    this.calls--
    flight.calls--
  }

  /** Makes a connection of ours. It sends nothing before its first call. */
  connect(host: number, port: number, serviceId: number, options: ConnectOptions = {}): Connection {
    this.currentTime()
    let cid = this.#nextCid
    while (this.#clientTable.has(cid)) cid = (cid + channelMask + 1) >>> 0
    this.#nextCid = (cid + channelMask + 1) >>> 0
    const timing = { ...this.timing, ...options.timing }
    const names = { epoch: this.epoch, cid, serviceId }
    const security = options.security ?? nullSecurity
    const connection = new Connection(this, this.#peer(host, port), names, security, timing, undefined)
    this.#clientTable.set(cid, connection)
    this.#enlist(connection)
    return connection
  }

  /** Ends every call with an ABORT, forgets everything. */
  close(): void {
    for (const connection of [...this.connections]) connection.close()
    this.timers.drop(this.#sweep)
  }

  #enlist(connection: Connection): void {
    connection.place = this.connections.push(connection) - 1
    connection.peer.connections++
    if (!this.#sweep.isSet(0)) this.timers.set(this.#sweep, 0, this.time + this.timing.sweepMs)
  }

  /** Connections of clients by epoch and cid, and by address too where the epoch does not stand for the client. */
  #key(epoch: number, cid: number, host: number, port: number): number {
    const [one, two] = this.#salt
    let key = Math.imul(epoch ^ one, 0x9e37_79b1) + (cid ^ two)
    if ((epoch & topBit) === 0) key = Math.imul(key ^ host, 0x85eb_ca6b) + Math.imul(port, 0xc2b2_ae35)
    return (key ^ (key >>> 15)) & 0x3fff_ffff
  }

  #findServer(header: RxHeader, host: number, port: number): Connection | undefined {
    const cid = (header.cid & ~channelMask) >>> 0
    let found = this.#serverTable.get(this.#key(header.epoch, cid, host, port))
    for (; found !== undefined; found = found.next) {
      if (found.cid !== cid || found.epoch !== header.epoch) continue
      if ((header.epoch & topBit) !== 0 || (found.peer.host === host && found.peer.port === port)) return found
    }
    return undefined
  }

  #findClient(header: RxHeader, port: number): Connection | undefined {
    const found = this.#clientTable.get((header.cid & ~channelMask) >>> 0)
    return found !== undefined && found.epoch === header.epoch && found.peer.port === port ? found : undefined
  }

  #newServerConnection(header: RxHeader, host: number, port: number): Connection | undefined {
    const offered = this.#services.get(header.serviceId)
    const make = (offered?.service.securities ?? nullSecurities)[header.securityIndex]
    if (offered === undefined || make === undefined) {
      this.#sendRawAbort(header, host, port, rxCodes.invalidOperation)
      return undefined
    }
    // A packet that cannot begin a call leaves no trace.
    if (header.seq === 0 || header.seq > windowMax || !this.#makeRoom()) {
      this.statistics.packetsRefused++
      return undefined
    }
    const cid = (header.cid & ~channelMask) >>> 0
    const names = { epoch: header.epoch, cid, serviceId: header.serviceId }
    const { service, timing } = offered
    const connection = new Connection(this, this.#peer(host, port), names, make(), timing, service)
    connection.key = this.#key(header.epoch, cid, host, port)
    connection.next = this.#serverTable.get(connection.key)
    this.#serverTable.set(connection.key, connection)
    this.serverConnections++
    this.#enlist(connection)
    return connection
  }

  /** If there are too many connections, gives up one that has no calls and was not used since the last look. */
  #makeRoom(): boolean {
    if (this.connections.length < this.limits.connections) return true
    for (let step = 0; step < evictionSteps; step++) {
      this.#hand = (this.#hand + 1) % this.connections.length
      const one = this.connections[this.#hand]
      if (one === undefined || one.isClient || one.hasCalls) continue
      if (one.isFresh && step < evictionSteps / 2) one.isFresh = false
      else {
        this.statistics.evicted++
        this.forget(one)
        return true
      }
    }
    return false
  }

  /** Removes a connection; its calls end without a word. */
  forget(connection: Connection): void {
    if (connection.place < 0) return
    connection.discard("connection closed")
    this.#unlist(connection)
    if (connection.isClient) this.#clientTable.delete(connection.cid)
    else this.#untable(connection)
    this.#awaitReach.delete(connection)
    const { peer } = connection
    peer.idleSince = this.time
    if (--peer.connections === 0 && this.connections.length >= this.limits.connections - 1) this.#forgetPeer(peer)
  }

  #unlist(connection: Connection): void {
    const last = this.connections.pop()
    if (last !== undefined && last !== connection) {
      this.connections[connection.place] = last
      last.place = connection.place
    }
    connection.place = -1
  }

  #untable(connection: Connection): void {
    this.serverConnections--
    let before = this.#serverTable.get(connection.key)
    if (before === connection) {
      if (connection.next === undefined) this.#serverTable.delete(connection.key)
      else this.#serverTable.set(connection.key, connection.next)
      return
    }
    while (before !== undefined && before.next !== connection) before = before.next
    if (before !== undefined) before.next = connection.next
  }

  #peer(host: number, port: number): Peer {
    const key = host * 65_536 + port
    const known = this.#byPeer.get(key)
    if (known !== undefined) return known
    const flight = this.#flights.get(host) ?? new HostFlight(host)
    this.#flights.set(host, flight)
    flight.peers++
    const peer = new Peer(host, port, flight, this.timing.initialRoundTripMs)
    peer.idleSince = this.time
    this.#byPeer.set(key, peer)
    peer.place = this.peers.push(peer) - 1
    return peer
  }

  #forgetPeer(peer: Peer): void {
    this.#byPeer.delete(peer.host * 65_536 + peer.port)
    if (--peer.flight.peers === 0) this.#flights.delete(peer.host)
    const last = this.peers.pop()
    if (last === undefined || last === peer) return
    this.peers[peer.place] = last
    last.place = peer.place
  }

  #sweepAll(now: Millis): void {
    for (let index = this.connections.length - 1; index >= 0; index--) {
      const one = this.connections[index]
      if (one === undefined || one.isClient || one.hasCalls) continue
      if (now - one.lastUsed >= this.timing.connectionIdleMs) this.forget(one)
    }
    for (let index = this.peers.length - 1; index >= 0; index--) {
      const one = this.peers[index]
      if (one !== undefined && one.connections === 0 && now - one.idleSince >= this.timing.sweepMs)
        this.#forgetPeer(one)
    }
    if (this.peers.length > 0) this.timers.set(this.#sweep, 0, now + this.timing.sweepMs)
  }

  // Reachability.

  isReached(peer: Peer): boolean {
    return this.options.checkReach !== true || this.time - peer.reachedAt < this.timing.reachMs
  }

  awaitReach(connection: Connection, isWaiting: boolean): void {
    if (isWaiting) this.#awaitReach.add(connection)
    else this.#awaitReach.delete(connection)
  }

  /** The peer has answered a ping: its calls may run. */
  reached(peer: Peer): void {
    peer.reachedAt = this.time
    for (const connection of this.#awaitReach) {
      if (connection.peer !== peer) continue
      this.#awaitReach.delete(connection)
      connection.admitAll()
    }
  }

  // What calls hold, within limits.

  /** A call of which only a part has come; if there are too many, the oldest ends. */
  addHalfOpen(call: Call): void {
    this.#enroll(call, this.#halfOpen, this.limits.halfOpenCalls)
  }

  /** A reply that is not acknowledged; if there are too many, the oldest is given up. */
  hold(call: Call): void {
    this.#enroll(call, this.#held, this.limits.heldReplies)
  }

  /** The call is whole, or its reply acknowledged, or it is over: it is in neither list. */
  release(call: Call): void {
    call.listed?.remove(call)
    call.listed = undefined
  }

  #enroll(call: Call, calls: RecencyList<Call>, most: number): void {
    calls.add(call)
    call.listed = calls
    const { oldest } = calls
    if (calls.weight <= most || oldest === undefined) return
    this.statistics.evicted++
    oldest.end(rxCodes.callDead, "too many calls")
  }

  acquireReceive(): ReceiveWindow {
    return this.#receiveWindows.pop() ?? new ReceiveWindow()
  }

  releaseReceive(window: ReceiveWindow): void {
    this.unreadBytes -= window.unreadBytes
    window.reset()
    if (this.#receiveWindows.length < spareWindows) this.#receiveWindows.push(window)
  }

  acquireSend(): SendWindow {
    return this.#sendWindows.pop() ?? new SendWindow()
  }

  releaseSend(window: SendWindow): void {
    window.close()
    if (this.#sendWindows.length < spareWindows) this.#sendWindows.push(window)
  }

  // Out.

  /** Sends the front of `bytes`, an Rx packet of this type. */
  transmit(peer: Peer, bytes: Uint8Array, length: number, type: number): void {
    countType(this.statistics.packetsSent, type)
    peer.packetsSent++
    peer.bytesSent += length
    this.options.transmit(bytes, length, peer.host, peer.port)
  }

  /** Reads the body of an incoming ACK into `ack`. */
  readAck(bytes: Uint8Array, end: number): boolean {
    return readAck(bytes, rxHeader.size, end, this.ack)
  }

  /** The code in an ABORT; one that is too short or says 0 is a protocol error. */
  abortCode(bytes: Uint8Array, end: number): number {
    const code = end < rxHeader.size + 4 ? 0 : wordAt(bytes, rxHeader.size) | 0
    return code === 0 ? rxCodes.protocolError : code
  }

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
    const bytes = this.pool.control()
    const ack = this.#outgoingAck
    ack.firstPacket = first
    ack.previousPacket = previous
    ack.serial = serial
    ack.reason = reason
    ack.count = window?.writeArray(bytes, rxHeader.size + rxAck.size) ?? 0
    ack.maxMtu = Math.max(this.jumbograms > 1 ? jumbogramSize : ethernetPacketSize, this.packetSizeMax)
    ack.interfaceMtu = this.packetSizeMax
    ack.receiveWindow = windowMax
    ack.packetsPerDatagram = this.jumbograms
    rxHeader.write(header, bytes)
    const length = writeAck(ack, bytes, rxHeader.size)
    if (padTo <= length) return this.transmit(peer, bytes, length, packetTypes.ack)
    const padded = new Uint8Array(padTo)
    padded.set(bytes.subarray(0, length))
    this.transmit(peer, padded, padTo, packetTypes.ack)
  }

  sendAbort(peer: Peer, header: RxHeader, code: number): void {
    const bytes = this.#abort(header, code)
    this.transmit(peer, bytes, rxHeader.size + 4, packetTypes.abort)
  }

  #abort(header: RxHeader, code: number): Uint8Array {
    const bytes = this.pool.control()
    rxHeader.write(header, bytes)
    new DataView(bytes.buffer, bytes.byteOffset).setInt32(rxHeader.size, code)
    return bytes
  }

  /** Answers a packet with an ABORT, leaving no state. */
  sendAbortFor(header: RxHeader, peer: Peer, code: number): void {
    this.#sendRawAbort(header, peer.host, peer.port, code)
  }

  #sendRawAbort(header: RxHeader, host: number, port: number, code: number): void {
    Object.assign(this.header, header)
    this.header.seq = 0
    this.header.serial = 0
    this.header.type = packetTypes.abort
    this.header.flags = 0
    this.header.userStatus = 0
    this.header.checksum = 0
    const bytes = this.#abort(this.header, code)
    countType(this.statistics.packetsSent, packetTypes.abort)
    this.options.transmit(bytes, rxHeader.size + 4, host, port)
  }
}
