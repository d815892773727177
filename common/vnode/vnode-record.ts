/**
 * One record of a vnode index: 64 bytes for files and symbolic links (small index, even vnode numbers), 256 bytes for
 * directories (large index, odd numbers), of which the last 192 are the access list.
 * OpenAFS vol/vnode.h (VnodeDiskObject); docs/formats/vnode-index.md.
 */
import { bits, i32le, type Of, struct, u32le } from "../codec/struct.ts"
import { type Inode, vnodeMask } from "../partition/inode-number.ts"

export const vnodeRecordLayout = struct("VnodeRecord", 64, {
  word: bits(u32le, { type: 3, cloned: 1, mode: 12, linkCount: -16 }),
  lengthLow: u32le,
  uniquifier: u32le,
  dataVersion: u32le,
  inodeLow: u32le,
  unixModifyTime: u32le,
  author: u32le,
  owner: u32le,
  parent: u32le,
  magic: u32le,
  lockCount: i32le,
  lockTime: u32le,
  serverModifyTime: u32le,
  group: i32le,
  inodeHigh: u32le,
  lengthHigh: u32le,
})
export type VnodeRecord = Of<typeof vnodeRecordLayout>

/**
 * A copy to be changed: the same as a spread, at a small part of its cost. The order of the fields is the layout's, so that
 * all records have one shape.
 */
export function copyRecord(record: Readonly<VnodeRecord>): VnodeRecord {
  return {
    type: record.type,
    cloned: record.cloned,
    mode: record.mode,
    linkCount: record.linkCount,
    lengthLow: record.lengthLow,
    uniquifier: record.uniquifier,
    dataVersion: record.dataVersion,
    inodeLow: record.inodeLow,
    unixModifyTime: record.unixModifyTime,
    author: record.author,
    owner: record.owner,
    parent: record.parent,
    magic: record.magic,
    lockCount: record.lockCount,
    lockTime: record.lockTime,
    serverModifyTime: record.serverModifyTime,
    group: record.group,
    inodeHigh: record.inodeHigh,
    lengthHigh: record.lengthHigh,
  }
}

/** `type` of a record; others are damage. */
export const vnodeTypes = { free: 0, file: 1, directory: 2, symlink: 3 } as const

/** The root directory, in every volume. Part of the format. */
export const rootVnode = { number: 1, unique: 1 } as const

export type VnodeClass = "small" | "large"

interface ClassFacts {
  /** Bytes of a record, and of the header record. */
  readonly recordSize: number
  /** Magic of the file's stamp. */
  readonly fileMagic: number
  /** Magic of a used record. */
  readonly recordMagic: number
  /** 0 large, 1 small, as in `(vnode - 1) & 1`. */
  readonly parity: number
}

/** Part of the format. */
export const vnodeClasses: Readonly<Record<VnodeClass, ClassFacts>> = {
  small: { recordSize: 64, fileMagic: 0x9977_6655, recordMagic: 0xda8c_041f, parity: 1 },
  large: { recordSize: 256, fileMagic: 0x8866_4433, recordMagic: 0xad87_65fe, parity: 0 },
}
export const vnodeIndexVersion = 1
/** Bytes of the access list behind the 64 common bytes of a large record. */
export const accessListSize = 192
export const accessListOffset = 64

export const classOf = (vnode: number): VnodeClass => (((vnode - 1) & 1) === 0 ? "large" : "small")

/** Greatest size of an index: a header and half of the vnode numbers that data files can have. */
export const indexSizeMax = (cls: VnodeClass): number => ((vnodeMask + 1) / 2 + 1) * vnodeClasses[cls].recordSize

/** Byte offset of a vnode's record in the index file of its class. */
export function recordOffset(vnode: number): number {
  return (((vnode - 1) >>> 1) + 1) * vnodeClasses[classOf(vnode)].recordSize
}

/** Vnode number of the record at a byte offset. */
export function vnodeAt(cls: VnodeClass, offset: number): number {
  const { recordSize, parity } = vnodeClasses[cls]
  return (offset / recordSize - 1) * 2 + parity + 1
}

/** Length of the data file in bytes; exact below 2^53. */
export const recordLength = (record: VnodeRecord): number => record.lengthHigh * 2 ** 32 + record.lengthLow

/** The two halves of a length. */
export function lengthHalves(length: number): { lengthLow: number; lengthHigh: number } {
  return { lengthLow: length % 2 ** 32, lengthHigh: Math.floor(length / 2 ** 32) }
}

export const recordInode = (record: VnodeRecord): Inode => ({ high: record.inodeHigh, low: record.inodeLow })

/** A record with every field 0 but those given; magic by class. */
export function newVnodeRecord(cls: VnodeClass, fields: Partial<VnodeRecord>): VnodeRecord {
  const empty = vnodeRecordLayout.read(new Uint8Array(vnodeRecordLayout.size))
  return { ...empty, magic: vnodeClasses[cls].recordMagic, ...fields }
}
