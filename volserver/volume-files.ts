/**
 * Making and removing the files of a volume, in an order that a crash cannot turn into something a salvager fails to
 * finish: VolumeInfo with the destroy mark is the volume's first file to appear and the last to go. Under the
 * mark every state in between is "an unfinished volume, to be deleted".
 */
import { isDiskError } from "../common/disk/disk.ts"
import { AfsError, FormatError } from "../common/error.ts"
import { specialInode } from "../common/partition/inode-number.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { newLinkTable } from "../common/partition/link-table.ts"
import { headerPath, type Partition } from "../common/partition/partition.ts"
import { type IndexPiece, indexPieceSize, readIndexPiece } from "../common/vnode/index-piece.ts"
import { newVnodeIndex, type VnodeIndex, vnodeIndexStamp } from "../common/vnode/vnode-index.ts"
import { recordOffset } from "../common/vnode/vnode-record.ts"
import {
  infoInode,
  largeIndexInode,
  newVolumeHeader,
  smallIndexInode,
  type VolumeHeader,
  volumeHeaderLayout,
} from "../common/volume/volume-header.ts"
import { destroyMeMark, newVolumeInfo, volumeInfoLayout } from "../common/volume/volume-info.ts"
import { VolumeTransaction } from "../common/volume/volume-transaction.ts"
import type { VolumeOperation } from "../fssync/volume-operation.ts"
import type { VolserverContext } from "./context.ts"
import { InodeList } from "./inode-list.ts"

/**
 * Makes an empty, unfinished volume: empty indexes, a place in its group, a VolumeInfo that says little but "destroy me",
 * and the header file. The caller holds the id's write lock.
 * @throws AfsError VVOLEXISTS if files of the id are there; VSALVAGE if the group has lost its link table
 */
export function makeVolumeFiles(partition: Partition, id: number, parent: number, now: number): VolumeHeader {
  const header = newVolumeHeader(id, parent)
  const store = new InodeStore(partition, parent)
  requireNoFiles(store, header)
  const hasTable = requireTableOrNoGroup(store)
  try {
    commitNewFiles(store, header, hasTable, now)
  } catch (error) {
    removeFragments(store, header)
    throw error
  }
  return header
}

/**
 * A new group's link table comes first: alone it is a group without volumes, which a salvage removes, while a volume without
 * one makes OpenAFS's salvager invent a table and leave it behind. Every file appears with owner data and stamp.
 */
function commitNewFiles(store: InodeStore, header: VolumeHeader, hasTable: boolean, now: number): void {
  const { id, parent } = header
  using transaction = new VolumeTransaction(store)
  if (hasTable) transaction.add({ kind: "claim", vnode: 0, tag: 0, delta: 1 })
  else transaction.createWhole(specialInode(parent, "linkTable"), parent, newLinkTable())
  const info = newVolumeInfo({ id, parentId: parent, copyDate: now, destroyMe: destroyMeMark })
  transaction.createWhole(infoInode(header), id, volumeInfoLayout.encode(info))
  transaction.createWhole(largeIndexInode(header), id, newVnodeIndex("large"))
  transaction.createWhole(smallIndexInode(header), id, newVnodeIndex("small"))
  transaction.add({ kind: "header", volume: id, bytes: volumeHeaderLayout.encode(header), replace: false })
  transaction.commit()
}

/**
 * Takes back what a failed creation left, as far as that goes. The group's count of volumes is left alone: whether it was
 * raised is not known, and too high does no harm.
 */
function removeFragments(store: InodeStore, header: VolumeHeader): void {
  using first = new VolumeTransaction(store)
  addIndexesAndHeader(first, header)
  using last = new VolumeTransaction(store)
  last.add({ kind: "unlink", inode: infoInode(header) })
  if (store.volumes().every((volume) => volume === header.id)) last.add({ kind: "leaveGroup" })
  try {
    first.commit()
    last.commit()
  } catch (error) {
    if (!isDiskError(error)) throw error // a disk that fails the creation may fail this too; the failure is being told
  }
}

function requireNoFiles(store: InodeStore, header: VolumeHeader): void {
  const { disk } = store.partition
  const paths = [headerPath(store.partition, header.id), store.path(infoInode(header))]
  const path = paths.find((candidate) => disk.stat(candidate) !== undefined)
  if (path === undefined) return
  throw new AfsError("VVOLEXISTS", "create", { volume: header.id, partition: store.partition.name, path })
}

