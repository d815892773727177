/**
 * An open link table: counts are read, and changed one by one or for whole volumes. Every change happens under `flock` of the
 * file; many changes share one lock, one read and one write, in slices, since other programs wait for the same lock.
 * OpenAFS vol/namei_ops.c (namei_SetLinkCount); link-table-format.ts.
 */
import type { DiskFile } from "../disk/disk.ts"
import { AfsError, FormatError } from "../error.ts"
import { withFlock } from "../lock/brief-flock.ts"
import { tagCount, vnodeMask } from "./inode-number.ts"
import { LinkRows } from "./link-rows.ts"
import {
  countIn,
  decodeRows,
  linkCountMax,
  linkTableMagic,
  linkTableStamp,
  linkTableVersion,
  rowOffset,
  withCount,
} from "./link-table-format.ts"

/** A count: of a vnode's data file with this tag. `vnode` 0 with `tag` 0 is the count of volumes in the group. */
export interface LinkPlace {
  readonly vnode: number
  readonly tag: number
}

/** One wanted change. */
export interface LinkChange extends LinkPlace {
  readonly delta: number
}

/** What a change made of a count. */
export interface LinkResult extends LinkChange {
  readonly count: number
  /** The count would have fallen below 0 and was left at 0. */
  readonly lost: boolean
}

/** What became of a place that one user less has. */
export interface LinkRelease<Place extends LinkPlace> {
  readonly place: Place
  readonly count: number
  /** The count was 0 already. */
  readonly lost: boolean
}

/** Changes that one lock covers at most; a few milliseconds, without what `release` does under it. */
const sliceChanges = 32_768
/** Files that `release` removes under one lock at most: about ten milliseconds. */
const sliceReleases = 1024

const tags = Array.from({ length: tagCount }, (_, tag) => tag)

const freeTag = (row: number): number | undefined => tags.find((tag) => countIn(row, tag) === 0)

