/**
 * The Rx protocol of one UDP port, both roles, without input, output or clock of its own: datagrams and time go in, datagrams
 * leave through `transmit`, and `nextTimeout` says when `timeout` is wanted. OpenAFS rx/rx.c.
 *
 * Rules for the shell: `transmit` must not call back; its bytes stay as they are until `flushed`. Bytes given to `receive` are
 * the endpoint's unless they are lent. Applications may call from anywhere: within `receive` and `timeout`, or between them.
 */
import type { Millis } from "../clock.ts"
import {
  channelMask,
  emptyHeader,
  ethernetPacketSize,
  packetFlags,
  packetSizeLimit,
  packetTypes,
  type RxHeader,
  readHeader,
  rxHeader,
} from "../protocol/rx-packet.ts"
import type { Call } from "./call.ts"
import { CallInput } from "./call-input.ts"
import { CallRoll } from "./call-roll.ts"
import { rxCodes } from "./codes.ts"
import { Connection, type ConnectOptions } from "./connection.ts"
import { ConnectionTable } from "./connection-table.ts"
import { ControlPackets } from "./control-packets.ts"
import { answerDiagnostics } from "./diagnostics.ts"
import { type RxLimits, type RxTiming, rxLimits, rxTiming, windowMax } from "./limits.ts"
import { PacketPool } from "./packet-pool.ts"
import type { Peer } from "./peer.ts"
import { PeerTable } from "./peer-table.ts"
import { Reachability } from "./reachability.ts"
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
  /** The bytes that are being received are lent: who keeps them has to copy them. */
  isLent = false
  /** Other datagrams may follow in this turn: ACKs that can wait do so until `endBatch`. */
  isBatch = false
  /** Received bytes that wait for readers. */
  unreadBytes = 0
  readonly roll: CallRoll
  readonly reach: Reachability
  readonly control: ControlPackets = new ControlPackets(this)
  /** Scratch for the packet that goes out. */
  readonly header: RxHeader = emptyHeader()
  /** Scratch for the packet that comes in. */
  readonly #incoming: RxHeader = emptyHeader()
  readonly #services = new Map<number, Offered>()
  readonly #connections: ConnectionTable
  readonly #peers: PeerTable
  readonly #unsettled: Call[] = []
  readonly #inputs: CallInput[] = []
  readonly #sendWindows: SendWindow[] = []
  readonly #sweep: TimerSlots
  #isInside = false

  constructor(options: EndpointOptions) {
    this.options = options
    this.limits = { ...rxLimits, ...options.limits }
    this.timing = { ...rxTiming, ...options.timing }
    this.jumbograms = options.jumbograms ?? 1
    this.timers = new Timers(options.onEarlier)
    this.packetSizeMax = Math.max(ethernetPacketSize, Math.min(options.packetSizeMax ?? 0, packetSizeLimit))
    this.pool = new PacketPool(this.limits.sparePackets, this.packetSizeMax)
    this.epoch = ((options.random() | topBit) & ~secondBit) >>> 0
    this.time = options.now()
    this.roll = new CallRoll(this.limits, this.statistics)
    this.reach = new Reachability(options.checkReach === true ? this.timing.reachMs : undefined)
    this.#connections = new ConnectionTable(options.random)
    this.#peers = new PeerTable(this.timing.initialRoundTripMs)
    this.#sweep = new TimerSlots((_, now) => this.#sweepAll(now))
    for (const service of options.services ?? []) this.register(service)
  }

  /** All connections and peers, in no order. */
  get connections(): readonly Connection[] {
    return this.#connections.all
  }
  get peers(): readonly Peer[] {
    return this.#peers.all
  }
  /** How many of the connections are those of clients to us. */
  get serverConnections(): number {
    return this.#connections.servers
  }
  /** Calls that are not finished, on both sides. */
  get calls(): number {
    return this.roll.running
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
    const known = isFromClient
      ? this.#connections.findServer(header, host, port)
      : this.#connections.findClient(header, port)
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
    const peer = this.#peers.find(host, port)
    if (peer !== undefined) peer.unreachableAt = now
  }

  // Services and connections.

  register(service: Service): void {
    this.#services.set(service.id, { service, timing: { ...this.timing, ...service.timing } })
  }

  /** New calls of clients are answered with this code from now on; 0 takes them again. */
  refuse(code: number): void {
    this.roll.refuse(code)
  }

  /** Makes a connection of ours. It sends nothing before its first call. */
  connect(host: number, port: number, serviceId: number, options: ConnectOptions = {}): Connection {
    const now = this.currentTime()
    const timing = { ...this.timing, ...options.timing }
    const names = { epoch: this.epoch, cid: this.#connections.freeCid(), serviceId }
    const security = options.security ?? nullSecurity
    const peer = this.#peers.findOrAdd(host, port, now)
    const connection = new Connection(this, peer, names, security, timing, undefined)
    this.#enlist(connection)
    return connection
  }

  /** Ends every call with an ABORT, forgets everything. */
  close(): void {
    for (const connection of [...this.connections]) connection.close()
    this.timers.drop(this.#sweep)
  }

  #enlist(connection: Connection): void {
    this.#connections.add(connection)
    connection.peer.connections++
    if (!this.#sweep.isSet(0)) this.timers.set(this.#sweep, 0, this.time + this.timing.sweepMs)
  }

  #newServerConnection(header: RxHeader, host: number, port: number): Connection | undefined {
    const offered = this.#services.get(header.serviceId)
    const make = (offered?.service.securities ?? nullSecurities)[header.securityIndex]
    if (offered === undefined || make === undefined) {
      this.control.refuse(header, host, port, rxCodes.invalidOperation)
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
    const peer = this.#peers.findOrAdd(host, port, this.time)
    const connection = new Connection(this, peer, names, make(), timing, service)
    this.#enlist(connection)
    return connection
  }

  /** If there are too many connections, gives one up. */
  #makeRoom(): boolean {
    if (this.connections.length < this.limits.connections) return true
    const unused = this.#connections.findUnused()
    if (unused === undefined) return false
    this.statistics.evicted++
    this.forget(unused)
    return true
  }

  /** Removes a connection; its calls end without a word. */
  forget(connection: Connection): void {
    if (connection.place < 0) return
    connection.discard("connection closed")
    if (!this.#connections.remove(connection)) return
    this.reach.drop(connection)
    const { peer } = connection
    peer.idleSince = this.time
    if (--peer.connections === 0 && this.connections.length >= this.limits.connections - 1) this.#peers.remove(peer)
  }

  #sweepAll(now: Millis): void {
    for (let index = this.connections.length - 1; index >= 0; index--) {
      const one = this.connections[index]
      if (one === undefined || one.isClient || one.hasCalls) continue
      if (now - one.lastUsed >= this.timing.connectionIdleMs) this.forget(one)
    }
    this.#peers.sweep(now - this.timing.sweepMs)
    if (this.peers.length > 0) this.timers.set(this.#sweep, 0, now + this.timing.sweepMs)
  }

  // Parts of calls, used again.

  acquireInput(): CallInput {
    return this.#inputs.pop() ?? new CallInput(this)
  }

  releaseInput(input: CallInput): void {
    input.reset()
    if (this.#inputs.length < spareWindows) this.#inputs.push(input)
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
    peer.packetsSent++
    peer.bytesSent += length
    this.transmitTo(peer.host, peer.port, bytes, length, type)
  }

  /** The same to somebody who is no peer yet. */
  transmitTo(host: number, port: number, bytes: Uint8Array, length: number, type: number): void {
    countType(this.statistics.packetsSent, type)
    this.options.transmit(bytes, length, host, port)
  }
}
