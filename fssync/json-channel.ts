/**
 * Frames (frame.ts) that carry JSON text, in both directions at any time: the channel of a volserver's jobs. FSSYNC's fixed
 * requests do not fit there; a socket that only its owner may open, and frames that are checked before they are read, do.
 */
import { createConnection, createServer, type Socket } from "node:net"
import { AfsError, FormatError } from "../common/error.ts"
import { absenceText } from "./absent-server.ts"
import { FrameReader, packFrame } from "./frame.ts"
import { unpackPlain } from "./plain-msgpack.ts"
import { listenAt } from "./socket-path.ts"

/** The protocol byte of these frames. */
export const jsonMark = 0x4a
/** Longest message: a listing of ten thousand volumes takes about ten million bytes. */
const messageBytesMax = 64 << 20

/** What travels: an object with a type. */
export interface JsonMessage {
  readonly type: string
}

/** Called with what arrives; an exception ends the channel. */
export interface JsonReceiver {
  message(message: JsonMessage & Readonly<Record<string, unknown>>): void
  /** The channel has ended, by the other side, by `close` or by an error. Once. */
  closed(): void
}

/** One connection. */
export class JsonChannel {
  readonly #socket: Socket
  readonly #reader = new FrameReader(jsonMark, messageBytesMax)
  #receiver: JsonReceiver | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on("data", (chunk: Buffer) => this.#receive(chunk))
    socket.on("error", () => socket.destroy())
    socket.on("close", () => this.#receiver?.closed())
  }

  /** Says who listens; at once, before anything can arrive. */
  listen(receiver: JsonReceiver): void {
    this.#receiver = receiver
  }

  send(message: JsonMessage): void {
    if (this.#socket.writable) this.#socket.write(packFrame(jsonMark, JSON.stringify(message)))
  }

  /** Ends after what was sent. */
  close(): void {
    this.#socket.end()
  }

  /** Ends at once, whatever the peer does. */
  destroy(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    try {
      this.#reader.push(chunk)
      for (let body = this.#reader.next(); body !== undefined; body = this.#reader.next()) {
        this.#receiver?.message(parseMessage(body))
      }
      this.#reader.keep()
    } catch {
      this.#socket.destroy() // a peer that sends anything else is none
    }
  }
}

/** @throws FormatError unless the body is a text with a JSON object that has a type */
export function parseMessage(body: Buffer): JsonMessage & Readonly<Record<string, unknown>> {
  const text = unpackPlain(body)
  if (typeof text !== "string") throw new FormatError("message", {}, typeof text, "a text")
  const value = parseJson(text)
  if (!isObject(value) || typeof value["type"] !== "string")
    throw new FormatError("message", {}, "no type", "an object")
  return { ...value, type: value["type"] }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FormatError("message", {}, cause instanceof Error ? cause.message : String(cause), "JSON")
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** A listening socket. */
export interface JsonServer {
  /** Removes the socket and hangs up on everybody. */
  close(): Promise<void>
}

/**
 * Listens on a socket that only its owner may open (mode 0600). `program` is for errors.
 * @throws AfsError VBUSY if another server answers on the path
 */
export async function listenJson(
  path: string,
  program: string,
  onChannel: (channel: JsonChannel) => void,
): Promise<JsonServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
    onChannel(new JsonChannel(socket))
  })
  await listenAt(server, path, program)
  return {
    async close() {
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroySoon()
      await stopped
    },
  }
}

/** Connects. @throws AfsError UNREACHABLE if nobody answers */
export function connectJson(path: string): Promise<JsonChannel> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path })
    const refuse = (cause: Error): void =>
      reject(new AfsError("UNREACHABLE", "connect", { path }, { cause, detail: absenceText(path, cause) }))
    socket.once("error", refuse)
    socket.once("connect", () => {
      socket.off("error", refuse)
      resolve(new JsonChannel(socket))
    })
  })
}
