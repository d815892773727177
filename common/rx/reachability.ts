/** Which peers have shown that they receive what is sent to them, and which connections wait for that: a forged source runs nothing. */
import type { Millis } from "../clock.ts"
import type { Connection } from "./connection.ts"
import type { Peer } from "./peer.ts"

export class Reachability {
  /** How long an answered ping is good for; undefined if peers need not show anything. */
  readonly #goodMs: Millis | undefined
  readonly #waiting = new Set<Connection>()

  constructor(goodMs: Millis | undefined) {
    this.#goodMs = goodMs
  }

  isReached(peer: Peer, now: Millis): boolean {
    return this.#goodMs === undefined || now - peer.reachedAt < this.#goodMs
  }

  /** The connection has calls that wait for an answer of its peer. */
  wait(connection: Connection): void {
    this.#waiting.add(connection)
  }

  /** It has none, or is over. */
  drop(connection: Connection): void {
    this.#waiting.delete(connection)
  }

  /** The peer has answered a ping: its calls may run. */
  reached(peer: Peer, now: Millis): void {
    peer.reachedAt = now
    for (const connection of this.#waiting) {
      if (connection.peer !== peer) continue
      this.#waiting.delete(connection)
      connection.admitAll()
    }
  }
}
