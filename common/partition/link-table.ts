/**
 * The link table of a volume group: how many volumes use each data file, by vnode number and tag.
 *
 *     0  u32le magic   4  u32le version   8 + 2·vnode  u16le row: five counts of 3 bits, tag 0 lowest
 *
 * Row 0, tag 0 counts the volumes of the group. A place beyond the end counts 0. Every change happens under `flock` of the
 * file; many changes share one lock, one read and one write, in slices, since other programs wait for the same lock.
 * OpenAFS vol/namei_ops.c (namei_SetLinkCount); docs/formats/link-table.md.
 */
import { type Of, struct, u32le } from "../codec/struct.ts"
import type { DiskFile } from "../disk/disk.ts"
import { AfsError, FormatError } from "../error.ts"
import { tryFlock, unlockFlock } from "../lock/record-lock.ts"
import { tagCount } from "./inode-number.ts"

export const linkTableStamp = struct("LinkTableStamp", 8, { magic: u32le, version: u32le })
export type LinkTableStamp = Of<typeof linkTableStamp>
/** Part of the format. */
export const linkTableMagic = 0x9987_7712
export const linkTableVersion = 1
/** Greatest count of a place. */
export const linkCountMax = 7

/** One wanted change; `vnode` 0 with `tag` 0 is the count of volumes in the group. */
export interface LinkChange {
  readonly vnode: number
  readonly tag: number
  readonly delta: number
}

/** What a change made of a count. */
export interface LinkResult extends LinkChange {
  readonly count: number
  /** The count would have fallen below 0 and was left at 0. */
  readonly lost: boolean
}

/** Rows that one lock covers at most: 64 KiB of table. */
const sliceRows = 32_768
const lockPauseMs = 2
const lockTriesMax = 5_000

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

const pause = new Int32Array(new SharedArrayBuffer(4))

/** An open link table. The caller closes the file. */
export class LinkTable {
  readonly file: DiskFile

  constructor(file: DiskFile) {
    this.file = file
  }

  /** @throws FormatError unless magic and version are right. */
  checkStamp(): void {
    const bytes = new Uint8Array(linkTableStamp.size)
    const length = this.file.read(bytes, 0)
    const stamp = linkTableStamp.read(bytes.subarray(0, length), 0, this.file.path)
    if (stamp.magic !== linkTableMagic || stamp.version !== linkTableVersion) {
      throw new FormatError(
        "link table stamp",
        { path: this.file.path, offset: 0 },
        `0x${stamp.magic.toString(16)}/${stamp.version}`,
        "0x99877712/1",
      )
    }
  }

  /** The count of one place, without a lock. */
  count(vnode: number, tag: number): number {
    return countIn(this.row(vnode), tag)
  }

  /** One row, without a lock; 0 beyond the end. */
  row(vnode: number): number {
    const bytes = new Uint8Array(2)
    return this.file.read(bytes, rowOffset(vnode)) === 2 ? (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8) : 0
  }

  /** All rows from row 0, without a lock. */
  rows(): Uint16Array {
    const size = this.file.stat().size
    const bytes = new Uint8Array(Math.max(0, size - 8) & ~1)
    const length = this.file.read(bytes, 8)
    return decodeRows(bytes.subarray(0, length))
  }

