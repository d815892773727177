/** One connection of a client: frames out, answers in, and one end. Knows nothing of what is asked. */
import type { Socket } from "node:net"
import { Spinner } from "../common/spinner.ts"
import { openClientSocket, untilConnected } from "./client-socket.ts"
import type { SyncProtocol } from "./command-table.ts"
import { answerBytesMax, FrameReader } from "./frame.ts"
import { channelClose } from "./message.ts"
import { decodeAnswer, encodeCall, encodeLongCall, type SyncCall, type WireAnswer } from "./message-codec.ts"

/** Bytes asked of the kernel at a time: what Node takes, too. */
const readBytes = 64 << 10

/** What becomes of a connection. */
export interface ConnectionEvents {
  /** An exception means that the stream is useless: the connection ends with it. */
  answer(answer: WireAnswer): void
  /** It has ended, other than by `close`: by the peer, by an error, by an answer that is none. Once. */
  broken(cause: Error): void
}

/** A connection as a client uses it. */
export interface SyncConnection {
  /** @throws TypeError if a field is out of range */
  send(call: SyncCall): void
  /** Ends in order; resolves when it is gone. */
  close(farewell: SyncCall): Promise<void>
  /** Ends at once. */
  destroy(): void
}

/** The server is OpenAFS's: it did nothing of what was sent, and wants it in its own form. */
export class OpenafsServerError extends Error {
  constructor() {
    super("the server speaks OpenAFS's form of the protocol")
  }
}

/** The first byte that a server of OpenAFS's ever sends. */
const openafsByte = 3

export class ClientConnection implements SyncConnection {
  readonly #socket: Socket
  readonly #protocol: SyncProtocol
  readonly #reader: FrameReader
  readonly #events: ConnectionEvents
  readonly #spinner = new Spinner()
  #frames: Buffer[] = []
  #flushPlanned = false
  #over = false
  /** Nothing has been sent, */
  #isSilent = true
  /** nothing has come. */
  #isUnheard = true

  private constructor(path: string, protocol: SyncProtocol, events: ConnectionEvents) {
    this.#protocol = protocol
    this.#events = events
    this.#reader = new FrameReader(protocol.mark, answerBytesMax)
    this.#socket = openClientSocket(path, readBytes, (chunk) => this.#receive(chunk))
  }

  /** Connects once. Rejects with the socket's error (`code` ENOENT, ECONNREFUSED, EACCES, …). */
  static async open(path: string, protocol: SyncProtocol, events: ConnectionEvents): Promise<ClientConnection> {
    const connection = new ClientConnection(path, protocol, events)
    await untilConnected(connection.#socket, (cause) => connection.#break(cause))
    return connection
  }

  /** Sends a request; all of one turn of the event loop leave in one write. @throws TypeError if a field is out of range */
  send(call: SyncCall): void {
    this.#frames.push((this.#isSilent ? encodeLongCall : encodeCall)(this.#protocol.mark, call))
    this.#isSilent = false
    if (this.#flushPlanned) return
    this.#flushPlanned = true
    process.nextTick(() => this.#flush())
  }

  /** Ends in order: tells the server, if it can be told without waiting, and resolves when the connection is gone. */
  close(farewell: SyncCall): Promise<void> {
    this.#over = true
    if (this.#socket.destroyed) return Promise.resolve()
    return new Promise((resolve) => {
      this.#socket.once("close", () => resolve())
      this.#frames.push(encodeCall(this.#protocol.mark, { ...farewell, command: channelClose }))
      this.#flush()
      this.#socket.destroy()
    })
  }

  /** Ends at once. */
  destroy(): void {
    this.#over = true
    this.#socket.destroy()
  }

  #flush(): void {
    this.#flushPlanned = false
    const [first, second] = this.#frames
    if (first === undefined) return
    const bytes = second === undefined ? first : Buffer.concat(this.#frames)
    this.#frames = []
    if (this.#socket.writable) this.#socket.write(bytes)
    this.#spinner.expect()
  }

  #receive(chunk: Buffer): void {
    if (this.#over) return
    this.#spinner.arrived()
    try {
      if (this.#isUnheard && chunk[0] === openafsByte) throw new OpenafsServerError()
      this.#isUnheard = false
      this.#reader.push(chunk)
      for (let body = this.#reader.next(); body !== undefined; body = this.#reader.next()) {
        this.#events.answer(decodeAnswer(body))
        if (this.#over) return
      }
      this.#reader.keep()
    } catch (error) {
      this.#break(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #break(cause: Error): void {
    if (this.#over) return
    this.destroy()
    this.#events.broken(cause)
  }
}
