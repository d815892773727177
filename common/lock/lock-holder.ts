/** Who holds a lock: processes and programs behind the entries of the kernel's lock table. */
import type { Disk } from "../disk/disk.ts"
import { DiskError } from "../disk/disk.ts"
import { nodeDisk } from "../disk/node-disk.ts"
import {
  isSameFile,
  type KernelFile,
  type KernelLock,
  kernelFile,
  type LockKind,
  parseKernelLocks,
  readKernelLocks,
} from "./kernel-locks.ts"
import type { LockFile } from "./lock-file.ts"
import { volumeLockPath } from "./lock-path.ts"
import { programOf, readProcessFile } from "./process-name.ts"
import type { LockType } from "./record-lock.ts"

/** One lock of one process on a range of bytes. The kernel joins neighbouring locks of one process and type. */
export interface LockHolder {
  readonly kind: LockKind
  readonly type: LockType
  /** Undefined if the process cannot be found: another user's, in another container, or gone. */
  readonly pid: number | undefined
  /** Program and, of `dafs`, the subcommand. Undefined if the process is gone or cannot be seen. */
  readonly program: string | undefined
  /** True if it is this process. */
  readonly ours: boolean
  readonly first: number
  /** Last byte, inclusive; Infinity for a lock to the end of the file. */
  readonly last: number
}

/** So many descriptors of other processes are looked at to name a holder in an error; a listing looks at all. */
const searchedForAnError = 4096
/** More holders than this are counted in an error, not named. */
const namedInAnError = 4

function tryList(path: string): string[] {
  try {
    return (nodeDisk.list(path) ?? []).map((entry) => entry.name)
  } catch (error) {
    if (error instanceof DiskError) return [] // another user's process, or one that has just ended
    throw error
  }
}

function isSameLock(one: KernelLock, other: KernelLock): boolean {
  return (
    isSameFile(one, other) &&
    one.kind === other.kind &&
    one.type === other.type &&
    one.first === other.first &&
    one.last === other.last
  )
}

function hasDescriptorWith(lock: KernelLock, pid: number, descriptors: readonly string[]): boolean {
  return descriptors.some((descriptor) => {
    const facts = readProcessFile(pid, `fdinfo/${descriptor}`)
    return facts?.includes("lock:") === true && parseKernelLocks(facts).some((held) => isSameLock(held, lock))
  })
}

/** Processes that have the descriptor to which a lock belongs, among those whose descriptors may be read. */
function descriptorOwners(lock: KernelLock, searchMax: number): number[] {
  const owners: number[] = []
  let searched = 0
  for (const name of tryList("/proc")) {
    if (!/^\d+$/.test(name)) continue
    const descriptors = tryList(`/proc/${name}/fdinfo`)
    searched += descriptors.length
    if (searched > searchMax) break
    if (hasDescriptorWith(lock, Number(name), descriptors)) owners.push(Number(name))
  }
  return owners
}

function holderOf(lock: KernelLock, pid: number | undefined): LockHolder {
  const { kind, type, first, last } = lock
  const program = pid === undefined ? undefined : programOf(pid)
  return { kind, type, pid, program, ours: pid === process.pid, first, last }
}

function holdersOfLock(lock: KernelLock, searchMax: number): LockHolder[] {
  const holder = lock.pid < 0 ? undefined : holderOf(lock, lock.pid)
  if (holder?.program !== undefined) return [holder]
  if (lock.kind === "record") return [holderOf(lock, lock.pid)]
  const owners = descriptorOwners(lock, searchMax) // a descriptor may outlive the process that locked it
  return owners.length === 0 ? [holder ?? holderOf(lock, undefined)] : owners.map((pid) => holderOf(lock, pid))
}

/** Everybody who holds a lock on one of these files that `wanted` lets through. */
function holdersOf(files: readonly KernelFile[], wanted: (lock: KernelLock) => boolean, searchMax: number) {
  return readKernelLocks()
    .filter((lock) => files.some((file) => isSameFile(lock, file)) && wanted(lock))
    .flatMap((lock) => holdersOfLock(lock, searchMax))
}

/** `pid 4711 (davolserver)`, or as much of it as is known. */
export function describeHolder(holder: LockHolder): string {
  const note = holder.kind === "description" ? " by an open-file-description lock" : ""
  if (holder.pid === undefined) return "an open-file-description lock of a process that cannot be seen"
  if (holder.ours) return `this process${note}`
  return `pid ${holder.pid} (${holder.program ?? "which has ended"})${note}`
}

function joined(names: readonly string[]): string | undefined {
  const distinct = [...new Set(names)]
  if (distinct.length === 0) return undefined
  const more = distinct.length - namedInAnError
  return distinct.slice(0, namedInAnError).join(", ") + (more > 0 ? ` and ${more} more` : "")
}

/** Who keeps this process from a byte of a lock file; undefined if nobody can be found (any more). */
export function conflictingHolders(file: LockFile, byte: number, type: LockType): string | undefined {
  const excludes = (held: LockType): boolean => held === "write" || type === "write"
  const here = file.holdersHere(byte).filter((lock) => excludes(lock.type))
  const elsewhere = holdersOf(
    file.kernelNames,
    (lock) =>
      lock.kind !== "flock" &&
      lock.pid !== process.pid &&
      lock.first <= byte &&
      byte <= lock.last &&
      excludes(lock.type),
    searchedForAnError,
  )
  return joined([
    ...here.map((lock) => (lock.who === undefined ? "this process" : `this process (${lock.who})`)),
    ...elsewhere.map(describeHolder),
  ])
}

/** Who holds the flock of a file or directory; undefined if nobody can be found (any more). */
export function flockHolders(file: KernelFile): string | undefined {
  return joined(holdersOf([file], (lock) => lock.kind === "flock", searchedForAnError).map(describeHolder))
}

function kernelFileAt(disk: Disk, path: string): KernelFile | undefined {
  if (disk.stat(path) === undefined) return undefined
  using file = disk.open(path, "path")
  return kernelFile(file)
}

/**
 * Everybody who holds a lock on the file or directory at this path, by first byte; none if there is no such file. The
 * file is neither made nor opened for reading, so that no lock of this process is lost.
 */
export function listLocks(disk: Disk, path: string): LockHolder[] {
  const file = kernelFileAt(disk, path)
  if (file === undefined) return []
  return holdersOf([file], () => true, Number.POSITIVE_INFINITY).sort(
    (a, b) => a.first - b.first || (a.pid ?? 0) - (b.pid ?? 0),
  )
}

/** Everybody who holds volumes of a partition: `first` to `last` are volume ids. */
export function listVolumeLocks(partition: { readonly path: string; readonly disk: Disk }): LockHolder[] {
  return listLocks(partition.disk, volumeLockPath(partition)).filter((lock) => lock.kind !== "flock")
}

/** Everybody who holds this volume. */
export function volumeLockHolders(
  partition: { readonly path: string; readonly disk: Disk },
  volume: number,
): LockHolder[] {
  return listVolumeLocks(partition).filter((lock) => lock.first <= volume && volume <= lock.last)
}
