/**
 * What an RPC needs of the transport: one call as two streams of bytes with back pressure, who is at the other end, and an
 * end. The service and the client stubs know nothing else, so that they also run over a pair joined in memory.
 */

/** Where a peer is: IPv4 address (10.99.0.1 is 0x0a630001) and UDP port. */
interface RpcPeer {
  readonly host: number
  readonly port: number
}

/** Whom the security class has proved the caller to be. */
export interface RpcUser {
  readonly name: string
  readonly instance: string
  readonly cell: string
  /** Unix time in seconds. */
  readonly expires: number
}

/** What the calls of one connection have in common; also the key of what a server remembers about a caller. */
export interface RpcConnection {
  readonly peer: RpcPeer
  /** Absent: nobody has been proved. */
  readonly user?: RpcUser | undefined
  /** For the server: what it remembers of its caller. Goes with the connection. */
  context?: unknown
}

/** Why a call ended without a whole reply; `code` as on the wire. */
export interface CallFailure extends Error {
  readonly code: number
}

/** One call, seen from either side. Nothing of it waits: listeners are told when to try again. */
export interface RpcCall {
  readonly connection: RpcConnection
  /** Rides on every packet of ours; AFS's servers set 1 when a store is sure to fit. */
  userStatus: number
  /** Nothing can be read or written any more. */
  readonly isOver: boolean
  /** The peer has sent its last byte, and all of it was read. */
  readonly isRead: boolean
  /** There is something to read, or the end of it. */
  onData: ((call: never) => void) | undefined
  /** `write` took less than it was given and takes bytes again. */
  onRoom: ((call: never) => void) | undefined
  /** Once: with a CallFailure, or undefined when the peer has the reply (server) or all of it was read (client). */
  onEnd: ((call: never, failure: never) => void) | undefined
  /** Takes the next bytes that are here, undefined if none are. They are the caller's. Makes room for the peer to send on. */
  read(): Uint8Array | undefined
  /** Copies the next bytes that are here, at most `length`, to `target`; gives how many. */
  readInto(target: Uint8Array, at: number, length: number): number
  /** Takes (copies) bytes to send; gives how many, fewer than there are if the queue is full. */
  write(bytes: Uint8Array, from?: number, to?: number): number
  /** Our last byte was written: at a server the reply is complete, at a client the request. */
  finish(): void
  /** Ends the call at both sides; the peer sees `code`. Does nothing after the end. */
  abort(code: number): void
}

/** Codes of the layer between transport and procedures. OpenAFS rx/rxgen_consts.h. */
export const stubCodes = {
  /** The client cannot send its arguments. */
  clientMarshal: -450,
  /** The client cannot read the results: too short, or above a maximum. */
  clientUnmarshal: -451,
  /** The server cannot write its results. */
  serverMarshal: -452,
  /** The server cannot read the arguments: too short, or above a maximum. */
  serverUnmarshal: -453,
  /** The request does not even hold an opcode. */
  decode: -454,
  /** No such procedure; clients find out in this way what a server is able to do. */
  unknownOpcode: -455,
} as const

/**
 * A code that ends a call: what a client's stub throws when the server sent it, and what a server's procedure throws to
 * send a number that is none of the suite's own (`AfsError` for those).
 */
export class RpcError extends Error {
  override readonly name = "RpcError"
  /** As on the wire, signed. */
  readonly code: number
  /** The procedure, `RXAFS_FetchStatus`. */
  readonly operation: string

