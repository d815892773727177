import test from "ava"
import { SalvageSchedule } from "../../salvager/schedule.ts"

const needed = 65540
const a = "/vicepa"
const b = "/vicepb"

function drain(schedule: SalvageSchedule): number[] {
  const order: number[] = []
  for (let job = schedule.take(1); job !== undefined; job = schedule.take(1)) {
    order.push(job.volume)
    schedule.ended(job, undefined, 2)
  }
  return order
}

test("schedule: equal priorities at 0 are served in the order of arrival", (t) => {
  const schedule = new SalvageSchedule()
  for (const volume of [1, 2, 3]) schedule.request(volume, a, 0, needed, 0)
  t.deepEqual(drain(schedule), [1, 2, 3])
})

test("schedule: a request that jumps ahead goes in front of its equals", (t) => {
  const schedule = new SalvageSchedule()
  for (const [index, priority] of [0, 5, 3, 5, 0, 9].entries()) schedule.request(index + 1, a, priority, needed, 0)
  schedule.request(1, a, 7, needed, 0)
  schedule.request(5, a, 5, needed, 0)
  const left = [...schedule.jobs()].filter((job) => job.state === "queued").map((job) => job.priority)
  t.deepEqual(
    left.sort((x, y) => y - x),
    [9, 7, 5, 5, 5, 3],
  )
  t.deepEqual(drain(schedule), [6, 1, 5, 4, 2, 3])
})

test("schedule: a second request for a waiting volume makes no second job and raises its priority", (t) => {
  const schedule = new SalvageSchedule()
  schedule.request(1, a, 4, needed, 0)
  const job = schedule.request(1, a, 2, needed, 0)
  t.is(job.priority, 5)
  t.is(schedule.queuedCount, 1)
})

test("schedule: a request for a volume under salvage changes the number only", (t) => {
  const schedule = new SalvageSchedule()
  schedule.request(1, a, 0, needed, 0)
  const job = schedule.take(5)
  schedule.request(1, a, 9, needed, 6)
  t.is(job?.state, "salvaging")
  t.is(job?.priority, 9)
  t.is(schedule.take(7), undefined)
})

test("schedule: a volume may be salvaged again after it is done, with a fresh priority", (t) => {
  const schedule = new SalvageSchedule()
  schedule.request(1, a, 50, needed, 0)
  t.deepEqual(drain(schedule), [1])
  const job = schedule.request(1, a, 3, needed, 10)
  t.is(job.priority, 3)
  t.is(job.state, "queued")
  t.is(job.salvages, 1)
})

test("schedule: partitions without a running salvage come first, in turn", (t) => {
  const schedule = new SalvageSchedule()
  for (const volume of [1, 2]) schedule.request(volume, a, 9, needed, 0)
  for (const volume of [3, 4]) schedule.request(volume, b, 0, needed, 0)
  const order = [schedule.take(1), schedule.take(1), schedule.take(1), schedule.take(1)].map((job) => job?.volume)
  t.deepEqual(order, [1, 3, 2, 4])
})

test("schedule: cancelling takes a waiting volume out and leaves a running salvage alone", (t) => {
  const schedule = new SalvageSchedule()
  schedule.request(1, a, 0, needed, 0)
  schedule.request(2, a, 0, needed, 0)
  const running = schedule.take(1)
  t.is(schedule.cancel(2, a), "queued")
  t.is(schedule.cancel(1, a), "salvaging")
  t.is(schedule.cancel(3, a), "unknown")
  t.is(running?.state, "salvaging")
  t.is(schedule.queuedCount, 0)
  schedule.request(2, a, 0, needed, 2)
  schedule.cancelAll()
  t.is(schedule.find(2, a)?.state, "unknown")
})

// In OpenAFS 1.8.9 the group's worker may start while the worker that linked the clone still holds the clone's lock. It
// then finds the clone locked, gives up, and the whole group ends in the error state.
test("schedule: the group of a linked clone waits for the worker that linked it", (t) => {
  const schedule = new SalvageSchedule()
  schedule.request(12, a, 3, needed, 0)
  const clone = schedule.take(1)
  t.true(schedule.link(12, 10, a, 2))
  t.is(schedule.take(3), undefined)
  if (clone !== undefined) schedule.ended(clone, undefined, 4)
  const group = schedule.take(5)
  t.is(group?.volume, 10)
  t.is(group?.priority, 3)
  t.is(schedule.standingFor(12, a), group)
})

test("schedule: requests for a linked clone are requests for its group", (t) => {
  const schedule = new SalvageSchedule()
  schedule.request(12, a, 0, needed, 0)
  schedule.link(12, 10, a, 0)
  schedule.request(12, a, 6, needed, 0)
  t.deepEqual(drain(schedule), [10])
  t.is(schedule.standingFor(12, a)?.state, "done")
})

test("schedule: a clone nobody asked for is not linked, nor is a volume to a linked clone", (t) => {
  const schedule = new SalvageSchedule()
  t.false(schedule.link(12, 10, a, 0))
  schedule.request(12, a, 0, needed, 0)
  schedule.request(13, a, 0, needed, 0)
  t.true(schedule.link(12, 10, a, 0))
  t.false(schedule.link(13, 12, a, 0))
})

test("schedule: a failure is kept with the job", (t) => {
  const schedule = new SalvageSchedule()
  schedule.request(1, a, 0, needed, 0)
  const job = schedule.take(1)
  if (job !== undefined) schedule.ended(job, "worker was killed by SIGSEGV", 2)
  t.is(job?.state, "error")
  t.is(schedule.find(1, a)?.failure, "worker was killed by SIGSEGV")
})

test("schedule: a postponed job waits for its time, keeps its priority, and lets others go first", (t) => {
  const schedule = new SalvageSchedule()
  schedule.request(1, a, 8, needed, 0)
  schedule.request(2, a, 0, needed, 0)
  const first = schedule.take(1)
  if (first === undefined) return t.fail()
  schedule.postpone(first, "worker was killed by SIGKILL", 50)
  t.like(first, { state: "queued", priority: 8, brokenOff: 1, failure: "worker was killed by SIGKILL" })
  t.is(schedule.nextDue(1), 50)
  t.is(schedule.take(1)?.volume, 2)
  t.is(schedule.take(49), undefined)
  t.is(schedule.take(50), first)
  t.is(schedule.nextDue(50), undefined)
  schedule.ended(first, undefined, 60)
  t.like(schedule.find(1, a), { state: "done", failure: undefined })
})

test("schedule: a postponed job can be cancelled, and a request after the end begins anew", (t) => {
  const schedule = new SalvageSchedule()
  schedule.request(1, a, 0, needed, 0)
  const job = schedule.take(1)
  if (job === undefined) return t.fail()
  schedule.postpone(job, "killed", 50)
  schedule.request(1, a, 3, needed, 2)
  t.like(job, { brokenOff: 1, notBefore: 50, priority: 3, requestedAt: 0 }, "it is the same job, and waits as long")
  t.is(schedule.cancel(1, a), "queued")
  t.is(schedule.nextDue(2), undefined)
  schedule.request(1, a, 0, needed, 5)
  t.like(schedule.take(5), { brokenOff: 0, notBefore: 0 })
})
