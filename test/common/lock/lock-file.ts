import { chownSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import test, { type ExecutionContext } from "ava"
import type { Disk, DiskFile } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { type HeldLock, lockFile } from "../../../common/lock/lock-file.ts"
import { anyLocker, holdForeign, needsLocker, tryForeign } from "../../support/foreign-lock.ts"
import { buildDirectory } from "../../support/project.ts"
import { needsRoot } from "../../support/requirements.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const lockPath = (t: ExecutionContext): string => join(temporaryDirectory(t), ".volume.lock")

function held(t: ExecutionContext, lock: HeldLock | undefined): HeldLock {
  if (lock === undefined) throw new Error("the lock was refused")
  t.teardown(() => lock.release())
  return lock
}

const isFree = async (path: string, type: "read" | "write", byte: number): Promise<boolean> =>
  (await tryForeign(anyLocker(), path, { type, first: byte }))[0] === true

/** The same file, as a disk in memory would give it. */
function unknownToTheKernel(file: DiskFile): DiskFile {
  return new Proxy(file, {
    get(target, key) {
      const value: unknown = key === "descriptor" ? -1 : Reflect.get(target, key, target)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}

// Two parts of one process are one owner to the kernel: without a table the second one was given the first one's volume.
test("lock file: parts of one process exclude one another as two programs would", (t) => {
  const file = lockFile(nodeDisk, lockPath(t))
  const writer = held(t, file.tryLock(5, "write", "restore"))
  t.is(file.tryLock(5, "write"), undefined)
  t.is(file.tryLock(5, "read"), undefined)
  held(t, file.tryLock(6, "write"))
  t.deepEqual(
    file.holdersHere(5).map((lock) => lock.who),
    ["restore"],
  )
  writer.release()
  const readers = [held(t, file.tryLock(5, "read")), held(t, file.tryLock(5, "read"))]
  t.is(file.tryLock(5, "write"), undefined)
  for (const reader of readers) reader.release()
  t.not(file.tryLock(5, "write"), undefined)
})

// The first of two readers to finish once unlocked the byte for both, since the kernel keeps no count.
needsLocker("lock file: the kernel's byte stays locked until the last reader is out", async (t) => {
  const path = lockPath(t)
  const file = lockFile(nodeDisk, path)
  const [one, two] = [held(t, file.tryLock(9, "read")), held(t, file.tryLock(9, "read"))]
  one.release()
  t.false(await isFree(path, "write", 9))
  t.true(await isFree(path, "read", 9))
  two.release()
  t.true(await isFree(path, "write", 9))
})

needsLocker("lock file: releasing the last lock but one, then the last, frees exactly those bytes", async (t) => {
  const path = lockPath(t)
  const file = lockFile(nodeDisk, path)
  const locks = [1, 2, 3].map((byte) => held(t, file.tryLock(byte, "write")))
  locks[1]?.release()
  const all = [1, 2, 3].map((first) => ({ type: "write", first }) as const)
  t.deepEqual(await tryForeign(anyLocker(), path, ...all), [false, true, false])
  locks[0]?.release()
  t.deepEqual(await tryForeign(anyLocker(), path, ...all), [true, true, false])
  locks[2]?.release()
  t.deepEqual(await tryForeign(anyLocker(), path, ...all), [true, true, true])
})

needsLocker("lock file: a lock released twice takes nothing from whoever holds the byte by then", async (t) => {
  const path = lockPath(t)
  const file = lockFile(nodeDisk, path)
  const first = held(t, file.tryLock(5, "write"))
  first.release()
  held(t, file.tryLock(5, "write"))
  first.release()
  t.false(await isFree(path, "read", 5))
  t.is(file.tryLock(5, "read"), undefined)
})

needsLocker("lock file: two paths to one file are one file", async (t) => {
  const directory = temporaryDirectory(t)
  const [real, link] = [join(directory, "real"), join(directory, "link")]
  const one = lockFile(nodeDisk, real)
  symlinkSync(real, link)
  const two = lockFile(nodeDisk, link)
  const lock = held(t, one.tryLock(5, "write"))
  t.is(two.tryLock(5, "read"), undefined)
  held(t, two.tryLock(6, "write")).release()
  t.false(await isFree(real, "write", 5))
  lock.release()
  held(t, two.tryLock(5, "write"))
  t.is(one.tryLock(5, "write"), undefined)
})

needsLocker("lock file: another disk object over the same files shares their locks", async (t) => {
  const path = lockPath(t)
  const wrapped: Disk = { ...nodeDisk }
  const lock = held(t, lockFile(nodeDisk, path).tryLock(5, "write"))
  t.is(lockFile(wrapped, path).tryLock(5, "write"), undefined)
  held(t, lockFile(wrapped, path).tryLock(6, "write")).release()
  t.false(await isFree(path, "write", 5))
  lock.release()
  t.not(lockFile(wrapped, path).tryLock(5, "write"), undefined)
})

test("lock file: a disk of this process alone is locked by the table alone", (t) => {
  const path = lockPath(t)
  const disk: Disk = { ...nodeDisk, open: (...args) => unknownToTheKernel(nodeDisk.open(...args)) }
  const file = lockFile(disk, path)
  const lock = held(t, file.tryLock(5, "write"))
  t.is(file.tryLock(5, "read"), undefined)
  lock.release()
  t.not(file.tryLock(5, "read"), undefined)
  t.not(lockFile(nodeDisk, path).tryLock(5, "write"), undefined)
})

test("lock file: a process that goes through very many volumes keeps those it holds", (t) => {
  const file = lockFile(nodeDisk, lockPath(t))
  const kept = held(t, file.tryLock(1, "write"))
  for (let byte = 2; byte < 10_000; byte++) held(t, file.tryLock(byte, byte % 2 === 0 ? "read" : "write")).release()
  t.is(file.tryLock(1, "read"), undefined)
  kept.release()
  t.not(file.tryLock(1, "write"), undefined)
})

test("lock file: a worker thread may not lock, since its table would know nothing of the main thread's", async (t) => {
  const module = join(buildDirectory, "common", "lock", "lock-file.js")
  const disk = join(buildDirectory, "common", "disk", "node-disk.js")
  const code = `Promise.all([import(${JSON.stringify(module)}), import(${JSON.stringify(disk)})]).then(([locks, disks]) =>
    locks.lockFile(disks.nodeDisk, ${JSON.stringify(lockPath(t))}))`
  const worker = new Worker(code, { eval: true })
  const error = await new Promise<unknown>((resolve) => worker.once("error", resolve))
  t.true(error instanceof Error && error.message.includes("only its main thread"))
})

// An administrator removed the lock file of a running server "to clear a stale lock"; from then on the volserver, which had
// the old file open, and a salvager, which made a new one, each had every volume for itself.
needsLocker(
  "lock file: a file removed and made again is locked in its new place, with all that was held",
  async (t) => {
    const path = lockPath(t)
    const file = lockFile(nodeDisk, path)
    const [before, kept] = [held(t, file.tryLock(5, "write")), held(t, file.tryLock(6, "read"))]
    rmSync(path)
    await holdForeign(t, anyLocker(), path, { type: "write", first: 7 })
    file.look()
    t.is(file.tryLock(7, "read"), undefined)
    t.false(await isFree(path, "read", 5))
    t.is(file.tryLock(5, "read"), undefined)
    before.release()
    t.true(await isFree(path, "write", 5))
    t.false(await isFree(path, "write", 6))
    kept.release()
    t.true(await isFree(path, "write", 6))
  },
)

needsLocker("lock file: a process too busy for timers notices by itself, after some hundred locks", async (t) => {
  const path = lockPath(t)
  const file = lockFile(nodeDisk, path)
  rmSync(path)
  for (let count = 0; count < 300; count++) held(t, file.tryLock(5, "write")).release()
  held(t, file.tryLock(5, "write"))
  t.false(await isFree(path, "read", 5))
})

needsLocker("lock file: who still holds a byte of the file that was removed is not run over", async (t) => {
  const directory = temporaryDirectory(t)
  const [path, aside] = [join(directory, ".volume.lock"), join(directory, "aside")]
  const file = lockFile(nodeDisk, path)
  const holder = await holdForeign(t, anyLocker(), path, { type: "write", first: 5 })
  renameSync(path, aside)
  writeFileSync(path, "")
  file.look()
  t.is(file.tryLock(5, "read"), undefined)
  const other = held(t, file.tryLock(6, "write"))
  t.deepEqual([await isFree(path, "read", 6), await isFree(aside, "read", 6)], [false, false])
  other.release()
  t.deepEqual([await isFree(path, "read", 6), await isFree(aside, "read", 6)], [true, true])
  await holder.stop("SIGKILL")
  const lock = held(t, file.tryLock(5, "write"))
  lock.release()
  file.look() // nobody holds a byte of the old file any more: it is forgotten
  held(t, file.tryLock(5, "write"))
  t.deepEqual([await isFree(path, "read", 5), await isFree(aside, "read", 5)], [false, true])
})

needsLocker("lock file: a lock that cannot be carried over to the new file is warned of, not dropped", async (t) => {
  const path = lockPath(t)
  const file = lockFile(nodeDisk, path)
  held(t, file.tryLock(5, "write", "clone of 5"))
  rmSync(path)
  await holdForeign(t, anyLocker(), path, { type: "read", first: 5 })
  const warned = new Promise<Error>((resolve) => process.once("warning", resolve))
  file.look()
  const warning = await warned
  t.is(warning.name, "LockFileReplaced")
  t.regex(warning.message, /offset 5 .*clone of 5/)
  t.is(file.tryLock(5, "read"), undefined)
})

// A salvage by root of a user's development partition left a lock file there that the user could not open.
needsRoot("lock file: one that root makes on a partition of somebody else belongs to that one", (t) => {
  const folder = join(temporaryDirectory(t), "vicepa")
  mkdirSync(folder)
  chownSync(folder, 1234, 1235)
  held(t, lockFile(nodeDisk, join(folder, ".volume.lock")).tryLock(1, "write"))
  const { uid, gid } = statSync(join(folder, ".volume.lock"))
  t.deepEqual([uid, gid], [1234, 1235])
})
