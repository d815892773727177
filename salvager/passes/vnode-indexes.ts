/**
 * Fourth pass: both vnode indexes of every volume, record by record, against the data files. First all are read, so that
 * it is known who uses which file; then each record is judged. OpenAFS vol/vol-salvage.c (SalvageIndex).
 */
import type { DiskFile } from "../../common/disk/disk.ts"
import { type Inode, specialInode, vnodeMask } from "../../common/partition/inode-number.ts"
import { countIn } from "../../common/partition/link-table.ts"
import { findAccessCheckFault } from "../../common/vnode/access-list.ts"
import { vnodeIndexStamp } from "../../common/vnode/vnode-index.ts"
import {
  accessListOffset,
  indexSizeMax,
  recordOffset,
  type VnodeClass,
  vnodeAt,
  vnodeClasses,
  vnodeIndexVersion,
  vnodeRecordLayout,
  vnodeTypes,
} from "../../common/vnode/vnode-record.ts"
import type { GroupModel, VolumeModel } from "../model.ts"

const classes: readonly VnodeClass[] = ["large", "small"]
export const indexType = { small: "smallIndex", large: "largeIndex" } as const
/** Bytes read at once. */
const pieceSize = 1 << 20
/** Vnode numbers from here on cannot have a data file. */
const vnodeLimit = vnodeMask
const at = vnodeRecordLayout.offsets
const typeMask = 7
/** Word of an access list that holds its version. */
const versionAt = 4

/** Reads the indexes of all volumes and counts who uses which data file. */
export function loadIndexes(group: GroupModel): void {
  for (const volume of group.volumes) {
    volume.vnodes.reserve(likelyVnodes(group, volume))
    for (const cls of classes) if (volume.specials.has(indexType[cls])) loadIndex(group, volume, cls)
  }
  group.rowsTrusted = group.linkTable === "sound" || (group.linkTable === "stamp" && agreesWithRecords(group))
}

/** As many as the indexes have room for, and hardly more than there are data files: an index may be long and empty. */
function likelyVnodes({ files }: GroupModel, { specials }: VolumeModel): number {
  const room = (cls: VnodeClass): number => (specials.get(indexType[cls])?.size ?? 0) / vnodeClasses[cls].recordSize
  return Math.min(Math.floor(room("small") + room("large")), files.found + 64)
}

/** A table with a wrong stamp is believed if nine of ten counts are possible, given the records that are there. */
function agreesWithRecords(group: GroupModel): boolean {
  const { files, rows } = group
  let possible = 0
  for (let file = 0; file < files.found; file++) {
    const counted = countIn(rows[files.vnode(file)] ?? 0, files.tag(file))
    if (counted > 0 && counted >= files.users(file) && counted <= group.volumes.length) possible++
  }
  return files.found > 0 && possible >= 0.9 * files.found
}

function loadIndex(group: GroupModel, volume: VolumeModel, cls: VnodeClass): void {
  const { recordSize, fileMagic } = vnodeClasses[cls]
  const size = volume.specials.get(indexType[cls])?.size ?? 0
  using file = group.store.open(specialInode(volume.id, indexType[cls]), "read")
  const piece = new Uint8Array(Math.min(pieceSize, Math.max(size, vnodeIndexStamp.size)))
  let length = file.read(piece, 0)
  const { magic, version } = vnodeIndexStamp.read(piece)
  const state = volume.indexes[cls]
  state.size = size
  state.stampRight = length >= vnodeIndexStamp.size && magic === fileMagic && version === vnodeIndexVersion
  state.tail = size <= recordSize ? (size === vnodeIndexStamp.size ? 0 : size % recordSize) : size % recordSize
  const end = Math.min(size, recordOffset(cls === "large" ? vnodeLimit - 2 : vnodeLimit - 1))
  for (let start = 0; start + recordSize <= end; start += piece.length) {
    if (start > 0) length = file.read(piece, start)
    const last = Math.min(length, end - start) - recordSize
    for (let first = start === 0 ? recordSize : 0; first <= last; first += recordSize)
      takeSlot(group, volume, cls, vnodeAt(cls, start + first), piece, first)
  }
  if (state.tail > 0 && size > recordSize && size < end + recordSize)
    takeTail(group, volume, cls, file, size - state.tail)
}

/** A piece of a record at the end. Of a directory's, all but the access list may be there. */
function takeTail(group: GroupModel, volume: VolumeModel, cls: VnodeClass, file: DiskFile, offset: number): void {
  const bytes = new Uint8Array(vnodeClasses[cls].recordSize)
  const vnode = vnodeAt(cls, offset)
  if (file.read(bytes, offset) >= vnodeRecordLayout.size) takeSlot(group, volume, cls, vnode, bytes, 0)
  const slot = volume.vnodes.find(vnode)
  if (slot < 0) {
    volume.garbage.add(vnode) // whatever grows the file makes a record of it
    return
  }
  volume.vnodes.mark(slot, "changed")
  if (!volume.badAccessLists.has(vnode)) volume.accessLists.set(vnode, bytes.slice(accessListOffset))
}

