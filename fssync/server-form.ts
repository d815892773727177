/** How a server's channel reads requests and writes answers: in our form, or in OpenAFS's (openafs-server-form.ts). */
import type { FormatError } from "../common/error.ts"
import type { CommandRow, SyncProtocol } from "./command-table.ts"
import { answerBytesMax, FrameReader, FrameVersionError, requestBytesMax } from "./frame.ts"
import { commonReasons, responses, type SyncAnswer } from "./message.ts"
import { connectionId, decodeCall, encodeAnswer, isPartitionName, type SyncCall } from "./message-codec.ts"

/** One connection's requests and answers as bytes. */
export interface ServerForm {
  /** Requests that may wait for their handlers. */
  readonly inFlightMax: number
  /** So many bytes of further requests are taken from the socket while there is no room for their answers. */
  readonly aheadBytesMax: number
  /** Each answer leaves in a write of its own. */
  readonly answersAlone: boolean
  /** A request that has begun and whose rest does not come in this time is refused; undefined: it may come at any time. */
  readonly patience: { readonly ms: number; readonly incomplete: () => FormatError } | undefined
  /** Bytes of requests not taken yet. */
  readonly pendingBytes: number
  push(chunk: Buffer): void
  /** The next whole request; undefined if there is none yet. @throws FormatError for what is no request */
  next(): SyncCall | undefined
  /** The command's row; undefined: it is answered BAD_COMMAND. */
  rowOf(command: number): CommandRow<unknown> | undefined
  isNameRefused(call: SyncCall, row: CommandRow<unknown>): boolean
  /** An answer as bytes; without a row, one that carries nothing. @throws TypeError if the payload is not of the row's shape */
  encode(call: SyncCall, row: CommandRow<unknown> | undefined, answer: SyncAnswer): Buffer
  /** What a peer is told whose bytes were no request; undefined: nothing. The connection ends with it. */
  refusal(error: FormatError): Buffer | undefined
}

/** Requests of one connection that may wait for their handlers: well above what a daemon's threads have under way. */
export const inFlightMax = 1024

const tooBig: SyncAnswer = { response: responses.FAILED, reason: commonReasons.PAYLOAD_TOO_BIG }

/** Our own form: frames of msgpack. */
export class PlainServerForm implements ServerForm {
  readonly inFlightMax = inFlightMax
  readonly aheadBytesMax = 0
  readonly answersAlone = false
  readonly patience = undefined
  readonly #protocol: SyncProtocol
  readonly #reader: FrameReader

  constructor(protocol: SyncProtocol) {
    this.#protocol = protocol
    this.#reader = new FrameReader(protocol.mark, requestBytesMax)
  }

  get pendingBytes(): number {
    return this.#reader.pendingBytes
  }

  push(chunk: Buffer): void {
    this.#reader.push(chunk)
  }

  next(): SyncCall | undefined {
    const body = this.#reader.next()
    return body === undefined ? undefined : decodeCall(body)
  }

  rowOf(command: number): CommandRow<unknown> | undefined {
    return this.#protocol.commands.get(command)
  }

  isNameRefused(call: SyncCall): boolean {
    return !isPartitionName(call.partition)
  }

  encode({ id }: SyncCall, row: CommandRow<unknown> | undefined, answer: SyncAnswer): Buffer {
    const { mark } = this.#protocol
    const { response, reason } = answer
    const wanted = row?.payload !== undefined && (response === responses.OK || answer.payload !== undefined)
    if (!wanted) return encodeAnswer(mark, { id, response, reason })
    const frame = encodeAnswer(mark, { id, response, reason, payload: row.payload.pack(answer.payload) })
    return frame.length <= answerBytesMax ? frame : encodeAnswer(mark, { id, ...tooBig })
  }

  refusal(error: FormatError): Buffer {
    const reason = error instanceof FrameVersionError ? commonReasons.NONE : commonReasons.MALFORMED_PACKET
    return encodeAnswer(this.#protocol.mark, { id: connectionId, response: responses.COM_ERROR, reason })
  }
}
