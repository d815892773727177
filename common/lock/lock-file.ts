/**
 * Lock files: the discipline that makes classic record locks usable.
 *
 * - A lock file is opened once per process and never closed: closing any descriptor of it would drop every lock that this
 *   process holds in it. The descriptor is found again by device and inode, so that two paths to one partition share it.
 * - The kernel does not keep one part of a process from another. A table does: it counts readers and excludes writers
 *   before the kernel is asked, and the last one out unlocks the kernel's byte.
 * - Nothing waits. Locks of a process vanish with it, however it ends.
 * - Only the main thread may do this: locks belong to the process, and the table would exist once per thread.
 *
 * A lock file that somebody removed and made again is noticed within a second, or 256 locks of a process that is too busy
 * for its timer. From then on locks are taken in the new file *and* in the old one, for as long as anybody holds a byte of
 * the old one, and locks already held are taken in the new file too where it is free. Until it is noticed, programs that
 * opened the new file are not kept apart from this one: lock files must not be removed while a server runs.
 */
import { dirname } from "node:path"
import { isMainThread } from "node:worker_threads"
import type { Disk, DiskFile } from "../disk/disk.ts"
import { isSameFile, type KernelFile, kernelFile, readKernelLocks } from "./kernel-locks.ts"
import { type LockType, tryRecordLock, unlockAllRecords, unlockRecord } from "./record-lock.ts"

/** Permissions of a new lock file, before the umask; OpenAFS's. */
const lockFilePermissions = 0o660
/** A path is looked at again after so many locks or so many milliseconds, whichever comes first. */
const locksPerLook = 256
const lookEveryMs = 1000
/** So many bytes that nobody holds may stay in the table, to be used again without making an entry. */
const idleBytesMax = 4096

/** One byte of a lock file, held by a part of this process until it is released. */
export class HeldLock implements Disposable {
  readonly #file: LockFile
  readonly byte: number
  readonly type: LockType
  /** What in this process holds it, for messages. */
  readonly who: string | undefined

  /** A lock that is yet to be taken: see LockFile.take. */
  constructor(file: LockFile, byte: number, type: LockType, who: string | undefined) {
    this.#file = file
    this.byte = byte
    this.type = type
    this.who = who
  }

  /** Lets go. A second call does nothing. @throws DiskError */
  release(): void {
    this.#file.giveBack(this)
  }

  [Symbol.dispose](): void {
    this.#file.giveBack(this)
  }

  /** True if it was taken by way of this path. */
  isOf(file: LockFile): boolean {
    return this.#file === file
  }
}

/** An open lock file: its one descriptor, and who in this process holds which byte. */
class OpenLockFile {
  readonly identity: string
  readonly #file: DiskFile
  readonly #descriptor: number
  /** All have one type per byte. An entry may be empty. */
  readonly #holders = new Map<number, HeldLock[]>()
  #sweepAt = idleBytesMax
  /** Bytes that the kernel holds for this process. */
  #taken = 0
  #kernelName: KernelFile | undefined

  constructor(file: DiskFile, identity: string) {
    this.#file = file
    this.identity = identity
    this.#descriptor = file.descriptor
  }

  /** How the kernel names the file; undefined where the kernel does not know the disk. */
  get kernelName(): KernelFile | undefined {
    this.#kernelName ??= kernelFile(this.#file)
    return this.#kernelName
  }

  get isHeldHere(): boolean {
    return this.#taken > 0
  }

  holders(byte: number): readonly HeldLock[] {
    return this.#holders.get(byte) ?? []
  }

