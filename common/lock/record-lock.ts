/**
 * The kernel's file locks, one call each, none of which ever waits. The only import of fs-ext.
 *
 * Record locks are the classic ones of fcntl(2): they belong to this process and the file, a second lock of the same byte
 * by this process always succeeds, and closing *any* descriptor of the file here drops all of them. lock-file.ts is the
 * discipline that makes them usable; nobody else takes one. `flock` locks belong to the open descriptor.
 */
import { createRequire } from "node:module"
import type * as fsExtPackage from "fs-ext"
import { DiskError } from "../disk/disk.ts"

/** Many may hold a `read` lock at once, one a `write` lock. */
export type LockType = "read" | "write"

// A CommonJS package: to import it, Node would first search its text for what it exports, at every start of every command.
const { constants, fcntlSync, flockSync } = createRequire(import.meta.url)("fs-ext") as typeof fsExtPackage
const { F_SETLK, F_RDLCK, F_WRLCK, F_UNLCK, LOCK_SH, LOCK_EX, LOCK_NB, LOCK_UN } = constants
const byteMax = 0xffff_ffff

function isRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EAGAIN" || error.code === "EACCES")
}

function requireByte(byte: number): void {
  if (!Number.isInteger(byte) || byte < 0 || byte > byteMax)
    throw new RangeError(`lock offset ${byte} is not in 0..${byteMax}`)
}

const described = (descriptor: number): string => `descriptor ${descriptor}`

/**
 * Locks one byte, 0 to 2^32-1, and says whether it could; never waits. The descriptor must be open for writing for a
 * write lock. `path` is for the error's text.
 * @throws DiskError if the kernel refuses for another reason than a lock of another process
 */
export function tryRecordLock(descriptor: number, type: LockType, byte: number, path?: string): boolean {
  requireByte(byte)
  try {
    fcntlSync(descriptor, F_SETLK, type === "write" ? F_WRLCK : F_RDLCK, byte, 1)
    return true
  } catch (cause) {
    if (isRefusal(cause)) return false
    throw new DiskError("lock", path ?? described(descriptor), cause, byte)
  }
}

/** Lets go of one byte; without effect if this process does not hold it. @throws DiskError */
export function unlockRecord(descriptor: number, byte: number, path?: string): void {
  requireByte(byte)
  try {
    fcntlSync(descriptor, F_SETLK, F_UNLCK, byte, 1)
  } catch (cause) {
    throw new DiskError("unlock", path ?? described(descriptor), cause, byte)
  }
}

/**
 * Lets go of every byte of the file that this process holds. Cheaper than unlocking the only one, since the kernel need
 * not be ready to split a range. @throws DiskError
 */
export function unlockAllRecords(descriptor: number, path?: string): void {
  try {
    fcntlSync(descriptor, F_SETLK, F_UNLCK, 0, 0)
  } catch (cause) {
    throw new DiskError("unlock", path ?? described(descriptor), cause)
  }
}

/** flock(2) of the whole file or directory, which this descriptor then owns; says whether it could. @throws DiskError */
export function tryFlock(descriptor: number, type: "shared" | "exclusive", path?: string): boolean {
  try {
    flockSync(descriptor, (type === "exclusive" ? LOCK_EX : LOCK_SH) | LOCK_NB)
    return true
  } catch (cause) {
    if (isRefusal(cause)) return false
    throw new DiskError("flock", path ?? described(descriptor), cause)
  }
}

/** Ends the flock of this descriptor. @throws DiskError */
export function unlockFlock(descriptor: number, path?: string): void {
  try {
    flockSync(descriptor, LOCK_UN)
  } catch (cause) {
    throw new DiskError("flock", path ?? described(descriptor), cause)
  }
}
