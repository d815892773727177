/**
 * Removal of a volume that is too damaged to be attached. What its indexes still say is given back record by record; if no
 * other volume of the group is left, every file of the group goes. OpenAFS vol/nuke.c.
 */
import { isDiskError } from "../../common/disk/disk.ts"
import { AfsError, FormatError, isAfsError } from "../../common/error.ts"
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { dataFolder, decodeNumber } from "../../common/partition/namei-path.ts"
import { headerPath, type Partition } from "../../common/partition/partition.ts"
import { openVolume, type Volume } from "../../common/volume/volume.ts"
import { discardDraft } from "../../common/volume/volume-draft.ts"
import { newVolumeHeader, readVolumeHeader } from "../../common/volume/volume-header.ts"
import { VolumeTransaction } from "../../common/volume/volume-transaction.ts"
import { checkOutVolume, claimNewVolume, type VolumeCheckout } from "../../fssync/volume-checkout.ts"
import { VolumeOperation } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../context.ts"
import { addIndexesAndHeader, markForRemoval, removeVolumeFiles } from "../volume-files.ts"
import type { VolumePlace } from "../volume-list.ts"
import { removeVolume } from "./remove.ts"

export interface ZappedVolume {
  readonly id: number
  readonly partition: string
  /** It could not be opened, and was removed file by file. */
  readonly byName: boolean
  /** Data files of a group that has other volumes were left: a salvage of the group frees those that nobody uses. */
  readonly dataLeft: boolean
}

/**
 * Removes a volume; with `force` also one that cannot be attached, or of which only files without a header are left.
 * @throws AfsError VNOVOL if there is nothing of that id; LOCKED, VBUSY …; without `force` as removeVolume
 */
export async function zapVolume(
  context: VolserverContext,
  place: VolumePlace,
  options: { readonly force: boolean },
): Promise<ZappedVolume> {
  if (!options.force) {
    await removeVolume(context, place, { keepBackup: true })
    return { id: place.id, partition: place.partition.name, byName: false, dataLeft: false }
  }
  const store = new InodeStore(place.partition, requireGroup(place))
  const checkout = await holdDamaged(context, place)
  try {
    const zapped = await zapHeld(context, checkout, store)
    await checkout.end("done")
    return zapped
  } catch (error) {
    await checkout.end("leaveOff")
    throw error
  }
}

/** What has no header cannot be checked out; nobody can attach it either, so that the lock is enough. */
async function holdDamaged(context: VolserverContext, { partition, id }: VolumePlace): Promise<VolumeCheckout> {
  const hasHeader = partition.disk.stat(headerPath(partition, id)) !== undefined
  return hasHeader
    ? checkOutVolume(context.claimant, partition, id, "VOLUPD")
    : claimNewVolume(context.claimant, partition, id)
}

/** The group that a volume's files lie in. */
function requireGroup({ partition, id }: VolumePlace): number {
  const group = groupOfHeader(partition, id) ?? groupByFiles(partition, id)
  if (group !== undefined) return group
  if (partition.disk.stat(headerPath(partition, id)) !== undefined) return id
  throw new AfsError("VNOVOL", "zap", { volume: id, partition: partition.name }, { detail: "no file of it is there" })
}

function groupOfHeader(partition: Partition, id: number): number | undefined {
  try {
    return readVolumeHeader(partition, id)?.parent
  } catch (error) {
    if (error instanceof FormatError || isDiskError(error)) return undefined
    throw error
  }
}

/** Looks through all groups for special files of the volume. */
function groupByFiles(partition: Partition, id: number): number | undefined {
  const { disk, path } = partition
  for (const first of disk.list(`${path}/${dataFolder}`) ?? []) {
    if (!first.isDirectory) continue
    for (const second of disk.list(`${path}/${dataFolder}/${first.name}`) ?? []) {
      const group = decodeNumber(second.name)
      if (group !== undefined && (group === id || new InodeStore(partition, group).volumes().includes(id))) return group
    }
  }
  return undefined
}

async function zapHeld(context: VolserverContext, checkout: VolumeCheckout, store: InodeStore): Promise<ZappedVolume> {
  const { partition, volume: id } = checkout
  const byName = !(await removeByIndexes(context, checkout))
  if (byName) removeByName(store, id)
  const dataLeft = store.volumes().length > 0 ? byName : removeLeftData(store)
  discardDraft(store, id)
  await context.claimant.fileserver?.groupDelete(0, id, partition.name)
  await context.claimant.fileserver?.breakCallbacks(id, partition.name)
  return { id, partition: partition.name, byName, dataLeft }
}

/** The usual removal, passing over damaged records. False if the volume cannot be opened, or its indexes cannot be read. */
async function removeByIndexes(context: VolserverContext, checkout: VolumeCheckout): Promise<boolean> {
  const volume = tryOpen(checkout)
  if (volume === undefined) return false
  try {
    const operation = new VolumeOperation(checkout, volume)
    markForRemoval(operation)
    await removeVolumeFiles(context, operation, "lenient")
    return true
  } catch (error) {
    if (error instanceof FormatError || (isDiskError(error) && error.call === "read")) return false
    throw error
  } finally {
    volume.close()
  }
}

function tryOpen({ partition, volume: id }: VolumeCheckout): Volume | undefined {
  try {
    return openVolume(partition, id, "write")
  } catch (error) {
    if (error instanceof FormatError || isAfsError(error, "VSALVAGE", "VNOVOL")) return undefined
    throw error
  }
}

/** Removes the files that carry the volume's id. */
function removeByName(store: InodeStore, id: number): void {
  using first = new VolumeTransaction(store)
  addIndexesAndHeader(first, newVolumeHeader(id, store.group))
  first.commit()
  using last = new VolumeTransaction(store)
  last.add({ kind: "unlink", inode: specialInode(id, "volumeInfo") })
  last.add({ kind: "leaveGroup" })
  last.commit()
}

/** Removes what a group without volumes still has. @returns true if files are left whose names say nothing */
function removeLeftData(store: InodeStore): boolean {
  const { disk } = store.partition
  for (const { path, inode } of store.files()) if (inode !== undefined) disk.unlink(path)
  return !store.removeFolders()
}
