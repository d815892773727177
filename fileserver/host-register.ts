/** All known hosts, by number, UUID and address. Pure tables; what makes a host known is in handshake.ts. */
import type { Millis } from "../common/clock.ts"
import { Host, type HostAddress, hostAddressesMax } from "./host.ts"

const keyOf = ({ host, port }: HostAddress): number => host * 65_536 + port

export class HostRegister implements Iterable<Host> {
  /** Room for so many hosts. */
  readonly capacity: number
  readonly #byIndex: (Host | undefined)[] = [undefined]
  readonly #free: number[] = []
  readonly #byUuid = new Map<string, Host>()
  readonly #byAddress = new Map<number, Host>()
  #size = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get size(): number {
    return this.#size
  }
  get isFull(): boolean {
    return this.#size >= this.capacity
  }

  at(address: HostAddress): Host | undefined {
    return this.#byAddress.get(keyOf(address))
  }
  withUuid(uuid: string): Host | undefined {
    return this.#byUuid.get(uuid)
  }
  withIndex(index: number): Host | undefined {
    return this.#byIndex[index]
  }

  *[Symbol.iterator](): Iterator<Host> {
    for (const host of this.#byIndex) if (host !== undefined) yield host
  }

  /** @throws RangeError if there is no room, or the UUID or address is another host's */
  add(uuid: string | undefined, address: HostAddress, now: Millis): Host {
    if (this.isFull) throw new RangeError(`there are ${this.capacity} hosts already`)
    if (this.at(address) !== undefined || (uuid !== undefined && this.#byUuid.has(uuid)))
      throw new RangeError("a host is known already")
    const host = new Host(
      this.#free.pop() ?? this.#byIndex.length,
      uuid,
      { host: address.host, port: address.port },
      now,
    )
    this.#byIndex[host.index] = host
    if (uuid !== undefined) this.#byUuid.set(uuid, host)
    this.#byAddress.set(keyOf(address), host)
    this.#size++
    return host
  }

  /** Forgets a host. Its promises must be gone. */
  remove(host: Host): void {
    if (host.isGone) return
    host.isGone = true
    this.#byIndex[host.index] = undefined
    this.#free.push(host.index)
    if (host.uuid !== undefined) this.#byUuid.delete(host.uuid)
    for (const address of host.addresses) this.#byAddress.delete(keyOf(address))
    this.#size--
  }

  /** A host was seen at another address, which was no other host's. The first of its addresses stays the first. */
  addAddress(host: Host, { host: ip, port }: HostAddress): void {
    if (host.isAt({ host: ip, port })) return
    const [first, ...others] = host.addresses
    const dropped = host.addresses.length >= hostAddressesMax ? others.shift() : undefined
    if (dropped !== undefined) this.#byAddress.delete(keyOf(dropped))
    host.addresses = first === undefined ? [{ host: ip, port }] : [first, ...others, { host: ip, port }]
    this.#byAddress.set(keyOf({ host: ip, port }), host)
  }

  /** A host is not at this address any more. @throws RangeError for its last address: remove the host then */
  removeAddress(host: Host, address: HostAddress): void {
    const left = host.addresses.filter(({ host: ip, port }) => ip !== address.host || port !== address.port)
    if (left.length === host.addresses.length) return
    if (left.length === 0) throw new RangeError("a host needs an address")
    host.addresses = left
    this.#byAddress.delete(keyOf(address))
  }

  /** A host is called at this address of its own first, from now on. An address that is new is added. */
  prefer(host: Host, address: HostAddress): void {
    this.addAddress(host, address)
    const others = host.addresses.filter(({ host: ip, port }) => ip !== address.host || port !== address.port)
    host.addresses = [{ host: address.host, port: address.port }, ...others]
  }

  /** The host that has not called for longest, of those that `counts` accepts. */
  oldest(counts: (host: Host) => boolean): Host | undefined {
    let found: Host | undefined
    for (const host of this) if (counts(host) && (found === undefined || host.lastCall < found.lastCall)) found = host
    return found
  }
}
