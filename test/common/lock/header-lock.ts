import { join } from "node:path"
import { setImmediate as turn } from "node:timers/promises"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { AfsError } from "../../../common/error.ts"
import { lockHeaders, lockHeadersLater, tryLockHeaders } from "../../../common/lock/header-lock.ts"
import type { LockedPartition } from "../../../common/lock/volume-lock.ts"
import { anyLocker, holdForeign, needsLocker, tryForeign } from "../../support/foreign-lock.ts"
import { runProgram } from "../../support/spawned.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

function partitionOf(t: ExecutionContext): LockedPartition & { file: string } {
  const path = temporaryDirectory(t)
  return { path, name: "/vicepa", disk: nodeDisk, file: join(path, ".volheaders.lock") }
}

const refused = { instanceOf: AfsError, code: "LOCKED" } as const

needsLocker("header lock: writers of headers share byte 1, and keep out a scan in any program", async (t) => {
  const partition = partitionOf(t)
  using _one = lockHeaders(partition, "read", { who: "create of 5" })
  using _two = await lockHeadersLater(partition, "read", { who: "create of 6" })
  const tried = [
    { type: "read", first: 1 },
    { type: "write", first: 1 },
    { type: "write", first: 0, length: 1 },
    { type: "write", first: 2, length: 1 },
  ] as const
  t.deepEqual(await tryForeign(anyLocker(), partition.file, ...tried), [true, false, true, true])
  t.is(tryLockHeaders(partition, "write"), undefined)
})

test("header lock: a scan gets it as soon as the last writer in its process is done", async (t) => {
  const partition = partitionOf(t)
  const writers = [lockHeaders(partition, "read"), lockHeaders(partition, "read")]
  let got = false
  const scan = lockHeadersLater(partition, "write").then((lock) => {
    got = true
    return lock
  })
  for (const writer of writers) {
    await turn()
    t.false(got)
    writer.release()
  }
  using _lock = await scan
  t.is(tryLockHeaders(partition, "read"), undefined)
})

needsLocker(
  "header lock: who waits goes on when the foreign holder ends, and the event loop goes on meanwhile",
  async (t) => {
    const partition = partitionOf(t)
    const holder = await holdForeign(t, anyLocker(), partition.file, { type: "write", first: 1 })
    const waiting = lockHeadersLater(partition, "read")
    for (let turns = 0; turns < 100; turns++) await turn()
    t.is(tryLockHeaders(partition, "read"), undefined)
    await holder.stop("SIGKILL")
    const lock = await waiting
    lock.release()
    t.deepEqual(await tryForeign(anyLocker(), partition.file, { type: "write", first: 1 }), [true])
  },
)

needsLocker("header lock: waiting has an end, which names the holder", async (t) => {
  const partition = partitionOf(t)
  const { pid } = await holdForeign(t, anyLocker(), partition.file, { type: "write", first: 1 })
  const later = await t.throwsAsync(lockHeadersLater(partition, "read", { timeoutMs: 20 }), refused)
  const now = t.throws(() => lockHeaders(partition, "read", { timeoutMs: 20 }), refused)
  for (const error of [later, now]) t.regex(error?.message ?? "", RegExp(`\\.volheaders\\.lock held by pid ${pid} `))
})

needsLocker("header lock: a stopped holder makes nobody hang", async (t) => {
  const partition = partitionOf(t)
  const holder = await holdForeign(t, anyLocker(), partition.file, { type: "write", first: 1 })
  holder.signal("SIGSTOP")
  t.throws(() => lockHeaders(partition, "read", { timeoutMs: 10 }), refused)
  await t.throwsAsync(lockHeadersLater(partition, "write", { timeoutMs: 10 }), refused)
})

needsLocker("header lock: a command waits for another program's writer, then goes on", async (t) => {
  const partition = partitionOf(t)
  const holder = await holdForeign(t, anyLocker(), partition.file, { type: "write", first: 1 })
  const killer = runProgram("sh", ["-c", `sleep 0.1; kill -9 ${holder.pid}`]) // this thread will be blocked
  const lock = lockHeaders(partition, "read", { timeoutMs: 60_000 })
  t.is((await killer).status, 0)
  lock.release()
})

// A command that waited, blocked, for a lock of its own process would wait to its time limit.
test("header lock: a command does not wait for itself", (t) => {
  const partition = partitionOf(t)
  using _lock = lockHeaders(partition, "write", { who: "scan" })
  const error = t.throws(() => lockHeaders(partition, "read", { timeoutMs: 600_000 }), refused)
  t.regex(error?.message ?? "", /held by this process \(scan\)$/)
})

test("header lock: a wait that is called off ends at once and holds nothing", async (t) => {
  const partition = partitionOf(t)
  const holder = lockHeaders(partition, "write")
  const end = new AbortController()
  const waiting = lockHeadersLater(partition, "read", { signal: end.signal })
  await turn()
  end.abort()
  await t.throwsAsync(waiting, { instanceOf: AfsError, code: "INTERRUPTED" })
  await t.throwsAsync(lockHeadersLater(partition, "read", { signal: end.signal }), { code: "INTERRUPTED" })
  holder.release()
  t.not(tryLockHeaders(partition, "write"), undefined)
})
