/**
 * A port on recvmmsg with UDP_GRO and sendmmsg with UDP_SEGMENT, by way of the C library. One event of the loop takes in all
 * that is there, and everything that this sends leaves in one system call at its end.
 */
import { Spinner } from "../spinner.ts"
import { type Libc, libcAbsence, openLibc, type Watch } from "../system/libc.ts"
import { type DatagramPort, hostText, type OpenPort, type PortEvents, parseHost } from "./datagram-port.ts"
import { ErrorQueue } from "./error-queue.ts"
import { ReceiveBatch } from "./receive-batch.ts"
import { SendBatch } from "./send-batch.ts"
import { openSystemSocket, type SystemSocket } from "./system-socket.ts"

/** In one event; what is left makes the next one at once, so that timers and files have their turn. */
const batchesMax = 16
/**
 * After so few messages the next one is waited for awake, if it lately came soon: one caller sleeps while we work, and waking
 * takes longer than its call. Several callers keep us awake themselves, and need the processor.
 */
const fewMessages = 2

class SystemPort implements DatagramPort {
  readonly name = "recvmmsg"
  readonly lends = true
  readonly address: string
  readonly port: number
  readonly #socket: SystemSocket
  readonly #events: PortEvents
  readonly #incoming: ReceiveBatch
  readonly #outgoing: SendBatch
  readonly #errors: ErrorQueue
  readonly #watch: Watch
  readonly #take: PortEvents["receive"]
  readonly #spinner = new Spinner()
  #isClosed = false
  /** The socket's send buffer is full: we are told when it is not. */
  #isBlocked = false

  constructor(libc: Libc, socket: SystemSocket, events: PortEvents) {
    this.#socket = socket
    this.#events = events
    this.address = hostText(socket.host)
    this.port = socket.port
    this.#incoming = new ReceiveBatch(libc)
    this.#outgoing = new SendBatch(libc)
    this.#errors = new ErrorQueue(libc)
    this.#take = (bytes, host, port) => {
      if (!this.#isClosed) events.receive(bytes, host, port)
    }
    this.#watch = libc.watch(socket.descriptor, { readable: true, writable: false }, this.#ready)
  }

  get sendFailures(): number {
    return this.#outgoing.failures
  }

  /** An exception here would not be seen by anybody, and promises would not go on: an immediate cares for both. */
  readonly #ready = (status: number): void => {
    try {
      if (status !== 0) this.#takeErrors()
      if (this.#isBlocked) this.flush()
      this.#receive()
      setImmediate(nothing)
    } catch (error) {
      setImmediate(() => {
        throw error
      })
    }
  }

  /**
   * Until nothing is there: what is sent at the end of a batch often brings the next one before a wait for it could begin, and
   * being woken costs more than looking.
   */
  #receive(): void {
    this.#spinner.arrived()
    let messages = 0
    for (let batches = 0; batches < batchesMax && !this.#isClosed; batches++) {
      const count = this.#incoming.receive(this.#socket.descriptor, this.#take)
      if (count === 0) break
      messages += count
      this.#events.batchEnd()
    }
    if (messages > 0 && messages <= fewMessages) this.#spinner.expect()
  }

  /** The event loop stops watching a socket on which an error is reported. */
  #takeErrors(): void {
    this.#errors.drain(this.#socket.descriptor, this.#events.unreachable)
    this.#listen()
  }

  #listen(): void {
    if (!this.#isClosed) this.#watch.start({ readable: true, writable: this.#isBlocked }, this.#ready)
  }

  send(bytes: Uint8Array, length: number, host: number, port: number): void {
    if (this.#isClosed || this.#outgoing.add(bytes, length, host, port)) return
    this.flush()
    // While the socket takes nothing this is a loss like any other.
    if (!this.#outgoing.add(bytes, length, host, port)) this.#outgoing.failures++
  }

  flush(): boolean {
    if (this.#isClosed || (this.#outgoing.isEmpty && !this.#isBlocked)) return true
    const isBlocked = !this.#outgoing.send(this.#socket.descriptor)
    if (isBlocked !== this.#isBlocked) {
      this.#isBlocked = isBlocked
      this.#listen()
    }
    return true
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.flush()
    this.#isClosed = true
    this.#outgoing.drop()
    this.#watch.close()
    this.#socket.close()
    return Promise.resolve()
  }
}

const nothing = (): void => undefined

/** @throws Error if the C library cannot be had, the kernel lacks the options, or the port cannot be had (isBindFailure) */
export const openSystemPort: OpenPort = (address, port, events) => {
  const libc = openLibc()
  if (libc === undefined) return Promise.reject(new Error(libcAbsence()))
  const host = parseHost(address)
  if (host === undefined) return Promise.reject(new Error(`${address} is no IPv4 address`))
  try {
    const socket = openSystemSocket(libc, host, port)
    return Promise.resolve(new SystemPort(libc, socket, events))
  } catch (error) {
    return Promise.reject(error)
  }
}
