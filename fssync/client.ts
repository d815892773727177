/**
 * The client's side of an FSSYNC or SALVSYNC socket: connects on first use, keeps the connection, has any number of
 * requests under way, and comes back after the server has restarted.
 *
 * When a connection breaks, the requests under way are sent again on the next one if their command's row says that this is
 * harmless (command-table.ts) and the rule allows it (retry-rule.ts); the others fail. So does everything when the
 * server stays away. What the server remembered of the old connection (volumes checked out, uses begun with GET) it has
 * let go by then: who relies on a checkout asks with QUERY_VOP (verify-checkout.ts).
 */
import type { Clock } from "../common/clock.ts"
import { AfsError, FormatError } from "../common/error.ts"
import { absenceText } from "./absent-server.ts"
import { ClientConnection, OpenafsServerError, type SyncConnection } from "./client-connection.ts"
import type { CommandRow, SyncProtocol } from "./command-table.ts"
import { channelClose, responses, type Sender, type SyncRequest } from "./message.ts"
import { connectionId, type SyncCall, type WireAnswer } from "./message-codec.ts"
import { OpenafsConnection } from "./openafs-connection.ts"
import { patientRule, type RetryRule, type Tried, whyNotAgain } from "./retry-rule.ts"
import { serverText, type Waiting, waitNoticeMs } from "./waiting.ts"

export interface SyncClientOptions {
  /** Of the server's socket. */
  readonly path: string
  readonly protocol: SyncProtocol
  /** What requests claim about who asks. */
  readonly sender: Sender
  /** Default `patientRule`. */
  readonly rule?: RetryRule
  /** A request without an answer fails after this time. Default: none; checkouts may wait long for a volume's users. */
  readonly timeoutMs?: number | undefined
  /** Told once of each request that has no answer after `waitNoticeMs`. */
  readonly onWait?: ((waiting: Waiting) => void) | undefined
  /** Default: as DAFS_SYNC_FORM says, else `detect`. */
  readonly form?: ClientForm
  readonly clock?: Clock
}

/** The form that a client speaks. `detect`: ours, until a server answers in OpenAFS's. */
export type ClientForm = "ours" | "openafs" | "detect"

/** What the environment says of the form, for every client of a process and its children. */
function formInEnvironment(): ClientForm {
  const word = process.env["DAFS_SYNC_FORM"]
  return word === "ours" || word === "openafs" ? word : "detect"
}

/** A request's own fields; what is absent is 0, "" or the client's `sender`. */
export type RequestFields = Partial<Omit<SyncRequest, "command">>

/** An answer whose payload has been checked: present if the command returns something and the answer is OK. */
export interface SyncReply<T> {
  /** `responses` number. */
  readonly response: number
  readonly reason: number
  readonly payload: T | undefined
}

/** A request that has no answer yet. */
interface Pending extends Tried {
  tries: number
  firstSent: number
  readonly row: CommandRow<unknown>
  readonly repeatable: boolean
  readonly call: SyncCall
  /** Checks the payload. @throws FormatError */
  readonly settle: (answer: WireAnswer) => void
  readonly fail: (error: unknown) => void
  cancelTimeout: () => void
  cancelNotice: () => void
}

/** The machine's clock, with timers that keep the process alive: a client that waits has work to do. */
const waitingClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms)
    return () => clearTimeout(timer)
  },
}

const nothing = (): void => undefined

/** Keeps the process alive while it is connected: close it. */
export class SyncClient implements AsyncDisposable {
  readonly #options: SyncClientOptions
  readonly #rule: RetryRule
  readonly #clock: Clock
  readonly #pending = new Map<number, Pending>()
  #connection: SyncConnection | undefined
  #form: ClientForm
  #connecting = false
  #closed = false
  #lastId = 0
  #connections = 0
  /** Ends the present pause between tries to connect. */
  #wake: () => void = nothing

  constructor(options: SyncClientOptions) {
    this.#options = options
    this.#rule = options.rule ?? patientRule
    this.#clock = options.clock ?? waitingClock
    this.#form = options.form ?? formInEnvironment()
  }

  /** `openafs` once a server has answered in that form. */
  get form(): ClientForm {
    return this.#form
  }

  /** Connections made so far: if it has changed, what the server kept for the former one is gone. */
  get connections(): number {
    return this.#connections
  }

  /**
   * Sends a request of a command's row and waits for the answer; a refusal is an answer too.
   * @throws AfsError UNREACHABLE if no server answers, or the connection broke and the request may not be repeated;
   *   TIMEDOUT; INTERRUPTED if the client was closed; FormatError if the payload is not of the row's shape
   */
  call<T>(row: CommandRow<T>, fields: RequestFields = {}): Promise<SyncReply<T>> {
    return new Promise((resolve, reject) => {
      this.#begin(row, fields, reject, (answer) => resolve(unpackAnswer(row, answer)))
    })
  }