/** One row is read or written at a time, between two steps that do not wait. */
const rowScratch = Buffer.alloc(2)

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
    return this.#readRow(vnode)
  }

  /**
   * All rows from row 0, without a lock.
   * @throws FormatError if the file is longer than rows of all possible vnodes.
   */
  rows(): Uint16Array {
    const size = this.file.stat().size
    const sizeMax = rowOffset(vnodeMask)
    if (size > sizeMax) {
      throw new FormatError(
        "link table",
        { path: this.file.path, offset: sizeMax },
        `${size} bytes`,
        `at most ${sizeMax}`,
      )
    }
    const bytes = new Uint8Array(Math.max(0, size - rowOffset(0)) & ~1)
    const length = this.file.read(bytes, rowOffset(0))
    return decodeRows(bytes.subarray(0, length))
  }

  /**
   * Takes the lowest tag with count 0 for each vnode and sets it to 1, all under one lock.
   * @returns the tags, in the order of `vnodes`.
   * @throws AfsError VDISKFULL if a vnode has all five tags in use; then none is taken.
   */
  allocate(vnodes: readonly number[]): number[] {
    if (vnodes.length === 0) return []
    for (const vnode of vnodes) this.#requireVnode(vnode)
    return this.#edit([...vnodes].sort(ascending), (rows) =>
      vnodes.map((vnode) => {
        const row = rows.get(vnode)
        const tag = freeTag(row)
        if (tag === undefined) throw this.#noTag(vnode)
        rows.set(vnode, withCount(row, tag, 1))
        return tag
      }),
    )
  }

  /** `allocate` for one vnode. */
  allocateOne(vnode: number): number {
    this.#requireVnode(vnode)
    return this.#locked(() => {
      const row = this.#readRow(vnode)
      const tag = freeTag(row)
      if (tag === undefined) throw this.#noTag(vnode)
      this.#writeRow(vnode, withCount(row, tag, 1))
      return tag
    })
  }

  /** `release` for one place. */
  releaseOne<Place extends LinkPlace>(place: Place, gone: (place: Place) => void): LinkRelease<Place> {
    const { vnode, tag } = place
    this.#requirePlace(vnode, tag)
    return this.#locked(() => {
      const row = this.#readRow(vnode)
      const count = countIn(row, tag) - 1
      if (count === 0) gone(place)
      if (count >= 0) this.#writeRow(vnode, withCount(row, tag, count))
      return { place, count: Math.max(0, count), lost: count < 0 }
    })
  }

  /** Under the lock, as it was when the lock was taken. */
  #readRow(vnode: number): number {
    return this.file.read(rowScratch, rowOffset(vnode)) === 2 ? (rowScratch[0] ?? 0) | ((rowScratch[1] ?? 0) << 8) : 0
  }

  #writeRow(vnode: number, row: number): void {
    rowScratch[0] = row & 0xff
    rowScratch[1] = row >>> 8
    this.file.write(rowScratch, rowOffset(vnode))
  }

  /**
   * Applies changes in the order of vnode numbers and tells what the counts are now, in that order.
   * @throws AfsError EMLINK if a count would exceed 7; then nothing has been changed.
   */
  change(changes: readonly LinkChange[]): LinkResult[] {
    for (const { vnode, tag } of changes) this.#requirePlace(vnode, tag)
    const results: LinkResult[] = []
    try {
      for (const slice of slicesOf(changes, sliceChanges)) {
        for (const result of this.#changeSlice(slice)) results.push(result)
      }
    } catch (error) {
      this.#takeBack(results)
      throw error
    }
    return results
  }

  /**
   * Lowers counts by one, in the order of vnode numbers, and calls `gone` for each place that nobody uses any more: under
   * the lock and before its count is stored, so that nobody can take the tag while the file is still there. A crash in
   * between leaves a count without a file, which costs a tag until the next salvage.
   */
  release<Place extends LinkPlace>(places: readonly Place[], gone: (place: Place) => void): LinkRelease<Place>[] {
    for (const { vnode, tag } of places) this.#requirePlace(vnode, tag)
    return [...slicesOf(places, sliceReleases)].flatMap((slice) =>
      this.#edit(slice.map(vnodeOf), (rows) => slice.map((place) => lower(rows, place, gone))),
    )
  }

  /**
   * Raises counts by one: places as low halves of inodes (vnode | tag << 26), ascending by vnode. For whole volumes: the
   * same as `change`, without an object per place.
   * @throws AfsError EMLINK if a count would exceed 7; then nothing has been changed.
   */
  raiseAll(lows: Uint32Array): void {
    const vnodes = this.#vnodesOf(lows)
    let done = 0
    try {
      for (; done < lows.length; done += sliceChanges) this.#shift(lows, vnodes, done, 1)
    } catch (error) {
      for (let start = 0; start < done; start += sliceChanges) this.#shift(lows, vnodes, start, -1)
      throw error
    }
  }

  /** Undoes raiseAll: nobody can have come to depend on these counts, so no file goes. */
  lowerAll(lows: Uint32Array): void {
    const vnodes = this.#vnodesOf(lows)
    for (let start = 0; start < lows.length; start += sliceChanges) this.#shift(lows, vnodes, start, -1)
  }

  /**
   * Lowers counts by one, as `release` does, for places given as raiseAll wants them. `gone` gets the index of each place
   * that nobody uses any more.
   * @returns the indexes of places whose count was 0 already
   */
  releaseAll(lows: Uint32Array, gone: (index: number) => void): number[] {
    const vnodes = this.#vnodesOf(lows)
    const lost: number[] = []
    for (let start = 0; start < lows.length; start += sliceReleases) {
      const end = Math.min(lows.length, start + sliceReleases)
      this.#edit(vnodes.subarray(start, end), (rows) => {
        for (let index = start; index < end; index++) {
          const count = lowerPlace(rows, vnodes[index] ?? 0, tagOf(lows[index] ?? 0), () => gone(index))
          if (count < 0) lost.push(index)
        }
      })
    }
    return lost
  }

  #shift(lows: Uint32Array, vnodes: Uint32Array, start: number, delta: 1 | -1): void {
    const end = Math.min(lows.length, start + sliceChanges)
    this.#edit(vnodes.subarray(start, end), (rows) => {
      for (let index = start; index < end; index++) {
        const vnode = vnodes[index] ?? 0
        const tag = tagOf(lows[index] ?? 0)
        const row = rows.get(vnode)
        const count = countIn(row, tag) + delta
        if (count > linkCountMax) throw this.#tooMany(vnode)
        rows.set(vnode, withCount(row, tag, Math.max(0, count)))
      }
    })
  }

  /** Their vnode numbers. @throws AfsError EINVAL for a place that does not exist; RangeError if they do not ascend */
  #vnodesOf(lows: Uint32Array): Uint32Array {
    let before = 0
    return lows.map((low) => {
      const vnode = low & vnodeMask
      this.#requirePlace(vnode, low >>> 26)
      if (vnode < before) throw new RangeError(`vnode ${vnode} after ${before}`)
      before = vnode
      return vnode
    })
  }

  /** Makes counts exactly what is said, for repairs: places in any order. @throws AfsError EMLINK for a count above 7. */
  set(counts: readonly (LinkPlace & { readonly count: number })[]): void {
    for (const { vnode, tag, count } of counts) {
      this.#requirePlace(vnode, tag)
      if (!(count >= 0 && count <= linkCountMax)) throw this.#tooMany(vnode)
    }
    for (const slice of slicesOf(counts, sliceChanges)) {
      this.#edit(slice.map(vnodeOf), (rows) => {
        for (const { vnode, tag, count } of slice) rows.set(vnode, withCount(rows.get(vnode), tag, count))
      })
    }
  }

  /** Writes one row as it is, under the lock: for repairs. */
  setRow(vnode: number, row: number): void {
    this.#edit([vnode], (rows) => rows.set(vnode, row & 0xffff))
  }

  #changeSlice(changes: readonly LinkChange[]): LinkResult[] {
    return this.#edit(changes.map(vnodeOf), (rows) =>
      changes.map(({ vnode, tag, delta }) => {
        const row = rows.get(vnode)
        const wanted = countIn(row, tag) + delta
        if (wanted > linkCountMax) throw this.#tooMany(vnode)
        const count = Math.max(0, wanted)
        rows.set(vnode, withCount(row, tag, count))
        return { vnode, tag, delta, count, lost: wanted < 0 }
      }),
    )
  }

  /** Undoes earlier slices of a change that failed later; one that lost its count has nothing to give back. */
  #takeBack(results: readonly LinkResult[]): void {
    const undo = results
      .filter((result) => !result.lost)
      .map(({ vnode, tag, delta }) => ({ vnode, tag, delta: -delta }))
    for (const slice of slicesOf(undo, sliceChanges)) this.#changeSlice(slice)
  }

  /** Reads the rows of `vnodes` (ascending), lets `work` change them and writes them back, under one lock; a throw writes nothing. */
  #edit<T>(vnodes: readonly number[] | Uint32Array, work: (rows: LinkRows) => T): T {
    return this.#locked(() => {
      const rows = new LinkRows(this.file, vnodes)
      const result = work(rows)
      rows.store()
      return result
    })
  }

  #requireVnode(vnode: number): void {
    if (Number.isInteger(vnode) && vnode > 0 && vnode < vnodeMask) return
    throw new AfsError("EINVAL", "linkTable", { path: this.file.path, vnode }, { detail: "no such row" })
  }

  /** A place beyond the five columns would be a bit of another, and one of row 0 the count of volumes. */
  #requirePlace(vnode: number, tag: number): void {
    if (vnode === 0 && tag === 0) return
    this.#requireVnode(vnode)
    if (tags.includes(tag)) return
    throw new AfsError("EINVAL", "linkTable", { path: this.file.path, vnode }, { detail: `no tag ${tag}` })
  }

  #noTag(vnode: number): AfsError {
    return this.#error("VDISKFULL", vnode, `all ${tagCount} versions of the vnode are in use`)
  }

  #tooMany(vnode: number): AfsError {
    return this.#error("EMLINK", vnode, `at most ${linkCountMax} volumes can share a file`)
  }

  #error(code: "VDISKFULL" | "EMLINK", vnode: number, detail: string): AfsError {
    return new AfsError(code, "linkTable", { path: this.file.path, vnode, offset: rowOffset(vnode) }, { detail })
  }

  #locked<T>(work: () => T): T {
    return withFlock(this.file, "lockLinkTable", work)
  }
}

