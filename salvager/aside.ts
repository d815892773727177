/**
 * Where a salvage puts what is in the way and may be somebody's: `.dafs/aside`. Whoever runs the partition may look at it there and
 * remove it.
 */
import { makeOwnFolder, type Partition } from "../common/partition/partition.ts"

/** Moves a file or folder of a partition there, as `name` and a date. `now` in seconds. @throws DiskError if it cannot be moved */
export function putAside(partition: Partition, path: string, name: string, now: number): void {
  partition.disk.rename(path, `${makeOwnFolder(partition, "aside")}/${name}-${now}`)
}
