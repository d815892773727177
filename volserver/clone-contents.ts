/**
 * What a clone holds: a copy of every record of its source, which share the data files. Counts are raised first, then
 * directories of the source are marked as shared (files need no mark: the fileserver looks at their counts), then the records
 * go into the clone's draft. Until the draft is installed the clone is what it was; leaving without that takes all back.
 * OpenAFS vol/clone.c.
 */
import { AfsError } from "../common/error.ts"
import { countIn, linkCountMax } from "../common/partition/link-table-format.ts"
import { volumeTypes } from "../common/protocol/codes.ts"
import { type IndexPiece, indexPieces, readIndexPiece, walkedSize } from "../common/vnode/index-piece.ts"
import { type VnodeClass, vnodeClasses } from "../common/vnode/vnode-record.ts"
import type { Volume } from "../common/volume/volume.ts"
import type { VolumeDraft } from "../common/volume/volume-draft.ts"
import { largeIndexInode } from "../common/volume/volume-header.ts"
import { blocksOf } from "../common/volume/volume-info.ts"
import type { VolumeTransaction } from "../common/volume/volume-transaction.ts"
import type { VolumeOperation } from "../fssync/volume-operation.ts"
import type { VolserverContext } from "./context.ts"
import { InodeList } from "./inode-list.ts"
import { sameInodeAt } from "./switch-contents.ts"
import { foreignInode } from "./volume-files.ts"

/** What the walk counted. */
export interface Contents {
  readonly filecount: number
  /** KiB. */
  readonly diskused: number
}

interface Walk {
  readonly context: VolserverContext
  readonly source: VolumeOperation
  /** The clone as it is: its records that already share a file need no count. */
  readonly clone: Volume
  readonly draft: VolumeDraft
  /** Rows of the link table as they were. */
  readonly rows: Uint16Array
  readonly total: number
  /** Files whose count was raised. */
  readonly claimed: InodeList
  filecount: number
  diskused: number
  done: number
}

/**
 * Copies the source's records into the draft of its clone and raises the counts; `claimed` gets each raised one, also when
 * this fails.
 * @throws AfsError EMLINK if seven volumes share a file already; FormatError for a damaged record
 */
export async function copyRecords(
  context: VolserverContext,
  source: VolumeOperation,
  clone: Volume,
  draft: VolumeDraft,
  claimed: InodeList,
): Promise<Contents> {
  const { volume } = source
  const rows = volume.links.rows()
  const total = volume.large.slotCount() + volume.small.slotCount()
  const walk: Walk = { context, source, clone, draft, rows, total, claimed, filecount: 0, diskused: 0, done: 0 }
  for (const cls of ["large", "small"] as const) await copyIndex(walk, cls)
  return { filecount: walk.filecount, diskused: walk.diskused }
}

/**
 * What a clone and its source both hold, if that is the same already: nothing then needs to be copied, counted or marked, and
 * the clone's files can stay. Undefined where they differ, or a directory of the source lacks its mark.
 * @throws FormatError for a damaged record
 */
export function sameContents(source: Volume, clone: Volume): Contents | undefined {
  const contents = { filecount: 0, diskused: 0 }
  for (const cls of ["large", "small"] as const) {
    if (walkedSize(clone.index(cls).file, cls) > walkedSize(source.index(cls).file, cls)) return undefined
    for (const piece of indexPieces(source.index(cls).file, cls)) {
      const other = readIndexPiece(clone.index(cls).file, cls, piece.offset, piece.bytes.length)
      if (!isSamePiece(piece, other, source.info.type === volumeTypes.RW)) return undefined
      addCounts(contents, piece)
    }
  }
  return contents
}

function isSamePiece(piece: IndexPiece, other: IndexPiece, isReadWrite: boolean): boolean {
  if (piece.cls === "large") {
    for (let slot = 0; slot < piece.count; slot++) {
      if (isReadWrite && needsMark(piece, slot)) return false
      for (const one of [piece, other]) if (one.isCloned(slot)) one.setCloned(slot, false)
    }
  }
  return Buffer.compare(piece.bytes, other.bytes) === 0
}

