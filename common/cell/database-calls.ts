/**
 * Calls to a cell's replicated database servers: the one that answered last is asked first, one that is silent, has no quorum
 * or cannot take changes is passed over. OpenAFS ubik/ubikclient.c.
 */
import type { Operation, RpcInterface } from "../protocol/rpc-interface.ts"
import { quorumCodes } from "../protocol/vldbint.ts"
import { type CallSource, rpcClient, type Stubs } from "../rpc/client.ts"
import { isRpcError, RpcError } from "../rpc/rpc-call.ts"

/** Ports of the database servers. */
export const databasePorts = { protection: 7002, location: 7003 } as const

/** Makes a connection to a service: the place where a security class other than none is chosen. */
export type Connect = (address: number, port: number, service: number) => CallSource & { readonly error?: number }

/** No server answers, or none has quorum: the next attempt may succeed. */
const wasUnanswered = (error: unknown): error is RpcError =>
  error instanceof RpcError &&
  ((error.code < 0 && !isRpcError(error, ...stubFaults)) || isRpcError(error, ...Object.values(quorumCodes)))

/** Arguments or results that break the protocol: no other server would take them. */
const stubFaults = [-450, -451, -453, -455]

/** No server of the cell could be asked; the message says what became of each. */
export class NoDatabase extends Error {
  override readonly name = "NoDatabase"
}

/** A cell's servers of one kind. */
export class DatabaseCalls<Operations extends Readonly<Record<string, Operation>>> {
  readonly #table: RpcInterface<Operations>
  readonly #port: number
  readonly #connect: Connect
  readonly #servers: readonly number[]
  readonly #connections = new Map<number, CallSource & { readonly error?: number }>()
  #first = 0

  /** `servers` are IPv4 addresses as numbers. */
  constructor(table: RpcInterface<Operations>, port: number, servers: readonly number[], connect: Connect) {
    this.#table = table
    this.#port = port
    this.#connect = connect
    this.#servers = servers
  }

  /**
   * Makes a call with the stubs of one server after the other, until one answers.
   * @throws RpcError with the code of a server that refuses; NoDatabase if none answers
   */
  async call<T>(make: (stubs: Stubs<Operations>) => Promise<T>): Promise<T> {
    const failures: string[] = []
    for (let step = 0; step < this.#servers.length; step++) {
      const index = (this.#first + step) % this.#servers.length
      const server = this.#servers[index] ?? 0
      try {
        const answer = await make(this.#stubs(server))
        this.#first = index
        return answer
      } catch (error) {
        if (!wasUnanswered(error)) throw error
        this.#connections.delete(server)
        failures.push(error.message)
      }
    }
    throw new NoDatabase(`${this.#table.name}: no server answers (${failures.join("; ") || "there is none"})`)
  }

  #stubs(server: number): Stubs<Operations> {
    let connection = this.#connections.get(server)
    if (connection === undefined || (connection.error ?? 0) !== 0) {
      connection = this.#connect(server, this.#port, this.#table.service)
      this.#connections.set(server, connection)
    }
    return rpcClient(this.#table, connection)
  }
}
