import { setImmediate as turn } from "node:timers/promises"
import test from "ava"
import { Vnode } from "../../common/vnode/vnode.ts"
import { newVnodeRecord, vnodeTypes } from "../../common/vnode/vnode-record.ts"
import type { VolumeUse } from "../../common/volume/server-volume.ts"
import { holdVnode, whenFree } from "../../fileserver/vnode-turns.ts"

const home = { forgotten: () => undefined }

const vnodeOf = (number: number): Vnode =>
  new Vnode(1, number, home, newVnodeRecord("small", { type: vnodeTypes.file, uniquifier: 7 }), undefined)

/** All that is looked at: whether the volume has to go offline. */
function asker() {
  const controller = new AbortController()
  const use = { signal: controller.signal, abortCode: "VBUSY" } as unknown as VolumeUse
  return { use, abort: () => controller.abort() }
}

test("turns: a plan runs at once where nobody is, and when it runs nothing is locked by it", (t) => {
  const [one, two] = [vnodeOf(2), vnodeOf(4)]
  using _reader = one.lock.tryRead()
  t.is(
    whenFree(asker(), () => ({ reads: [one], writes: [two], run: () => "done" })),
    "done",
  )
  t.false(two.lock.isHeld)
})

test("turns: who is in the way is waited for, then the plan is made anew", async (t) => {
  const [one, two] = [vnodeOf(2), vnodeOf(4)]
  const writer = one.lock.tryWrite()
  let plans = 0
  const result = whenFree(asker(), () => {
    plans++
    return { reads: [one], writes: [two], run: () => `plan ${plans}` }
  })
  await turn()
  t.is(plans, 1)
  writer?.[Symbol.dispose]()
  t.is(await result, "plan 2")
  t.false(one.lock.isHeld || two.lock.isHeld)
})

test("turns: what a plan wants anew and finds free needs no further wait, what is taken does", async (t) => {
  const [one, two, three] = [vnodeOf(2), vnodeOf(4), vnodeOf(6)]
  const writer = one.lock.tryWrite()
  const other = three.lock.tryWrite()
  const wanted = [[one], [two, three], [two, three]]
  let asked = 0
  const result = whenFree(asker(), () => ({ writes: wanted[asked++] ?? [two], run: () => asked }))
  writer?.[Symbol.dispose]()
  await turn()
  t.is(asked, 2)
  other?.[Symbol.dispose]()
  t.is(await result, 3)
})

test("turns: the locks are gone while the reply waits for others", async (t) => {
  const one = vnodeOf(2)
  const reader = one.lock.tryRead()
  let tell: (value: string) => void = () => undefined
  const told = new Promise<string>((resolve) => {
    tell = resolve
  })
  const result = whenFree(asker(), () => ({ writes: [one], run: () => told }))
  reader?.[Symbol.dispose]()
  await turn()
  t.false(one.lock.isHeld)
  tell("told")
  t.is(await result, "told")
})

test("turns: a volume that has to go offline ends the wait with its code, and leaves no lock behind", async (t) => {
  const one = vnodeOf(2)
  const writer = one.lock.tryWrite()
  const { use, abort } = asker()
  const plan = whenFree({ use }, () => ({ writes: [one], run: () => "never" }))
  const held = holdVnode({ use }, () => one, "read")
  abort()
  await t.throwsAsync(async () => await plan, { code: "VBUSY" })
  await t.throwsAsync(async () => await held, { code: "VBUSY" })
  await t.throwsAsync(async () => await holdVnode({ use }, () => one, "write"), { code: "VBUSY" })
  writer?.[Symbol.dispose]()
  await turn()
  t.false(one.lock.isHeld)
})

test("turns: a vnode that became another while it was waited for is locked instead", async (t) => {
  const [one, two] = [vnodeOf(2), vnodeOf(2)]
  const writer = one.lock.tryWrite()
  let current = one
  const held = holdVnode(asker(), () => current, "write")
  current = two
  writer?.[Symbol.dispose]()
  const { vnode, hold } = await held
  t.is(vnode, two)
  t.false(one.lock.isHeld)
  t.true(two.lock.isHeld)
  hold[Symbol.dispose]()
})
