import test from "ava"
import { answer, median, microseconds, short } from "../../bench/measure.ts"

const figures = (name: string, ...values: number[]) => {
  let next = 0
  return { name, round: () => values[Math.min(next++, values.length - 1)] ?? 0 }
}

test("measure: the ratio is the median of the rounds' own, so that a machine growing busy does not show in it", async (t) => {
  const found = await answer({
    what: "a call",
    unit: "µs",
    ours: figures("ours", 500, 1, 2, 40),
    peer: figures("peer", 500, 2, 4, 80),
    rounds: 3,
    goal: { atMost: 0.5 },
  })
  t.like(found, { ours: 2, peer: 4, ratio: 0.5, range: [1, 40], met: true, peerName: "peer" })
})

test("measure: both sides take turns, another one begins each round, and the first round does not count", async (t) => {
  const order: string[] = []
  const side = (name: string) => ({
    name,
    round: () => {
      order.push(name)
      return Promise.resolve(1)
    },
  })
  const { rounds } = await answer({ what: "", unit: "", ours: side("a"), peer: side("b"), rounds: 2 })
  t.is(order.join(""), "abbaab")
  t.is(rounds, 2)
})

test("measure: without a peer the goal is one for our figure, and a goal missed is said so", async (t) => {
  const question = { what: "", unit: "ms", ours: figures("ours", 5), rounds: 1 }
  t.like(await answer({ ...question, goal: { atMost: 4 } }), { ratio: undefined, met: false })
  t.like(await answer({ ...question, goal: { atLeast: 4 } }), { met: true })
  t.like(await answer(question), { met: undefined })
})

test("measure: the median is the middle, or between the two in the middle", (t) => {
  t.is(median([9, 1, 5]), 5)
  t.is(median([4, 1, 2, 9]), 3)
  t.throws(() => median([]), { instanceOf: RangeError })
})

test("measure: every call is made, and its time is that of one", (t) => {
  let calls = 0
  t.true(microseconds(10, () => calls++) >= 0)
  t.is(calls, 10)
  t.deepEqual([short(1234.5), short(0.123456), short(12), short(undefined)], ["1,235", "0.123", "12", "-"])
})