/** Takes the record whose bytes begin at `from`. */
function takeSlot(
  group: GroupModel,
  volume: VolumeModel,
  cls: VnodeClass,
  vnode: number,
  bytes: Uint8Array,
  from: number,
): void {
  if (((bytes[from] ?? 0) & typeMask) === vnodeTypes.free) {
    takeFreed(group, volume, cls, vnode, bytes, from)
    return
  }
  const file = namedFile(group, vnode, wordAt(bytes, from + at.inodeLow), wordAt(bytes, from + at.inodeHigh))
  if (file < 0 && !isTrustworthy(group, cls, vnode, bytes, from)) {
    volume.garbage.add(vnode)
    return
  }
  volume.vnodes.add(vnode, bytes, file, from)
  if (file >= 0) group.files.use(file)
  if (cls === "large") takeAccessList(volume, vnode, bytes, from)
}

/** A free slot that still has a magic may have lost its type alone. */
function takeFreed(
  group: GroupModel,
  volume: VolumeModel,
  cls: VnodeClass,
  vnode: number,
  bytes: Uint8Array,
  from: number,
): void {
  if (wordAt(bytes, from + at.magic) !== vnodeClasses[cls].recordMagic) return
  if (namedFile(group, vnode, wordAt(bytes, from + at.inodeLow), wordAt(bytes, from + at.inodeHigh)) < 0) return
  volume.leftovers.set(vnode, bytes.slice(from, from + vnodeClasses[cls].recordSize))
  volume.garbage.add(vnode)
}

/** Position of the data file that a record names, if it is one of this vnode; else -1. */
function namedFile(group: GroupModel, vnode: number, inodeLow: number, inodeHigh: number): number {
  if ((inodeLow & vnodeMask) !== vnode || inodeLow >>> 29 !== 0) return -1
  return group.files.find(vnode, inodeHigh, inodeLow >>> 26)
}

/** Worth to be kept although its data file is not there: it has its magic, or there is a file of its uniquifier. */
function isTrustworthy(group: GroupModel, cls: VnodeClass, vnode: number, bytes: Uint8Array, from: number): boolean {
  if (wordAt(bytes, from + at.magic) === vnodeClasses[cls].recordMagic) return true
  const uniquifier = wordAt(bytes, from + at.uniquifier)
  return group.files.ofVnode(vnode).some((file) => group.files.unique(file) === uniquifier)
}

/** A field of a record, little-endian. */
function wordAt(bytes: Uint8Array, offset: number): number {
  const low = (bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8) | ((bytes[offset + 2] ?? 0) << 16)
  return (low | ((bytes[offset + 3] ?? 0) << 24)) >>> 0
}

function takeAccessList(volume: VolumeModel, vnode: number, bytes: Uint8Array, from: number): void {
  const area = bytes.subarray(from + accessListOffset, from + vnodeClasses.large.recordSize)
  const versionRight =
    area[versionAt] === 1 && area[versionAt + 1] === 0 && area[versionAt + 2] === 0 && area[versionAt + 3] === 0
  if (!versionRight || findAccessCheckFault(area) !== undefined) volume.badAccessLists.set(vnode, area.slice())
}

/** Reports indexes that are missing, cut, or have a wrong stamp, and special files with wrong owner data. */
export function checkSpecialFiles(group: GroupModel): void {
  if (!group.linkTableOwnerRight) reportOwner(group, specialInode(group.id, "linkTable"))
  for (const volume of group.kept)
    for (const [type, { ownerRight }] of volume.specials)
      if (!ownerRight) reportOwner(group, specialInode(volume.id, type), volume.id)
  for (const volume of group.kept) for (const cls of classes) checkIndexFile(group, volume, cls)
}

function reportOwner(group: GroupModel, inode: Inode, volume?: number): void {
  const subject = volume === undefined ? {} : { volume }
  group.findings.add("file-owner", { ...subject, file: group.store.path(inode) })
}

function checkIndexFile(group: GroupModel, volume: VolumeModel, cls: VnodeClass): void {
  const { size, stampRight, tail } = volume.indexes[cls]
  const inode = specialInode(volume.id, indexType[cls])
  const subject = { volume: volume.id, file: group.store.path(inode) }
  if (!volume.specials.has(indexType[cls])) group.findings.add("index-missing", subject)
  else if (!stampRight) group.findings.add("index-stamp", subject)
  if (size > indexSizeMax(cls)) group.findings.add("index-long", { ...subject, detail: `${size} bytes` })
  else if (tail > 0) group.findings.add("index-cut", { ...subject, detail: `${tail} bytes behind the last of ${size}` })
}
