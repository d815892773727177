/**
 * Vnode indexes in big pieces, read with a DataView and without an object per record: for work that walks whole volumes
 * (clone, remove, restore, dump).
 */
import type { DiskFile } from "../disk/disk.ts"
import { FormatError } from "../error.ts"
import { type Inode, tagCount, vnodeMask } from "../partition/inode-number.ts"
import {
  indexSizeMax,
  recordOffset,
  type VnodeClass,
  vnodeAt,
  vnodeClasses,
  vnodeRecordLayout,
} from "./vnode-record.ts"

/** Bytes that a piece holds at most: 16,384 small or 4,096 large records. */
export const indexPieceSize = 1 << 20

const at = vnodeRecordLayout.offsets
const typeMask = 7
/** An index without records may be its stamp alone. */
const stampSize = 8
const clonedBit = 8

/** Consecutive slots of an index. `slot` counts from 0 within the piece. */
export class IndexPiece {
  readonly cls: VnodeClass
  /** Byte offset of the first record in the file. */
  readonly offset: number
  /** Whole records, in a buffer of its own. */
  readonly bytes: Uint8Array
  readonly #view: DataView
  readonly #size: number
  /** The index file, for errors. */
  readonly path: string

  constructor(cls: VnodeClass, offset: number, bytes: Uint8Array, path: string) {
    this.cls = cls
    this.offset = offset
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#size = vnodeClasses[cls].recordSize
    this.path = path
  }

  /** Number of slots. */
  get count(): number {
    return this.bytes.length / this.#size
  }

  vnode(slot: number): number {
    return vnodeAt(this.cls, this.offset + slot * this.#size)
  }

  /** True if a vnode lives in the slot. @throws FormatError if its record lacks the magic. */
  used(slot: number): boolean {
    const start = slot * this.#size
    if ((this.#view.getUint32(start, true) & typeMask) === 0) return false
    const magic = this.#view.getUint32(start + at.magic, true)
    const wanted = vnodeClasses[this.cls].recordMagic
    if (magic === wanted) return true
    const where = { path: this.path, offset: this.offset + start }
    throw new FormatError(
      `vnode ${this.vnode(slot)} record`,
      where,
      `magic 0x${magic.toString(16)}`,
      `0x${wanted.toString(16)}`,
    )
  }

  /** True for a used record with its magic; damage counts as unused. */
  sound(slot: number): boolean {
    const start = slot * this.#size
    const type = this.#view.getUint32(start, true) & typeMask
    return type !== 0 && this.#view.getUint32(start + at.magic, true) === vnodeClasses[this.cls].recordMagic
  }

  inodeLow(slot: number): number {
    return this.#view.getUint32(slot * this.#size + at.inodeLow, true)
  }

  inodeHigh(slot: number): number {
    return this.#view.getUint32(slot * this.#size + at.inodeHigh, true)
  }

  inode(slot: number): Inode {
    return { high: this.inodeHigh(slot), low: this.inodeLow(slot) }
  }

  /** True if the record names a data file. */
  hasInode(slot: number): boolean {
    return this.inodeLow(slot) !== 0 || this.inodeHigh(slot) !== 0
  }

  /** Tag of the slot's data file; undefined if the inode is not one that this vnode can have. */
  tag(slot: number): number | undefined {
    const low = this.inodeLow(slot)
    const tag = low >>> 26 // with the bits above it, which are 0 in every inode
    return (low & vnodeMask) === this.vnode(slot) && tag < tagCount ? tag : undefined
  }

  uniquifier(slot: number): number {
    return this.#view.getUint32(slot * this.#size + at.uniquifier, true)
  }

  /** Bytes of the data file, as the record says. */
  length(slot: number): number {
    const start = slot * this.#size
    return (
      this.#view.getUint32(start + at.lengthHigh, true) * 2 ** 32 + this.#view.getUint32(start + at.lengthLow, true)
    )
  }

  isCloned(slot: number): boolean {
    return (this.#view.getUint32(slot * this.#size, true) & clonedBit) !== 0
  }

  setCloned(slot: number, cloned: boolean): void {
    const start = slot * this.#size
    const word = this.#view.getUint32(start, true)
    this.#view.setUint32(start, cloned ? word | clonedBit : word & ~clonedBit, true)
  }

  /** The record's bytes: a view. */
  record(slot: number): Uint8Array {
    return this.bytes.subarray(slot * this.#size, (slot + 1) * this.#size)
  }
}

/**
 * Reads `length` bytes of records from `offset`; zeros stand for what lies beyond the end. Both are multiples of the record size.
 * @throws FormatError if the file ends within a record.
 */
export function readIndexPiece(file: DiskFile, cls: VnodeClass, offset: number, length: number): IndexPiece {
  const bytes = new Uint8Array(length)
  const got = file.read(bytes, offset)
  const rest = got % vnodeClasses[cls].recordSize
  if (rest !== 0) {
    const where = { path: file.path, offset: offset + got - rest }
    throw new FormatError(`${cls} vnode index`, where, `${rest} bytes at the end`, `whole records`)
  }
  return new IndexPiece(cls, offset, bytes, file.path)
}

/**
 * Size of an index that is about to be walked: a hole costs a hostile one nothing, but its walk would take hours.
 * @throws FormatError if there are more slots than vnode numbers.
 */
export function walkedSize(file: DiskFile, cls: VnodeClass): number {
  const { size } = file.stat()
  const sizeMax = indexSizeMax(cls)
  if (size <= sizeMax) return size
  throw new FormatError(
    `${cls} vnode index`,
    { path: file.path, offset: sizeMax },
    `${size} bytes`,
    `at most ${sizeMax}`,
  )
}

/**
 * Walks an index in pieces of at most 1 MiB.
 * @throws FormatError if the file ends within a record, or has more slots than there are vnode numbers.
 */
export function* indexPieces(file: DiskFile, cls: VnodeClass): Generator<IndexPiece> {
  const { recordSize } = vnodeClasses[cls]
  const size = walkedSize(file, cls)
  if (size < recordSize && size !== stampSize) {
    const where = { path: file.path, offset: size }
    throw new FormatError(`${cls} vnode index`, where, `${size} bytes`, `${stampSize} bytes or whole records`)
  }
  for (let offset = recordSize; offset < size; offset += indexPieceSize) {
    yield readIndexPiece(file, cls, offset, Math.min(indexPieceSize, size - offset))
  }
}

/** The piece that holds a vnode's record: pieces lie as `indexPieces` cuts them. */
export function pieceOffsetOf(vnode: number, cls: VnodeClass): number {
  const { recordSize } = vnodeClasses[cls]
  return Math.floor((recordOffset(vnode) - recordSize) / indexPieceSize) * indexPieceSize + recordSize
}
