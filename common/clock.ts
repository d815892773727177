/** Time as something that is given: daemons get the machine's, tests one that they move. */

/** Milliseconds since 1970. */
export type Millis = number

export interface Clock {
  now(): Millis
  /** Runs `action` once after `ms`; the result cancels it. A pending action keeps no process alive. */
  after(ms: number, action: () => void): () => void
}

/** Longest delay that Node's timers take; a longer one would fire at once. */
const delayMax = 2 ** 31 - 1

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const timer = setTimeout(action, Math.min(Math.max(0, ms), delayMax))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** Whole seconds since 1970, as the disk and the protocols count. */
export function secondsOf(now: Millis): number {
  return Math.floor(now / 1000)
}
