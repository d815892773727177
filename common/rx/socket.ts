/**
 * The shell around an endpoint: one UDP socket, one timer set to the endpoint's next timeout, the machine's clock and
 * randomness. What arrives in one turn of the event loop is taken in as a batch, and what that sends goes out at its end.
 * The only import of node:dgram.
 */
import { randomBytes } from "node:crypto"
import { createSocket, type RemoteInfo, type Socket } from "node:dgram"
import type { Millis } from "../clock.ts"
import {
  type DatagramPort,
  hostText,
  type OpenPort,
  type PortEvents,
  parseHost,
  receiveBufferBytes,
} from "./datagram-port.ts"
import { Endpoint, type EndpointOptions } from "./endpoint.ts"
import { openSystemPort } from "./system-port.ts"
import { isBindFailure } from "./system-socket.ts"

/** Addresses are turned into numbers and back for each datagram: this many are remembered. */
const hostsRemembered = 4_096
/** Longest delay of Node's timers. */
const delayMax = 2 ** 31 - 1

/** A table that forgets everything when it is full, since anybody can send from any address. */
function remember<K, V>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>()
  return (key) => {
    const found = known.get(key)
    if (found !== undefined) return found
    if (known.size >= hostsRemembered) known.clear()
    const made = make(key)
    known.set(key, made)
    return made
  }
}

type Lookup = (
  name: string,
  options: unknown,
  done: (error: Error | null, address: string, family: number) => void,
) => void

/** Addresses are numbers already: asking the resolver would put each datagram off by a turn. */
const literal: Lookup = (name, _, done) => done(null, name, 4)

async function bind(socket: Socket, address: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject)
    socket.bind({ address, port }, () => {
      socket.removeListener("error", reject)
      resolve()
    })
  })
}

/** Without it more is lost while the loop is busy, and everything works. */
function enlargeBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(receiveBufferBytes)
  } catch {
    // The system may refuse what it does not cut to its own bound.
  }
}

class NodePort implements DatagramPort {
  readonly name = "node:dgram"
  readonly lends = false
  readonly address: string
  readonly port: number
  sendFailures = 0
  readonly #socket: Socket
  readonly #text = remember(hostText)
  #isClosed = false

  constructor(socket: Socket) {
    this.#socket = socket
    const { address, port } = socket.address()
    this.address = address
    this.port = port
  }

