/**
 * OpenAFS's form at the server. Its clients send one request at a time, each in one write, and take what one read gives
 * them for the whole answer; so each answer leaves in a write of its own, and the next request is looked at after it.
 *
 * OpenAFS's servers take what one read gives *them* for the whole request. This one also waits a moment for the rest of a
 * request, and answers several that came at once in order; what is longer or shorter than its command's request, and
 * neither, gets the answer that they give: COM_ERROR, MALFORMED_PACKET, and the end. OpenAFS vol/fssync-server.c
 * (FSYNC_com), vol/salvsync-server.c (SALVSYNC_com).
 */
import { FormatError } from "../common/error.ts"
import type { CommandRow, SyncProtocol } from "./command-table.ts"
import { FrameVersionError } from "./frame.ts"
import { channelClose, commonReasons, partitionNameMax, responses, type SyncAnswer } from "./message.ts"
import type { SyncCall } from "./message-codec.ts"
import { answerHeadLayout, openafsFlags, openafsVersion, requestHeadLayout } from "./openafs-layouts.ts"
import { readRequest, requestHeadSize, requestSize } from "./openafs-request.ts"
import type { ServerForm } from "./server-form.ts"

/** The rest of a request has this time to come: OpenAFS's clients send all of it in one write. */
const incompleteMs = 1000
/** Far more than a client that waits for its answers ever sends ahead. */
const aheadBytesMax = 4096

/** A request of a wrong length. `id` is repeated in the answer. */
class LengthError extends FormatError {
  readonly id: number

  constructor(id: number, found: string, wanted: string) {
    super("request", {}, found, wanted)
    this.id = id
  }
}

/** What all connections of a server share. */
export class OpenafsAnswers {
  readonly #protocol: SyncProtocol
  readonly #status: (() => unknown) | undefined
  #sequence = 0

  /** `status` gives the payload of refusals that no handler made, where every answer of the protocol carries one. */
  constructor(protocol: SyncProtocol, status: (() => unknown) | undefined) {
    this.#protocol = protocol
    this.#status = status
  }

  get protocol(): SyncProtocol {
    return this.#protocol
  }

  encode(id: number, row: CommandRow<unknown>, answer: SyncAnswer): Buffer {
    return this.#frame(id, answer, this.#payloadOf(row, answer), false)
  }

  /** Of what every answer carries, BAD_COMMAND has what is said without a volume. */
  badCommand(id: number): Buffer {
    const answer = { response: responses.BAD_COMMAND, reason: commonReasons.NONE }
    const [anyRow] = this.#protocol.commands.values()
    const payload =
      this.#protocol.openafsPayloadSize === 0 || anyRow === undefined ? none : this.#payloadOf(anyRow, answer)
    return this.#frame(id, answer, payload, false)
  }

  /** A refusal of what was not understood; where every answer carries a payload it is zeros. */
  refuse(id: number, answer: SyncAnswer): Buffer {
    return this.#frame(id, answer, { bytes: new Uint8Array(this.#protocol.openafsPayloadSize), flags: 0 }, true)
  }

  #payloadOf({ openafs, payload }: CommandRow<unknown>, answer: SyncAnswer): Payload {
    if (openafs?.payload === undefined || payload === undefined) return none
    const value = answer.payload ?? (this.#protocol.openafsPayloadSize === 0 ? undefined : this.#status?.())
    if (value === undefined && answer.response !== responses.OK) return none
    payload.pack(value) // the same look at what a handler made as in our form
    return { bytes: openafs.payload.write(value), flags: openafs.payload.flags?.(value) ?? 0 }
  }

  #frame(id: number, { response, reason }: SyncAnswer, { bytes, flags }: Payload, isLast: boolean): Buffer {
    const length = answerHeadLayout.size + bytes.length
    const sequence = ++this.#sequence
    const frame = Buffer.alloc(length)
    answerHeadLayout.write(
      {
        version: openafsVersion,
        packetSequence: sequence,
        commandSequence: id,
        answerSequence: sequence,
        length,
        response,
        reason,
        flags: openafsFlags.dafsExtensions | (isLast ? openafsFlags.channelShutdown : 0) | flags,
      },
      frame,
    )
    frame.set(bytes, answerHeadLayout.size)
    return frame
  }
}

