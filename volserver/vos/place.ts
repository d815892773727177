/** Volumes and partitions as people name them on the command line. */
import { AfsError } from "../../common/error.ts"
import type { Partition } from "../../common/partition/partition.ts"
import type { VolserverContext } from "../context.ts"
import { findVolume, type VolumePlace } from "../volume-list.ts"
import { requiredText } from "./option.ts"

/** The option of commands that work on one volume. */
export const volumeOption = { volume: requiredText("the volume: name or id", { alias: ["id", "name"] }) } as const

/** The volume that the words name. @throws AfsError VNOVOL, EINVAL */
export function placeOf(context: VolserverContext, { volume }: { readonly volume: string }): VolumePlace {
  return findVolume(context.partitions, volume)
}

/** The partition for something new. @throws AfsError USAGE unless there is exactly one to choose from */
export function onePartition(context: VolserverContext): Partition {
  const [partition, other] = context.partitions
  if (partition !== undefined && other === undefined) return partition
  const names = context.partitions.map(({ name }) => name).join(", ")
  const detail =
    names === "" ? "this machine has no partition: name one with --partition" : `name one of ${names} with --partition`
  throw new AfsError("USAGE", "partition", {}, { detail })
}
