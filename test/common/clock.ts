import test from "ava"
import { secondsOf, systemClock } from "../../common/clock.ts"
import { runProgram } from "../support/spawned.ts"

test("clock: the system's tells milliseconds since 1970", (t) => {
  t.true(Math.abs(systemClock.now() - Date.now()) < 1_000)
  t.is(secondsOf(1_999), 1)
})

test("clock: an action runs once, after its time, unless it is cancelled", async (t) => {
  const done: string[] = []
  await new Promise<void>((resolve) => {
    const cancel = systemClock.after(1, () => done.push("cancelled"))
    systemClock.after(-5, () => done.push("at once"))
    systemClock.after(5, () => {
      done.push("later")
      resolve()
    })
    cancel()
    setTimeout(() => undefined, 1_000) // an action alone keeps no process alive
  })
  t.deepEqual(done, ["at once", "later"])
})

test("clock: a time beyond what timers take does not fire at once", async (t) => {
  let fired = false
  const cancel = systemClock.after(2 ** 40, () => {
    fired = true
  })
  await new Promise((resolve) => setTimeout(resolve, 5))
  cancel()
  t.false(fired)
})

test("clock: a pending action keeps no process alive", async (t) => {
  const module = new URL("../../common/clock.js", import.meta.url).href
  const script = `import { systemClock } from ${JSON.stringify(module)}; systemClock.after(60_000, () => undefined)`
  const end = await runProgram(process.execPath, ["--input-type=module", "-e", script])
  t.is(end.status, 0)
})
