import test from "ava"
import { CallClock, callTimers } from "../../../common/rx/call-clock.ts"
import { busyWait, type RxTiming, rxTiming } from "../../../common/rx/limits.ts"
import { newRoundTrip } from "../../../common/rx/rtt.ts"
import { Timers } from "../../../common/rx/timers.ts"

/** A clock at time 0, with a list of what fires. */
function clock(isClient: boolean, more: Partial<RxTiming> = {}) {
  const timing = { ...rxTiming, ...more }
  const peer = { roundTrip: newRoundTrip(0), unreachableAt: Number.NEGATIVE_INFINITY }
  const timers = new Timers()
  const endpoint = { time: 0, timing, timers, currentTime: () => endpoint.time }
  const fired: [slot: number, at: number][] = []
  const subject = new CallClock({ peer, timing, endpoint }, isClient, (slot, now) => fired.push([slot, now]))
  const advance = (to: number): void => {
    endpoint.time = to
    timers.run(to)
  }
  return { subject, peer, timers, advance, fired }
}

test("call clock: an owed ACK is due after the delay from the first debt on, unless one was sent", (t) => {
  const { subject, advance, fired } = clock(false)
  subject.armAck()
  advance(60)
  subject.armAck()
  advance(100)
  t.deepEqual(fired, [[callTimers.ack, 100]])
  subject.armAck()
  subject.clearAck()
  advance(300)
  t.is(fired.length, 1)
})

test("call clock: a peer that says BUSY is asked again after 5 ms, then 10, and once for several of them", (t) => {
  const { subject, advance, fired } = clock(true)
  subject.refused()
  subject.refused()
  advance(busyWait.firstMs)
  t.deepEqual(fired, [[callTimers.resend, busyWait.firstMs]])
  t.deepEqual([subject.takeRefusal(), subject.takeRefusal()], [true, false])
  subject.refused()
  advance(busyWait.firstMs * 3 - 1)
  t.is(fired.length, 1)
  advance(busyWait.firstMs * 3)
  t.is(fired.length, 2)
})

test("call clock: six times in the dead time it says whether the call was silent", (t) => {
  const { subject, advance, fired } = clock(false, { deadMs: 30_000 })
  subject.watch(true)
  advance(5_000)
  t.deepEqual(fired, [[callTimers.keepAlive, 5_000]])
  t.false(subject.isSilent(5_000))
  advance(10_000)
  t.true(subject.isSilent(10_000))
  subject.sent(14_000)
  advance(15_000)
  t.false(subject.isSilent(15_000))
  subject.unwatch()
  advance(100_000)
  t.is(fired.length, 3)
})

test("call clock: a call is overdue when nothing was heard for the dead time; whatever comes puts that off", (t) => {
  const { subject, advance, fired } = clock(false, { deadMs: 12_000 })
  subject.watch(false)
  advance(10_000)
  t.true(fired.every(([slot]) => slot === callTimers.deadline))
  t.false(subject.isPeerAlive)
  subject.heard()
  t.true(subject.isPeerAlive)
  t.is(subject.overdue(12_000, true), undefined)
  advance(23_000)
  t.is(subject.overdue(23_000, true)?.code, -1)
  subject.stop()
  const before = fired.length
  advance(200_000)
  t.is(fired.length, before)
})

test("call clock: a peer is unreachable until a packet comes from it after the system said so", (t) => {
  const { subject, peer, advance } = clock(true)
  advance(100)
  peer.unreachableAt = 100
  t.true(subject.isUnreachable)
  subject.heard()
  t.false(subject.isUnreachable)
})

test("call clock: the resend timer is set and cleared, and its firing without BUSY is no refusal", (t) => {
  const { subject, advance, fired, timers } = clock(true)
  subject.armResend(50)
  subject.armResend(undefined)
  advance(60)
  t.deepEqual(fired, [])
  subject.armResend(70)
  advance(70)
  t.deepEqual(fired, [[callTimers.resend, 70]])
  t.false(subject.takeRefusal())
  t.is(timers.next(), undefined)
})
