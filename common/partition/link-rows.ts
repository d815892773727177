/**
 * Rows of a link table in memory, between one read and one write: only the places around the wanted vnodes are read, and
 * only rows that changed are written back.
 */
import type { DiskFile } from "../disk/disk.ts"
import { decodeRows, encodeRows, rowOffset } from "./link-table-format.ts"

/** Two wanted rows this far apart (2 KiB) or nearer are read together. */
const gapMax = 1024
/** Rows that are read together at most: 64 KiB. */
const spanMax = 32_768

/** Rows of consecutive vnodes. */
class RowSpan {
  readonly first: number
  readonly rows: Uint16Array
  /** Half a row at the end counts as changed: any change near it makes it whole. */
  #firstChanged = Number.POSITIVE_INFINITY
  #lastChanged = -1

  constructor(file: DiskFile, first: number, last: number) {
    this.first = first
    const bytes = new Uint8Array(2 * (last - first + 1))
    const length = file.read(bytes, rowOffset(first))
    this.rows = decodeRows(bytes.subarray(0, length), last - first + 1)
    if (length % 2 === 1) this.#change(length >>> 1)
  }

  holds(vnode: number): boolean {
    return vnode >= this.first && vnode - this.first < this.rows.length
  }

  set(vnode: number, row: number): void {
    const index = vnode - this.first
    if (this.rows[index] === row) return
    this.rows[index] = row
    this.#change(index)
  }

  #change(index: number): void {
    this.#firstChanged = Math.min(this.#firstChanged, index)
    this.#lastChanged = Math.max(this.#lastChanged, index)
  }

  store(file: DiskFile): void {
    if (this.#lastChanged < 0) return
    const changed = this.rows.subarray(this.#firstChanged, this.#lastChanged + 1)
    file.write(encodeRows(changed), rowOffset(this.first + this.#firstChanged))
  }
}

/** The rows of some vnodes. Whoever changes them holds the table's lock from before they are read until they are stored. */
export class LinkRows {
  readonly #file: DiskFile
  readonly #spans: RowSpan[] = []
  #current = 0

  /** Reads the rows of these vnodes, which are in ascending order; beyond the end of the table rows are 0. */
  constructor(file: DiskFile, vnodes: readonly number[] | Uint32Array) {
    this.#file = file
    let first = vnodes[0] ?? 0
    let last = first
    for (const vnode of vnodes) {
      if (vnode - last > gapMax || vnode - first >= spanMax) {
        this.#spans.push(new RowSpan(file, first, last))
        first = vnode
      }
      last = vnode
    }
    this.#spans.push(new RowSpan(file, first, last))
  }

  get(vnode: number): number {
    const span = this.#spanOf(vnode)
    return span.rows[vnode - span.first] ?? 0
  }

  set(vnode: number, row: number): void {
    this.#spanOf(vnode).set(vnode, row)
  }

  /** Writes what changed. */
  store(): void {
    for (const span of this.#spans) span.store(this.#file)
  }

  /** Callers mostly go upwards, so the next span is near; a caller that goes back finds it by starting over. */
  #spanOf(vnode: number): RowSpan {
    for (let tried = 0; tried <= this.#spans.length; tried++) {
      const span = this.#spans[this.#current]
      if (span?.holds(vnode) === true) return span
      this.#current = (this.#current + 1) % this.#spans.length
    }
    throw new RangeError(`row of vnode ${vnode} was not read`)
  }
}
