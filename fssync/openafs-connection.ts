/**
 * One connection of a client to a server of OpenAFS's: requests leave one at a time, each in one write, and the next one
 * when the last has been answered; OpenAFS's servers understand no more. OpenAFS vol/daemon_com.c (SYNC_ask).
 */
import type { Socket } from "node:net"
import { FormatError } from "../common/error.ts"
import { Spinner } from "../common/spinner.ts"
import type { ConnectionEvents, SyncConnection } from "./client-connection.ts"
import { openClientSocket, untilConnected } from "./client-socket.ts"
import type { SyncProtocol } from "./command-table.ts"
import { channelClose, type SyncRequest } from "./message.ts"
import { requireCall, type SyncCall } from "./message-codec.ts"
import { answerHeadLayout, openafsVersion } from "./openafs-layouts.ts"
import { encodeRequest, requireName } from "./openafs-request.ts"

/** The longest answer is a volume's information, 584 bytes. */
const answerBytesMax = 1024
/** Bytes asked of the kernel at a time. */
const readBytes = 4 << 10

const headSize = answerHeadLayout.size

export class OpenafsConnection implements SyncConnection {
  readonly #socket: Socket
  readonly #protocol: SyncProtocol
  readonly #events: ConnectionEvents
  readonly #spinner = new Spinner()
  /** Requests without an answer; the first one has been sent. */
  readonly #waiting: SyncCall[] = []
  #bytes: Buffer = Buffer.alloc(0)
  #sequence = 0
  #over = false

  private constructor(path: string, protocol: SyncProtocol, events: ConnectionEvents) {
    this.#protocol = protocol
    this.#events = events
    this.#socket = openClientSocket(path, readBytes, (chunk) => this.#receive(chunk))
  }

  /** Connects once. Rejects with the socket's error (`code` ENOENT, ECONNREFUSED, EACCES, …). */
  static async open(path: string, protocol: SyncProtocol, events: ConnectionEvents): Promise<OpenafsConnection> {
    const connection = new OpenafsConnection(path, protocol, events)
    await untilConnected(connection.#socket, (cause) => connection.#break(cause))
    return connection
  }

  /** @throws TypeError if a field is out of range */
  send(call: SyncCall): void {
    requireCall(call)
    requireName(call)
    this.#waiting.push(call)
    if (this.#waiting.length === 1) this.#write(call)
  }

  close(farewell: SyncCall): Promise<void> {
    this.#over = true
    if (this.#socket.destroyed) return Promise.resolve()
    return new Promise((resolve) => {
      this.#socket.once("close", () => resolve())
      // behind a request without an answer it would be taken for a part of that
      if (this.#waiting.length === 0) this.#write({ ...farewell, command: channelClose, programType: 0, reason: 0 })
      this.#socket.destroy()
    })
  }

  destroy(): void {
    this.#over = true
    this.#socket.destroy()
  }

  #write(request: SyncRequest): void {
    const { openafsRequest, commands } = this.#protocol
    const kind =
      request.command === channelClose ? undefined : (openafsRequest ?? commands.get(request.command)?.openafs?.request)
    // OpenAFS's clients of SALVSYNC say nothing of their program
    const programType = openafsRequest === undefined ? request.programType : 0
    if (this.#socket.writable) this.#socket.write(encodeRequest(kind, { ...request, programType }, ++this.#sequence))
    this.#spinner.expect()
  }

  #receive(chunk: Buffer): void {
    if (this.#over) return
    this.#spinner.arrived()
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    try {
      this.#takeAnswers()
      if (this.#bytes.length > 0) this.#bytes = Buffer.from(this.#bytes) // the chunk's memory is used again
    } catch (error) {
      this.#break(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #takeAnswers(): void {
    while (!this.#over && this.#bytes.length >= headSize) {
      const { version, length, response, reason, flags } = answerHeadLayout.read(this.#bytes)
      if (version !== openafsVersion) throw new FormatError("answer", {}, `version ${version}`, `${openafsVersion}`)
      if (length < headSize || length > answerBytesMax) {
        throw new FormatError("answer", {}, `a length of ${length}`, `${headSize} to ${answerBytesMax}`)
      }
      if (this.#bytes.length < length) return
      const bytes = this.#bytes.subarray(headSize, length)
      this.#bytes = this.#bytes.subarray(length)
      const call = this.#waiting.shift()
      if (call === undefined) throw new FormatError("answer", {}, "an answer", "silence: nothing was asked")
      const [next] = this.#waiting
      if (next !== undefined) this.#write(next)
      this.#events.answer({ id: call.id, response, reason, openafs: { bytes, flags } })
    }
  }

  #break(cause: Error): void {
    if (this.#over) return
    this.destroy()
    this.#events.broken(cause)
  }
}
