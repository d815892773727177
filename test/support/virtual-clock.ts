/** A clock that stands still until the test moves it. */
import type { Clock, Millis } from "../../common/clock.ts"

interface Alarm {
  readonly at: Millis
  readonly action: () => void
}

/** A Clock with hands. */
export interface VirtualClock extends Clock {
  /** Moves on, running what falls due in order of time, each at its own moment; also what those actions set up in turn. */
  advance(ms: number): void
  /** Moves to the next thing due and runs it; false if there is nothing. */
  advanceToNext(): boolean
  /** Milliseconds until the next thing due; undefined if there is nothing. */
  readonly untilNext: number | undefined
  /** How many actions wait. */
  readonly pending: number
}

/** Starts at a date of this century, so that times look like times. */
export function virtualClock(start: Millis = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = start
  const alarms = new Set<Alarm>()
  const next = (): Alarm | undefined => {
    let first: Alarm | undefined
    for (const alarm of alarms) if (first === undefined || alarm.at < first.at) first = alarm
    return first
  }
  const run = (alarm: Alarm): void => {
    alarms.delete(alarm)
    now = Math.max(now, alarm.at)
    alarm.action()
  }
  return {
    now: () => now,
    after(ms, action) {
      const alarm = { at: now + Math.max(0, ms), action }
      alarms.add(alarm)
      return () => void alarms.delete(alarm)
    },
    advance(ms) {
      const end = now + ms
      for (let due = next(); due !== undefined && due.at <= end; due = next()) run(due)
      now = end
    },
    advanceToNext() {
      const due = next()
      if (due !== undefined) run(due)
      return due !== undefined
    },
    get untilNext() {
      const due = next()
      return due === undefined ? undefined : due.at - now
    },
    get pending() {
      return alarms.size
    },
  }
}
