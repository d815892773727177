import test from "ava"
import { JobTable } from "../../volserver/job-table.ts"

test("job table: so many jobs run at a time, the others wait for their turn in order", (t) => {
  const table = new JobTable(2)
  const jobs = ["a", "b", "c", "d"].map((command) => table.add(command, 5))
  t.deepEqual([table.nextToRun()?.command, table.nextToRun()?.command, table.nextToRun()], ["a", "b", undefined])
  table.remove(jobs[0]?.number ?? 0)
  t.is(table.nextToRun()?.command, "c")
  t.is(table.nextToRun(), undefined)
  t.is(table.count, 3)
})

test("job table: a volume on a partition has one job at a time, on another partition it is another volume", (t) => {
  const table = new JobTable()
  const [first, second] = [table.add("dump", 0), table.add("remove", 0)].map((job) => job?.number ?? 0)
  t.is(table.reserve(first ?? 0, "/vicepa", 5), undefined)
  t.is(table.reserve(second ?? 0, "/vicepa", 5)?.command, "dump")
  t.is(table.reserve(second ?? 0, "/vicepb", 5), undefined)
  table.release(second ?? 0, "/vicepa", 5)
  t.is(table.reserve(second ?? 0, "/vicepa", 5)?.command, "dump", "only who has it may release it")
  table.release(first ?? 0, "/vicepa", 5)
  t.is(table.reserve(second ?? 0, "/vicepa", 5), undefined)
})

test("job table: what a job has is free when it ends, however it ends", (t) => {
  const table = new JobTable()
  const first = table.add("dump", 0)?.number ?? 0
  table.reserve(first, "/vicepa", 5)
  table.reserve(first, "/vicepa", 6)
  t.deepEqual(table.status()[0]?.volumes, ["5 /vicepa", "6 /vicepa"])
  table.remove(first)
  const second = table.add("dump", 0)?.number ?? 0
  t.not(second, first)
  t.is(table.reserve(second, "/vicepa", 5), undefined)
  t.is(table.reserve(second, "/vicepa", 6), undefined)
})

test("job table: a queue without end is refused", (t) => {
  const table = new JobTable(1)
  let added = 0
  while (table.add("dump", 0) !== undefined) added++
  t.is(added, 1000)
})
