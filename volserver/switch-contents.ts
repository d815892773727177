/** Putting a finished draft into a volume's place, and giving back the data files that only the old contents used. */

import { type IndexPiece, indexPieces, readIndexPiece } from "../common/vnode/index-piece.ts"
import type { VnodeClass } from "../common/vnode/vnode-record.ts"
import type { Volume } from "../common/volume/volume.ts"
import type { VolumeDraft } from "../common/volume/volume-draft.ts"
import type { VolumeInfo } from "../common/volume/volume-info.ts"
import type { VolumeOperation } from "../fssync/volume-operation.ts"
import type { VolserverContext } from "./context.ts"
import { InodeList } from "./inode-list.ts"

const classes = ["large", "small"] as const satisfies readonly VnodeClass[]

/**
 * Makes the draft's indexes and `next` the contents of the operation's volume. Up to the first write the volume is
 * untouched; a crash after it leaves what volume-draft.ts finishes. `next.inUse` should still say that the volume is in use:
 * the end of the operation takes it back, when old data files have been released.
 */
export async function switchContents(
  context: VolserverContext,
  operation: VolumeOperation,
  draft: VolumeDraft,
  next: VolumeInfo,
): Promise<void> {
  const { volume } = operation
  const { needsSalvaged } = volume.info
  volume.info.needsSalvaged = 1
  {
    using transaction = volume.transaction()
    volume.addInfo(transaction)
    try {
      draft.complete(next)
    } catch (error) {
      volume.info.needsSalvaged = needsSalvaged // nothing was written yet
      throw error
    }
    draft.close()
    transaction.add({ kind: "install", volume: volume.id })
    operation.apply(transaction)
  }
  using before = operation.reopen()
  await releaseReplaced(context, operation, before)
}

/** Releases the data files of the old records that no new record of the same vnode names. */
async function releaseReplaced(context: VolserverContext, operation: VolumeOperation, before: Volume): Promise<void> {
  for (const cls of classes) {
    for (const old of indexPieces(before.index(cls).file, cls)) {
      const current = readIndexPiece(operation.volume.index(cls).file, cls, old.offset, old.bytes.length)
      const files = new InodeList()
      for (let slot = 0; slot < old.count; slot++) {
        if (isReplaced(old, current, slot)) files.pushHalves(old.inodeHigh(slot), old.inodeLow(slot))
      }
      releaseFiles(operation, files)
      await context.pace.step({ unit: "vnodes", done: 0, total: undefined })
    }
  }
}

function isReplaced(old: IndexPiece, current: IndexPiece, slot: number): boolean {
  if (!old.sound(slot) || !old.hasInode(slot) || old.tag(slot) === undefined) return false
  return !current.sound(slot) || !sameInodeAt(old, current, slot)
}

/** True if the same slot of both pieces names the same data file. */
export function sameInodeAt(a: IndexPiece, b: IndexPiece, slot: number): boolean {
  return a.inodeLow(slot) === b.inodeLow(slot) && a.inodeHigh(slot) === b.inodeHigh(slot)
}

function releaseFiles(operation: VolumeOperation, files: InodeList): void {
  if (files.count === 0) return
  using transaction = operation.volume.transaction()
  transaction.add({ kind: "releaseAll", ...files.halves() })
  operation.apply(transaction)
}
