import test from "ava"
import { IdleProcessors } from "../../../common/system/idle-processors.ts"

test("idle processors: the mean is of the time since the last question", (t) => {
  let [now, idle] = [1000, 50_000]
  const processors = new IdleProcessors(
    () => idle,
    () => now,
  )
  t.is(processors.mean(), 0, "no time has gone by")
  now += 40
  idle += 60
  t.is(processors.mean(), 1.5)
  now += 100
  t.is(processors.mean(), 0)
  now += 10
  idle += 10
  t.is(processors.mean(), 1)
})

test("idle processors: of this machine there are none or more, and no more than it has", async (t) => {
  const processors = new IdleProcessors()
  const begin = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 50))
  const mean = processors.mean()
  const { cpus } = await import("node:os")
  // Ticks of 10 ms may fall on either side of the begin and the end, on every processor.
  const error = (20 * cpus().length) / (performance.now() - begin)
  t.true(mean >= 0 && mean <= cpus().length + error, `${mean}`)
})
