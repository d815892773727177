/** How long callback promises last. OpenAFS viced/callback.c (TimeOuts, TimeCeiling, ServerBias). */

/** The server keeps a promise for so much longer than it tells the client: clocks differ, messages take time. */
const marginSeconds = 180
/** Promises end at multiples of this, in Unix time. */
const promiseUnitSeconds = 128

const hour = 3600
/** By the number of promises that an object has already, in eights. */
const lifetimes = [4 * hour, hour, hour / 2, hour / 4, hour / 4, hour / 6, hour / 6, hour / 6]
const shortestLifetime = 7 * 60
/** Seconds that a promise on a volume which nobody writes to lasts. */
export const volumeLifetime = 2 * hour
/** Bulk calls fetch much that is not needed: their promises last as if so many more had one. */
const bulkHandicap = 22

/** Seconds that a promise lasts on an object with `count` promises. */
export function lifetimeOf(count: number, isBulk: boolean): number {
  const others = isBulk ? count + bulkHandicap : count
  return lifetimes[others >> 3] ?? shortestLifetime
}

/** The end of a promise made at `now` (Unix seconds), in units of 128 s: what the server keeps. */
export function endOf(now: number, lifetime: number): number {
  return Math.ceil((now + lifetime + marginSeconds) / promiseUnitSeconds)
}

/** Seconds from now that the client is told for a promise with this end. */
export function toldSeconds(end: number, now: number): number {
  return end * promiseUnitSeconds - marginSeconds - now
}

/** True if a promise with this end is over. */
export const isOver = (end: number, now: number): boolean => end * promiseUnitSeconds <= now
