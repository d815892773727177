/**
 * RPC calls without a network: two ends joined in memory, bytes cut into packets, a bounded queue each way, and arrival in
 * a later turn of the event loop.
 */

import type { CallSource } from "../../common/rpc/client.ts"
import type { CallFailure, RpcCall, RpcConnection, RpcUser } from "../../common/rpc/rpc-call.ts"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import type { Service } from "../../common/rpc/service.ts"

export interface PairOptions {
  /** Bytes of the next packet; all that were written at once if absent. */
  readonly packetSize?: () => number
  /** Bytes that wait to be read before a writer has to wait. */
  readonly queueBytes?: number
}

/** Resolves when what was sent by now has arrived. */
export const arrived = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const user: RpcUser = { name: "ann", instance: "", cell: "example.org", expires: 2 ** 31 }
const memoryConnection: RpcConnection = { peer: { host: 0x0a630001, port: 7001 }, user }

/** One end of a call; counts what tests ask about. */
export class MemoryCall implements RpcCall {
  readonly connection = memoryConnection
  userStatus = 0
  onData: ((call: never) => void) | undefined
  onRoom: ((call: never) => void) | undefined
  onEnd: ((call: never, failure: never) => void) | undefined
  /** The code it was aborted with, by whichever side. */
  code: number | undefined
  /** Bytes that the other end has written. */
  received = 0
  /** The most bytes that waited to be read at once. */
  waitingMax = 0
  #other: MemoryCall | undefined
  readonly #options: PairOptions
  readonly #packets: Uint8Array[] = []
  #waiting = 0
  #isPeerDone = false
  #isDone = false
  #wantsRoom = false
  #isOver = false

  constructor(options: PairOptions) {
    this.#options = options
  }

  static pair(options: PairOptions = {}): { client: MemoryCall; server: MemoryCall } {
    const client = new MemoryCall(options)
    const server = new MemoryCall(options)
    client.#other = server
    server.#other = client
    return { client, server }
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get isRead(): boolean {
    return this.#isPeerDone && this.#waiting === 0
  }

  read(): Uint8Array | undefined {
    const bytes = this.#packets.shift()
    this.#taken(bytes?.length ?? 0)
    return bytes
  }

  readInto(target: Uint8Array, at: number, length: number): number {
    let done = 0
    for (let first = this.#packets[0]; first !== undefined && done < length; first = this.#packets[0]) {
      const count = Math.min(first.length, length - done)
      target.set(first.subarray(0, count), at + done)
      done += count
      if (count === first.length) this.#packets.shift()
      else this.#packets[0] = first.subarray(count)
    }
    this.#taken(done)
    return done
  }

  write(bytes: Uint8Array, from = 0, to = bytes.length): number {
    const other = this.#other
    if (other === undefined || this.#isOver || this.#isDone) return 0
    const room = Math.max(0, (this.#options.queueBytes ?? Number.POSITIVE_INFINITY) - other.#waiting)
    const count = Math.min(to - from, room)
    this.#wantsRoom = count < to - from
    other.#arrive(Uint8Array.from(bytes.subarray(from, from + count)))
    return count
  }

  finish(): void {
    const other = this.#other
    if (other === undefined || this.#isOver || this.#isDone) return
    this.#isDone = true
    other.#isPeerDone = true
    other.#tell()
  }

  abort(code: number): void {
    this.#fail(code)
    const other = this.#other
    if (other !== undefined) setImmediate(() => other.#fail(code))
  }

  #taken(count: number): void {
    this.#waiting -= count
    const other = this.#other
    if (count === 0 || other === undefined || !other.#wantsRoom) return
    setImmediate(() => {
      if (!other.#wantsRoom) return
      other.#wantsRoom = false
      other.onRoom?.(other as never)
    })
  }

  #arrive(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const size = Math.max(1, this.#options.packetSize?.() ?? bytes.length)
      this.#packets.push(bytes.subarray(at, at + size))
      at += size
    }
    this.#waiting += bytes.length
    this.received += bytes.length
    this.waitingMax = Math.max(this.waitingMax, this.#waiting)
    this.#tell()
  }

  #tell(): void {
    setImmediate(() => this.onData?.(this as never))
  }

  #fail(code: number): void {
    if (this.#isOver || (this.#isDone && this.isRead)) return
    this.#isOver = true
    this.code = code
    this.#packets.length = 0
    this.#waiting = 0
    const failure: CallFailure = new RpcError(code, "call")
    this.onEnd?.(this as never, failure as never)
  }
}

export interface MemoryServer extends CallSource {
  /** The server's ends of all calls so far. */
  readonly calls: MemoryCall[]
}

/** A connection to a service in the same process. */
export function connectionTo(service: Service, options: PairOptions = {}): MemoryServer {
  const calls: MemoryCall[] = []
  return {
    calls,
    newCall() {
      const { client, server } = MemoryCall.pair(options)
      calls.push(server)
      let isServed = false
      server.onData = () => {
        if (isServed) return
        isServed = true
        server.onData = undefined
        service.onCall(server)
      }
      return client
    },
  }
}

export interface RawAnswer {
  readonly code: number | undefined
  readonly reply: Uint8Array
}

/** Sends a request's bytes and gives what came back: bytes, or the code of the abort. */
export async function rawCall(service: Service, request: Uint8Array, options: PairOptions = {}): Promise<RawAnswer> {
  const call = connectionTo(service, options).newCall() as MemoryCall
  const parts: Uint8Array[] = []
  call.write(request)
  call.finish()
  await new Promise<void>((resolve) => {
    call.onEnd = () => resolve()
    call.onData = () => {
      for (let bytes = call.read(); bytes !== undefined; bytes = call.read()) parts.push(bytes)
      if (call.isRead) resolve()
    }
  })
  return { code: call.code, reply: Buffer.concat(parts) }
}
