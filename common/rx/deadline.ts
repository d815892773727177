/**
 * How long a call may wait (OpenAFS rx/rx.c, rxi_CheckCall): *dead* when nothing at all comes from the peer, *idle* when it
 * answers pings and its data does not come (served calls), *hard* for a call of ours in all. No packet is sent for any of
 * them: the peer is told when it sends something.
 */
import type { Millis } from "../clock.ts"
import { type EndReason, rxCodes } from "./codes.ts"
import { deadMsMin, type RxTiming } from "./limits.ts"
import type { RoundTrip } from "./rtt.ts"

/** What has happened in a call, and when. */
export interface CallTimes {
  readonly isClient: boolean
  readonly startedAt: Millis
  /** Anything came from the peer. */
  lastReceived: Millis
  /** Data came, went, or was asked for. */
  lastProgress: Millis
}

/** How a call ends that has waited for too long. */
export interface Overdue {
  readonly code: number
  readonly reason: EndReason
}

/** A call that is over its time is looked at again this often while it need not end: its service is at work. */
const recheckMs = 1_000

/** Silence that ends a call. */
export function deadMs(timing: RxTiming): Millis {
  return Math.max(deadMsMin, timing.deadMs)
}

const deadAt = (times: CallTimes, timing: RxTiming, trip: RoundTrip): Millis =>
  times.lastReceived + deadMs(timing) + trip.smoothed / 8 + trip.deviation

/** The earliest moment after `now` at which the call can be over its time. */
export function nextDeadline(times: CallTimes, timing: RxTiming, trip: RoundTrip, now: Millis): Millis {
  const dead = deadAt(times, timing, trip)
  if (times.isClient) return Math.min(dead, times.startedAt + timing.hardMs)
  return Math.min(dead, Math.max(times.lastProgress + timing.idleMs, now + recheckMs))
}

/** Why the call has to end now, if it has to. `isWaiting`: it is the peer who has to do something. */
export function overdue(
  times: CallTimes,
  timing: RxTiming,
  trip: RoundTrip,
  now: Millis,
  isWaiting: boolean,
): Overdue | undefined {
  if (now >= deadAt(times, timing, trip)) return { code: rxCodes.callDead, reason: "no sign of life" }
  if (times.isClient)
    return now - times.startedAt >= timing.hardMs ? { code: rxCodes.callTimeout, reason: "over its time" } : undefined
  if (isWaiting && now - times.lastProgress >= timing.idleMs)
    return { code: rxCodes.callTimeout, reason: "idle for too long" }
  return undefined
}
