import { join } from "node:path"
import test from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { tryLockHeaders } from "../../common/lock/header-lock.ts"
import { lockPartition, lockSalvage } from "../../common/lock/partition-lock.ts"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { anyLocker, holdForeign, needsLocker } from "../support/foreign-lock.ts"
import { runDafs } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

interface LocksDocument {
  readonly locks: readonly {
    readonly purpose: string
    readonly volume?: number
    readonly first: number
    readonly last?: number
    readonly pid: number
    readonly program: string
    readonly type: string
  }[]
}

async function locksOf(...args: string[]): Promise<LocksDocument["locks"]> {
  const end = await runDafs(["locks", ...args, "--json"])
  if (end.status !== 0) throw new Error(end.stderr)
  const document: LocksDocument = JSON.parse(end.stdout)
  return document.locks
}

const lockedPartition = (path: string) => ({ path, name: "/vicepa", disk: nodeDisk })

test("dafs locks: every kind of lock is shown with the process that has it", async (t) => {
  const [path, state] = [temporaryDirectory(t), temporaryDirectory(t)]
  const partition = lockedPartition(path)
  using _volume = lockVolume(partition, 536_870_915, "write")
  using _headers = tryLockHeaders(partition, "read")
  using _whole = lockPartition(partition)
  using _salvage = lockSalvage(state, "write")
  const found = await locksOf("--partition", path, "--state-dir", state)
  t.deepEqual(
    found.map(({ purpose, volume, type, pid }) => [purpose, volume, type, pid]),
    [
      ["volume", 536_870_915, "write", process.pid],
      ["headers", undefined, "read", process.pid],
      ["partition", undefined, "write", process.pid],
      ["salvage", undefined, "write", process.pid],
    ],
  )
  const table = await runDafs(["locks", "--partition", path, "--state-dir", state])
  t.regex(table.stdout, /^LOCK +VOLUME +TYPE +PID +PROGRAM +KIND\n/)
  t.regex(table.stdout, RegExp(`^volume +536870915 +write +${process.pid} +node \\S+ +record$`, "m"))
})

needsLocker("dafs locks: one volume is found in a long range, and a range to the end has no last volume", async (t) => {
  const path = temporaryDirectory(t)
  const ranges = [
    { type: "write", first: 5, length: 3 },
    { type: "read", first: 100, length: 0 },
  ] as const
  const { pid } = await holdForeign(t, anyLocker(), join(path, ".volume.lock"), ...ranges)
  t.like(await locksOf("--partition", path, "--volumeid", "6"), [{ first: 5, last: 7, pid, type: "write" }])
  const [open] = await locksOf("--partition", path, "--volumeid", "4294967295")
  t.like(open, { first: 100, last: undefined, pid, type: "read" })
  t.deepEqual(await locksOf("--partition", path, "--volumeid", "99"), [])
  const table = await runDafs(["locks", "--partition", path])
  t.regex(table.stdout, / 5-7 +write .*\n.* 100 and above +read /)
})

test("dafs locks: no lock is an empty list, and said so to a person", async (t) => {
  const path = temporaryDirectory(t)
  t.deepEqual(await locksOf("--partition", path), [])
  const end = await runDafs(["locks", "--partition", path])
  t.deepEqual([end.status, end.stdout], [0, ""])
  t.regex(end.stderr, /no lock is held/)
})

test("dafs locks: a partition that is not there and a number that is none have exit statuses of their own", async (t) => {
  t.is((await runDafs(["locks", "--partition", "/nonexistent/vicepz"])).status, 10)
  t.is((await runDafs(["locks", "--partition", "/", "--volumeid", "many"])).status, 2)
  t.is((await runDafs(["locks"])).status, 2)
})

// Each partition had a document of its own, with the salvagers' lock in each: no program could read them.
test("dafs locks: all partitions of a machine are one document, and the lock on salvages is told once", async (t) => {
  const state = temporaryDirectory(t)
  using _salvage = lockSalvage(state, "write")
  const { status, stdout, stderr } = await runDafs(["locks", "--openafs", "--state-dir", state, "--json"])
  t.is(status, 0, stderr)
  const document = JSON.parse(stdout) as { partitions: unknown[]; salvage: LocksDocument["locks"] }
  t.true(Array.isArray(document.partitions))
  t.like(document.salvage, [{ purpose: "salvage", type: "write", pid: process.pid }])
  const text = await runDafs(["locks", "--openafs", "--state-dir", state])
  t.is(text.stdout.match(/^salvage /gm)?.length, 1)
})
