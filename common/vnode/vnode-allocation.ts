/**
 * Which slots of a volume's indexes are free, learnt from the index at the first allocation, and which one a new vnode gets:
 * the lowest, as OpenAFS does (vol/vnode.c, VAllocBitmapEntry_r). Pure but for the reading of the index.
 */
import type { DiskFile } from "../disk/disk.ts"
import { AfsError, FormatError } from "../error.ts"
import { vnodeMask } from "../partition/inode-number.ts"
import { indexPieces, walkedSize } from "./index-piece.ts"
import { recordOffset, type VnodeClass, vnodeAt, vnodeClasses, vnodeRecordLayout } from "./vnode-record.ts"

/** The words of a bitmap grow by at least so many: 4096 slots. */
const growWords = 128
const allUsed = 0xffff_ffff

/** The slots of one index: slot 0 is the class's lowest vnode number. */
export class VnodeAllocation {
  readonly cls: VnodeClass
  /** Bit of a slot that is used. Slots beyond are free. */
  #words: Uint32Array
  /** No word before this one has a free slot. */
  #firstFree = 0
  /** Bytes of the index file, whole records. */
  #size: number

  private constructor(cls: VnodeClass, words: Uint32Array, size: number) {
    this.cls = cls
    this.#words = words
    this.#size = size
  }

  /**
   * Reads an index.
   * @throws FormatError for a used record without its magic, or with a uniquifier that the volume has yet to give out
   */
  static read(file: DiskFile, cls: VnodeClass, nextUnique: number): VnodeAllocation {
    const size = walkedSize(file, cls)
    const slots = Math.max(0, Math.ceil(size / vnodeClasses[cls].recordSize) - 1)
    const words = new Uint32Array((slots >>> 5) + growWords)
    let slot = 0
    for (const piece of indexPieces(file, cls)) {
      for (let index = 0; index < piece.count; index++, slot++) {
        if (!piece.used(index)) continue
        if (piece.uniquifier(index) >= nextUnique)
          throw tooNew(file, cls, piece.vnode(index), piece.uniquifier(index), nextUnique)
        words[slot >>> 5] = (words[slot >>> 5] ?? 0) | (1 << (slot & 31))
      }
    }
    return new VnodeAllocation(cls, words, size)
  }

  /** Bytes of the index file. */
  get size(): number {
    return this.#size
  }

  /** True if the record of a vnode lies behind the end of the index. */
  isBeyond(vnode: number): boolean {
    return recordOffset(vnode) >= this.#size
  }

  /** The index file has grown. */
  grown(size: number): void {
    this.#size = Math.max(this.#size, size)
  }

  /**
   * Takes the lowest free vnode number.
   * @throws AfsError VDISKFULL if none is left that a data file can have
   */
  take(): number {
    let at = this.#firstFree
    while (at < this.#words.length && this.#words[at] === allUsed) at++
    this.#firstFree = at
    if (at === this.#words.length) this.#grow()
    const word = this.#words[at] ?? 0
    const bit = Math.clz32(~word & -~word) ^ 31 // the lowest clear one
    const vnode = this.#vnodeOf(at * 32 + bit)
    if (vnode >= vnodeMask)
      throw new AfsError("VDISKFULL", "allocateVnode", { vnode }, { detail: "no vnode number is left" })
    this.#words[at] = word | (1 << bit)
    return vnode
  }

  /** Gives a vnode number back. */
  free(vnode: number): void {
    const slot = (vnode - 1) >>> 1
    const at = slot >>> 5
    this.#words[at] = (this.#words[at] ?? 0) & ~(1 << (slot & 31))
    this.#firstFree = Math.min(this.#firstFree, at)
  }

  #vnodeOf(slot: number): number {
    const { recordSize } = vnodeClasses[this.cls]
    return vnodeAt(this.cls, (slot + 1) * recordSize)
  }

  #grow(): void {
    const words = new Uint32Array(2 * this.#words.length + growWords)
    words.set(this.#words)
    this.#words = words
  }
}

function tooNew(file: DiskFile, cls: VnodeClass, vnode: number, found: number, next: number): FormatError {
  const offset = recordOffset(vnode) + vnodeRecordLayout.offsets.uniquifier
  return new FormatError(
    `${cls} vnode index`,
    { path: file.path, offset },
    `uniquifier ${found}`,
    `less than the volume's, ${next}`,
  )
}
