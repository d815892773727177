import test from "ava"
import { type CallTimes, deadMs, nextDeadline, overdue } from "../../../common/rx/deadline.ts"
import { rxTiming } from "../../../common/rx/limits.ts"
import { newRoundTrip, sampleRoundTrip } from "../../../common/rx/rtt.ts"

const timing = { ...rxTiming, deadMs: 30_000, idleMs: 60_000, hardMs: 120_000 }
const trip = newRoundTrip(2000)
const at = (isClient: boolean, lastReceived: number, lastProgress = 0): CallTimes => ({
  isClient,
  startedAt: 0,
  lastReceived,
  lastProgress,
})

test("deadline: silence ends a call with -1, later on a slow path, and never before 6 s", (t) => {
  t.is(overdue(at(false, 0), timing, trip, 29_999, true), undefined)
  t.is(overdue(at(false, 0), timing, trip, 30_000, false)?.code, -1)
  const slow = newRoundTrip(2000)
  sampleRoundTrip(slow, 1000)
  t.is(overdue(at(false, 0), timing, slow, 32_999, true), undefined)
  t.is(overdue(at(false, 0), timing, slow, 33_000, true)?.code, -1)
  t.is(deadMs({ ...timing, deadMs: 10 }), 6_000)
})

test("deadline: a served call whose client sends nothing ends with -3, unless it is our turn", (t) => {
  t.is(overdue(at(false, 59_000), timing, trip, 60_000, true)?.code, -3)
  t.is(overdue(at(false, 59_000), timing, trip, 60_000, false), undefined)
  t.is(overdue(at(true, 59_000), timing, trip, 60_000, true), undefined)
})

test("deadline: a call of ours ends with -3 after its hard time, whatever comes", (t) => {
  t.is(overdue(at(true, 119_999), timing, trip, 119_999, true), undefined)
  t.is(overdue(at(true, 119_999), timing, trip, 120_000, true)?.reason, "over its time")
  t.is(overdue(at(false, 119_999, 119_999), timing, trip, 120_000, true), undefined)
})

test("deadline: at the moment it names, a call is over its time or is looked at again a second later", (t) => {
  t.is(nextDeadline(at(false, 0, 0), timing, trip, 0), 30_000)
  t.is(nextDeadline(at(false, 50_000, 0), timing, trip, 50_000), 60_000)
  t.is(nextDeadline(at(false, 70_000, 0), timing, trip, 70_000), 71_000)
  t.is(nextDeadline(at(true, 110_000), timing, trip, 110_000), 120_000)
})
