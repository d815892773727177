import test from "ava"
import { FairTurns, turnMs } from "../../fssync/fair-turns.ts"

/** A line whose time and turns the test moves. */
function line() {
  let now = 1000
  const planned: (() => void)[] = []
  const turns = new FairTurns(
    () => now,
    (action) => planned.push(action),
  )
  return {
    turns,
    planned,
    pass(ms: number): void {
      now += ms
    },
    next: (): void => planned.shift()?.(),
  }
}

test("turns: who begins alone has a while", (t) => {
  const { turns, pass } = line()
  const deadline = turns.deadline(false)
  pass(turnMs - 1)
  t.false(turns.isOver(deadline))
  pass(1)
  t.true(turns.isOver(deadline))
})

test("turns: while somebody waits, new ones have no time beyond their first request; whose turn it is has", (t) => {
  const { turns } = line()
  turns.wait(() => undefined)
  t.true(turns.isOver(turns.deadline(false)))
  t.false(turns.isOver(turns.deadline(true)))
})

test("turns: one per turn of the event loop, in the order of waiting, again and again", (t) => {
  const { turns, planned, next } = line()
  const went: string[] = []
  turns.wait(() => {
    went.push("a")
    turns.wait(() => went.push("a again"))
  })
  turns.wait(() => went.push("b"))
  for (const expected of [["a"], ["a", "b"], ["a", "b", "a again"]]) {
    t.is(planned.length, 1)
    next()
    t.deepEqual(went, expected)
  }
  t.is(planned.length, 0, "an empty line keeps nothing awake")
})

test("turns: one that goes to the end of an empty line in its own turn is called again", (t) => {
  const { turns, planned, next } = line()
  let times = 0
  const goOn = (): void => {
    if (++times < 3) turns.wait(goOn)
  }
  turns.wait(goOn)
  while (planned.length > 0) next()
  t.is(times, 3)
})
