/**
 * The connections of an endpoint. Servers' are found by what their clients chose, epoch and cid; by the address too unless the
 * epoch's top bit says that it stands for the client wherever it is. Clients' are found by the cid that we chose.
 */
import { channelMask, type RxHeader } from "../protocol/rx-packet.ts"
import type { Connection } from "./connection.ts"
import { evictionSteps } from "./limits.ts"

const topBit = 0x8000_0000

const cidOf = ({ cid }: RxHeader): number => (cid & ~channelMask) >>> 0

export class ConnectionTable {
  /** In no order, for diagnostics and sweeping. */
  readonly all: Connection[] = []
  /** How many of them are servers'. */
  servers = 0
  /** Lists through `next`, by a hash that nobody outside can foresee. */
  readonly #servers = new Map<number, Connection>()
  readonly #clients = new Map<number, Connection>()
  readonly #salt: readonly [number, number]
  #nextCid: number
  /** Where the last search for one that may go ended. */
  #hand = 0

  /** @param random gives 32 random bits */
  constructor(random: () => number) {
    this.#nextCid = (random() & ~channelMask) >>> 0
    this.#salt = [random(), random()]
  }

  /** The connection at a server that a packet belongs to. */
  findServer(header: RxHeader, host: number, port: number): Connection | undefined {
    const cid = cidOf(header)
    let found = this.#servers.get(this.#key(header.epoch, cid, host, port))
    for (; found !== undefined; found = found.next) {
      if (found.cid !== cid || found.epoch !== header.epoch) continue
      if ((header.epoch & topBit) !== 0 || (found.peer.host === host && found.peer.port === port)) return found
    }
    return undefined
  }

  /** The connection of ours that a packet belongs to. */
  findClient(header: RxHeader, port: number): Connection | undefined {
    const found = this.#clients.get(cidOf(header))
    return found !== undefined && found.epoch === header.epoch && found.peer.port === port ? found : undefined
  }

  /** A number for a connection of ours. */
  freeCid(): number {
    let cid = this.#nextCid
    while (this.#clients.has(cid)) cid = (cid + channelMask + 1) >>> 0
    this.#nextCid = (cid + channelMask + 1) >>> 0
    return cid
  }

  add(connection: Connection): void {
    const { epoch, cid, peer } = connection
    if (connection.isClient) this.#clients.set(cid, connection)
    else {
      connection.key = this.#key(epoch, cid, peer.host, peer.port)
      connection.next = this.#servers.get(connection.key)
      this.#servers.set(connection.key, connection)
      this.servers++
    }
    connection.place = this.all.push(connection) - 1
  }

  /** False if it was not there any more. */
  remove(connection: Connection): boolean {
    if (connection.place < 0) return false
    const last = this.all.pop()
    if (last !== undefined && last !== connection) {
      this.all[connection.place] = last
      last.place = connection.place
    }
    connection.place = -1
    if (connection.isClient) this.#clients.delete(connection.cid)
    else this.#unlink(connection)
    return true
  }

  /** One that has no calls and was not used since the last search, as far as a few steps find one. */
  findUnused(): Connection | undefined {
    for (let step = 0; step < evictionSteps; step++) {
      this.#hand = (this.#hand + 1) % this.all.length
      const one = this.all[this.#hand]
      if (one === undefined || one.isClient || one.hasCalls) continue
      if (one.isFresh && step < evictionSteps / 2) one.isFresh = false
      else return one
    }
    return undefined
  }

  #key(epoch: number, cid: number, host: number, port: number): number {
    const [one, two] = this.#salt
    let key = Math.imul(epoch ^ one, 0x9e37_79b1) + (cid ^ two)
    if ((epoch & topBit) === 0) key = Math.imul(key ^ host, 0x85eb_ca6b) + Math.imul(port, 0xc2b2_ae35)
    return (key ^ (key >>> 15)) & 0x3fff_ffff
  }

  #unlink(connection: Connection): void {
    this.servers--
    let before = this.#servers.get(connection.key)
    if (before === connection) {
      if (connection.next === undefined) this.#servers.delete(connection.key)
      else this.#servers.set(connection.key, connection.next)
      return
    }
    while (before !== undefined && before.next !== connection) before = before.next
    if (before !== undefined) before.next = connection.next
  }
}
