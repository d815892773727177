/**
 * What a client has to show before the calls of its connection run: who it is, if the security class wants to know (CHALLENGE and
 * RESPONSE, again every 2 s), and then that it receives what we send, if the endpoint wants that (a ping, the same).
 */
import { packetTypes } from "../protocol/rx-packet.ts"
import type { Connection } from "./connection.ts"
import { TimerSlots } from "./timers.ts"

const timer = { challenge: 0, reach: 1 } as const

export class ClientProof {
  readonly #connection: Connection
  readonly #timers = new TimerSlots((slot) => {
    if (slot === timer.challenge) this.#sendChallenge()
    else this.#askForReach()
  })
  #challenges = 0
  #hasChecksum = false

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Sets going what a call has to wait for; `hasChecksum` if its first packet had one. */
  demand(hasChecksum: boolean): void {
    if (this.#connection.security.isAuthenticated) return this.#askForReach()
    this.#hasChecksum = hasChecksum
    if (!this.#timers.isSet(timer.challenge)) this.#sendChallenge()
  }

  /** A CHALLENGE has been sent and a RESPONSE may come. */
  get isChallenged(): boolean {
    return this.#challenges > 0 && !this.#connection.security.isAuthenticated
  }

  /** The security class has been answered. */
  answered(): void {
    const { endpoint, peer } = this.#connection
    endpoint.timers.clear(this.#timers, timer.challenge)
    if (endpoint.reach.isReached(peer, endpoint.time)) this.#connection.admitAll()
    else this.#askForReach()
  }

  /** The connection is over. */
  close(): void {
    this.#connection.endpoint.timers.drop(this.#timers)
  }

  #sendChallenge(): void {
    const { endpoint, security, error } = this.#connection
    if (error !== 0 || this.#connection.precall === undefined) return
    if (this.#challenges++ >= endpoint.timing.challengeCount) {
      this.#challenges = 0
      return this.#connection.discard("no sign of life")
    }
    this.#connection.sendSecurity(packetTypes.challenge, security.challenge(this.#hasChecksum))
    endpoint.timers.set(this.#timers, timer.challenge, endpoint.time + endpoint.timing.challengeRepeatMs)
  }

  #askForReach(): void {
    const { endpoint, precall } = this.#connection
    if (precall === undefined) return endpoint.reach.drop(this.#connection)
    precall.ping()
    endpoint.reach.wait(this.#connection)
    endpoint.timers.set(this.#timers, timer.reach, endpoint.time + endpoint.timing.reachRepeatMs)
  }
}
