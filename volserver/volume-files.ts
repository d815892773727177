/**
 * Making and removing the files of a volume, in an order that a crash cannot turn into something a salvager fails to
 * finish: VolumeInfo with the destroy mark is the volume's first file to appear and the last to go. Under the
 * mark every state in between is "an unfinished volume, to be deleted".
 */
import { isDiskError } from "../common/disk/disk.ts"
import { AfsError, FormatError } from "../common/error.ts"
import { specialInode } from "../common/partition/inode-number.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { newLinkTable } from "../common/partition/link-table-format.ts"
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
  using transaction = new VolumeTransaction(store)
  joinGroup(transaction)
  const info = newVolumeInfo({ id, parentId: parent, copyDate: now, destroyMe: destroyMeMark })
  transaction.createWhole(infoInode(header), id, volumeInfoLayout.encode(info))
  transaction.createWhole(largeIndexInode(header), id, newVnodeIndex("large"))
  transaction.createWhole(smallIndexInode(header), id, newVnodeIndex("small"))
  transaction.add({ kind: "header", volume: id, bytes: volumeHeaderLayout.encode(header), replace: false })
  transaction.commit()
  return header
}

/** Takes back what makeVolumeFiles made, as far as that goes: what stays carries the destroy mark. */
export function unmakeVolumeFiles(partition: Partition, header: VolumeHeader): void {
  const store = new InodeStore(partition, header.parent)
  using first = new VolumeTransaction(store)
  addIndexesAndHeader(first, header)
  using last = new VolumeTransaction(store)
  last.add({ kind: "unlink", inode: infoInode(header) })
  last.add({ kind: "leaveGroup" })
  try {
    first.commit()
    last.commit()
  } catch (error) {
    if (!isDiskError(error)) throw error // the failure that led here is the one to tell
  }
}

/** A file of the id that is there already may be all that is left of a volume: it is a salvager's to judge. */
function requireNoFiles(store: InodeStore, header: VolumeHeader): void {
  const { disk } = store.partition
  const inodes = [infoInode(header), largeIndexInode(header), smallIndexInode(header)]
  const paths = [headerPath(store.partition, header.id), ...inodes.map((inode) => store.path(inode))]
  const path = paths.find((candidate) => disk.stat(candidate) !== undefined)
  if (path === undefined) return
  throw new AfsError("VVOLEXISTS", "create", { volume: header.id, partition: store.partition.name, path })
}

/**
 * Counts the new volume in its group. A new group's link table comes before everything else: alone it is a group without
 * volumes, which a salvage removes, while a volume without one makes OpenAFS's salvager invent a table and leave it behind.
 */
function joinGroup(transaction: VolumeTransaction): void {
  const { store } = transaction
  const hasVolumes = store.volumes().length > 0
  const table = specialInode(store.group, "linkTable")
  if (store.stat(table) === undefined) {
    if (!hasVolumes) return transaction.createWhole(table, store.group, newLinkTable())
    const subject = { volume: store.group, partition: store.partition.name, path: store.root }
    throw new AfsError("VSALVAGE", "create", subject, { detail: "the volume group has no link table" })
  }
  // A table that a crash left without volumes counts some that are gone.
  if (hasVolumes) transaction.add({ kind: "claim", vnode: 0, tag: 0, delta: 1 })
  else transaction.add({ kind: "count", vnode: 0, tag: 0, count: 1 })
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
  operation.writeInfo("always")
}
