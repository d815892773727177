/** Rx endpoints joined in memory, on a clock that moves from event to event, over a link that can be as bad as is wished. */
import type { Call } from "../../common/rx/call.ts"
import { Endpoint, type EndpointOptions, type Service } from "../../common/rx/endpoint.ts"
import { type Random, randomOf } from "./random.ts"

export interface Link {
  /** Of a thousand datagrams, how many are lost, come twice, and come later than those behind them. */
  readonly lossPerMille?: number
  readonly duplicatePerMille?: number
  readonly reorderPerMille?: number
  /** One way. */
  readonly delayMs?: number
  /** Longer datagrams do not pass. */
  readonly mtu?: number
  /** Each host takes a datagram in this time, and has room for so many that wait; what comes beyond is lost. */
  readonly takesMs?: number
  readonly room?: number
}

interface Flying {
  readonly at: number
  readonly order: number
  readonly bytes: Uint8Array
  readonly from: Address
  readonly to: Address
}

export interface Address {
  readonly host: number
  readonly port: number
}

/** A datagram as it was sent, whether it arrived or not. */
export interface Sent {
  readonly at: number
  readonly bytes: Uint8Array
  readonly from: Address
  readonly to: Address
}

type Receive = (bytes: Uint8Array, from: Address, now: number) => void

const keyOf = ({ host, port }: Address): string => `${host}:${port}`

/** A few things in the air at a time: a plain array does. */
export class RxNetwork {
  now = 1_000
  link: Link
  /** Everything that was sent, if `records`. */
  readonly sent: Sent[] = []
  records = true
  /** Of every second datagram the bytes are only lent, and overwritten when it has been received. */
  lends = true
  /** Datagrams delivered. */
  delivered = 0
  readonly random: Random
  readonly #receivers = new Map<string, Receive>()
  readonly #endpoints: Endpoint[] = []
  #flying: Flying[] = []
  #order = 0
  /** Until when each host is busy with what has reached it. */
  readonly #busyUntil = new Map<number, number>()
  /** Datagrams lost for want of room. */
  overflows = 0

  constructor(random: Random = randomOf(1), link: Link = {}) {
    this.random = random
    this.link = link
  }

  attach(address: Address, receive: Receive): void {
    this.#receivers.set(keyOf(address), receive)
  }

  detach(address: Address): void {
    this.#receivers.delete(keyOf(address))
  }

  /** An endpoint at an address. */
  endpoint(address: Address, options: Partial<EndpointOptions> = {}): Endpoint {
    const endpoint = new Endpoint({
      now: () => this.now,
      random: () => this.random.below(2 ** 32),
      ...options,
      transmit: (bytes, length, host, port) => this.send(bytes.slice(0, length), address, { host, port }),
    })
    this.#endpoints.push(endpoint)
    this.attach(address, (bytes, from, now) => {
      const isLent = this.lends && (this.delivered & 1) === 1
      endpoint.receive(bytes, from.host, from.port, now, isLent)
      if (isLent) bytes.fill(0xbb)
    })
    return endpoint
  }