  /** node:dgram tries to send at once, so that there is nothing to keep. */
  send(bytes: Uint8Array, length: number, host: number, port: number): void {
    if (this.#isClosed) return
    this.#socket.send(bytes, 0, length, port, this.#text(host))
  }

  flush(): boolean {
    return this.#isClosed || this.#socket.getSendQueueCount() === 0
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#isClosed = true
    return new Promise((resolve) => this.#socket.close(() => resolve()))
  }
}

/** A port on node:dgram. Its batch is what arrives in one turn of the event loop. */
export const openNodePort: OpenPort = async (address: string, port: number, events: PortEvents) => {
  const socket = createSocket({ type: "udp4", lookup: literal })
  try {
    await bind(socket, address, port)
  } catch (error) {
    socket.close()
    throw error
  }
  enlargeBuffer(socket)
  const opened = new NodePort(socket)
  // Errors of single datagrams (a host that cannot be reached) are for the timers to find out.
  socket.on("error", () => opened.sendFailures++)
  const hostOf = remember((text: string) => parseHost(text) ?? 0)
  let isOpen = false
  const end = (): void => {
    isOpen = false
    events.batchEnd()
  }
  socket.on("message", (bytes: Buffer, from: RemoteInfo) => {
    if (!isOpen) {
      isOpen = true
      setImmediate(end)
    }
    events.receive(bytes, hostOf(from.address), from.port)
  })
  return opened
}

export interface RxSocketOptions extends Omit<EndpointOptions, "transmit" | "now" | "random" | "onEarlier"> {
  /** 0.0.0.0 if absent. */
  readonly address?: string
  /** 0, any free port, if absent. */
  readonly port?: number
  /** "auto" if absent. */
  readonly backEnd?: SocketBackEnd
}

/** How datagrams come and go: by the C library's calls for many at a time, by Node's own, or by the first that works. */
export const socketBackEnds = ["auto", "system", "node"] as const
export type SocketBackEnd = (typeof socketBackEnds)[number]

interface Opened {
  readonly port: DatagramPort
  /** Why it is not the faster one; empty if it is, or was not wanted. */
  readonly note: string
}

async function openPort(options: RxSocketOptions, events: PortEvents): Promise<Opened> {
  const { address = "0.0.0.0", port = 0, backEnd = "auto" } = options
  if (backEnd === "node") return { port: await openNodePort(address, port, events), note: "" }
  try {
    return { port: await openSystemPort(address, port, events), note: "" }
  } catch (error) {
    if (backEnd === "system" || isBindFailure(error)) throw error
    const note = error instanceof Error ? error.message : String(error)
    return { port: await openNodePort(address, port, events), note }
  }
}

/** An endpoint on a UDP port. */
export class RxSocket implements AsyncDisposable {
  readonly endpoint: Endpoint
  /** Why a slower back end than could be was taken; empty if it was not. */
  backEndNote = ""
  #port: DatagramPort | undefined
  #lends = false
  #timer: NodeJS.Timeout | undefined
  /** What the timer is set to. */
  #timerAt = Number.POSITIVE_INFINITY
  #isFlushing = false
  #isBatch = false
  #batchTime: Millis = 0

  /** Made by openRxSocket. */
  constructor(options: RxSocketOptions) {
    this.endpoint = new Endpoint({
      ...options,
      transmit: (bytes, length, host, port) => this.#send(bytes, length, host, port),
      now: () => performance.now(),
      random: () => randomBytes(4).readUInt32BE(),
      onEarlier: () => this.#soon(),
    })
  }

  /** How datagrams come and go, in a word for the log; empty if closed. */
  get backEnd(): string {
    return this.#port?.name ?? ""
  }
  get address(): string {
    return this.#port?.address ?? ""
  }
  get port(): number {
    return this.#port?.port ?? 0
  }

  async open(options: RxSocketOptions): Promise<void> {
    const events: PortEvents = {
      receive: (bytes, host, port) => this.#receive(bytes, host, port),
      unreachable: (host, port) => this.endpoint.unreachable(host, port, performance.now()),
      batchEnd: () => {
        this.#isBatch = false
        this.endpoint.endBatch()
        this.#settle()
      },
    }
    const { port, note } = await openPort(options, events)
    this.#port = port
    this.#lends = port.lends
    this.backEndNote = note
  }

  /** Says farewell to servers we call, and gives the port back. */
  async close(): Promise<void> {
    this.endpoint.close()
    this.#settle()
    clearTimeout(this.#timer)
    const port = this.#port
    this.#port = undefined
    await port?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** One look at the clock serves a batch. */
  #receive(bytes: Uint8Array, host: number, port: number): void {
    if (this.#port === undefined) return
    if (!this.#isBatch) {
      this.#isBatch = true
      this.#batchTime = performance.now()
      this.endpoint.beginBatch()
    }
    this.endpoint.receive(bytes, host, port, this.#batchTime, this.#lends)
  }

  #send(bytes: Uint8Array, length: number, host: number, port: number): void {
    this.#port?.send(bytes, length, host, port)
    this.#soon()
  }

  /** At the end of the turn at the latest, things are put in order. */
  #soon(): void {
    if (this.#isBatch || this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(() => this.#settle())
  }

  #settle(): void {
    this.#isFlushing = false
    const port = this.#port
    if (port === undefined) return
    this.endpoint.flushed(port.flush())
    this.endpoint.statistics.sendFailures = port.sendFailures
    this.#setTimer()
  }

  #setTimer(): void {
    const next = this.endpoint.nextTimeout() ?? Number.POSITIVE_INFINITY
    // A timer that fires early does no harm, and setting one costs more than that.
    if (next >= this.#timerAt && this.#timer !== undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timerAt = next
    if (next === Number.POSITIVE_INFINITY) return
    const delay = Math.min(Math.max(1, Math.ceil(next - performance.now())), delayMax)
    this.#timer = setTimeout(() => this.#expire(), delay)
    this.#timer.unref()
  }

  #expire(): void {
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
    this.endpoint.timeout(performance.now())
    this.#settle()
  }
}

/** Opens an endpoint on a UDP port. @throws Error of the system if the port cannot be had */
export async function openRxSocket(options: RxSocketOptions = {}): Promise<RxSocket> {
  const socket = new RxSocket(options)
  await socket.open(options)
  return socket
}
