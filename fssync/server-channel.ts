/**
 * One client's connection at the server: bytes to requests, requests to the handler, answers to bytes.
 *
 * Bounded: requests are taken only while fewer than `inFlightMax` wait for their handlers and fewer than `unsentBytesMax`
 * of answers wait to be read; until then the rest stays in the socket and holds the client up, nobody else. One that sends
 * many at once takes turns with the others (fair-turns.ts).
 */
import type { Socket } from "node:net"
import { AfsError, FormatError } from "../common/error.ts"
import { codes } from "../common/protocol/codes.ts"
import type { Spinner } from "../common/spinner.ts"
import type { CommandRow } from "./command-table.ts"
import type { FairTurns } from "./fair-turns.ts"
import { formOf } from "./frame.ts"
import { channelClose, commonReasons, responses, type SyncAnswer } from "./message.ts"
import type { SyncCall } from "./message-codec.ts"
import { type OpenafsAnswers, OpenafsServerForm } from "./openafs-server-form.ts"
import type { SyncChannel, SyncServerOptions } from "./server.ts"
import { PlainServerForm, type ServerForm } from "./server-form.ts"

/** Bytes of answers that may wait to be read, beside one answer of any size. */
export const unsentBytesMax = 1 << 20

const badCommand: SyncAnswer = { response: responses.BAD_COMMAND, reason: commonReasons.NONE }
const malformedName: SyncAnswer = { response: responses.FAILED, reason: commonReasons.MALFORMED_PACKET }
const failed: SyncAnswer = { response: responses.FAILED, reason: commonReasons.NONE }

/** What all channels of a server share. */
export interface SharedByChannels {
  readonly spinner: Spinner
  readonly turns: FairTurns
  readonly openafsAnswers: OpenafsAnswers
}

export class ServerChannel implements SyncChannel {
  readonly id: number
  pid: number | undefined
  readonly #socket: Socket
  readonly #options: SyncServerOptions
  readonly #shared: SharedByChannels
  readonly #spinner: Spinner
  readonly #closed = new AbortController()
  /** Known from the first byte. */
  #form: ServerForm | undefined
  /** Ends the wait for the rest of a request. */
  #patience: NodeJS.Timeout | undefined
  /** Answers not written yet. */
  #answers: Buffer[] = []
  #answersBytes = 0
  #inFlight = 0
  /** Inside the loop that takes requests, which writes at its end. */
  #serving = false
  #flushPlanned = false
  /** More requests are here than there was time for. */
  #waitsForTurn = false
  /** The client has gone; its requests that are here are still taken. */
  #hungUp = false
  #paused = false
  /** No more requests are taken. */
  #ended = false