function addCounts(contents: { filecount: number; diskused: number }, piece: IndexPiece): void {
  for (let slot = 0; slot < piece.count; slot++) {
    if (!piece.used(slot)) continue
    contents.filecount++
    contents.diskused += blocksOf(piece.length(slot))
  }
}

async function copyIndex(walk: Walk, cls: VnodeClass): Promise<void> {
  const target = cls === "large" ? walk.draft.large : walk.draft.small
  for (const piece of indexPieces(walk.source.volume.index(cls).file, cls)) {
    claimPiece(walk, piece)
    for (let slot = 0; slot < piece.count; slot++) if (piece.isCloned(slot)) piece.setCloned(slot, false)
    target.write(piece.bytes, piece.offset)
    walk.done += piece.count
    await walk.context.pace.step({ unit: "vnodes", done: walk.done, total: walk.total })
  }
}

/** Raises the counts of a piece's data files and marks its directories. */
function claimPiece(walk: Walk, piece: IndexPiece): void {
  const { volume } = walk.source
  const old = readIndexPiece(walk.clone.index(piece.cls).file, piece.cls, piece.offset, piece.bytes.length)
  using transaction = volume.transaction()
  const claims = findClaims(walk, piece, old)
  const { lows, highs } = claims.halves()
  if (claims.count > 0) transaction.add({ kind: "claimAll", lows })
  if (volume.info.type === volumeTypes.RW && piece.cls === "large") addMarks(walk, transaction, piece)
  if (transaction.writes.length === 0) return
  walk.source.apply(transaction)
  for (let index = 0; index < claims.count; index++) walk.claimed.pushHalves(highs[index] ?? 0, lows[index] ?? 0)
}

/** The data files that the clone does not have yet; counts what is there. */
function findClaims(walk: Walk, piece: IndexPiece, old: IndexPiece): InodeList {
  const claims = new InodeList()
  for (let slot = 0; slot < piece.count; slot++) {
    if (!piece.used(slot)) continue
    walk.filecount++
    walk.diskused += blocksOf(piece.length(slot))
    if (!piece.hasInode(slot) || (old.sound(slot) && sameInodeAt(old, piece, slot))) continue
    const tag = piece.tag(slot)
    if (tag === undefined) throw foreignInode(piece, slot)
    const vnode = piece.vnode(slot)
    if (countIn(walk.rows[vnode] ?? 0, tag) >= linkCountMax) throw tooManySharers(walk, vnode)
    claims.pushHalves(piece.inodeHigh(slot), piece.inodeLow(slot))
  }
  return claims
}

function tooManySharers({ source }: Walk, vnode: number): AfsError {
  const subject = { volume: source.volume.id, partition: source.volume.partition.name, vnode }
  return new AfsError("EMLINK", "clone", subject, { detail: `at most ${linkCountMax} volumes can share a file` })
}

/** Adds the writing of records that get the mark, neighbours together. The piece is changed, not the clone's copy of it. */
function addMarks(walk: Walk, transaction: VolumeTransaction, piece: IndexPiece): void {
  const { recordSize } = vnodeClasses.large
  const inode = largeIndexInode(walk.source.volume.header)
  for (let slot = 0; slot < piece.count; ) {
    let end = slot
    while (end < piece.count && needsMark(piece, end)) piece.setCloned(end++, true)
    if (end === slot) {
      slot++
      continue
    }
    const bytes = piece.bytes.slice(slot * recordSize, end * recordSize)
    transaction.write(inode, piece.offset + slot * recordSize, bytes)
    slot = end
  }
}

function needsMark(piece: IndexPiece, slot: number): boolean {
  return piece.used(slot) && !piece.isCloned(slot)
}
