/** The peers of an endpoint, by address and port, and their hosts. A peer that no connection holds is forgotten after a while. */
import type { Millis } from "../clock.ts"
import { HostFlight, Peer } from "./peer.ts"

const keyOf = (host: number, port: number): number => host * 65_536 + port

export class PeerTable {
  /** In no order, for diagnostics and sweeping. */
  readonly all: Peer[] = []
  readonly #byAddress = new Map<number, Peer>()
  readonly #flights = new Map<number, HostFlight>()
  readonly #initialRoundTripMs: Millis

  constructor(initialRoundTripMs: Millis) {
    this.#initialRoundTripMs = initialRoundTripMs
  }

  find(host: number, port: number): Peer | undefined {
    return this.#byAddress.get(keyOf(host, port))
  }

  findOrAdd(host: number, port: number, now: Millis): Peer {
    const known = this.find(host, port)
    if (known !== undefined) return known
    const flight = this.#flights.get(host) ?? new HostFlight(host)
    this.#flights.set(host, flight)
    flight.peers++
    const peer = new Peer(host, port, flight, this.#initialRoundTripMs)
    peer.idleSince = now
    this.#byAddress.set(keyOf(host, port), peer)
    peer.place = this.all.push(peer) - 1
    return peer
  }

  /** Forgets a peer without connections. */
  remove(peer: Peer): void {
    this.#byAddress.delete(keyOf(peer.host, peer.port))
    if (--peer.flight.peers === 0) this.#flights.delete(peer.host)
    const last = this.all.pop()
    if (last === undefined || last === peer) return
    this.all[peer.place] = last
    last.place = peer.place
  }

  /** Forgets those that have had no connection since `before`. */
  sweep(before: Millis): void {
    for (let index = this.all.length - 1; index >= 0; index--) {
      const one = this.all[index]
      if (one !== undefined && one.connections === 0 && one.idleSince <= before) this.remove(one)
    }
  }
}
