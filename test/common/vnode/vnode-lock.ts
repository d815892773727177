import test from "ava"
import { AfsError } from "../../../common/error.ts"
import { VnodeLock, type VnodeLockHold } from "../../../common/vnode/vnode-lock.ts"

const release = (hold: VnodeLockHold | undefined): void => hold?.[Symbol.dispose]()

test("vnode lock: many read at once, one writes alone", (t) => {
  const lock = new VnodeLock()
  const [first, second] = [lock.tryRead(), lock.tryRead()]
  t.truthy(first)
  t.truthy(second)
  t.is(lock.tryWrite(), undefined)
  release(first)
  t.is(lock.tryWrite(), undefined)
  release(second)
  const writer = lock.tryWrite()
  t.truthy(writer)
  t.is(lock.tryRead(), undefined)
  t.is(lock.tryWrite(), undefined)
  release(writer)
  t.false(lock.isHeld)
})

test("vnode lock: a hold that is disposed of twice is released once", (t) => {
  const lock = new VnodeLock()
  const [first, second] = [lock.tryRead(), lock.tryRead()]
  release(first)
  release(first)
  t.true(lock.isHeld)
  release(second)
  t.false(lock.isHeld)
})

test("vnode lock: first come, first served; a writer is not overtaken by readers that come later", async (t) => {
  const lock = new VnodeLock()
  const order: string[] = []
  const reader = lock.tryRead()
  const writer = lock.write().then((hold) => {
    order.push("writer")
    return hold
  })
  const late = [lock.read(), lock.read()].map((promise) =>
    promise.then((hold) => {
      order.push("late reader")
      return hold
    }),
  )
  t.true(lock.isWritten)
  t.is(lock.tryRead(), undefined)
  release(reader)
  release(await writer)
  for (const hold of await Promise.all(late)) release(hold)
  t.deepEqual(order, ["writer", "late reader", "late reader"])
  t.false(lock.isHeld)
})

test("vnode lock: who waits can be refused; who has the lock keeps it", async (t) => {
  const lock = new VnodeLock()
  const held = lock.tryRead()
  const waiting = lock.write()
  lock.refuseWaiters(new AfsError("VOFFLINE", "lock"))
  await t.throwsAsync(waiting, { code: "VOFFLINE" })
  t.true(lock.isHeld)
  release(held)
  t.false(lock.isHeld)
})
