/**
 * Waiting awake, for conversations of one message at a time: a process that sleeps on another processor costs 20 to 50 µs to
 * wake, more than both ends need for the message itself. A spinner keeps the event loop turning for a moment after a
 * message has gone out, if the next one lately came that soon, and learns quickly when that is no use: when both ends share
 * one processor, staying awake only keeps the other from answering.
 */

/** A peer that answers within this time is worth waiting for awake. */
const quickMs = 0.2
/** Time to stay awake after a message: wake-up and work of a peer on another processor. */
const awakeMs = 0.06
/** After so many waits in vain in a row, */
const missesMax = 2
/** so many messages go by before it is tried again: the waste stays below one part in a hundred. */
const restMessages = 1024

export class Spinner {
  #awakeUntil = 0
  #turning = false
  #expectedSince = 0
  #quick = false
  #misses = 0
  #rest = 0
  readonly #turn = (): void => this.#onTurn()
  readonly #now: () => number
  readonly #atNextTurn: (action: () => void) => unknown

  /** Tests give the time in milliseconds and the turns of the event loop. */
  constructor(now = (): number => performance.now(), atNextTurn: (action: () => void) => unknown = setImmediate) {
    this.#now = now
    this.#atNextTurn = atNextTurn
  }

  /** A message has gone out, and the peer's next one is expected. */
  expect(): void {
    const now = this.#now()
    this.#expectedSince = now
    if (this.#rest > 0) this.#rest--
    else if (this.#quick) this.#stayAwake(now + awakeMs)
  }

  /** A message has come. */
  arrived(): void {
    this.#quick = this.#now() - this.#expectedSince < quickMs
    if (this.#turning) this.#misses = 0
    this.#awakeUntil = 0
  }

  #stayAwake(until: number): void {
    this.#awakeUntil = until
    if (this.#turning) return
    this.#turning = true
    this.#atNextTurn(this.#turn)
  }

  /** Once per turn of the event loop; as long as one is planned, the loop looks for messages without sleeping. */
  #onTurn(): void {
    if (this.#now() < this.#awakeUntil) {
      this.#atNextTurn(this.#turn)
      return
    }
    this.#turning = false
    if (this.#awakeUntil === 0 || ++this.#misses < missesMax) return
    this.#misses = 0
    this.#rest = restMessages
  }
}
