/**
 * A vnode index file: a header record with a stamp, then one record per vnode slot. docs/formats/vnode-index.md.
 * Reading past the end means that there is no such vnode.
 */
import { struct, u32le } from "../codec/struct.ts"
import type { DiskFile } from "../disk/disk.ts"
import { FormatError } from "../error.ts"
import { walkedSize } from "./index-piece.ts"
import {
  accessListOffset,
  accessListSize,
  classOf,
  recordOffset,
  type VnodeClass,
  type VnodeRecord,
  vnodeAt,
  vnodeClasses,
  vnodeIndexVersion,
  vnodeRecordLayout,
} from "./vnode-record.ts"

export const vnodeIndexStamp = struct("VnodeIndexStamp", 8, { magic: u32le, version: u32le })

/** The stamp that a fresh index begins with. */
export function newVnodeIndex(cls: VnodeClass): Uint8Array {
  return vnodeIndexStamp.encode({ magic: vnodeClasses[cls].fileMagic, version: vnodeIndexVersion })
}

/** Bytes read at once when an index is walked; a multiple of both record sizes. */
const pieceSize = 1 << 20

/** One used or free slot met on a walk; `bytes` is a view of the walk's buffer, valid until the next step. */
export interface VnodeSlot {
  readonly vnode: number
  readonly record: VnodeRecord
  /** The whole record, 64 or 256 bytes. */
  readonly bytes: Uint8Array
}

/** An open vnode index. The caller closes the file. */
export class VnodeIndex {
  readonly file: DiskFile
  readonly cls: VnodeClass

  constructor(file: DiskFile, cls: VnodeClass) {
    this.file = file
    this.cls = cls
  }

  get recordSize(): number {
    return vnodeClasses[this.cls].recordSize
  }

  /** @throws FormatError unless magic and version are right. */
  checkStamp(): void {
    const bytes = new Uint8Array(vnodeIndexStamp.size)
    const length = this.file.read(bytes, 0)
    const stamp = vnodeIndexStamp.read(bytes.subarray(0, length), 0, this.file.path)
    const wanted = vnodeClasses[this.cls].fileMagic
    if (stamp.magic === wanted && stamp.version === vnodeIndexVersion) return
    const found = `0x${stamp.magic.toString(16)}/${stamp.version}`
    throw new FormatError(
      `${this.cls} vnode index stamp`,
      { path: this.file.path, offset: 0 },
      found,
      `0x${wanted.toString(16)}/1`,
    )
  }

  /**
   * Number of record slots the file holds, whole ones.
   * @throws FormatError if there are more than vnode numbers.
   */
  slotCount(): number {
    return this.#slotsIn(this.#size())
  }

  /**
   * The same of a file that ends behind a whole record.
   * @throws FormatError if it is not 8 bytes or whole records, or there are more than vnode numbers.
   */
  wholeSlotCount(): number {
    const size = this.#size()
    const rest = size % this.recordSize
    if (rest !== 0 && size !== vnodeIndexStamp.size)
      throw this.#damage(size - rest, `${rest} bytes of a record`, `${vnodeIndexStamp.size} bytes or whole records`)
    return this.#slotsIn(size)
  }

  #slotsIn(size: number): number {
    return Math.max(0, Math.floor(size / this.recordSize) - 1)
  }

  /** The record's bytes, or undefined beyond the end. */
  readBytes(vnode: number): Uint8Array | undefined {
    if (classOf(vnode) !== this.cls) throw new RangeError(`vnode ${vnode} is not in the ${this.cls} index`)
    const bytes = new Uint8Array(this.recordSize)
    return this.file.read(bytes, recordOffset(vnode)) === bytes.length ? bytes : undefined
  }

  /**
   * The record of a vnode, or undefined if the slot is free or beyond the end.
   * @throws FormatError for a used record without its magic.
   */
  read(vnode: number): VnodeRecord | undefined {
    const bytes = this.readBytes(vnode)
    if (bytes === undefined) return undefined
    const record = vnodeRecordLayout.read(bytes)
    if (record.type === 0) return undefined
    this.#checkMagic(record, vnode)
    return record
  }

  /** The 192 bytes of a directory's access list. */
  readAccessList(vnode: number): Uint8Array | undefined {
    return this.readBytes(vnode)?.slice(accessListOffset, accessListOffset + accessListSize)
  }

  /**
   * Walks all used records in ascending order of vnode numbers, in pieces of 1 MiB. Takes 0.1 µs a record; work on whole
   * volumes that needs few fields uses index-piece.ts, which makes no objects.
   * @throws FormatError for a used record without its magic, or a file that is not 8 bytes or whole records.
   */
  *records(): Generator<VnodeSlot> {
    this.wholeSlotCount()
    for (const slot of this.slots()) {
      if (slot.record.type === 0) continue
      this.#checkMagic(slot.record, slot.vnode)
      yield slot
    }
  }

  /**
   * Walks all slots, used and free, without judging them; a piece of a record at the end is left out.
   * @throws FormatError if there are more than vnode numbers.
   */
  *slots(): Generator<VnodeSlot> {
    const { recordSize } = this
    const size = this.#size()
    const piece = new Uint8Array(Math.min(pieceSize, Math.max(recordSize, size)))
    for (let start = recordSize; start < size; start += piece.length) {
      const length = this.file.read(piece, start)
      for (let at = 0; at + recordSize <= length; at += recordSize) {
        const bytes = piece.subarray(at, at + recordSize)
        yield { vnode: vnodeAt(this.cls, start + at), record: vnodeRecordLayout.read(bytes), bytes }
      }
    }
  }

  #size(): number {
    return walkedSize(this.file, this.cls)
  }

  #damage(offset: number, found: string, wanted: string): FormatError {
    return new FormatError(`${this.cls} vnode index`, { path: this.file.path, offset }, found, wanted)
  }

  #checkMagic(record: VnodeRecord, vnode: number): void {
    const wanted = vnodeClasses[this.cls].recordMagic
    if (record.magic === wanted) return
    const where = { path: this.file.path, offset: recordOffset(vnode) }
    throw new FormatError(
      `vnode ${vnode} record`,
      where,
      `magic 0x${record.magic.toString(16)}`,
      `0x${wanted.toString(16)}`,
    )
  }
}

/** Bytes of a whole record: the 64 common bytes and, for a directory, its access list. */
export function encodeRecord(cls: VnodeClass, record: VnodeRecord, accessList?: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(vnodeClasses[cls].recordSize)
  vnodeRecordLayout.write(record, bytes)
  if (accessList !== undefined && cls === "large") bytes.set(accessList.subarray(0, accessListSize), accessListOffset)
  return bytes
}
