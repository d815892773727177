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
import type { CommandRow } from "./command-table.ts"
import type { FairTurns } from "./fair-turns.ts"
import { answerBytesMax, FrameReader, FrameVersionError, formOf, requestBytesMax } from "./frame.ts"
import { channelClose, commonReasons, responses, type SyncAnswer } from "./message.ts"
import { connectionId, decodeCall, encodeAnswer, isPartitionName, type SyncCall } from "./message-codec.ts"
import type { SyncChannel, SyncServerOptions } from "./server.ts"
import type { Spinner } from "./spinner.ts"

/** Requests of one connection that may wait for their handlers: well above what a daemon's threads have under way. */
export const inFlightMax = 1024
/** Bytes of answers that may wait to be read, beside one answer of any size. */
export const unsentBytesMax = 1 << 20

const badCommand: SyncAnswer = { response: responses.BAD_COMMAND, reason: commonReasons.NONE }
const malformedName: SyncAnswer = { response: responses.FAILED, reason: commonReasons.MALFORMED_PACKET }
const failed: SyncAnswer = { response: responses.FAILED, reason: commonReasons.NONE }
const tooBig: SyncAnswer = { response: responses.FAILED, reason: commonReasons.PAYLOAD_TOO_BIG }

export class ServerChannel implements SyncChannel {
  readonly id: number
  pid: number | undefined
  readonly #socket: Socket
  readonly #options: SyncServerOptions
  readonly #reader: FrameReader
  readonly #spinner: Spinner
  readonly #turns: FairTurns
  readonly #closed = new AbortController()
  /** First bytes of a connection whose form is not known yet. */
  #opening: Buffer | undefined = Buffer.alloc(0)
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

  constructor(socket: Socket, id: number, options: SyncServerOptions, spinner: Spinner, turns: FairTurns) {
    this.#socket = socket
    this.#spinner = spinner
    this.#turns = turns
    this.id = id
    this.#options = options
    this.#reader = new FrameReader(options.protocol.mark, requestBytesMax)
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
    if (this.#closed.signal.aborted) return
    this.#closed.abort()
    this.#options.onChannelClosed?.(this)
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return
    const bytes = this.#opening === undefined ? chunk : this.#open(chunk)
    if (bytes === undefined) return
    this.#spinner.arrived()
    this.#reader.push(bytes)
    this.#serve()
  }

  /** The bytes so far once the client is known to speak our form; undefined while it is not. */
  #open(chunk: Buffer): Buffer | undefined {
    const opening = this.#opening?.length === 0 ? chunk : Buffer.concat([this.#opening ?? chunk, chunk])
    const form = formOf(opening)
    if (form === "openafs") {
      this.#options.log.warn(
        { path: this.#options.path, channel: this.id },
        "a client speaks OpenAFS's form of the protocol, which this server does not: hung up",
      )
      this.end()
      return undefined
    }
    this.#opening = form === undefined ? opening : undefined
    return form === undefined ? undefined : opening
  }

  /** Takes requests as long as there are any, there is room for their answers, and it is this connection's turn. */
  #serve(isItsTurn = false): void {
    if (this.#serving) return
    this.#serving = true
    try {
      if (!this.#waitsForTurn) this.#takeAll(isItsTurn)
    } catch (error) {
      this.#refuse(error)
    }
    this.#serving = false
    this.#flush()
    this.#regulate()
  }

  #takeAll(isItsTurn: boolean): void {
    let deadline: number | undefined
    while (!this.#ended && this.#hasRoom()) {
      const body = this.#reader.next()
      if (body === undefined) return
      this.#take(decodeCall(body))
      if (this.#reader.pendingBytes === 0) return
      deadline ??= this.#turns.deadline(isItsTurn)
      if (this.#turns.isOver(deadline)) {
        this.#waitForTurn()
        return
      }
    }
  }

  #waitForTurn(): void {
    this.#waitsForTurn = true
    this.#turns.wait(() => {
      this.#waitsForTurn = false
      this.#serve(true)
      if (this.#hungUp && !this.#waitsForTurn) this.#finish()
    })
  }

  #hasRoom(): boolean {
    if (this.#answersBytes > unsentBytesMax) this.#flush()
    return this.#inFlight < inFlightMax && this.#socket.writableLength <= unsentBytesMax
  }

  #regulate(): void {
    const full = this.#waitsForTurn || !this.#hasRoom()
    if (full === this.#paused || this.#ended) return
    this.#paused = full
    if (full) this.#socket.pause()
    else this.#socket.resume()
  }

  #take(call: SyncCall): void {
    if (call.command === channelClose) {
      this.end()
      return
    }
    this.pid = call.pid
    const row = this.#options.protocol.commands.get(call.command)
    if (row === undefined) this.#answer(call.id, undefined, badCommand)
    else if (isPartitionName(call.partition)) this.#handle(call, row)
    else this.#answer(call.id, row, malformedName)
  }

  #handle(call: SyncCall, row: CommandRow<unknown>): void {
    let result: SyncAnswer | Promise<SyncAnswer>
    try {
      result = this.#options.handle(call, this)
    } catch (error) {
      result = this.#answerFor(error, row)
    }
    if (result instanceof Promise) this.#await(call.id, row, result)
    else this.#answer(call.id, row, result)
  }

  #await(id: number, row: CommandRow<unknown>, result: Promise<SyncAnswer>): void {
    this.#inFlight++
    const settle = (answer: SyncAnswer): void => {
      this.#inFlight--
      if (this.#socket.destroyed) return
      this.#answer(id, row, answer)
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

  #answer(id: number, row: CommandRow<unknown> | undefined, answer: SyncAnswer): void {
    const frame = this.#encode(id, row, answer)
    this.#answers.push(frame)
    this.#answersBytes += frame.length
  }

  #encode(id: number, row: CommandRow<unknown> | undefined, answer: SyncAnswer): Buffer {
    const mark = this.#options.protocol.mark
    const { response, reason } = answer
    try {
      const wanted = row?.payload !== undefined && (response === responses.OK || answer.payload !== undefined)
      if (!wanted) return encodeAnswer(mark, { id, response, reason })
      const frame = encodeAnswer(mark, { id, response, reason, payload: row.payload.pack(answer.payload) })
      return frame.length <= answerBytesMax ? frame : encodeAnswer(mark, { id, ...tooBig })
    } catch (error) {
      return encodeAnswer(mark, { id, ...(row === undefined ? failed : this.#answerFor(error, row)) })
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
  #refuse(error: unknown): void {
    if (!(error instanceof FormatError)) throw error
    const { path, protocol, log } = this.#options
    log.warn({ path, channel: this.id, pid: this.pid, err: error }, "a client sent a malformed request: hung up")
    const reason = error instanceof FrameVersionError ? commonReasons.NONE : commonReasons.MALFORMED_PACKET
    this.#answers.push(encodeAnswer(protocol.mark, { id: connectionId, response: responses.COM_ERROR, reason }))
    this.#answersBytes = this.#answers.reduce((sum, frame) => sum + frame.length, 0)
    this.end()
  }
}