/** True if the group has a link table. */
function requireTableOrNoGroup(store: InodeStore): boolean {
  if (store.stat(specialInode(store.group, "linkTable")) !== undefined) return true
  if (store.volumes().length === 0) return false
  const subject = { volume: store.group, partition: store.partition.name, path: store.root }
  throw new AfsError("VSALVAGE", "create", subject, { detail: "the volume group has no link table" })
}

/** How records that are not what the format says are treated: an error, or left for a salvager. */
export type Strictness = "strict" | "lenient"

/**
 * Removes all that a volume has on its partition and closes it. VolumeInfo carries the destroy mark already. Data files are
 * released in pieces from the end of each index, and the index is cut before the counts go down: a removal that is started
 * again releases nothing twice.
 */
export async function removeVolumeFiles(
  context: VolserverContext,
  operation: VolumeOperation,
  strictness: Strictness = "strict",
): Promise<void> {
  const { volume } = operation
  for (const cls of ["large", "small"] as const) await emptyIndex(context, operation, volume.index(cls), strictness)
  using first = volume.transaction()
  addIndexesAndHeader(first, volume.header)
  operation.apply(first)
  using last = volume.transaction()
  last.add({ kind: "unlink", inode: infoInode(volume.header) })
  last.add({ kind: "leaveGroup" })
  operation.apply(last)
  volume.close()
}

/**
 * Adds the removal of both indexes and, after them, of the header file. VolumeInfo, with its mark, goes later: OpenAFS's
 * salvager deletes a marked VolumeInfo without a header, but leaves a header without VolumeInfo alone.
 */
export function addIndexesAndHeader(transaction: VolumeTransaction, header: VolumeHeader): void {
  transaction.add({ kind: "unlink", inode: largeIndexInode(header) })
  transaction.add({ kind: "unlink", inode: smallIndexInode(header) })
  transaction.add({ kind: "removeHeader", volume: header.id })
}

async function emptyIndex(
  context: VolserverContext,
  operation: VolumeOperation,
  index: VnodeIndex,
  strictness: Strictness,
): Promise<void> {
  const { volume } = operation
  const first = index.recordSize
  const total = index.slotCount()
  for (let end = wholeRecords(index); end > first; ) {
    const start = Math.max(first, end - indexPieceSize)
    const piece = readIndexPiece(index.file, index.cls, start, end - start)
    using transaction = volume.transaction()
    const inode = index.cls === "large" ? largeIndexInode(volume.header) : smallIndexInode(volume.header)
    transaction.add({ kind: "truncate", inode, size: start === first ? vnodeIndexStamp.size : start })
    releaseAll(transaction, piece, strictness)
    operation.apply(transaction)
    end = start
    await context.pace.step({ unit: "vnodes", done: total - end / first, total })
  }
}

/** Size of the index without a piece of a record at its end. */
function wholeRecords(index: VnodeIndex): number {
  return (index.slotCount() + 1) * index.recordSize
}

function releaseAll(transaction: VolumeTransaction, piece: IndexPiece, strictness: Strictness): void {
  const files = new InodeList()
  for (let slot = 0; slot < piece.count; slot++) {
    const used = strictness === "strict" ? piece.used(slot) : piece.sound(slot)
    if (!used || !piece.hasInode(slot)) continue
    if (piece.tag(slot) !== undefined) files.pushHalves(piece.inodeHigh(slot), piece.inodeLow(slot))
    else if (strictness === "strict") throw foreignInode(piece, slot)
  }
  if (files.count > 0) transaction.add({ kind: "releaseAll", ...files.halves() })
}

/** A record that names a data file which cannot be its own. */
export function foreignInode(piece: IndexPiece, slot: number): FormatError {
  const vnode = piece.vnode(slot)
  const where = { path: piece.path, offset: recordOffset(vnode) }
  const { high, low } = piece.inode(slot)
  return new FormatError(`vnode ${vnode} record`, where, `data file ${high}/0x${low.toString(16)} of another vnode`)
}

/** Removes a volume that could not be finished, as far as that goes: what stays carries the destroy mark. */
export async function removeUnfinished(context: VolserverContext, operation: VolumeOperation): Promise<void> {
  markForRemoval(operation)
  await removeVolumeFiles(context, operation, "lenient")
  operation.markDeleted()
}

/** Writes the mark under which a volume is removed; it is on the platter before anything is taken away. */
export function markForRemoval(operation: VolumeOperation): void {
  const { info } = operation.volume
  info.destroyMe = destroyMeMark
  info.inService = 0
  operation.volume.writeInfo("always")
}
