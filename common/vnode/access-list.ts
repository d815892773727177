/**
 * The access list of a directory: the last 192 bytes of its vnode record, little-endian on disk and big-endian in a dump.
 * OpenAFS libacl/acl.h, libacl/aclprocs.c; docs/formats/access-list.md.
 *
 * Order is part of the format: positive entries ascending by id, negative ones descending. The check of rights merges both
 * with the caller's sorted groups.
 */
import { i32, i32le, type Of, struct } from "../codec/struct.ts"
import { AfsError, FormatError } from "../error.ts"
import { accessListSize } from "./vnode-record.ts"

/** Byte order of an access list: "disk" little-endian, "dump" big-endian. */
export type AccessListOrder = "disk" | "dump"

const headOf = (word: typeof i32) => ({
  /** Bytes of the list, 20 + 8·total. */
  size: word,
  version: word,
  /** positive + negative, at most 20. */
  total: word,
  positive: word,
  negative: word,
})
const headLayouts = {
  disk: struct("AccessList", 20, headOf(i32le)),
  dump: struct("AccessList", 20, headOf(i32)),
}
const entryLayouts = {
  disk: struct("AccessEntry", 8, { id: i32le, rights: i32le }),
  dump: struct("AccessEntry", 8, { id: i32, rights: i32 }),
}
type Head = Of<typeof headLayouts.disk>

/** Part of the format. */
const headSize = headLayouts.disk.size
const entrySize = entryLayouts.disk.size
const listVersion = 1
/** Entries that a list holds at most, positive and negative together. */
export const accessEntriesMax = 20

/** One line of an access list: a user (positive id) or group (negative id) and a sum of `accessRights`. */
interface AccessEntry {
  readonly id: number
  /** Signed, as bit 31 is the last user-defined right. */
  readonly rights: number
}

/** Both parts ascending by id, in whatever order the bytes have them. */
export interface AccessList {
  /** Rights that are given. */
  readonly positive: readonly AccessEntry[]
  /** Rights that are taken away. */
  readonly negative: readonly AccessEntry[]
}

/** Rights and their letters, in the order in which they are shown. */
export const accessRights = {
  r: 1,
  l: 8,
  i: 4,
  d: 16,
  w: 2,
  k: 32,
  a: 64,
  A: 0x0100_0000,
  B: 0x0200_0000,
  C: 0x0400_0000,
  D: 0x0800_0000,
  E: 0x1000_0000,
  F: 0x2000_0000,
  G: 0x4000_0000,
  H: 0x8000_0000,
} as const

/** All seven rights that the fileserver knows. */
export const allRights = 127
/** Groups that every cell has. */
export const knownGroups = { "system:administrators": -204, "system:anyuser": -101, "system:authuser": -102 } as const

/** What is wrong with an access list. */
export interface AccessListFault {
  /** Byte offset in the 192-byte area. */
  readonly offset: number
  readonly found: string
  readonly wanted: string
}

/**
 * What makes a restore refuse an access list: total outside 0..20, parts that do not add up to it, or a size too small for
 * it. Such a list is left out of a dump.
 */
export function findAccessListFault(area: Uint8Array, order: AccessListOrder = "disk"): AccessListFault | undefined {
  if (area.length < accessListSize) {
    return { offset: area.length, found: `${area.length} bytes`, wanted: `${accessListSize}` }
  }
  const head = headLayouts[order].read(area)
  if (head.total < 0 || head.total > accessEntriesMax) {
    return { offset: 8, found: `${head.total} entries`, wanted: `0 to ${accessEntriesMax}` }
  }
  if (head.positive < 0 || head.negative < 0 || head.positive + head.negative !== head.total) {
    const found = `${head.positive} positive and ${head.negative} negative entries of ${head.total}`
    return { offset: 12, found, wanted: "parts that add up" }
  }
  const least = headSize + entrySize * head.total
  return head.size < least ? { offset: 0, found: `size ${head.size}`, wanted: `at least ${least}` } : undefined
}

/**
 * What makes a fileserver refuse everybody: the faults of `findAccessListFault`, and a size beyond the area. A restore lets
 * the latter pass.
 */
export function findAccessCheckFault(area: Uint8Array): AccessListFault | undefined {
  const fault = findAccessListFault(area, "disk")
  if (fault !== undefined) return fault
  const { size } = headLayouts.disk.read(area)
  return size > accessListSize ? { offset: 0, found: `size ${size}`, wanted: `at most ${accessListSize}` } : undefined
}

/** In an ascending list. */
function includes(ascending: readonly number[], wanted: number): boolean {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] ?? wanted) < wanted) low = middle + 1
    else high = middle
  }
  return ascending[low] === wanted
}

