import test from "ava"
import { TimerSlots, Timers } from "../../../common/rx/timers.ts"
import { seededRandom } from "../../support/random.ts"

test("timers: slots fire in order of time, each once for each time it was set", (t) => {
  const fired: string[] = []
  const timers = new Timers()
  const make = (name: string): TimerSlots => new TimerSlots((slot, now) => fired.push(`${name}${slot}@${now}`))
  const [a, b] = [make("a"), make("b")]
  timers.set(a, 0, 30)
  timers.set(a, 1, 10)
  timers.set(b, 0, 20)
  t.is(timers.next(), 10)
  timers.run(9)
  t.deepEqual(fired, [])
  for (const now of [10, 20, 30, 40]) timers.run(now)
  t.deepEqual(fired, ["a1@10", "b0@20", "a0@30"])
  t.is(timers.next(), undefined)
  t.is(timers.size, 0)
})

test("timers: a slot that is cleared or set later does not fire at its first time", (t) => {
  const fired: number[] = []
  const timers = new Timers()
  const slots = new TimerSlots((_, now) => fired.push(now))
  timers.set(slots, 0, 10)
  timers.clear(slots, 0)
  t.is(timers.next(), undefined)
  timers.set(slots, 0, 10)
  timers.set(slots, 0, 25)
  t.true(slots.isSet(0))
  for (const now of [10, 20, 25, 30]) timers.run(now)
  t.deepEqual(fired, [25])
  timers.set(slots, 0, 40)
  timers.drop(slots)
  timers.run(50)
  t.deepEqual(fired, [25])
})

test("timers: an owner that sets itself again for the past waits for the next run, so that a run ends", (t) => {
  const timers = new Timers()
  let count = 0
  const slots: TimerSlots = new TimerSlots(() => {
    count++
    timers.set(slots, 0, 0)
  })
  timers.set(slots, 0, 5)
  timers.run(10)
  t.is(count, 1)
  timers.run(11)
  t.is(count, 2)
})

test("timers: those who wait are told when the next timeout comes nearer", (t) => {
  let told = 0
  const timers = new Timers(() => told++)
  const make = (): TimerSlots => new TimerSlots(() => undefined)
  const first = make()
  timers.set(first, 0, 100)
  timers.set(make(), 0, 200)
  t.is(told, 1)
  timers.set(make(), 0, 50)
  t.is(told, 2)
})

test("timers: whatever is set, cleared and dropped, what fires is what a plain list says", (t) => {
  const random = seededRandom(t)
  const timers = new Timers()
  const fired: string[] = []
  const owners = Array.from({ length: 60 }, (_, id) => new TimerSlots((slot) => fired.push(`${id}.${slot}`)))
  const model = new Map<string, number>()
  for (let now = 1; now < 3000; now++) {
    const id = random.below(60)
    const slots = owners[id]
    if (slots === undefined) continue
    const slot = random.below(4)
    const act = random.below(10)
    if (act < 6) {
      const at = now + 1 + random.below(100)
      timers.set(slots, slot, at)
      model.set(`${id}.${slot}`, at)
    } else if (act < 9) {
      timers.clear(slots, slot)
      model.delete(`${id}.${slot}`)
    } else {
      timers.drop(slots)
      for (let each = 0; each < 4; each++) model.delete(`${id}.${each}`)
    }
    const due = [...model].filter(([, at]) => at <= now).map(([name]) => name)
    t.is(timers.next(), model.size === 0 ? undefined : Math.min(...model.values()))
    timers.run(now)
    t.deepEqual(fired.splice(0).sort(), due.sort())
    for (const name of due) model.delete(name)
  }
})