  send(bytes: Uint8Array, from: Address, to: Address): void {
    const { lossPerMille = 0, duplicatePerMille = 0, reorderPerMille = 0, delayMs = 0.1, mtu = 65_507 } = this.link
    if (this.records) this.sent.push({ at: this.now, bytes, from, to })
    if (bytes.length > mtu || this.random.below(1000) < lossPerMille) return
    const copies = this.random.below(1000) < duplicatePerMille ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const isLate = copy > 0 || this.random.below(1000) < reorderPerMille
      const at = this.#queue(to, this.now + delayMs * (isLate ? 1 + this.random.below(30) / 10 : 1))
      if (at !== undefined) this.#flying.push({ at, order: this.#order++, bytes, from, to })
    }
  }

  /** When a datagram that reaches a host is taken by it; undefined if there is no room. */
  #queue({ host }: Address, at: number): number | undefined {
    const { takesMs = 0, room = Number.POSITIVE_INFINITY } = this.link
    if (takesMs === 0) return at
    const done = Math.max(at, this.#busyUntil.get(host) ?? 0) + takesMs
    if (done - at > room * takesMs) {
      this.overflows++
      return undefined
    }
    this.#busyUntil.set(host, done)
    return done
  }

  #nextFlying(): Flying | undefined {
    let first: Flying | undefined
    for (const one of this.#flying)
      if (first === undefined || one.at < first.at || (one.at === first.at && one.order < first.order)) first = one
    return first
  }

  #nextTimeout(): number {
    let least = Number.POSITIVE_INFINITY
    for (const endpoint of this.#endpoints) least = Math.min(least, endpoint.nextTimeout() ?? least)
    return least
  }

  /** Does the next thing that happens until `end`; false if there is nothing. */
  step(end = Number.POSITIVE_INFINITY): boolean {
    const flying = this.#nextFlying()
    const timeout = this.#nextTimeout()
    const at = Math.min(flying?.at ?? timeout, timeout)
    if (at === Number.POSITIVE_INFINITY || at > end) return false
    this.now = Math.max(this.now, at)
    if (flying !== undefined && flying.at <= timeout) this.#deliver(flying)
    else for (const endpoint of this.#endpoints) endpoint.timeout(this.now)
    for (const endpoint of this.#endpoints) endpoint.flushed(true)
    return true
  }

  #deliver(flying: Flying): void {
    this.#flying = this.#flying.filter((one) => one !== flying)
    this.delivered++
    this.#receivers.get(keyOf(flying.to))?.(flying.bytes.slice(), flying.from, this.now)
  }

  /** Lets time pass. */
  run(ms: number): void {
    const end = this.now + ms
    while (this.step(end));
    this.now = end
  }

  /** Goes on until it is true. @throws Error if that takes longer than `withinMs` */
  runUntil(isDone: () => boolean, withinMs = 600_000): void {
    const end = this.now + withinMs
    while (!isDone()) if (!this.step(end)) throw new Error(`not within ${withinMs} ms of the network's time`)
  }
}

export const serverAddress: Address = { host: 0x0a63_0001, port: 7000 }
export const clientAddress: Address = { host: 0x0a63_0002, port: 7001 }
export const serviceId = 1

/** Answers each complete request with the bytes that `answer` makes of it, or aborts with the number. */
export function answering(answer: (request: Uint8Array) => Uint8Array | number, id = serviceId): Service {
  return {
    id,
    onCall(call) {
      const pieces: Uint8Array[] = []
      const take = (): void => {
        for (let piece = call.read(); piece !== undefined; piece = call.read()) pieces.push(piece)
        if (!call.isRead) return
        const reply = answer(pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces))
        if (typeof reply === "number") call.abort(reply)
        else writeAll(call, reply)
      }
      call.onData = take
      take()
    },
  }
}

/** Writes everything as there is room, then finishes. */
export function writeAll(call: Call, bytes: Uint8Array): void {
  let written = 0
  const write = (): void => {
    written += call.write(bytes, written)
    if (written === bytes.length) call.finish()
  }
  call.onRoom = write
  write()
}

/** How a call of ours ended, when it has. */
export interface Outcome {
  readonly call: Call
  readonly pieces: Uint8Array[]
  ended: boolean
  code: number
  reply(): Buffer
}

/** Starts a call with this request and collects its reply. */
export function collect(call: Call, request: Uint8Array): Outcome {
  const pieces: Uint8Array[] = []
  const outcome: Outcome = { call, pieces, ended: false, code: 0, reply: () => Buffer.concat(pieces) }
  call.onData = () => {
    for (let piece = call.read(); piece !== undefined; piece = call.read()) pieces.push(piece)
  }
  call.onEnd = (_, error) => {
    if (outcome.ended) throw new Error("a call ended twice")
    outcome.ended = true
    outcome.code = error?.code ?? 0
  }
  writeAll(call, request)
  return outcome
}

/** A server and a client. */
export function pair(
  services: readonly Service[],
  options: { random?: Random; link?: Link; server?: Partial<EndpointOptions>; client?: Partial<EndpointOptions> } = {},
): { network: RxNetwork; server: Endpoint; client: Endpoint } {
  const network = new RxNetwork(options.random ?? randomOf(1), options.link)
  const server = network.endpoint(serverAddress, { services, ...options.server })
  const client = network.endpoint(clientAddress, options.client)
  return { network, server, client }
}
