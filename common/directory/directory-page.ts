/**
 * The layout of a directory's data file: pages of 2048 bytes, each 64 blobs of 32 bytes, all integers big-endian.
 * OpenAFS dir/dir.h, dir/dir.c; docs/formats/directory.md.
 *
 *     page 0    blob 0 page header | blobs 1..12 directory header | blobs 13..63 entries
 *     page n    blob 0 page header | blobs 1..63 entries
 *
 * Blob b lies at byte 32·b of the file. An entry takes one or more blobs in a row and never leaves its page.
 */
import { array, raw, struct, u8, u16, u32 } from "../codec/struct.ts"

/** Bytes. Part of the format, like all constants here. */
export const pageSize = 2048
export const blobSize = 32
export const blobsPerPage = 64
/** Blobs that headers take: page header and directory header in page 0, page header in the others. */
const headerBlobs = { first: 13, other: 1 } as const
/** `tag` of every page. */
export const pageTag = 1234
/** Pages that the allocation map covers; those behind it are known by the page count alone. */
export const mapPages = 128
export const pagesMax = 1023
/** Value in the allocation map for a page that does not exist. */
export const noPage = 64
export const chainCount = 128
/** `flag` of an entry's first blob. */
export const entryFlag = 1
/** Longest name in bytes that every program of an AFS server accepts. */
export const nameLengthMax = 255
/** Blobs of `.` and `..`. */
export const dotBlob = 13
export const dotDotBlob = 14

/** Blob 0 of each page. */
export const pageHeaderLayout = struct("DirectoryPageHeader", 32, {
  /** In page 0 the number of pages, or 0 in old directories; 0 in other pages. */
  pageCount: u16,
  tag: u16,
  /** Free blobs when the page was made; never kept up. */
  freeCount: u8,
  /** Bit b & 7 of byte b >> 3 is 1 if blob b is used. */
  bitmap: raw(8),
  unused: raw(19),
})

/** Blobs 1..12 of page 0. */
export const directoryHeaderLayout = struct("DirectoryHeader", 384, {
  /** Free blobs of pages 0..127. */
  allocationMap: raw(mapPages),
  /** First blob of each hash chain, 0 if it is empty. */
  chains: array(u16, chainCount),
})

/** What precedes an entry's name. The name ends with a NUL and runs on into the blobs that follow. */
export const entryLayout = struct("DirectoryEntry", 12, {
  flag: u8,
  spare: u8,
  /** Next blob of the hash chain, 0 at its end. */
  next: u16,
  vnode: u32,
  unique: u32,
})

function offsetOf(
  layout: { readonly offsets: Readonly<Record<string, number>>; readonly name: string },
  field: string,
) {
  const offset = layout.offsets[field]
  if (offset === undefined) throw new Error(`layout ${layout.name} has no ${field}`)
  return offset
}

/** Byte offsets for those who read or write one field in place: in a page, in the file, and in an entry. */
export const pageCountAt = offsetOf(pageHeaderLayout, "pageCount")
export const tagAt = offsetOf(pageHeaderLayout, "tag")
export const bitmapAt = offsetOf(pageHeaderLayout, "bitmap")
export const mapAt = pageHeaderLayout.size + offsetOf(directoryHeaderLayout, "allocationMap")
export const chainsAt = pageHeaderLayout.size + offsetOf(directoryHeaderLayout, "chains")
export const nextAt = offsetOf(entryLayout, "next")
export const vnodeAt = offsetOf(entryLayout, "vnode")
export const uniqueAt = offsetOf(entryLayout, "unique")
export const nameAt = entryLayout.size

/** Hash chain of a name, 0..127. */
export function chainOf(name: Uint8Array): number {
  let hash = 0
  for (const byte of name) hash = hashed(hash, byte)
  return chainOfHash(hash)
}

/** The hash of a name that is one byte longer; that of an empty one is 0. */
export const hashed = (hash: number, byte: number): number => (Math.imul(hash, 173) + byte) | 0

/** Hash chain of a name with this hash. */
export function chainOfHash(hash: number): number {
  const chain = hash & (chainCount - 1)
  return chain !== 0 && hash < 0 ? chainCount - chain : chain
}

/** Blobs that an entry takes for a name of this many bytes. */
export function blobsNeeded(nameLength: number): number {
  return 1 + ((nameLength + 16) >> 5)
}

/** Blobs of a page that headers take. */
export function headerBlobsOf(page: number): number {
  return page === 0 ? headerBlobs.first : headerBlobs.other
}

