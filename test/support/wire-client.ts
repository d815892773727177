/**
 * A scripted cache manager on a real UDP port, for servers that are programs: it calls them, and writes down what they ask of it.
 * It can fall silent (its port stays open), leave its port, and come back to it as somebody else.
 */
import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"
import { RXAFS } from "../../common/protocol/afsint.ts"
import { rpcClient, type Stubs } from "../../common/rpc/client.ts"
import { openRxSocket, type RxSocket } from "../../common/rx/socket.ts"
import { CacheManager, type CacheManagerScript } from "./cache-manager.ts"

export interface WireServer {
  readonly host: number
  readonly port: number
}

type Fileserver = Stubs<(typeof RXAFS)["operations"]>

export class WireClient implements AsyncDisposable {
  readonly manager: CacheManager
  readonly #server: WireServer
  #socket: RxSocket
  #deaf: Socket | undefined
  #calls: Fileserver

  constructor(server: WireServer, manager: CacheManager, socket: RxSocket) {
    this.manager = manager
    this.#server = server
    this.#socket = socket
    this.#calls = this.connect()
  }

  get port(): number {
    return this.#socket.port
  }

  /** The server's calls over the first connection. */
  get calls(): Fileserver {
    return this.#calls
  }

  /** The same over a new connection. */
  connect(): Fileserver {
    const { host, port } = this.#server
    return rpcClient(RXAFS, this.#socket.endpoint.connect(host, port, RXAFS.service, { timing: { deadMs: 30_000 } }))
  }

  /** Leaves the port. Nobody has it then. */
  async leave(): Promise<void> {
    await this.#socket.close()
  }

  /** Hears nothing from now on; the port is open. */
  async fallSilent(): Promise<void> {
    const { port } = this
    await this.leave()
    this.#deaf = createSocket("udp4")
    this.#deaf.bind(port)
    await once(this.#deaf, "listening")
    this.#lastPort = port
  }
  #lastPort = 0

  /** Is back at its port, with new connections. */
  async comeBack(): Promise<void> {
    const port = this.#lastPort || this.port
    if (this.#deaf !== undefined) {
      const closed = once(this.#deaf, "close")
      this.#deaf.close()
      await closed
      this.#deaf = undefined
    }
    this.#socket = await openRxSocket({ port, services: [this.manager.service] })
    this.#calls = this.connect()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#deaf?.close()
    await this.#socket.close()
  }
}

/** A cache manager on a free port, or on this one. */
export async function wireClient(
  server: WireServer,
  script: Partial<CacheManagerScript>,
  port = 0,
): Promise<WireClient> {
  const manager = new CacheManager(script)
  const socket = await openRxSocket({ port, services: [manager.service] })
  return new WireClient(server, manager, socket)
}
