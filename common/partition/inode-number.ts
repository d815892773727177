/**
 * The 64-bit inode number of a namei partition, as two unsigned halves (no bigint on hot paths).
 *
 *     data file of a vnode:   high = uniquifier   low = vnode number (26 bits) | tag << 26 (3 bits)
 *     special file:           high = volume id    low = 0x3ffffff              | type << 26
 *
 * OpenAFS vol/namei_ops.c; docs/formats/namei.md.
 */

import { AfsError } from "../error.ts"

/** An inode number. Both halves are unsigned 32-bit integers. */
export interface Inode {
  readonly high: number
  readonly low: number
}

/** Special file types; 4 and 5 are obsolete and never created. */
export const specialTypes = {
  volumeInfo: 1,
  smallIndex: 2,
  largeIndex: 3,
  accessList: 4,
  mountTable: 5,
  linkTable: 6,
} as const
export type SpecialType = keyof typeof specialTypes

/** Vnode numbers of data files fit in 26 bits; a special file has all of them set. */
export const vnodeMask = 0x3ff_ffff
/** Tags 0..4 have a column in the link table. */
export const tagCount = 5

/**
 * Inode of the data file of a vnode's version `tag`.
 * @throws AfsError EINVAL for a vnode number beyond 26 bits: its file would be another vnode's, or a special file.
 */
export function dataInode(vnode: number, unique: number, tag: number): Inode {
  if (!(vnode >= 0 && vnode < vnodeMask)) {
    throw new AfsError("EINVAL", "dataInode", { vnode }, { detail: "vnode numbers of data files have 26 bits" })
  }
  return { high: unique >>> 0, low: ((vnode & vnodeMask) | (tag << 26)) >>> 0 }
}

/** Inode of a special file; for the link table `volume` is the group id. */
export function specialInode(volume: number, type: SpecialType): Inode {
  return { high: volume >>> 0, low: (vnodeMask | (specialTypes[type] << 26)) >>> 0 }
}

export const noInode: Inode = { high: 0, low: 0 }

/** For tables by inode. */
export function inodeKey({ high, low }: Inode): string {
  return `${high}/${low}`
}

export function sameInode(a: Inode, b: Inode): boolean {
  return a.high === b.high && a.low === b.low
}

export function isNoInode(inode: Inode): boolean {
  return inode.high === 0 && inode.low === 0
}

/** What an inode number says, taken apart. */
export interface InodeParts {
  readonly special: boolean
  /** Data file: vnode number. */
  readonly vnode: number
  /** Data file: uniquifier; special file: volume id. */
  readonly high: number
  /** Data file: tag; special file: type number. */
  readonly tag: number
  /** Bits 29..31, zero in every file that a server makes. */
  readonly rest: number
}

export function inodeParts(inode: Inode): InodeParts {
  const vnode = inode.low & vnodeMask
  return { special: vnode === vnodeMask, vnode, high: inode.high, tag: (inode.low >>> 26) & 7, rest: inode.low >>> 29 }
}

/** Decimal text of the 64-bit number, as OpenAFS's tools print it. */
export function inodeText(inode: Inode): string {
  return ((BigInt(inode.high) << 32n) | BigInt(inode.low)).toString()
}