/** Page of a blob. */
export function pageOf(blob: number): number {
  return (blob / blobsPerPage) | 0
}

/** True if an entry may begin at this blob of some page. */
export function isEntryBlob(blob: number): boolean {
  return blob % blobsPerPage >= headerBlobsOf(pageOf(blob))
}

/**
 * Length of the name of the entry at `blob`, or -1 if no NUL comes within its page, within the bytes that are there, and
 * within 256 bytes.
 */
export function nameLengthAt(bytes: Uint8Array, blob: number): number {
  const start = blob * blobSize + nameAt
  const end = nameEnd(bytes, blob)
  for (let at = start; at < end; at++) if (bytes[at] === 0) return at - start
  return -1
}

/** Where the name of the entry at `blob`, with its NUL, has to have ended. */
export function nameEnd(bytes: Uint8Array, blob: number): number {
  const pageEnd = (pageOf(blob) + 1) * pageSize
  return Math.min(pageEnd, bytes.length, blob * blobSize + nameAt + nameLengthMax + 1)
}

/** True if the bitmap of the blob's page marks it used. */
export function isMarked(bytes: Uint8Array, blob: number): boolean {
  const page = pageOf(blob)
  const inPage = blob % blobsPerPage
  return (((bytes[page * pageSize + bitmapAt + (inPage >> 3)] ?? 0) >> (inPage & 7)) & 1) === 1
}

/** Marks `count` blobs from `blob` used or free in their page's bitmap. */
export function markBlobs(bytes: Uint8Array, blob: number, count: number, used: boolean): void {
  const bitmap = pageOf(blob) * pageSize + bitmapAt
  const first = blob % blobsPerPage
  for (let index = first; index < first + count; index++) {
    const at = bitmap + (index >> 3)
    const bit = 1 << (index & 7)
    bytes[at] = used ? (bytes[at] ?? 0) | bit : (bytes[at] ?? 0) & ~bit
  }
}

/** Clear bits in a page's bitmap. */
export function freeBlobsOf(bytes: Uint8Array, page: number): number {
  const bitmap = page * pageSize + bitmapAt
  let free = 0
  for (let index = bitmap; index < bitmap + 8; index++) free += clearBits[bytes[index] ?? 0] ?? 0
  return free
}

/** How many bits of a byte are clear. */
const clearBits = Uint8Array.from({ length: 256 }, (_, byte) => {
  let clear = 8
  for (let rest = byte; rest !== 0; rest &= rest - 1) clear--
  return clear
})

/** First blob in the page of `count` free ones in a row, as a number in the whole directory, or -1. */
export function findFreeBlobs(bytes: Uint8Array, page: number, count: number): number {
  const bitmap = page * pageSize + bitmapAt
  let run = 0
  for (let index = 0; index < blobsPerPage; index++) {
    const used = ((bytes[bitmap + (index >> 3)] ?? 0) >> (index & 7)) & 1
    run = used === 1 ? 0 : run + 1
    if (run === count) return page * blobsPerPage + index - count + 1
  }
  return -1
}

/** Number of pages that the headers of page 0 tell of; directories of old style have it in the allocation map only. */
export function pageCountOf(bytes: Uint8Array): number {
  const count = ((bytes[pageCountAt] ?? 0) << 8) | (bytes[pageCountAt + 1] ?? 0)
  return count === 0 ? mappedPages(bytes) : count
}

/** Pages before the first one that the allocation map says does not exist. */
export function mappedPages(bytes: Uint8Array): number {
  let count = 0
  while (count < mapPages && bytes[mapAt + count] !== noPage) count++
  return count
}

/** Writes the header of a page over zeros: tag, free count and bitmap, and for page 0 count, map and empty chains. */
export function initPage(bytes: Uint8Array, page: number): void {
  const start = page * pageSize
  bytes.fill(0, start, start + pageSize)
  const used = headerBlobsOf(page)
  const freeCount = blobsPerPage - used
  const header = {
    pageCount: page === 0 ? 1 : 0,
    tag: pageTag,
    freeCount,
    bitmap: new Uint8Array(8),
    unused: new Uint8Array(19),
  }
  pageHeaderLayout.write(header, bytes, start)
  markBlobs(bytes, page * blobsPerPage, used, true)
  if (page !== 0) return
  bytes.fill(noPage, mapAt, mapAt + mapPages)
  bytes[mapAt] = freeCount
}
