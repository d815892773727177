/** Another name for a read-write volume and for those of its clones that carry its name. OpenAFS volser/vos.c (RenameVolume). */
import { withVolume } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../context.ts"
import { groupMembers, type VolumePlace } from "../volume-list.ts"
import { cloneName, nameEndings, requireNewName, shownName, storedName, volumeTypeName } from "../volume-name.ts"
import { requireReadWrite } from "./backup.ts"
import { requireFreeName } from "./create.ts"

export interface RenamedVolume {
  readonly id: number
  readonly oldName: string
  readonly name: string
}

/**
 * Renames a read-write volume, and its backup and read-only clone on the partition.
 * @throws AfsError EINVAL (name, or not a read-write volume), VVOLEXISTS (name in use), and as attaching does
 */
export async function renameVolume(
  context: VolserverContext,
  place: VolumePlace,
  newName: string,
): Promise<RenamedVolume[]> {
  const name = requireNewName(newName)
  const source = requireReadWrite(place)
  const oldName = shownName(source.info.name)
  requireFreeName(context, place.partition, name)
  const renamed = [await renameOne(context, place, name)]
  for (const member of groupMembers(place.partition, source.header.parent)) {
    const type = volumeTypeName(member.info.type)
    if (type === undefined || type === "RW" || shownName(member.info.name) !== oldName + nameEndings[type]) continue
    renamed.push(await renameOne(context, { partition: place.partition, id: member.id }, cloneName(name, type)))
  }
  return renamed
}

async function renameOne(context: VolserverContext, place: VolumePlace, name: string): Promise<RenamedVolume> {
  const { partition, id } = place
  return withVolume(
    context.claimant,
    partition,
    id,
    "VOLUPD",
    (operation) => {
      const oldName = shownName(operation.volume.info.name)
      operation.volume.info.name = storedName(name)
      operation.writeInfo()
      return { id, oldName, name }
    },
    context.patience,
  )
}
