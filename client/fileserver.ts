/** A fileserver as a client has it: typed stubs of all its calls over a socket that also answers what it calls back. */

import { randomUUID } from "node:crypto"
import { lookup } from "node:dns/promises"
import { uuidBytes, uuidOfBytes } from "../common/codec/uuid.ts"
import { AfsError } from "../common/error.ts"
import { RXAFS } from "../common/protocol/afsint.ts"
import { rpcClient, type Stubs } from "../common/rpc/client.ts"
import type { ConnectOptions } from "../common/rx/connection.ts"
import { hostText, parseHost } from "../common/rx/datagram-port.ts"
import { openRxSocket, type RxSocket } from "../common/rx/socket.ts"
import { type CallbackEvents, callbackService } from "./callback-service.ts"

/** Where fileservers listen. */
export const fileserverPort = 7000

/** An IPv4 address as a number, and a UDP port. */
export interface ServerAddress {
  readonly host: number
  readonly port: number
}

export interface FileserverOptions extends CallbackEvents {
  /** By which the fileserver knows this client; a new one if absent. */
  readonly uuid?: string
  /** The address to send from; any if absent. */
  readonly bind?: string
  readonly translatesErrors?: boolean
  /** Silence after which a call is given up. */
  readonly deadMs?: number
  /** Who is calling: nobody in particular (security index 0) if absent. */
  readonly security?: ConnectOptions["security"]
}

export type FileserverStubs = Stubs<(typeof RXAFS)["operations"]>

/** One client of one fileserver. */
export class Fileserver implements AsyncDisposable {
  readonly address: ServerAddress
  readonly uuid: string
  readonly socket: RxSocket
  /** Every call of RXAFS; errors are RpcErrors with the code as it came. */
  readonly rxafs: FileserverStubs
  readonly #options: ConnectOptions
  #wasHeard = false
  #closing: Promise<void> | undefined

  private constructor(address: ServerAddress, uuid: string, socket: RxSocket, options: ConnectOptions) {
    this.address = address
    this.uuid = uuid
    this.socket = socket
    this.#options = options
    this.rxafs = this.connect()
  }

  /** @throws Error of the system if there is no port to be had */
  static async open(address: ServerAddress, options: FileserverOptions = {}): Promise<Fileserver> {
    const uuid = options.uuid ?? uuidOfBytes(uuidBytes(randomUUID()))
    const socket = await openRxSocket(options.bind === undefined ? {} : { address: options.bind })
    const { security, deadMs } = options
    const fileserver = new Fileserver(address, uuid, socket, {
      ...(security === undefined ? {} : { security }),
      ...(deadMs === undefined ? {} : { timing: { deadMs } }),
    })
    const heard = (): void => {
      fileserver.#wasHeard = true
    }
    socket.endpoint.register(heardService(callbackService({ ...options, uuid }), heard))
    return fileserver
  }

  /** Stubs over a connection of its own: four more calls at a time. */
  connect(): FileserverStubs {
    const { host, port } = this.address
    return rpcClient(RXAFS, this.socket.endpoint.connect(host, port, RXAFS.service, this.#options))
  }

  /** Gives all promises back, so that the server need not tell a client that has gone; then frees the port. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#wasHeard) await this.#giveUpPromises()
    await this.socket.close()
  }

  async #giveUpPromises(): Promise<void> {
    const { host, port } = this.address
    const timing = { hardMs: farewellMs }
    const stubs = rpcClient(
      RXAFS,
      this.socket.endpoint.connect(host, port, RXAFS.service, { ...this.#options, timing }),
    )
    // A server that is gone knows of no promises.
    await stubs.GiveUpAllCallBacks().catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** How long a server is waited for at the end. */
const farewellMs = 2_000

type CallbackService = ReturnType<typeof callbackService>

/** The service, telling that the fileserver knows of this client now. */
function heardService(service: CallbackService, heard: () => void): CallbackService {
  return {
    ...service,
    onCall(call) {
      heard()
      service.onCall(call)
    },
  }
}

/**
 * `address`, `address:port`, `name` or `name:port`.
 * @throws AfsError USAGE for a port that is none; UNREACHABLE for a name without an IPv4 address
 */
export async function findServer(text: string): Promise<ServerAddress> {
  const [, name = "", digits] = /^([^:]+)(?::(\d{1,5}))?$/.exec(text) ?? []
  const port = digits === undefined ? fileserverPort : Number(digits)
  if (name === "" || port < 1 || port > 0xffff) {
    throw new AfsError("USAGE", "server", {}, { detail: `${JSON.stringify(text)}: wanted address or address:port` })
  }
  return { host: parseHost(name) ?? (await addressOf(name)), port }
}

async function addressOf(name: string): Promise<number> {
  try {
    const { address } = await lookup(name, { family: 4 })
    return parseHost(address) ?? 0
  } catch (cause) {
    throw new AfsError("UNREACHABLE", "server", {}, { detail: `${name} has no IPv4 address`, cause })
  }
}

/** `10.99.0.1:7000` */
export const serverText = ({ host, port }: ServerAddress): string => `${hostText(host)}:${port}`
