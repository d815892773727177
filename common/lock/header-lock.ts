/**
 * The lock of a partition's volume headers: byte 1 of `.volheaders.lock`. A program that creates or rewrites a `V*.vol`
 * holds it for *reading* around the write, so that several may write at once; a scan that met a bad or short header takes
 * it for *writing* and reads again, and so knows that nobody is in the middle of making that header.
 *
 * It is the one lock that is waited for, since its holders keep it for milliseconds. Waiting is asking again at growing
 * intervals until a limit, never a wait inside the kernel. OpenAFS vol/partition.c (VPartHeaderLock), vol/vutil.c.
 */
import { performance } from "node:perf_hooks"
import { setTimeout as delay } from "node:timers/promises"
import { AfsError } from "../error.ts"
import { type HeldLock, type LockFile, lockFile } from "./lock-file.ts"
import { conflictingHolders } from "./lock-holder.ts"
import { headerLockPath } from "./lock-path.ts"
import type { LockType } from "./record-lock.ts"
import type { LockedPartition } from "./volume-lock.ts"

const headerByte = 1
const defaultTimeoutMs = 60_000
const firstPauseMs = 1
const longestPauseMs = 50

/** A held header lock. Released by `release()` or the end of a `using` scope. */
export type HeaderLock = HeldLock

export interface HeaderLockOptions {
  /** What in this process holds it, for messages. */
  readonly who?: string
  /** How long to ask again before giving up; 60 s. */
  readonly timeoutMs?: number
}

const fileOf = (partition: LockedPartition): LockFile => lockFile(partition.disk, headerLockPath(partition))

/** Takes the header lock if it is free, else gives undefined. @throws DiskError */
export function tryLockHeaders(partition: LockedPartition, type: LockType, who?: string): HeaderLock | undefined {
  return fileOf(partition).tryLock(headerByte, type, who)
}

function refusal(partition: LockedPartition, type: LockType, operation: string): AfsError {
  const holder = conflictingHolders(fileOf(partition), headerByte, type) ?? "a process that cannot be seen"
  return new AfsError("LOCKED", operation, { path: headerLockPath(partition), holder })
}

function* pauses(): Generator<number> {
  for (let pause = firstPauseMs; ; pause = Math.min(2 * pause, longestPauseMs)) yield pause
}

const napping = new Int32Array(new SharedArrayBuffer(4))

/**
 * Takes the header lock, blocking the thread while others have it: for commands and workers' parents that have nothing
 * else to do. A daemon's event loop uses lockHeadersLater.
 * @throws AfsError LOCKED, naming the holders, after the time limit; at once if this process itself is in the way, since
 * what holds it could not let go meanwhile
 * @throws DiskError if the lock file cannot be used
 */
export function lockHeaders(partition: LockedPartition, type: LockType, options: HeaderLockOptions = {}): HeaderLock {
  const file = fileOf(partition)
  const end = performance.now() + (options.timeoutMs ?? defaultTimeoutMs)
  for (const pause of pauses()) {
    const lock = file.tryLock(headerByte, type, options.who)
    if (lock !== undefined) return lock
    const left = end - performance.now()
    if (left <= 0 || isHeldHere(file, type)) break
    Atomics.wait(napping, 0, 0, Math.min(pause, left))
  }
  throw refusal(partition, type, "lockHeaders")
}

function isHeldHere(file: LockFile, type: LockType): boolean {
  return file.holdersHere(headerByte).some((held) => held.type === "write" || type === "write")
}

/**
 * Takes the header lock, asking again on a timer while others have it; the event loop goes on.
 * @throws AfsError LOCKED, naming the holders, after the time limit; INTERRUPTED if `signal` is aborted
 * @throws DiskError if the lock file cannot be used
 */
export async function lockHeadersLater(
  partition: LockedPartition,
  type: LockType,
  options: HeaderLockOptions & { readonly signal?: AbortSignal } = {},
): Promise<HeaderLock> {
  const file = fileOf(partition)
  const end = performance.now() + (options.timeoutMs ?? defaultTimeoutMs)
  for (const pause of pauses()) {
    if (options.signal?.aborted === true) throw interrupted(partition)
    const lock = file.tryLock(headerByte, type, options.who)
    if (lock !== undefined) return lock
    const left = end - performance.now()
    if (left <= 0) break
    await nap(Math.min(pause, left), options.signal)
  }
  throw refusal(partition, type, "lockHeadersLater")
}

/** Ends early, without an error, when the signal is aborted. */
async function nap(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(milliseconds, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    if (signal?.aborted !== true) throw error
  }
}

function interrupted(partition: LockedPartition): AfsError {
  return new AfsError("INTERRUPTED", "lockHeadersLater", { path: headerLockPath(partition) })
}
