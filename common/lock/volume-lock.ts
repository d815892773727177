/**
 * The lock of one volume: its byte in the partition's `.volume.lock`, shared with OpenAFS's programs. It keeps volservers,
 * salvagers and utilities apart from one another and from a fileserver that is attaching; a fileserver that has a volume
 * online holds no lock on it (that is what checking out is for). lock-type.ts says which lock to take.
 *
 * Order, from the outside in: checkout over FSSYNC, volume lock, header lock. No deadlock comes of it since nothing waits.
 * OpenAFS vol/volume.c (VLockVolumeNB).
 */
import type { Disk } from "../disk/disk.ts"
import { AfsError } from "../error.ts"
import { HeldLock, type LockFile, lockFile } from "./lock-file.ts"
import { conflictingHolders } from "./lock-holder.ts"
import { volumeLockPath } from "./lock-path.ts"
import type { LockType } from "./record-lock.ts"

/** What locking needs to know of a partition. */
export interface LockedPartition {
  /** The directory. */
  readonly path: string
  /** The name in messages, `/vicepa`. */
  readonly name: string
  readonly disk: Disk
}

/** A locked volume. Released by `release()` or the end of a `using` scope; a second release does nothing. */
export class VolumeLock extends HeldLock {
  /** Volume id. */
  get volume(): number {
    return this.byte
  }
}

/** Saves the search by path for a partition that is locked again. */
const fileOfPartition = new WeakMap<LockedPartition, LockFile>()

function openFor(partition: LockedPartition): LockFile {
  const file = lockFile(partition.disk, volumeLockPath(partition))
  fileOfPartition.set(partition, file)
  return file
}

/**
 * Locks a volume, or fails at once. `who` says what in this process holds it, for the errors of others: "dump of 5".
 * @throws AfsError LOCKED if somebody else, here or in another program, holds a lock that excludes this one; names them
 * @throws DiskError if the lock file cannot be used
 */
export function lockVolume(partition: LockedPartition, volume: number, type: LockType, who?: string): VolumeLock {
  const file = fileOfPartition.get(partition) ?? openFor(partition)
  const lock = new VolumeLock(file, volume, type, who)
  if (!file.take(lock)) refuse(file, lock, partition.name)
  return lock
}

/** Returns if the lock can be had after all: its holder let go while this process was about to name it. */
function refuse(file: LockFile, lock: VolumeLock, partition: string): void {
  const holder = conflictingHolders(file, lock.byte, lock.type)
  if (holder === undefined && file.take(lock)) return
  throw new AfsError("LOCKED", "lockVolume", {
    volume: lock.byte,
    partition,
    holder: holder ?? "a process that cannot be seen",
  })
}