  *allHolders(): Generator<HeldLock> {
    for (const holders of this.#holders.values()) yield* holders
  }

  take(lock: HeldLock): boolean {
    const holders = this.#holders.get(lock.byte) ?? this.#enter(lock.byte)
    const other = holders[0]
    if (other === undefined) {
      if (!this.#takeByte(lock)) return false
      this.#taken++
    } else if (lock.type === "write" || other.type === "write") return false
    holders.push(lock)
    return true
  }

  giveBack(lock: HeldLock): void {
    const holders = this.#holders.get(lock.byte)
    if (holders === undefined) return
    if (holders.length === 1) {
      if (holders[0] !== lock) return
      holders.pop()
      this.#taken--
      this.#unlockByte(lock.byte)
      return
    }
    const place = holders.indexOf(lock)
    if (place >= 0) holders.splice(place, 1)
  }

  #takeByte(lock: HeldLock): boolean {
    return this.#descriptor < 0 || tryRecordLock(this.#descriptor, lock.type, lock.byte, this.#file.path)
  }

  #unlockByte(byte: number): void {
    if (this.#descriptor < 0) return
    if (this.#taken === 0) unlockAllRecords(this.#descriptor, this.#file.path)
    else unlockRecord(this.#descriptor, byte, this.#file.path)
  }

  #enter(byte: number): HeldLock[] {
    if (this.#holders.size >= this.#sweepAt) this.#sweep()
    const holders: HeldLock[] = []
    this.#holders.set(byte, holders)
    return holders
  }

  #sweep(): void {
    for (const [byte, holders] of this.#holders) if (holders.length === 0) this.#holders.delete(byte)
    this.#sweepAt = this.#holders.size + idleBytesMax
  }
}

/** Open lock files of the machine, by device and inode; those of disks that only this process sees are kept per disk. */
const openOfMachine = new Map<string, OpenLockFile>()
const openOfDisk = new WeakMap<Disk, Map<string, OpenLockFile>>()

function openOnce(disk: Disk, path: string): OpenLockFile {
  const known = openOfDisk.get(disk) ?? new Map<string, OpenLockFile>()
  openOfDisk.set(disk, known)
  const present = disk.stat(path)
  const already = present === undefined ? undefined : known.get(present.identity)
  if (already !== undefined) return already
  const file = disk.open(path, "lock", lockFilePermissions) // stays open if the file turns out to be known: never close it
  if (present === undefined) giveToFolderOwner(disk, path, file)
  const { identity } = file.stat()
  const opened = openOfMachine.get(identity) ?? known.get(identity) ?? new OpenLockFile(file, identity)
  known.set(identity, opened)
  if (file.descriptor >= 0) openOfMachine.set(identity, opened)
  return opened
}

/** What root makes on a partition of somebody else, that one has to be able to lock. */
function giveToFolderOwner(disk: Disk, path: string, file: DiskFile): void {
  const folder = disk.stat(dirname(path))
  if (process.geteuid?.() === 0 && folder !== undefined && folder.uid !== 0) file.setOwner(folder.uid, folder.gid)
}

function isHeldByOthers(file: OpenLockFile): boolean {
  const name = file.kernelName
  return name !== undefined && readKernelLocks().some((lock) => lock.pid !== process.pid && isSameFile(lock, name))
}

/** A lock file by its path. */
export class LockFile {
  readonly path: string
  readonly #disk: Disk
  #current: OpenLockFile
  /** Files that had this path before and in which somebody may still hold a byte. */
  #former: OpenLockFile[] = []
  #locksUntilLook = locksPerLook
  #timer: NodeJS.Timeout | undefined

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.path = path
    this.#current = openOnce(disk, path)
    this.#lookLater()
  }

  /** How `/proc/locks` names the file, and those that had its path before. */
  get kernelNames(): KernelFile[] {
    return [this.#current, ...this.#former].map((file) => file.kernelName).filter((name) => name !== undefined)
  }

  /** Takes the lock if nobody, here or elsewhere, holds one that excludes it; says whether it did. Never waits. @throws DiskError */
  take(lock: HeldLock): boolean {
    if (--this.#locksUntilLook <= 0) this.#look()
    if (!this.#current.take(lock)) return false
    return this.#former.length === 0 || this.#takeInFormer(lock)
  }

  /** Takes a byte, or gives undefined. @throws DiskError */
  tryLock(byte: number, type: LockType, who?: string): HeldLock | undefined {
    const lock = new HeldLock(this, byte, type, who)
    return this.take(lock) ? lock : undefined
  }

  /** Ends a lock; without effect on one that is not held. @throws DiskError */
  giveBack(lock: HeldLock): void {
    this.#current.giveBack(lock)
    if (this.#former.length > 0) for (const file of this.#former) file.giveBack(lock)
  }

  /** Who in this process holds the byte. */
  holdersHere(byte: number): readonly HeldLock[] {
    return this.#former.length === 0
      ? this.#current.holders(byte)
      : [...new Set([this.#current, ...this.#former].flatMap((file) => file.holders(byte)))]
  }

  /** Looks now whether the path still leads to the file that is open. @throws DiskError */
  look(): void {
    this.#look()
  }

  #takeInFormer(lock: HeldLock): boolean {
    if (this.#former.every((file) => file.take(lock))) return true
    this.giveBack(lock)
    return false
  }

  #look(): void {
    this.#lookLater()
    this.#former = this.#former.filter((file) => file.isHeldHere || isHeldByOthers(file))
    if (this.#disk.stat(this.path)?.identity === this.#current.identity) return
    const next = openOnce(this.#disk, this.path)
    if (next === this.#current) return
    const left = this.#current
    this.#former = [left, ...this.#former.filter((file) => file !== next)]
    this.#current = next
    for (const lock of left.allHolders()) if (lock.isOf(this)) this.#carryOver(lock)
  }

  #carryOver(lock: HeldLock): void {
    if (this.#current.take(lock)) return
    process.emitWarning(
      `${this.path} was removed and made again, and offset ${lock.byte} of the new file is locked by someone else while this process (${lock.who ?? "unnamed"}) holds it in the old one`,
      "LockFileReplaced",
    )
  }

  #lookLater(): void {
    this.#locksUntilLook = locksPerLook
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#locksUntilLook = 0
    }, lookEveryMs).unref()
  }
}

const byPath = new WeakMap<Disk, Map<string, LockFile>>()

/**
 * The lock file at this path, opened (and made, if there is none) at the first call and open for the life of the process.
 * @throws DiskError if it cannot be opened for writing
 */
export function lockFile(disk: Disk, path: string): LockFile {
  if (!isMainThread) throw new Error("file locks belong to the process: only its main thread may take them")
  const known = byPath.get(disk) ?? new Map<string, LockFile>()
  byPath.set(disk, known)
  let file = known.get(path)
  if (file === undefined) {
    file = new LockFile(disk, path)
    known.set(path, file)
  }
  return file
}
