/** Removal of a volume, and of the backup that belongs to it. OpenAFS volser/volprocs.c, vol/purge.c. */
import { AfsError } from "../../common/error.ts"
import { volumeTypes } from "../../common/protocol/codes.ts"
import { attachVolume, endAfter, type VolumeOperation } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../context.ts"
import { markForRemoval, removeVolumeFiles } from "../volume-files.ts"
import { type FoundVolume, groupMembers, readVolume, type VolumePlace } from "../volume-list.ts"
import { nameEndings, shownName } from "../volume-name.ts"

export interface RemovedVolume {
  readonly id: number
  readonly name: string
  readonly partition: string
}

/**
 * Removes a volume; of a read-write volume also its backup volume, as `vos remove` does. Read-only clones stay.
 * @throws AfsError VNOVOL, LOCKED, VSALVAGE …; then nothing has been removed yet, or the volume carries the destroy mark
 */
export async function removeVolume(
  context: VolserverContext,
  place: VolumePlace,
  options: { readonly keepBackup?: boolean } = {},
): Promise<RemovedVolume[]> {
  const backup = options.keepBackup === true ? undefined : backupOf(place)
  const removed = [await removeOne(context, place)]
  if (backup !== undefined) removed.push(await removeOne(context, { partition: place.partition, id: backup }))
  return removed
}

/**
 * The backup volume of a read-write volume, if it is there: the backup clone that carries its name. VolumeInfo's note may
 * name another clone, a snapshot that somebody made under a name of its own and wants to keep.
 */
function backupOf({ partition, id }: VolumePlace): number | undefined {
  const { info, header } = readVolume(partition, id)
  if (info.type !== volumeTypes.RW) return undefined
  const name = shownName(info.name) + nameEndings.BK
  const isBackup = (member: FoundVolume): boolean =>
    member.info.type === volumeTypes.BK && shownName(member.info.name) === name
  return groupMembers(partition, header.parent).find(isBackup)?.id
}

async function removeOne(context: VolserverContext, { partition, id }: VolumePlace): Promise<RemovedVolume> {
  const operation = await attachVolume(context.claimant, partition, id, "VOLUPD", context.patience)
  return endAfter(operation, () => removeAttached(context, operation))
}

/** Removes the volume of an operation that has it for update. */
export async function removeAttached(context: VolserverContext, operation: VolumeOperation): Promise<RemovedVolume> {
  const { volume } = operation
  const removed = { id: volume.id, name: shownName(volume.info.name), partition: volume.partition.name }
  requireRemovable(operation)
  markForRemoval(operation)
  await removeVolumeFiles(context, operation)
  operation.markDeleted()
  await tellRemoved(context, operation)
  return removed
}

/** Checked before the mark is set: once set there is no way back. */
function requireRemovable({ volume }: VolumeOperation): void {
  if (volume.info.parentId === volume.header.parent) return
  const detail = `its VolumeInfo names group ${volume.info.parentId}, its header ${volume.header.parent}`
  throw new AfsError("VSALVAGE", "remove", { volume: volume.id, partition: volume.partition.name }, { detail })
}

/** Tells the fileserver that a volume's header is gone. */
async function tellRemoved(context: VolserverContext, { volume }: VolumeOperation): Promise<void> {
  const { fileserver } = context.claimant
  await fileserver?.groupDelete(volume.header.parent, volume.id, volume.partition.name)
  await fileserver?.breakCallbacks(volume.id, volume.partition.name)
}
