import test from "ava"
import { Spinner } from "../../common/spinner.ts"

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
    /** Time passes in which another program has the processor. */
    stall(ms: number) {
      now += ms
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

test("spinner: where an answer lately took longer, it is waited for longer", (t) => {
  const loop = stage()
  exchange(loop, 0.1)
  exchange(loop, 0.02)
  loop.spinner.expect()
  loop.pass(0.12)
  t.true(loop.isAwake())
  loop.pass(0.03)
  t.false(loop.isAwake())
})

// A machine with more work than processors: who stays awake is pushed aside, and so is the peer.
test("spinner: leaves the processor to others when they have taken it once", (t) => {
  const loop = stage()
  exchange(loop, 0.02)
  loop.spinner.expect()
  loop.pass(0.001)
  loop.stall(0.1)
  loop.pass(0.002)
  t.false(loop.isAwake())
  loop.spinner.arrived()
  loop.spinner.expect()
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

// Two ends that share a processor: the peer answers when we sleep, and who stays awake waits in vain.
test("spinner: waits in vain twice, rests a while, and each time that it was no use again for longer, up to a thousand messages", (t) => {
  const loop = stage()
  exchange(loop, 0.08)
  let resting = 0
  const rests: number[] = []
  for (let message = 0; message < 5 * 1027; message++) {
    loop.spinner.expect()
    const isAwake = loop.isAwake()
    if (isAwake && resting > 1) rests.push(resting)
    resting = isAwake ? 0 : resting + 1
    loop.pass(isAwake ? 0.25 : 0.08)
    loop.spinner.arrived()
  }
  t.deepEqual(rests.slice(0, 5), [16, 64, 256, 1024, 1024])
})

test("spinner: an answer that is late by chance costs a quick conversation little", (t) => {
  const loop = stage()
  exchange(loop, 0.02)
  let asleep = 0
  for (let message = 0; message < 5000; message++) {
    loop.spinner.expect()
    if (!loop.isAwake()) asleep++
    loop.pass(message % 500 < 3 ? 1 : 0.02)
    loop.spinner.arrived()
  }
  t.true(asleep < 300, `${asleep} of 5000`)
})
