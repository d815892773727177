/** The backup volume of a read-write volume: made at first, renewed afterwards. */
import { AfsError } from "../../common/error.ts"
import { volumeTypes } from "../../common/protocol/codes.ts"
import type { VolserverContext } from "../context.ts"
import { type FoundVolume, groupMembers, partitionOf, readVolume, type VolumePlace } from "../volume-list.ts"
import { cloneName, shownName, storedName } from "../volume-name.ts"
import { type ClonedVolume, type CloneType, cloneVolume } from "./clone.ts"

/** @throws AfsError EINVAL if the volume is not read-write; and as cloneVolume */
export async function backupVolume(
  context: VolserverContext,
  source: VolumePlace,
  options: { readonly id?: number | undefined } = {},
): Promise<ClonedVolume> {
  return permanentClone(context, source, "BK", options.id)
}

/** Makes or renews the clone that has the volume's name and the ending of its type. */
export async function permanentClone(
  context: VolserverContext,
  source: VolumePlace,
  type: CloneType,
  wantedId: number | undefined,
): Promise<ClonedVolume> {
  const found = requireReadWrite(source)
  const name = cloneName(shownName(found.info.name), type)
  const id = wantedId ?? usualId(context, found, type, storedName(name))
  return cloneVolume(context, { source, type, name, id })
}

/** @throws AfsError EINVAL if the volume is a clone */
export function requireReadWrite({ partition, id }: VolumePlace): FoundVolume {
  const found = readVolume(partition, id)
  if (found.info.type === volumeTypes.RW) return found
  const subject = { volume: id, partition: partition.name }
  throw new AfsError("EINVAL", "clone", subject, { detail: `${shownName(found.info.name)} is not a read-write volume` })
}

/**
 * The id that the clone has, or had: VolumeInfo's note may name a temporary clone of another purpose, so a member of the
 * group that has the right name and type goes first, and the note counts only if its volume is gone.
 */
function usualId(context: VolserverContext, source: FoundVolume, type: CloneType, stored: string): number | undefined {
  const members = groupMembers(source.partition, source.header.parent)
  const clone = members.find(({ info }) => info.type === volumeTypes[type] && info.name === stored)
  if (clone !== undefined) return clone.id
  const noted = type === "RO" ? source.info.cloneId : source.info.backupId
  if (noted === 0) return undefined
  return partitionOf([source.partition, ...context.partitions], noted) === undefined ? noted : undefined
}
