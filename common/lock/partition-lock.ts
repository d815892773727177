/**
 * Locks of salvagers, none of which is waited for.
 *
 * - The *partition lock*, an exclusive flock of the partition's directory, keeps two salvages of the whole partition apart.
 *   OpenAFS vol/partition.c (VLockPartition_r); dasalvager waits for it, this suite says who has it.
 * - The *salvage lock*, byte 0 of `salvage.lock` in the server's state directory, keeps a salvager of whole partitions
 *   (write) apart from the salvage server, its workers and salvagers of single volumes (read). OpenAFS vol/vol-salvage.c
 *   (ObtainSalvageLock, ObtainSharedSalvageLock).
 *
 * Both are held for the life of the salvager; neither stands in for the locks of the volumes it changes.
 */
import type { Disk, DiskFile } from "../disk/disk.ts"
import { nodeDisk } from "../disk/node-disk.ts"
import { AfsError } from "../error.ts"
import { kernelFile } from "./kernel-locks.ts"
import { type HeldLock, lockFile } from "./lock-file.ts"
import { conflictingHolders, flockHolders } from "./lock-holder.ts"
import { salvageLockPath } from "./lock-path.ts"
import { type LockType, tryFlock } from "./record-lock.ts"
import type { LockedPartition } from "./volume-lock.ts"

const salvageByte = 0

/** A locked partition. Released by `release()` or the end of a `using` scope; a second release does nothing. */
export interface PartitionLock extends Disposable {
  release(): void
}

/** Closing the directory ends its flock. */
function heldBy(directory: DiskFile): PartitionLock {
  const release = (): void => directory.close()
  return { release, [Symbol.dispose]: release }
}

/**
 * Locks a whole partition, or fails at once.
 * @throws AfsError LOCKED if somebody has it, this process included; names them
 * @throws DiskError if the directory cannot be opened
 */
export function lockPartition(partition: LockedPartition): PartitionLock {
  const directory = partition.disk.open(partition.path, "read")
  let locked = false
  try {
    locked = directory.descriptor < 0 || tryFlock(directory.descriptor, "exclusive", partition.path)
    if (locked) return heldBy(directory)
    const name = kernelFile(directory)
    const holder = (name === undefined ? undefined : flockHolders(name)) ?? "a process that cannot be seen"
    throw new AfsError("LOCKED", "lockPartition", { partition: partition.name, holder })
  } finally {
    if (!locked) directory.close()
  }
}

/**
 * Takes the salvage lock of a server's state directory: `write` to salvage whole partitions, `read` for the salvage
 * server, its workers and salvages of single volumes.
 * @throws AfsError LOCKED if another salvager runs that excludes this one; names it
 * @throws DiskError if the lock file cannot be used
 */
export function lockSalvage(stateDirectory: string, type: LockType, who?: string, disk: Disk = nodeDisk): HeldLock {
  const path = salvageLockPath(stateDirectory)
  const file = lockFile(disk, path)
  const lock = file.tryLock(salvageByte, type, who)
  if (lock !== undefined) return lock
  const holder = conflictingHolders(file, salvageByte, type) ?? "a process that cannot be seen"
  throw new AfsError("LOCKED", "lockSalvage", { path, holder })
}
