/** Another name for a read-write volume and for those of its clones that carry its name. OpenAFS volser/vos.c (RenameVolume). */
import { type VolumeOperation, withVolume } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../context.ts"
import { type FoundVolume, groupMembers, type VolumePlace } from "../volume-list.ts"
import { cloneName, nameEndings, requireNewName, shownName, storedName, volumeTypeName } from "../volume-name.ts"
import { requireReadWrite } from "./backup.ts"
import type { CloneType } from "./clone.ts"
import { requireFreeName } from "./create.ts"

export interface RenamedVolume {
  readonly id: number
  readonly oldName: string
  readonly name: string
}

/**
 * Renames a read-write volume, and its backup and read-only clone on the partition. To the name it has: nothing is wrong with
 * that.
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
  requireFreeName(context, place.partition, name, "rename", source.id)
  const clones = clonesNamed(place, source, oldName)
  const ids = { cloneId: clones.RO ?? source.info.cloneId, backupId: clones.BK ?? source.info.backupId }
  const renamed = [await renameOne(context, place, { name, ...ids })]
  for (const type of ["RO", "BK"] as const) {
    const id = clones[type]
    if (id === undefined) continue
    const clone = { name: cloneName(name, type), cloneId: 0, backupId: 0 }
    renamed.push(await renameOne(context, { partition: place.partition, id }, clone))
  }
  return renamed
}

/** The clones that have the volume's name and the ending of their type. */
function clonesNamed(place: VolumePlace, source: FoundVolume, name: string): Partial<Record<CloneType, number>> {
  const found: Partial<Record<CloneType, number>> = {}
  for (const { id, info } of groupMembers(place.partition, source.header.parent)) {
    const type = volumeTypeName(info.type)
    if (type !== undefined && type !== "RW" && shownName(info.name) === name + nameEndings[type]) found[type] = id
  }
  return found
}

/** What is set of a volume, as OpenAFS's SetIdsTypes does: a clone names no clones of its own. */
interface NewNames {
  readonly name: string
  readonly cloneId: number
  readonly backupId: number
}

async function renameOne(context: VolserverContext, place: VolumePlace, names: NewNames): Promise<RenamedVolume> {
  const { partition, id } = place
  const work = (operation: VolumeOperation): RenamedVolume => {
    const { info } = operation.volume
    const oldName = shownName(info.name)
    Object.assign(info, names, { name: storedName(names.name) })
    operation.writeInfo()
    return { id, oldName, name: names.name }
  }
  return withVolume(context.claimant, partition, id, "VOLUPD", work, context.patience)
}