  constructor(code: number, operation: string, options: { detail?: string; cause?: unknown } = {}) {
    const why = options.detail ?? (options.cause instanceof Error ? options.cause.message : undefined)
    super(
      `${operation}: code ${code}${why === undefined ? "" : `: ${why}`}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.code = code
    this.operation = operation
  }
}

/** Rx's code for a call whose peer has gone or given it up. */
const callDead = -1

/** True for an RPC that ended with this code. */
export function isRpcError(error: unknown, ...wanted: readonly number[]): error is RpcError {
  return error instanceof RpcError && (wanted.length === 0 || wanted.includes(error.code))
}

/**
 * A call with its listeners turned into promises, and with bytes that were taken from the transport but not used yet.
 * One reader or one writer waits at a time.
 */
export class CallStream {
  readonly call: RpcCall
  #rest: Uint8Array | undefined
  #hasEnded = false
  #failure: CallFailure | undefined
  #wake: (() => void) | undefined
  /** Takes what has come, there and then; true if that is all that was wanted. */
  #take: (() => boolean) | undefined

  /** `rest` are bytes that were read from the call already. */
  constructor(call: RpcCall, rest?: Uint8Array) {
    this.call = call
    this.#rest = rest === undefined || rest.length === 0 ? undefined : rest
    const wake = (): void => this.#woken()
    call.onData = () => {
      if (this.#take === undefined || this.#take()) this.#woken()
    }
    call.onRoom = wake
    call.onEnd = (_call: never, failure: CallFailure | undefined) => {
      this.#failure = failure
      this.#hasEnded = failure === undefined
      this.#woken()
    }
  }

  /** Why the call has failed, if it has. */
  get failure(): CallFailure | undefined {
    if (this.#failure !== undefined || !this.call.isOver || this.#hasEnded) return this.#failure
    this.#failure = new RpcError(callDead, "call", { detail: "it was over before" })
    return this.#failure
  }

  /** Something can be read now. */
  get hasInput(): boolean {
    this.#rest ??= this.call.read()
    return this.#rest !== undefined
  }

  /** The peer sent its last byte, and all was read. */
  get isRead(): boolean {
    return !this.hasInput && (this.#hasEnded || this.call.isRead)
  }

  /** Takes at most `limit` of the next bytes, undefined if none are here. */
  read(limit = Number.POSITIVE_INFINITY): Uint8Array | undefined {
    const bytes = this.#rest ?? this.call.read()
    this.#rest = undefined
    if (bytes === undefined || bytes.length <= limit) return bytes
    this.#rest = bytes.subarray(limit)
    return bytes.subarray(0, limit)
  }

  /** Copies what is here, at most `length` bytes; gives how many. */
  readInto(target: Uint8Array, at: number, length: number): number {
    const first = this.#rest === undefined ? undefined : this.read(length)
    if (first === undefined) return this.call.readInto(target, at, length)
    target.set(first, at)
    return first.length + this.call.readInto(target, at + first.length, length - first.length)
  }

  /**
   * Copies bytes to `target` from `from` on as they come, up to its end or that of the input; gives where that is. Packets are
   * copied from within the receive path and nobody is woken for them.
   * @throws CallFailure if the call fails
   */
  async gather(target: Uint8Array, from: number): Promise<number> {
    let at = from
    const take = (): boolean => {
      at += this.readInto(target, at, target.length - at)
      return at === target.length || this.isRead
    }
    try {
      while (!take()) {
        this.#take = take
        await this.woken()
      }
    } finally {
      this.#take = undefined
    }
    return at
  }

  /** Waits until there is input or the end of it. @throws CallFailure */
  async readable(): Promise<void> {
    while (!this.hasInput && !this.isRead) await this.woken()
  }

  /**
   * Waits until something has changed: input, its end, room.
   * @throws CallFailure if the call has failed
   */
  async woken(): Promise<void> {
    if (this.failure === undefined) {
      if (this.#wake !== undefined) throw new Error("a call is waited for in two places")
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const failure = this.failure
    if (failure !== undefined) throw failure
  }

  /** Gives back bytes that were read last. */
  putBack(bytes: Uint8Array): void {
    if (this.#rest !== undefined) throw new Error("bytes are given back before others that were")
    if (bytes.length > 0) this.#rest = bytes
  }

  #woken(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
