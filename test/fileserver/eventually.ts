import test from "ava"
import { lastly, then } from "../../fileserver/eventually.ts"

test("then: what is here is gone on with at once, what is not is waited for", async (t) => {
  t.is(
    then(2, (value) => value + 1),
    3,
  )
  t.is(await then(Promise.resolve(2), (value) => value + 1), 3)
  t.throws(
    () =>
      then(1, () => {
        throw new Error("at once")
      }),
    { message: "at once" },
  )
})

test("lastly: the last step is taken once, when the work has ended, however that was", async (t) => {
  const steps: string[] = []
  const last = (): void => void steps.push("last")
  t.is(
    lastly(() => {
      steps.push("work")
      return 1
    }, last),
    1,
  )
  t.throws(() =>
    lastly(() => {
      throw new Error("failed")
    }, last),
  )
  let resolve: (value: number) => void = () => undefined
  const waiting = lastly(
    () =>
      new Promise<number>((done) => {
        resolve = done
      }),
    last,
  )
  t.deepEqual(steps, ["work", "last", "last"])
  resolve(5)
  t.is(await waiting, 5)
  await t.throwsAsync(async () => await lastly(() => Promise.reject(new Error("later")), last))
  t.deepEqual(steps, ["work", "last", "last", "last", "last"])
})
