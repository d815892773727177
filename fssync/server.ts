/**
 * The server of an FSSYNC or SALVSYNC socket: listens, and keeps one channel per client.
 *
 * Any number of clients, any number of requests in flight on one connection; each is answered when its handler has
 * finished, so one that waits delays nobody else. Handlers that answer at once cost no promise, and all answers of one
 * turn of the event loop go out in one write. A client that does not read its answers is not read from either.
 */
import { createServer, type Server } from "node:net"
import type { Disk } from "../common/disk/disk.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { Spinner } from "../common/spinner.ts"
import type { SyncProtocol } from "./command-table.ts"
import { FairTurns } from "./fair-turns.ts"
import type { SyncAnswer, SyncRequest } from "./message.ts"
import { OpenafsAnswers } from "./openafs-server-form.ts"
import { ServerChannel } from "./server-channel.ts"
import { listenAt } from "./socket-path.ts"

/** The connection that a request came on, as a handler sees it. */
export interface SyncChannel {
  /** Unique in this server's life, 1 and up. */
  readonly id: number
  /** Process id that the latest request claimed; Node cannot ask the kernel for the peer's. */
  readonly pid: number | undefined
  /** Aborted when the connection has ended, however it did. */
  readonly closed: AbortSignal
}

/**
 * Answers one request: at once, or later by a promise, which stalls nobody else. An AfsError becomes an answer; any other
 * exception is a bug: FAILED, and one line in the log. Commands of the table only; names are checked before.
 */
export type SyncHandler = (request: SyncRequest, channel: SyncChannel) => SyncAnswer | Promise<SyncAnswer>

/** What the server reports; pino's loggers fit. */
interface SyncLog {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

export interface SyncServerOptions {
  /** Of the socket; its folder is made if absent. */
  readonly path: string
  /** `fssyncProtocol` or `salvsyncProtocol`. */
  readonly protocol: SyncProtocol
  readonly handle: SyncHandler
  /** Called once for each connection, after its last request was handed over. */
  readonly onChannelClosed?: (channel: SyncChannel) => void
  /** SALVSYNC: the payload of answers that the server makes by itself, of which OpenAFS's form knows none without. */
  readonly status?: () => unknown
  readonly log: SyncLog
  readonly disk?: Disk
}

/** A listening server. */
export interface SyncServer extends AsyncDisposable {
  readonly path: string
  /** Clients connected now. */
  readonly channelCount: number
  /** Removes the socket, ends every connection after what is already answered, and waits until all are gone. */
  close(): Promise<void>
}

/** Clients at a time; more are hung up on. Every daemon and worker of a server holds one or two connections. */
const channelsMax = 4096
/** Clients that do not take their last answers are cut off this long after the server began to close. */
const closeGraceMs = 1000

const programs = { FSSYNC: "fileserver", SALVSYNC: "salvageserver" } as const

/**
 * Listens on a socket that only its owner may open.
 * @throws AfsError VBUSY if another server answers on the path; DiskError if the state directory cannot be made
 */
export async function listenSync(options: SyncServerOptions): Promise<SyncServer> {
  const channels = new Set<ServerChannel>()
  const openafsAnswers = new OpenafsAnswers(options.protocol, options.status)
  const shared = { spinner: new Spinner(), turns: new FairTurns(), openafsAnswers }
  const server = createServer({ allowHalfOpen: false }, (socket) => {
    const channel = new ServerChannel(socket, ++lastChannelId, options, shared)
    channels.add(channel)
    socket.once("close", () => channels.delete(channel))
  })
  server.maxConnections = channelsMax
  server.on("drop", () => options.log.warn({ path: options.path, channelsMax }, "too many clients, one hung up on"))
  await listenAt(server, options.path, programs[options.protocol.name], options.disk ?? nodeDisk)
  server.on("error", (error) => options.log.error({ path: options.path, err: error }, "accepting clients failed"))
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= closeServer(server, channels)
    return closing
  }
  return {
    path: options.path,
    get channelCount() {
      return channels.size
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

let lastChannelId = 0

async function closeServer(server: Server, channels: ReadonlySet<ServerChannel>): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  for (const channel of channels) channel.end()
  const cut = setTimeout(() => {
    for (const channel of channels) channel.destroy()
  }, closeGraceMs)
  await stopped
  clearTimeout(cut)
}
