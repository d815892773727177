import test from "ava"
import { newServingCounters, rateOf } from "../../fileserver/serving-counters.ts"

test("counters: all begin at zero, but the start", (t) => {
  const { startTime, ...others } = newServingCounters(77)
  t.is(startTime, 77)
  t.true(Object.values(others).every((count) => count === 0))
})

test("counters: rates are bytes per second, and fit into 31 bits", (t) => {
  t.is(rateOf(3000, 2000), 1000)
  t.is(rateOf(5, 0), 5)
  t.is(rateOf(2 ** 50, 0), 2 ** 31 - 1)
})
