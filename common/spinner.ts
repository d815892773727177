/**
 * Waiting awake, for conversations of one message at a time: a process that sleeps on another processor costs 20 to 50 µs to
 * wake, more than both ends need for the message itself. A spinner keeps the event loop turning for a moment after a
 * message has gone out, if the next one lately came that soon, and learns quickly when that is no use: when both ends share
 * one processor, staying awake only keeps the other from answering.
 */

/** A peer that answers within this time is worth waiting for awake. */
const quickMs = 0.2
/** A wait awake lasts at least this, for wake-up and work of a peer on another processor, and at most `quickMs`: */
const awakeMinMs = 0.06
/** so much longer than the longest answer of late, */
const awakeMargin = 1.5
/** which is forgotten by this part with each answer. */
const forgetting = 0.1
/** A turn of the event loop takes a few µs. One that takes this long without a message: another program had the processor. */
const turnMs = 0.04
/** After so many waits in vain in a row */
const missesMax = 2
/**
 * so many messages go by before it is tried again: few after an answer that was late by chance, four times as many each time
 * that it was no use again. At last the waste stays below one part in a hundred.
 */
const restMin = 16
const restMax = 1024

export class Spinner {
  #awakeUntil = 0
  #turning = false
  #turnedAt = 0
  #expectedSince = 0
  #quick = false
  #longest = 0
  #misses = 0
  #rest = 0
  #nextRest = restMin
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
    else if (this.#quick) this.#stayAwake(now, Math.min(quickMs, Math.max(awakeMinMs, awakeMargin * this.#longest)))
  }

  /** A message has come. */
  arrived(): void {
    const took = this.#now() - this.#expectedSince
    this.#quick = took < quickMs
    if (this.#quick) this.#longest = Math.max(took, this.#longest * (1 - forgetting))
    if (this.#turning) {
      this.#misses = 0
      this.#nextRest = restMin
    }
    this.#awakeUntil = 0
  }

  #stayAwake(now: number, ms: number): void {
    this.#awakeUntil = now + ms
    this.#turnedAt = now
    if (this.#turning) return
    this.#turning = true
    this.#atNextTurn(this.#turn)
  }

  /** Once per turn of the event loop; as long as one is planned, the loop looks for messages without sleeping. */
  #onTurn(): void {
    const now = this.#now()
    const isPushedAside = this.#awakeUntil !== 0 && now - this.#turnedAt > turnMs
    this.#turnedAt = now
    if (now < this.#awakeUntil && !isPushedAside) {
      this.#atNextTurn(this.#turn)
      return
    }
    this.#turning = false
    if (this.#awakeUntil === 0) return
    if (isPushedAside || ++this.#misses >= missesMax) this.#takeRest()
  }

  #takeRest(): void {
    this.#misses = 0
    this.#rest = this.#nextRest
    this.#nextRest = Math.min(restMax, 4 * this.#nextRest)
  }
}