interface Payload {
  readonly bytes: Uint8Array
  readonly flags: number
}

const none: Payload = { bytes: new Uint8Array(0), flags: 0 }

export class OpenafsServerForm implements ServerForm {
  readonly inFlightMax = 1
  readonly aheadBytesMax = aheadBytesMax
  readonly answersAlone = true
  readonly patience = { ms: incompleteMs, incomplete: () => this.#incomplete() }
  readonly #answers: OpenafsAnswers
  #bytes: Buffer = Buffer.alloc(0)

  constructor(answers: OpenafsAnswers) {
    this.#answers = answers
  }

  get pendingBytes(): number {
    return this.#bytes.length
  }

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
  }

  next(): SyncCall | undefined {
    if (this.#bytes.length < requestHeadSize) return undefined
    const { version, command, length, commandSequence } = requestHeadLayout.read(this.#bytes)
    if (version !== openafsVersion) {
      throw new FrameVersionError("request", { offset: 0 }, `version ${version}`, `${openafsVersion}`)
    }
    if (command === channelClose) return this.#take(undefined, this.#bytes.length)
    const { protocol } = this.#answers
    const kind = protocol.openafsRequest ?? protocol.commands.get(command)?.openafs?.request
    // how long an unknown command's request is nobody knows: all that is here
    if (kind === undefined) return this.#take(undefined, this.#bytes.length)
    const size = requestSize(kind)
    if (this.#bytes.length >= size && this.#isFrameAt(size)) return this.#take(kind, size)
    if (this.#bytes.length < size && length >= size) return undefined
    throw new LengthError(this.#idOf(commandSequence), `${this.#bytes.length} bytes`, `${size}`)
  }

  rowOf(command: number): CommandRow<unknown> | undefined {
    const row = this.#answers.protocol.commands.get(command)
    return row?.openafs?.isServed === true ? row : undefined
  }

  isNameRefused({ partition }: SyncCall, row: CommandRow<unknown>): boolean {
    return row.openafs?.checksName === true && partition.length > partitionNameMax
  }

  encode({ id }: SyncCall, row: CommandRow<unknown> | undefined, answer: SyncAnswer): Buffer {
    return row === undefined ? this.#answers.badCommand(id) : this.#answers.encode(id, row, answer)
  }

  refusal(error: FormatError): Buffer | undefined {
    const response = responses.COM_ERROR
    if (error instanceof FrameVersionError) return this.#answers.refuse(0, { response, reason: commonReasons.NONE })
    if (this.#bytes.length < requestHeadSize) return undefined
    const id = error instanceof LengthError ? error.id : 0
    return this.#answers.refuse(id, { response, reason: commonReasons.MALFORMED_PACKET })
  }

  #incomplete(): FormatError {
    const isHead = this.#bytes.length >= requestHeadSize
    const id = isHead ? this.#idOf(requestHeadLayout.read(this.#bytes).commandSequence) : 0
    return new LengthError(id, `${this.#bytes.length} bytes`, "a whole request")
  }

  /** A protocol whose requests all have one length looks at that before anything else. */
  #idOf(commandSequence: number): number {
    return this.#answers.protocol.openafsRequest === undefined ? commandSequence : 0
  }

  #take(kind: Parameters<typeof readRequest>[0], size: number): SyncCall {
    const call = readRequest(kind, this.#bytes, 0)
    this.#bytes = this.#bytes.subarray(size)
    return call
  }

  /** Whether what follows a request, as far as it is here, begins another one. */
  #isFrameAt(offset: number): boolean {
    const start = [openafsVersion, 0, 0, 0]
    return start.every((byte, index) => (this.#bytes[offset + index] ?? byte) === byte)
  }
}
