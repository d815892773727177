/** Which partitions a fileserver serves, and which it must not. OpenAFS vol/partition.c, vol/volume.c (VInitVnodes). */
import type { Disk } from "../common/disk/disk.ts"
import { AfsError } from "../common/error.ts"
import { findPartitions, openPartition, type Partition } from "../common/partition/partition.ts"
import type { PackageLog } from "../common/volume/package-context.ts"
import { removeSavedClients } from "../common/volume/saved-clients.ts"
import { isPartitionName } from "../fssync/message-codec.ts"

/**
 * Opens the partitions at these paths, or all of the machine.
 * @throws AfsError VSALVAGE for a mounted partition that is marked for a salvage as a whole (FORCESALVAGE); one that is
 *   attached through AlwaysAttach is left out instead, as OpenAFS does
 * @throws AfsError ENOENT if nothing is left to serve; EINVAL for a name twice or one that FSSYNC cannot carry
 */
export function openServedPartitions(paths: readonly string[] | undefined, log: PackageLog): Partition[] {
  const found = paths === undefined ? findPartitions() : paths.map((path) => openPartition(path))
  const served = found.filter((partition) => mayServe(partition, log))
  if (served.length === 0) {
    throw new AfsError(
      "ENOENT",
      "openPartitions",
      {},
      { detail: "there is no partition to serve: name one with --partition" },
    )
  }
  requireNames(served)
  return served
}

const has = (disk: Disk, path: string): boolean => disk.stat(path) !== undefined

function mayServe({ path, name, disk }: Partition, log: PackageLog): boolean {
  if (!has(disk, `${path}/FORCESALVAGE`)) return true
  const detail = `${path}/FORCESALVAGE asks for a salvage of the whole partition first: dafs salvager --partition ${path}`
  if (!has(disk, `${path}/AlwaysAttach`))
    throw new AfsError("VSALVAGE", "openPartitions", { partition: name }, { detail })
  log.error({ partition: name, path }, `partition is not served: ${detail}`)
  return false
}

function requireNames(partitions: readonly Partition[]): void {
  const known = new Map<string, string>()
  for (const { name, path } of partitions) {
    const other = known.get(name)
    known.set(name, path)
    const detail =
      other !== undefined
        ? `${other} and ${path} have the same name`
        : `${path}: the last part of the path is the partition's name, at most 15 characters without spaces`
    if (other !== undefined || !isPartitionName(name))
      throw new AfsError("EINVAL", "openPartitions", { partition: name }, { detail })
  }
}

/**
 * Removes what an OpenAFS fileserver saved of its clients in the state directory: after this server has run, its callback
 * promises are out of date, and a later OpenAFS fileserver must not believe them. OpenAFS viced/state_analyzer, fsstate.dat.
 */
export function discardSavedClients(stateDirectory: string, disk: Disk, log: PackageLog): void {
  const path = removeSavedClients(stateDirectory, disk)
  if (path !== undefined) log.info({ path }, "saved client state of another fileserver removed")
}
