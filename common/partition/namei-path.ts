/**
 * Where an inode lies below `AFSIDat`: a base-64 spelling of numbers, least significant digit first, without padding.
 * OpenAFS vol/namei_ops.c, util/flipbase64.c; docs/formats/namei.md.
 */
import { type Inode, inodeParts } from "./inode-number.ts"

const alphabet = "+=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const zeroCode = "+".charCodeAt(0)
/** Value of a digit by its character code, -1 for other characters. */
const digitValues = new Int8Array(256).fill(-1)
for (let value = 0; value < 64; value++) digitValues[alphabet.charCodeAt(value)] = value
/** 64 bits take at most 11 digits of 6 bits. */
const digitsMax = 11

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/** Spelling of an unsigned 32-bit number. */
export function encodeNumber(value: number): string {
  let rest = value >>> 0
  let spelled = ""
  do {
    spelled += alphabet[rest & 63]
    rest >>>= 6
  } while (rest !== 0)
  return spelled
}

/** Spelling of a 64-bit number given as two halves. */
export function encodeInode(inode: Inode): string {
  let { high, low } = inode
  let spelled = ""
  do {
    spelled += alphabet[low & 63]
    low = ((low >>> 6) | (high << 26)) >>> 0
    high >>>= 6
  } while (high !== 0 || low !== 0)
  return spelled
}

/** The number that a file name spells, or undefined if no number is spelled that way. */
export function decodeInode(name: string): Inode | undefined {
  if (name.length > digitsMax) return undefined
  const inode = { high: 0, low: 0 }
  return decodeInodeInto(inode, nameBytes, 0, nameBytes.write(name)) ? inode : undefined
}

/** Takes the longest name in UTF-8. */
const nameBytes = Buffer.alloc(3 * digitsMax)

/** The same of a name in bytes, without a string or an object for it. @returns false if they spell no number */
export function decodeInodeInto(inode: Mutable<Inode>, bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start || end - start > digitsMax) return false
  let high = 0
  let low = 0
  for (let index = end - 1; index >= start; index--) {
    const value = digitValues[bytes[index] ?? 0] ?? -1
    if (value < 0 || high >= 2 ** 26) return false
    high = ((high << 6) | (low >>> 26)) >>> 0
    low = ((low << 6) | value) >>> 0
  }
  // the last digit is the highest: 0 stands there in the number 0 alone
  if (end - start > 1 && bytes[end - 1] === zeroCode) return false
  inode.high = high
  inode.low = low
  return true
}

/** The 32-bit number that a folder name spells (a group id), or undefined. */
export function decodeNumber(name: string): number | undefined {
  const inode = decodeInode(name)
  return inode === undefined || inode.high !== 0 ? undefined : inode.low
}

export const dataFolder = "AFSIDat"
export const specialFolder = "special"

/** Folder of a volume group, relative to the partition: `AFSIDat/x/G`. */
export function groupFolder(group: number): string {
  return `${dataFolder}/${encodeNumber(group & 0xff)}/${encodeNumber(group)}`
}

/** Folder of a file inside its group's folder: `special`, or two levels by vnode number. */
export function folderInGroup(inode: Inode): string {
  const { special, vnode } = inodeParts(inode)
  return special ? specialFolder : `${encodeNumber((vnode >>> 14) & 0xff)}/${encodeNumber((vnode >>> 9) & 0x1ff)}`
}

/** Path of a file relative to the partition. */
export function inodePath(group: number, inode: Inode): string {
  return `${groupFolder(group)}/${folderInGroup(inode)}/${encodeInode(inode)}`
}