  /** Sends a request by command number. @throws as `call`; AfsError EINVAL if the protocol has no such command */
  request(request: RequestFields & { readonly command: number }): Promise<SyncReply<unknown>> {
    const row = this.#options.protocol.commands.get(request.command)
    if (row !== undefined) return this.call(row, request)
    const detail = `${this.#options.protocol.name} has no command ${request.command}`
    return Promise.reject(new AfsError("EINVAL", "request", { path: this.#options.path }, { detail }))
  }

  /** Ends the connection in order. Requests under way fail with INTERRUPTED. */
  async close(): Promise<void> {
    this.#closed = true
    this.#failAll(
      new AfsError("INTERRUPTED", "request", { path: this.#options.path }, { detail: "the client was closed" }),
    )
    this.#wake()
    const connection = this.#connection
    this.#connection = undefined
    await connection?.close(this.#callOf(channelClose, {}))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #begin(
    row: CommandRow<unknown>,
    fields: RequestFields,
    reject: (error: unknown) => void,
    settle: (answer: WireAnswer) => void,
  ): void {
    if (this.#closed) {
      reject(new AfsError("INTERRUPTED", row.name, { path: this.#options.path }, { detail: "the client is closed" }))
      return
    }
    const call = this.#callOf(row.code, fields)
    const { repeatable } = row
    const pending: Pending = {
      row,
      repeatable,
      call,
      tries: 0,
      firstSent: 0,
      settle,
      fail: reject,
      cancelTimeout: nothing,
      cancelNotice: this.#startNotice(row.name),
    }
    if (this.#options.timeoutMs !== undefined)
      pending.cancelTimeout = this.#startTimeout(pending, this.#options.timeoutMs)
    this.#pending.set(call.id, pending)
    if (this.#connection !== undefined) this.#send(this.#connection, pending)
    else void this.#connect() // never rejects: failures go to the requests that wait
  }

  #callOf(command: number, fields: RequestFields): SyncCall {
    const { sender } = this.#options
    return {
      id: this.#nextId(),
      command,
      reason: fields.reason ?? 0,
      programType: fields.programType ?? sender.programType,
      pid: fields.pid ?? sender.pid,
      thread: fields.thread ?? sender.thread,
      volume: fields.volume ?? 0,
      partition: fields.partition ?? "",
      parent: fields.parent ?? 0,
      vnode: fields.vnode ?? 0,
      unique: fields.unique ?? 0,
    }
  }

  /** 1 to 2^32-1, then from 1 again: those of 4 billion requests ago are answered. */
  #nextId(): number {
    do this.#lastId = this.#lastId === 0xffff_ffff ? 1 : this.#lastId + 1
    while (this.#pending.has(this.#lastId))
    return this.#lastId
  }

  #startTimeout(pending: Pending, timeoutMs: number): () => void {
    return this.#clock.after(timeoutMs, () => {
      const { path } = this.#options
      if (this.#connection === undefined) {
        this.#drop(pending, this.#unreachable(pending.row.name, `no server within ${timeoutMs / 1000} s`))
        return
      }
      const detail = `${serverText(path)} did not answer within ${timeoutMs / 1000} s`
      this.#drop(pending, new AfsError("TIMEDOUT", pending.row.name, { path }, { detail }))
    })
  }

  #startNotice(request: string): () => void {
    const { onWait, path } = this.#options
    return onWait === undefined ? nothing : this.#clock.after(waitNoticeMs, () => onWait({ path, request }))
  }

  #send(connection: SyncConnection, pending: Pending): void {
    if (this.#form === "openafs" && pending.row.openafs === undefined) {
      this.#drop(pending, this.#noSuchCommand(pending.row.name))
      return
    }
    if (pending.tries === 0) pending.firstSent = this.#clock.now()
    pending.tries++
    try {
      connection.send(pending.call)
    } catch (error) {
      this.#drop(pending, error)
    }
  }

  #drop(pending: Pending, error: unknown): void {
    this.#forget(pending)
    pending.fail(error)
  }

  #forget(pending: Pending): void {
    pending.cancelTimeout()
    pending.cancelNotice()
    this.#pending.delete(pending.call.id)
    if (this.#pending.size === 0) this.#wake()
  }

  #failAll(error: unknown): void {
    for (const pending of [...this.#pending.values()]) this.#drop(pending, error)
  }

  #answered(answer: WireAnswer): void {
    if (answer.response === responses.COM_ERROR) {
      throw new Error(`the server calls ${answer.id === connectionId ? "this connection" : "a request"} malformed`)
    }
    const pending = this.#pending.get(answer.id)
    if (pending === undefined) return // it timed out
    this.#forget(pending)
    try {
      pending.settle(answer)
    } catch (error) {
      pending.fail(error)
    }
  }

  /** Requests that may not be sent again fail; for the others there is a new connection. */
  #broken(cause: Error): void {
    this.#connection = undefined
    if (cause instanceof OpenafsServerError && this.#form === "detect") {
      this.#form = "openafs"
      for (const pending of this.#pending.values()) pending.tries = 0
    }
    const now = this.#clock.now()
    for (const pending of [...this.#pending.values()]) {
      const why = whyNotAgain(this.#rule, pending, now)
      if (why !== undefined) this.#drop(pending, this.#unreachable(pending.row.name, `${why} (${cause.message})`))
    }
    if (this.#pending.size > 0) void this.#connect() // never rejects, as above
  }

  #unreachable(operation: string, detail: string): AfsError {
    return new AfsError("UNREACHABLE", operation, { path: this.#options.path }, { detail })
  }

  #noSuchCommand(name: string): AfsError {
    const detail = `OpenAFS's server at ${this.#options.path} has no command ${name}`
    return new AfsError("DENIED", name, { path: this.#options.path }, { detail })
  }

  #connectError(error: unknown): AfsError {
    if (!isForbidden(error)) return this.#unreachable("connect", absenceText(this.#options.path, error))
    return new AfsError("EACCES", "connect", { path: this.#options.path }, { cause: error })
  }

  /** Connects, with the rule's pauses, for as long as requests wait; then sends them, or fails them all. */
  async #connect(): Promise<void> {
    if (this.#connecting) return
    this.#connecting = true
    try {
      const connection = await this.#tryConnections()
      if (connection !== undefined) this.#adopt(connection)
    } catch (error) {
      this.#failAll(this.#connectError(error))
    } finally {
      this.#connecting = false
    }
    // requests that came in while the last try failed
    if (this.#connection === undefined && this.#pending.size > 0) void this.#connect()
  }

  #adopt(connection: SyncConnection): void {
    this.#connection = connection
    this.#connections++
    for (const pending of [...this.#pending.values()]) this.#send(connection, pending)
  }

  /** Undefined if nobody waits any more. @throws the last error when the pauses are used up, or at once if waiting is no use */
  async #tryConnections(): Promise<SyncConnection | undefined> {
    for (let pauses = 0, fullTries = 0; this.#pending.size > 0; ) {
      try {
        return await this.#connectOnce()
      } catch (error) {
        const full = hasCode(error, "EAGAIN")
        const pause = full ? fullPause(fullTries++) : this.#rule.connectPauses[pauses++]
        if (pause === undefined || !(full || isAbsent(error))) throw error
        await this.#pause(pause * 1000)
      }
    }
    return undefined
  }

  async #connectOnce(): Promise<SyncConnection | undefined> {
    const { path, protocol } = this.#options
    const connection = await (this.#form === "openafs" ? OpenafsConnection : ClientConnection).open(path, protocol, {
      answer: (answer) => this.#answered(answer),
      broken: (cause) => this.#broken(cause),
    })
    if (!this.#closed) return connection
    connection.destroy()
    return undefined
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }
}

const hasCode = (error: unknown, ...codes: readonly unknown[]): boolean =>
  error instanceof Error && "code" in error && codes.includes(error.code)

/** The server may yet come: no socket, or nobody behind it. */
const isAbsent = (error: unknown): boolean => hasCode(error, "ENOENT", "ECONNREFUSED", "ECONNRESET")

/** Seconds to the next try while the server's queue of new clients is full: it is there, and takes one per turn. */
const fullPause = (tries: number): number | undefined => (tries < 500 ? 0.02 : undefined)

const isForbidden = (error: unknown): boolean => hasCode(error, "EACCES", "EPERM")

function unpackAnswer<T>(row: CommandRow<T>, { response, reason, payload, openafs }: WireAnswer): SyncReply<T> {
  if (openafs !== undefined) return { response, reason, payload: readPayload(row, response, openafs) }
  const wanted = row.payload !== undefined && (response === responses.OK || payload !== undefined)
  return { response, reason, payload: wanted ? row.payload.unpack(payload, row.name) : undefined }
}

type OpenafsBytes = NonNullable<WireAnswer["openafs"]>

function readPayload<T>(row: CommandRow<T>, response: number, { bytes, flags }: OpenafsBytes): T | undefined {
  const { openafs } = row
  if (openafs?.payload !== undefined && (response === responses.OK || bytes.length > 0)) {
    return openafs.payload.read(bytes, flags)
  }
  if (bytes.length > 0) throw new FormatError(row.name, {}, `${bytes.length} bytes of payload`, "none")
  return undefined
}
