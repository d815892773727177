import test from "ava"
import { virtualClock } from "../support/virtual-clock.ts"

test("virtual clock: actions run in order of time, each at its own moment", (t) => {
  const clock = virtualClock(1000)
  const seen: [string, number][] = []
  clock.after(20, () => seen.push(["second", clock.now()]))
  clock.after(10, () => seen.push(["first", clock.now()]))
  clock.advance(9)
  t.deepEqual(seen, [])
  clock.advance(100)
  t.deepEqual(seen, [
    ["first", 1010],
    ["second", 1020],
  ])
  t.is(clock.now(), 1109)
})

test("virtual clock: an action that sets itself up again runs as often as time allows", (t) => {
  const clock = virtualClock()
  let count = 0
  const tick = (): void => {
    count++
    clock.after(10, tick)
  }
  clock.after(10, tick)
  clock.advance(100)
  t.is(count, 10)
  t.is(clock.untilNext, 10)
})

test("virtual clock: a cancelled action never runs", (t) => {
  const clock = virtualClock()
  const cancel = clock.after(10, () => t.fail())
  t.is(clock.pending, 1)
  cancel()
  t.is(clock.pending, 0)
  t.false(clock.advanceToNext())
  clock.advance(100)
})