/**
 * Rights that a list gives to somebody with these ids (ascending): of matching positive entries, less those of matching
 * negative ones. A damaged list gives none.
 */
export function rightsOfGroups(area: Uint8Array, ids: readonly number[]): number {
  if (findAccessCheckFault(area) !== undefined) return 0
  const { total, positive } = headLayouts.disk.read(area)
  let given = 0
  let taken = 0
  for (let index = 0; index < total; index++) {
    const { id, rights } = entryLayouts.disk.read(area, headSize + entrySize * index)
    if (!includes(ids, id)) continue
    if (index < positive) given |= rights
    else taken |= rights
  }
  return given & ~taken
}

function requireSound(area: Uint8Array, order: AccessListOrder, path: string | undefined, base: number): Head {
  const fault = findAccessListFault(area, order)
  if (fault === undefined) return headLayouts[order].read(area)
  throw new FormatError("access list", { path, offset: base + fault.offset }, fault.found, fault.wanted)
}

function byId(a: AccessEntry, b: AccessEntry): number {
  return a.id - b.id
}

/**
 * Reads the 192-byte area. `path` and `base` (offset of the area in that file or stream) are for the error only.
 * @throws FormatError for a list that a restore would refuse
 */
export function decodeAccessList(
  area: Uint8Array,
  order: AccessListOrder = "disk",
  path?: string,
  base = 0,
): AccessList {
  const head = requireSound(area, order, path, base)
  const entries: AccessEntry[] = []
  for (let index = 0; index < head.total; index++) {
    entries.push(entryLayouts[order].read(area, headSize + entrySize * index))
  }
  return {
    positive: entries.slice(0, head.positive).sort(byId),
    negative: entries.slice(head.positive).sort(byId),
  }
}

/**
 * The 192-byte area of a list, entries sorted as the format wants them. Bytes after the list mean nothing: zeros, or those
 * of `over`, a whole area to write over.
 * @throws AfsError EINVAL for more than 20 entries
 */
export function encodeAccessList(list: AccessList, order: AccessListOrder = "disk", over?: Uint8Array): Uint8Array {
  const entries = [...[...list.positive].sort(byId), ...[...list.negative].sort(byId).reverse()]
  if (entries.length > accessEntriesMax) {
    const detail = `${entries.length} entries, at most ${accessEntriesMax} fit`
    throw new AfsError("EINVAL", "encodeAccessList", {}, { detail })
  }
  const area = over === undefined ? new Uint8Array(accessListSize) : new Uint8Array(over.subarray(0, accessListSize))
  const head = {
    size: headSize + entrySize * entries.length,
    version: listVersion,
    total: entries.length,
    positive: list.positive.length,
    negative: list.negative.length,
  }
  headLayouts[order].write(head, area)
  entries.forEach((entry, index) => {
    entryLayouts[order].write(entry, area, headSize + entrySize * index)
  })
  return area
}

/**
 * Turns the byte order of a list in place; order of entries and the bytes after the list stay as they are.
 * `from` is the order that the area has now; `path` and `base` are for the error only.
 * @throws FormatError for a list that a restore would refuse; nothing is changed then
 */
export function turnAccessList(area: Uint8Array, from: AccessListOrder, path?: string, base = 0): void {
  const { total } = requireSound(area, from, path, base)
  Buffer.from(area.buffer, area.byteOffset, headSize + entrySize * total).swap32()
}

/** The list of a new volume's root directory: all rights for system:administrators, and what everybody is to have. */
export function rootAccessList(everybody = 0): Uint8Array {
  const administrators = { id: knownGroups["system:administrators"], rights: allRights }
  const others = everybody === 0 ? [] : [{ id: knownGroups["system:anyuser"], rights: everybody }]
  return encodeAccessList({ positive: [administrators, ...others], negative: [] })
}

/** Letters of rights as `fs listacl` shows them (`rlidwka`, then `A` to `H`); bits without a letter are left out. */
export function rightsText(rights: number): string {
  let text = ""
  for (const [letter, bit] of Object.entries(accessRights)) if ((rights & bit) !== 0) text += letter
  return text
}

/** Rights of a text of letters. @throws AfsError EINVAL for a letter that is no right */
export function parseRights(text: string): number {
  let rights = 0
  for (const letter of text) {
    const bit = Object.entries(accessRights).find(([known]) => known === letter)?.[1]
    if (bit === undefined) throw new AfsError("EINVAL", "parseRights", {}, { detail: JSON.stringify(letter) })
    rights |= bit
  }
  return rights
}

/** Name of a group that every cell has, else the id in decimal. */
export function knownName(id: number): string {
  const known = Object.entries(knownGroups).find(([, group]) => group === id)
  return known === undefined ? String(id) : known[0]
}
