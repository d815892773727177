/**
 * Layout of the link table of a volume group, which counts how many volumes use each data file, by vnode number and tag:
 *
 *     0  u32le magic   4  u32le version   8 + 2·vnode  u16le row: five counts of 3 bits, tag 0 lowest
 *
 * Row 0, tag 0 counts the volumes of the group. A place beyond the end counts 0. docs/formats/link-table.md.
 */
import { struct, u32le } from "../codec/struct.ts"

export const linkTableStamp = struct("LinkTableStamp", 8, { magic: u32le, version: u32le })
/** Part of the format. */
export const linkTableMagic = 0x9987_7712
export const linkTableVersion = 1
/** Greatest count of a place. */
export const linkCountMax = 7

/** Byte offset of a vnode's row. */
export const rowOffset = (vnode: number): number => 8 + 2 * vnode

/** The count of `tag` in a row. */
export function countIn(row: number, tag: number): number {
  return (row >>> (3 * tag)) & 7
}

/** The row with the count of `tag` replaced. */
export function withCount(row: number, tag: number, count: number): number {
  return (row & ~(7 << (3 * tag))) | (count << (3 * tag))
}

/** Rows that are not there are 0, and so is half a one at the end: who can tell what the other half was. */
export function decodeRows(bytes: Uint8Array, count: number = bytes.length >>> 1): Uint16Array {
  const rows = new Uint16Array(count)
  for (let index = 0; index < bytes.length >>> 1; index++)
    rows[index] = (bytes[2 * index] ?? 0) | ((bytes[2 * index + 1] ?? 0) << 8)
  return rows
}

/** Bytes of rows as the file has them. */
export function encodeRows(rows: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(2 * rows.length)
  for (let index = 0; index < rows.length; index++) {
    bytes[2 * index] = (rows[index] ?? 0) & 0xff
    bytes[2 * index + 1] = (rows[index] ?? 0) >>> 8
  }
  return bytes
}

/** Bytes of a fresh table for a group of one volume: stamp and row 0 = 1. */
export function newLinkTable(): Uint8Array {
  const bytes = new Uint8Array(10)
  linkTableStamp.write({ magic: linkTableMagic, version: linkTableVersion }, bytes)
  bytes[8] = 1
  return bytes
}
