import test from "ava"
import { newRoundTrip, sampleRoundTrip } from "../../../common/rx/rtt.ts"

test("rtt: before the first sample the timer is the assumed round trip and 200 ms for the delayed ACK", (t) => {
  t.is(newRoundTrip(2000).timeoutMs, 2200)
})

test("rtt: short round trips count as 20 ms", (t) => {
  const trip = newRoundTrip(2000)
  for (let count = 0; count < 50; count++) sampleRoundTrip(trip, 0.1)
  t.is(trip.timeoutMs, 220)
})

test("rtt: steady round trips bring the timer down to them, a jump lifts it at once", (t) => {
  const trip = newRoundTrip(2000)
  sampleRoundTrip(trip, 100)
  t.is(trip.timeoutMs, 100 + 200 + 200)
  for (let count = 0; count < 60; count++) sampleRoundTrip(trip, 100)
  t.true(Math.abs(trip.timeoutMs - 300) < 1)
  sampleRoundTrip(trip, 500)
  t.is(Math.round(trip.smoothed / 8), 150)
  t.true(trip.timeoutMs > 700)
})
