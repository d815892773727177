import test from "ava"
import { Spinner } from "../../fssync/spinner.ts"

/** A spinner on an event loop that the test turns, with a clock that the test moves, in milliseconds. */
function stage() {
  let now = 0
  let planned: (() => void)[] = []
  const spinner = new Spinner(
    () => now,
    (action) => planned.push(action),
  )
  return {
    spinner,
    /** The event loop is kept from sleeping. */
    isAwake: () => planned.length > 0,
    /** Time passes; an event loop that is awake turns once for each microsecond, a sleeping one not at all. */
    pass(ms: number) {
      const end = now + ms
      while (planned.length > 0 && now < end) {
        now += 0.001
        const due = planned
        planned = []
        for (const action of due) action()
      }
      now = Math.max(now, end)
    },
  }
}

type Stage = ReturnType<typeof stage>

/** A message goes out, and the peer's next comes after `ms`. */
function exchange({ spinner, pass }: Stage, ms: number): void {
  spinner.expect()
  pass(ms)
  spinner.arrived()
}

test("spinner: stays awake for a peer that answered quickly the last time, and for no other", (t) => {
  const loop = stage()
  loop.spinner.expect()
  t.false(loop.isAwake())
  loop.pass(0.05)
  loop.spinner.arrived()
  loop.spinner.expect()
  t.true(loop.isAwake())
  loop.pass(5)
  loop.spinner.arrived()
  loop.spinner.expect()
  t.false(loop.isAwake())
})

test("spinner: a message ends the wait, and the loop sleeps again if nothing more goes out", (t) => {
  const loop = stage()
  exchange(loop, 0.01)
  exchange(loop, 0.01)
  loop.pass(0.002)
  t.false(loop.isAwake())
})

test("spinner: goes to sleep soon after the last message when nothing comes", (t) => {
  const loop = stage()
  exchange(loop, 0.01)
  loop.spinner.expect()
  loop.pass(0.05)
  t.true(loop.isAwake())
  loop.pass(0.02)
  t.false(loop.isAwake())
})

test("spinner: a quick conversation is waited for awake throughout, with one plan for the loop at a time", (t) => {
  const loop = stage()
  exchange(loop, 0.02)
  for (let message = 0; message < 5000; message++) {
    loop.spinner.expect()
    t.true(loop.isAwake())
    loop.pass(0.02)
    loop.spinner.arrived()
  }
})

// Two ends that share a processor: staying awake keeps the peer from answering, and every exchange takes the whole wait.
test("spinner: waits in vain twice, then leaves it for a thousand messages", (t) => {
  const loop = stage()
  exchange(loop, 0.08)
  let awake = 0
  for (let message = 0; message < 5 * 1026; message++) {
    loop.spinner.expect()
    if (loop.isAwake()) awake++
    loop.pass(0.08)
    loop.spinner.arrived()
  }
  t.is(awake, 5 * 2)
})
