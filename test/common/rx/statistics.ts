import test from "ava"
import { countRoundTrip, countType, newStatistics } from "../../../common/rx/statistics.ts"

test("statistics: packets are counted by type, and types that do not exist are not", (t) => {
  const { packetsRead } = newStatistics()
  for (const type of [1, 1, 13, 0, 14, 255]) countType(packetsRead, type)
  t.deepEqual(packetsRead, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
})

test("statistics: of round trips the sum and the extremes are kept", (t) => {
  const statistics = newStatistics()
  for (const ms of [5, 2, 9]) countRoundTrip(statistics, ms)
  const { roundTripSamples, roundTripTotalMs, roundTripMinMs, roundTripMaxMs } = statistics
  t.deepEqual([roundTripSamples, roundTripTotalMs, roundTripMinMs, roundTripMaxMs], [3, 16, 2, 9])
})