  constructor(socket: Socket, id: number, options: SyncServerOptions, shared: SharedByChannels) {
    this.#socket = socket
    this.#shared = shared
    this.#spinner = shared.spinner
    this.id = id
    this.#options = options
    socket.on("data", (chunk: Buffer) => this.#receive(chunk))
    socket.on("drain", () => this.#serve())
    socket.on("end", () => this.#clientGone())
    socket.on("error", () => undefined) // a broken connection; "close" follows
    socket.on("close", () => this.#clientGone())
  }

  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** Takes no more requests, and closes after the answers that are ready. */
  end(): void {
    this.#finish()
    this.#flush()
    this.#socket.destroySoon()
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** What it asked for last counts, as far as it has arrived. */
  #clientGone(): void {
    this.#hungUp = true
    if (!this.#waitsForTurn) this.#finish()
  }

  /** Whatever this connection had is given up now, even if its last answers are never read. */
  #finish(): void {
    this.#ended = true
    clearTimeout(this.#patience)
    if (this.#closed.signal.aborted) return
    this.#closed.abort()
    this.#options.onChannelClosed?.(this)
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return
    this.#form ??= this.#formFor(chunk)
    this.#spinner.arrived()
    this.#form.push(chunk)
    this.#serve()
  }

  #formFor(opening: Buffer): ServerForm {
    if (formOf(opening) === "ours") return new PlainServerForm(this.#options.protocol)
    return new OpenafsServerForm(this.#shared.openafsAnswers)
  }

  /** Takes requests as long as there are any, there is room for their answers, and it is this connection's turn. */
  #serve(isItsTurn = false): void {
    const form = this.#form
    if (this.#serving || form === undefined) return
    this.#serving = true
    try {
      if (!this.#waitsForTurn) this.#takeAll(form, isItsTurn)
    } catch (error) {
      this.#refuse(form, error)
    }
    this.#serving = false
    this.#flush()
    this.#regulate(form)
  }

  #takeAll(form: ServerForm, isItsTurn: boolean): void {
    let deadline: number | undefined
    while (!this.#ended && this.#hasRoom(form)) {
      const call = form.next()
      if (call === undefined) {
        this.#awaitRest(form)
        return
      }
      this.#take(form, call)
      if (form.answersAlone) this.#flush()
      if (form.pendingBytes === 0) return
      deadline ??= this.#shared.turns.deadline(isItsTurn)
      if (this.#shared.turns.isOver(deadline)) {
        this.#waitForTurn()
        return
      }
    }
  }

  /** A request has begun: where the form says so, its end has to come soon. */
  #awaitRest(form: ServerForm): void {
    const { patience } = form
    if (patience === undefined) return
    clearTimeout(this.#patience)
    if (form.pendingBytes > 0) this.#patience = setTimeout(() => this.#refuse(form, patience.incomplete()), patience.ms)
  }

  #waitForTurn(): void {
    this.#waitsForTurn = true
    this.#shared.turns.wait(() => {
      this.#waitsForTurn = false
      this.#serve(true)
      if (this.#hungUp && !this.#waitsForTurn) this.#finish()
    })
  }

  #hasRoom(form: ServerForm): boolean {
    if (this.#answersBytes > unsentBytesMax) this.#flush()
    return this.#inFlight < form.inFlightMax && this.#socket.writableLength <= unsentBytesMax
  }

  #regulate(form: ServerForm): void {
    const full = this.#waitsForTurn || (!this.#hasRoom(form) && form.pendingBytes >= form.aheadBytesMax)
    if (full === this.#paused || this.#ended) return
    this.#paused = full
    if (full) this.#socket.pause()
    else this.#socket.resume()
  }

  #take(form: ServerForm, call: SyncCall): void {
    if (call.command === channelClose) {
      this.end()
      return
    }
    this.pid = call.pid
    const row = form.rowOf(call.command)
    if (row === undefined) this.#answer(form, call, undefined, badCommand)
    else if (form.isNameRefused(call, row)) this.#answer(form, call, row, malformedName)
    else this.#handle(form, call, row)
  }

  #handle(form: ServerForm, call: SyncCall, row: CommandRow<unknown>): void {
    let result: SyncAnswer | Promise<SyncAnswer>
    try {
      result = this.#options.handle(call, this)
    } catch (error) {
      result = this.#answerFor(error, row)
    }
    if (result instanceof Promise) this.#await(form, call, row, result)
    else this.#answer(form, call, row, result)
  }

  #await(form: ServerForm, call: SyncCall, row: CommandRow<unknown>, result: Promise<SyncAnswer>): void {
    this.#inFlight++
    const settle = (answer: SyncAnswer): void => {
      this.#inFlight--
      if (this.#socket.destroyed) return
      this.#answer(form, call, row, answer)
      this.#planFlush()
    }
    // settles both ways by itself; `settle` only queues
    void result.then(settle, (error: unknown) => settle(this.#answerFor(error, row)))
  }

  #answerFor(error: unknown, row: CommandRow<unknown>): SyncAnswer {
    if (error instanceof AfsError) return { response: responses.DENIED, reason: codes[error.code].number ?? 0 }
    const facts = { command: row.name, channel: this.id, pid: this.pid, err: error }
    this.#options.log.error(facts, "a request failed by an error that its handler did not expect")
    return failed
  }

  #answer(form: ServerForm, call: SyncCall, row: CommandRow<unknown> | undefined, answer: SyncAnswer): void {
    const frame = this.#encode(form, call, row, answer)
    this.#answers.push(frame)
    this.#answersBytes += frame.length
  }

  #encode(form: ServerForm, call: SyncCall, row: CommandRow<unknown> | undefined, answer: SyncAnswer): Buffer {
    try {
      return form.encode(call, row, answer)
    } catch (error) {
      return form.encode(call, row, row === undefined ? failed : this.#answerFor(error, row))
    }
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#serving) return
    this.#flushPlanned = true
    process.nextTick(() => {
      this.#flushPlanned = false
      this.#serve()
    })
  }

  #flush(): void {
    const [first, second] = this.#answers
    if (first === undefined) return
    const bytes = second === undefined ? first : Buffer.concat(this.#answers, this.#answersBytes)
    this.#answers = []
    this.#answersBytes = 0
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(bytes)
    this.#spinner.expect()
  }

  /** The client sent what is no request: it is told, if it can be, and hung up on. */
  #refuse(form: ServerForm, error: unknown): void {
    if (!(error instanceof FormatError)) throw error
    const { path, log } = this.#options
    log.warn({ path, channel: this.id, pid: this.pid, err: error }, "a client sent a malformed request: hung up")
    const refusal = form.refusal(error)
    if (refusal !== undefined) this.#answers.push(refusal)
    this.#answersBytes = this.#answers.reduce((sum, frame) => sum + frame.length, 0)
    this.end()
  }
}