  /**
   * Takes the lowest tag with count 0 for each vnode and sets it to 1, all under one lock.
   * @returns the tags, in the order of `vnodes`.
   * @throws AfsError VDISKFULL if a vnode has all five tags in use; then none is taken.
   */
  allocate(vnodes: readonly number[]): number[] {
    if (vnodes.length === 0) return []
    const first = Math.min(...vnodes)
    const last = Math.max(...vnodes)
    return this.#edit(first, last, (rows) =>
      vnodes.map((vnode) => {
        const row = rows[vnode - first] ?? 0
        const tag = [0, 1, 2, 3, 4].find((candidate) => countIn(row, candidate) === 0)
        if (tag === undefined) throw this.#error("VDISKFULL", vnode, `all ${tagCount} versions of the vnode are in use`)
        rows[vnode - first] = withCount(row, tag, 1)
        return tag
      }),
    )
  }

  /**
   * Applies changes in the order of vnode numbers and tells what the counts are now.
   * @throws AfsError EMLINK if a count would exceed 7; earlier slices of 32,768 rows have then been changed.
   */
  change(changes: readonly LinkChange[]): LinkResult[] {
    const results: LinkResult[] = []
    const ordered = isAscending(changes) ? changes : [...changes].sort((a, b) => a.vnode - b.vnode)
    for (let start = 0; start < ordered.length; ) {
      const first = ordered[start]?.vnode ?? 0
      let end = start
      while (end < ordered.length && (ordered[end]?.vnode ?? 0) - first < sliceRows) end++
      this.#changeSlice(ordered.slice(start, end), results)
      start = end
    }
    return results
  }

  /** Writes one row as it is, under the lock: for repairs. */
  setRow(vnode: number, row: number): void {
    this.#edit(vnode, vnode, (rows) => {
      rows[0] = row
    })
  }

  #changeSlice(changes: readonly LinkChange[], results: LinkResult[]): void {
    const first = changes[0]?.vnode ?? 0
    const last = changes.at(-1)?.vnode ?? first
    this.#edit(first, last, (rows) => {
      const before = results.length
      for (const { vnode, tag, delta } of changes) {
        const row = rows[vnode - first] ?? 0
        const wanted = countIn(row, tag) + delta
        if (wanted > linkCountMax) {
          results.length = before
          throw this.#error("EMLINK", vnode, `at most ${linkCountMax} volumes can share a file`)
        }
        const count = Math.max(0, wanted)
        rows[vnode - first] = withCount(row, tag, count)
        results.push({ vnode, tag, delta, count, lost: wanted < 0 })
      }
    })
  }

  /** Reads rows `first` to `last`, lets `work` change them and writes them back, under one lock; a throw writes nothing. */
  #edit<T>(first: number, last: number, work: (rows: Uint16Array) => T): T {
    return this.#locked(() => {
      const bytes = new Uint8Array(2 * (last - first + 1))
      this.file.read(bytes, rowOffset(first))
      const rows = decodeRows(bytes)
      const result = work(rows)
      this.file.write(encodeRows(rows), rowOffset(first))
      return result
    })
  }

  #error(code: "VDISKFULL" | "EMLINK", vnode: number, detail: string): AfsError {
    return new AfsError(code, "linkTable", { path: this.file.path, vnode, offset: rowOffset(vnode) }, { detail })
  }

  /** Runs `work` under the file's lock. Holders keep it for microseconds, so a busy lock is asked for again shortly. */
  #locked<T>(work: () => T): T {
    for (let tries = 0; !tryFlock(this.file.descriptor, "exclusive"); tries++) {
      if (tries >= lockTriesMax) throw new AfsError("LOCKED", "lockLinkTable", { path: this.file.path })
      Atomics.wait(pause, 0, 0, lockPauseMs)
    }
    try {
      return work()
    } finally {
      unlockFlock(this.file.descriptor)
    }
  }
}

function decodeRows(bytes: Uint8Array): Uint16Array {
  const rows = new Uint16Array(bytes.length >>> 1)
  for (let index = 0; index < rows.length; index++)
    rows[index] = (bytes[2 * index] ?? 0) | ((bytes[2 * index + 1] ?? 0) << 8)
  return rows
}

function encodeRows(rows: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(2 * rows.length)
  for (let index = 0; index < rows.length; index++) {
    bytes[2 * index] = (rows[index] ?? 0) & 0xff
    bytes[2 * index + 1] = (rows[index] ?? 0) >>> 8
  }
  return bytes
}

function isAscending(changes: readonly LinkChange[]): boolean {
  for (let index = 1; index < changes.length; index++) {
    if ((changes[index]?.vnode ?? 0) < (changes[index - 1]?.vnode ?? 0)) return false
  }
  return true
}

/** Bytes of a fresh table for a group of one volume: stamp and row 0 = 1. */
export function newLinkTable(): Uint8Array {
  const bytes = new Uint8Array(10)
  linkTableStamp.write({ magic: linkTableMagic, version: linkTableVersion }, bytes)
  bytes[8] = 1
  return bytes
}
