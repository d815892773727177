/**
 * Turning a read-only volume into the read-write volume of its group, for when that is lost. OpenAFS vol/namei_ops.c
 * (namei_ConvertROtoRWvolume) renames the files of the one volume; here the read-write volume is made beside the read-only one,
 * sharing its files, and the read-only one is removed when the other is whole: there is no moment without a complete volume.
 */
import { AfsError } from "../../common/error.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { countIn } from "../../common/partition/link-table-format.ts"
import { programTypes, volumeTypes } from "../../common/protocol/codes.ts"
import { indexPieces } from "../../common/vnode/index-piece.ts"
import { vnodeClasses } from "../../common/vnode/vnode-record.ts"
import { VolumeDraft } from "../../common/volume/volume-draft.ts"
import { largeIndexInode } from "../../common/volume/volume-header.ts"
import type { VolumeInfo } from "../../common/volume/volume-info.ts"
import { type VolumeOperation, withVolume } from "../../fssync/volume-operation.ts"
import { copyRecords } from "../clone-contents.ts"
import type { VolserverContext } from "../context.ts"
import { InodeList, takeBack } from "../inode-list.ts"
import { withNewVolume } from "../new-volume.ts"
import { switchContents } from "../switch-contents.ts"
import { partitionOf, type VolumePlace } from "../volume-list.ts"
import { baseName, shownName, storedName } from "../volume-name.ts"
import { removeAttached } from "./remove.ts"

export interface ConvertedVolume {
  /** Id of the read-write volume. */
  readonly id: number
  readonly name: string
  readonly partition: string
  /** Id of the read-only volume that is gone. */
  readonly from: number
}

/** Added to the uniquifier: the lost volume may have given out some that the read-only volume never saw. */
const uniquifierJump = 5000

/**
 * Converts a read-only volume.
 * @throws AfsError EINVAL if it is not read-only, or has no other id to take; VVOLEXISTS if the read-write
 * volume exists, EXDEV if that is on another partition
 */
export async function convertToReadWrite(context: VolserverContext, place: VolumePlace): Promise<ConvertedVolume> {
  const { partition, id } = place
  const work = async (readonly: VolumeOperation): Promise<ConvertedVolume> => {
    const parent = requireConvertible(context, readonly)
    const name = baseName(shownName(readonly.volume.info.name))
    await withNewVolume(context, { partition, id: parent, parent }, (readwrite) =>
      fill(context, readonly, readwrite, name),
    )
    await removeAttached(context, readonly)
    await claimDirectories(context, { partition, id: parent })
    return { id: parent, name, partition: partition.name, from: id }
  }
  return withVolume(context.claimant, partition, id, "VOLUPD", work, context.patience)
}

/** Id of the group. */
function requireConvertible(context: VolserverContext, { volume }: VolumeOperation): number {
  const { parent } = volume.header
  const subject = { volume: volume.id, partition: volume.partition.name }
  if (volume.info.type !== volumeTypes.RO) {
    throw new AfsError("EINVAL", "convertROtoRW", subject, { detail: "it is not a read-only volume" })
  }
  if (parent === volume.id) {
    throw new AfsError("EINVAL", "convertROtoRW", subject, { detail: "it never had a read-write volume" })
  }
  const other = partitionOf([volume.partition, ...context.partitions], parent)
  if (other === undefined) return parent
  const detail = `its read-write volume ${parent} is on ${other.path}`
  const code = other.path === volume.partition.path ? "VVOLEXISTS" : "EXDEV"
  throw new AfsError(code, "convertROtoRW", subject, { detail })
}

async function fill(
  context: VolserverContext,
  readonly: VolumeOperation,
  readwrite: VolumeOperation,
  name: string,
): Promise<void> {
  const store = new InodeStore(readonly.volume.partition, readonly.volume.header.parent)
  using draft = VolumeDraft.begin(store, readwrite.volume.header)
  const claimed = new InodeList()
  try {
    const contents = await copyRecords(context, readonly, readwrite.volume, draft, claimed)
    markShared(draft)
    await switchContents(context, readwrite, draft, { ...readwriteInfo(readonly, readwrite, name), ...contents })
  } catch (error) {
    takeBack(readwrite, store, claimed)
    throw error
  }
}

/** Should the read-only volume outlive this, its directories must not be changed by way of the new volume. */
function markShared(draft: VolumeDraft): void {
  for (const piece of indexPieces(draft.large, "large")) {
    for (let slot = 0; slot < piece.count; slot++) if (piece.used(slot)) piece.setCloned(slot, true)
    draft.large.write(piece.bytes, piece.offset)
  }
}

/**
 * Takes the mark from the directories that nobody shares any more, which spares each a copy at its first change. OpenAFS makes
 * none of these marks, so that a backup volume that outlives the conversion changes with the volume. Done when all else is: who
 * is interrupted before has marks that cost a copy.
 */
async function claimDirectories(context: VolserverContext, { partition, id }: VolumePlace): Promise<void> {
  const work = (operation: VolumeOperation): void => {
    const { volume } = operation
    const rows = volume.links.rows()
    const inode = largeIndexInode(volume.header)
    for (const piece of indexPieces(volume.large.file, "large")) {
      using transaction = volume.transaction()
      for (let slot = 0; slot < piece.count; slot++) {
        const tag = piece.used(slot) && piece.isCloned(slot) ? piece.tag(slot) : undefined
        if (tag === undefined || countIn(rows[piece.vnode(slot)] ?? 0, tag) !== 1) continue
        piece.setCloned(slot, false)
        transaction.write(inode, piece.offset + slot * vnodeClasses.large.recordSize, piece.record(slot))
      }
      if (transaction.writes.length > 0) operation.apply(transaction)
    }
  }
  try {
    await withVolume(context.claimant, partition, id, "VOLUPD", work, context.patience)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    context.notice(`volume ${id} is converted, but its directories are copied at their first change: ${error.message}`)
  }
}

function readwriteInfo(readonly: VolumeOperation, readwrite: VolumeOperation, name: string): VolumeInfo {
  const { info } = readonly.volume
  return {
    ...info,
    id: readwrite.volume.id,
    parentId: readwrite.volume.id,
    name: storedName(name),
    type: volumeTypes.RW,
    cloneId: info.id,
    restoredFromId: info.id,
    uniquifier: info.uniquifier + uniquifierJump,
    inUse: programTypes[readwrite.checkout.claimant.program],
    inService: 1,
    needsSalvaged: 0,
    destroyMe: 0,
    dontSalvage: 0,
  }
}
