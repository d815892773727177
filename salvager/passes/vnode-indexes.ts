/**
 * Fourth pass: both vnode indexes of every volume, record by record, against the data files. First all are read, so that
 * it is known who uses which file; then each record is judged. OpenAFS vol/vol-salvage.c (SalvageIndex).
 */
import type { DiskFile } from "../../common/disk/disk.ts"
import { type Inode, specialInode, vnodeMask } from "../../common/partition/inode-number.ts"
import { countIn } from "../../common/partition/link-table-format.ts"
import { findAccessCheckFault } from "../../common/vnode/access-list.ts"
import { vnodeIndexStamp } from "../../common/vnode/vnode-index.ts"
import {
  accessListOffset,
  classOf,
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
import { matchPlainRecords } from "./plain-records.ts"

const classes: readonly VnodeClass[] = ["large", "small"]
export const indexType = { small: "smallIndex", large: "largeIndex" } as const
/** Room that is made beforehand at most; tables grow. */
const reservedMax = 2 ** 21
/** Bytes read at once. */
const pieceSize = 1 << 20
/** Vnode numbers from here on cannot have a data file. */
const vnodeLimit = vnodeMask
const at = vnodeRecordLayout.offsets
const typeMask = 7
/** Word of an access list that holds its version. */
const versionAt = 4

/** Reads the records of all volumes. Which data files they name is not asked: those may be scanned meanwhile. */
export function readIndexes(group: GroupModel): void {
  for (const volume of group.volumes) {
    volume.vnodes.reserve(likelyVnodes(volume))
    for (const cls of classes) if (volume.specials.has(indexType[cls])) readIndex(group, volume, cls)
  }
}

/** As many as the indexes have room for; an index may be long and empty. */
function likelyVnodes({ specials }: VolumeModel): number {
  const room = (cls: VnodeClass): number => (specials.get(indexType[cls])?.size ?? 0) / vnodeClasses[cls].recordSize
  return Math.min(Math.floor(room("small") + room("large")), reservedMax)
}

/** Finds the data files that the records name, and counts who uses which. What is in doubt then has to be judged. */
export function matchRecords(group: GroupModel): void {
  for (const volume of group.volumes) {
    matchPlainRecords(group.files, volume.vnodes)
    for (const slot of volume.vnodes.inDoubt()) matchRecord(group, volume, slot)
    for (const vnode of volume.freeWithMagic) if (group.files.hasVnode(vnode)) takeFreed(group, volume, vnode)
    volume.freeWithMagic.length = 0
    for (const [vnode, bytes] of volume.cutRecords) settleTail(volume, vnode, bytes)
  }
  group.rowsTrusted = group.linkTable === "sound" || (group.linkTable === "stamp" && agreesWithRecords(group))
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

function readIndex(group: GroupModel, volume: VolumeModel, cls: VnodeClass): void {
  const { recordSize, fileMagic } = vnodeClasses[cls]
  const size = volume.specials.get(indexType[cls])?.size ?? 0
  using file = group.store.open(specialInode(volume.id, indexType[cls]), "read")
  const piece = Buffer.alloc(Math.min(pieceSize, Math.max(size, vnodeIndexStamp.size)))
  let length = file.read(piece, 0)
  const { magic, version } = vnodeIndexStamp.read(piece)
  const state = volume.indexes[cls]
  state.size = size
  state.stampRight = length >= vnodeIndexStamp.size && magic === fileMagic && version === vnodeIndexVersion
  state.tail = size <= recordSize ? (size === vnodeIndexStamp.size ? 0 : size % recordSize) : size % recordSize
  const end = endOfVnodes(cls, size)
  for (let start = 0; start + recordSize <= end; start += piece.length) {
    if (start > 0) length = file.read(piece, start)
    const whole = Math.floor(Math.min(length, end - start) / recordSize) * recordSize
    const first = start === 0 ? recordSize : 0
    if (first < whole) takeRecords(volume, vnodeAt(cls, start + first), piece.subarray(first, whole))
  }
  if (state.tail > 0 && size > recordSize && size < end + recordSize) takeTail(volume, cls, file, size - state.tail)
}

/** Where the records of vnodes that can have a data file end. */
const endOfVnodes = (cls: VnodeClass, size: number): number =>
  Math.min(size, recordOffset(cls === "large" ? vnodeLimit - 2 : vnodeLimit - 1))

/** Takes whole records, the first of this vnode, with no data files yet: all that lie side by side and are in use at once. */
function takeRecords(volume: VolumeModel, vnode: number, bytes: Buffer): void {
  const { recordSize, recordMagic } = vnodeClasses[classOf(vnode)]
  const vnodeOf = (at: number): number => vnode + (2 * at) / recordSize
  for (let from = 0; from < bytes.length; from += recordSize) {
    const start = from
    from = endOfUsed(bytes, from, recordSize)
    if (from > start) takeRun(volume, vnodeOf(start), bytes.subarray(start, from))
    if (from < bytes.length && bytes.readUInt32LE(from + at.magic) === recordMagic)
      volume.freeWithMagic.push(vnodeOf(from))
  }
}

/** Where the records end that are in use and lie side by side from here on. */
function endOfUsed(bytes: Uint8Array, start: number, recordSize: number): number {
  let end = start
  while (end < bytes.length && ((bytes[end] ?? 0) & typeMask) !== vnodeTypes.free) end += recordSize
  return end
}

function takeRun(volume: VolumeModel, vnode: number, bytes: Buffer): void {
  volume.vnodes.addRun(vnode, bytes)
  if (classOf(vnode) !== "large") return
  const { recordSize } = vnodeClasses.large
  for (let from = 0; from < bytes.length; from += recordSize)
    takeAccessList(volume, vnode + (2 * from) / recordSize, bytes.subarray(from + accessListOffset, from + recordSize))
}

function matchRecord(group: GroupModel, volume: VolumeModel, slot: number): void {
  const { vnodes } = volume
  const vnode = vnodes.vnode(slot)
  const file = namedFile(group, vnode, vnodes.word(slot, at.inodeLow), vnodes.word(slot, at.inodeHigh))
  if (file >= 0) {
    vnodes.setFile(slot, file)
    group.files.use(file)
  } else if (!isTrustworthy(group, volume, slot)) {
    vnodes.mark(slot, "freed")
    volume.badAccessLists.delete(vnode)
    volume.garbage.add(vnode)
  }
}

/** A free slot that still has a magic may have lost its type alone. */
function takeFreed(group: GroupModel, volume: VolumeModel, vnode: number): void {
  const cls = classOf(vnode)
  const bytes = new Uint8Array(vnodeClasses[cls].recordSize)
  using file = group.store.open(specialInode(volume.id, indexType[cls]), "read")
  file.read(bytes, recordOffset(vnode))
  const { inodeLow, inodeHigh } = vnodeRecordLayout.read(bytes)
  if (namedFile(group, vnode, inodeLow, inodeHigh) < 0) return
  volume.leftovers.set(vnode, bytes)
  volume.garbage.add(vnode)
}

/** A piece of a record at the end. Of a directory's, all but the access list may be there. */
function takeTail(volume: VolumeModel, cls: VnodeClass, file: DiskFile, offset: number): void {
  const bytes = Buffer.alloc(vnodeClasses[cls].recordSize)
  const vnode = vnodeAt(cls, offset)
  if (file.read(bytes, offset) >= vnodeRecordLayout.size) takeRecords(volume, vnode, bytes)
  volume.cutRecords.set(vnode, bytes)
}

/** What is there of a record that is cut off is written in full, or not at all. */
function settleTail(volume: VolumeModel, vnode: number, bytes: Uint8Array): void {
  const slot = volume.vnodes.find(vnode)
  if (slot < 0) {
    volume.garbage.add(vnode) // whatever grows the file makes a record of it
    return
  }
  volume.vnodes.mark(slot, "changed")
  if (!volume.badAccessLists.has(vnode)) volume.accessLists.set(vnode, bytes.slice(accessListOffset))
}

/** Position of the data file that a record names, if it is one of this vnode; else -1. */
function namedFile(group: GroupModel, vnode: number, inodeLow: number, inodeHigh: number): number {
  if ((inodeLow & vnodeMask) !== vnode || inodeLow >>> 29 !== 0) return -1
  return group.files.find(vnode, inodeHigh, inodeLow >>> 26)
}

/** Worth to be kept although its data file is not there: it has its magic, or there is a file of its uniquifier. */
function isTrustworthy(group: GroupModel, { vnodes }: VolumeModel, slot: number): boolean {
  const vnode = vnodes.vnode(slot)
  if (vnodes.word(slot, at.magic) === vnodeClasses[classOf(vnode)].recordMagic) return true
  return group.files.ofVnode(vnode).some((file) => group.files.unique(file) === vnodes.unique(slot))
}

function takeAccessList(volume: VolumeModel, vnode: number, area: Buffer): void {
  const versionRight = area.readUInt32LE(versionAt) === 1
  if (!versionRight || findAccessCheckFault(area) !== undefined) volume.badAccessLists.set(vnode, Uint8Array.from(area))
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