const ascending = (a: number, b: number): number => a - b
const vnodeOf = (place: LinkPlace): number => place.vnode

function lower<Place extends LinkPlace>(
  rows: LinkRows,
  place: Place,
  gone: (place: Place) => void,
): LinkRelease<Place> {
  const count = lowerPlace(rows, place.vnode, place.tag, () => gone(place))
  return { place, count: Math.max(0, count), lost: count < 0 }
}

/** The new count; -1 if it was 0 already. */
function lowerPlace(rows: LinkRows, vnode: number, tag: number, gone: () => void): number {
  const row = rows.get(vnode)
  const count = countIn(row, tag) - 1
  if (count === 0) gone()
  rows.set(vnode, withCount(row, tag, Math.max(0, count)))
  return count
}

/** Tag in the low half of a data file's inode. */
const tagOf = (low: number): number => (low >>> 26) & 7

/** Places in the order of vnode numbers, `length` at a time. */
function* slicesOf<Place extends LinkPlace>(places: readonly Place[], length: number): Generator<readonly Place[]> {
  const ordered = isAscending(places) ? places : [...places].sort((a, b) => a.vnode - b.vnode)
  if (ordered.length <= length) {
    if (ordered.length > 0) yield ordered
    return
  }
  for (let start = 0; start < ordered.length; start += length) yield ordered.slice(start, start + length)
}

function isAscending(places: readonly LinkPlace[]): boolean {
  for (let index = 1; index < places.length; index++) {
    if ((places[index]?.vnode ?? 0) < (places[index - 1]?.vnode ?? 0)) return false
  }
  return true
}
