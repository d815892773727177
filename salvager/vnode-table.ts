/**
 * The vnode records of one volume as a salvage sees them: what the indexes hold, with the repairs that are planned. About
 * 110 bytes a vnode: the 64 bytes of the record and what the passes learn of it, in typed arrays.
 */
import { classOf, type VnodeRecord, vnodeRecordLayout, vnodeTypes } from "../common/vnode/vnode-record.ts"
import { NumberTable } from "./number-table.ts"

const recordSize = vnodeRecordLayout.size

/** What is known or planned of a vnode; bits that may be combined. */
export const vnodeFlags = {
  /** The record differs from the one on disk. */
  changed: 1,
  /** There was no usable record. */
  rebuilt: 2,
  /** The record is to be freed. */
  freed: 4,
  /** Content, parent or link count changed: clients and incremental dumps have to learn of it. */
  contentChanged: 8,
  /** A chain of directories leads to it from the root. */
  reached: 16,
  /** Several directories name it. */
  contested: 32,
  /** Its directory was damaged and could not be read in full. */
  damaged: 64,
} as const

export class VnodeTable {
  readonly #slots = new NumberTable()
  #records = new Uint8Array(64 * recordSize)
  /** The same bytes. */
  #view = new DataView(this.#records.buffer)
  #vnode = new Uint32Array(64)
  /** Position of the data file in DataFiles, -1 for none. */
  #file = new Int32Array(64)
  #flags = new Uint8Array(64)
  /** Vnode number of the directory that has it, 0 for none. */
  #holder = new Uint32Array(64)
  /** Names in that directory. */
  #names = new Uint16Array(64)
  /** Directories in this directory. */
  #subdirectories = new Uint32Array(64)
  #count = 0

  /** Slots, freed ones included. */
  get count(): number {
    return this.#count
  }

  /** The slot of a vnode that is in use, or -1. */
  find(vnode: number): number {
    const slot = this.#slots.get(vnode)
    return slot < 0 || this.has(slot, "freed") ? -1 : slot
  }

  /** Adds a record, or one in the place of a freed one; its bytes begin at `from`. @returns its slot. */
  add(vnode: number, bytes: Uint8Array, file: number, from = 0): number {
    let slot = this.#slots.get(vnode)
    if (slot < 0) {
      if (this.#count === this.#vnode.length) this.#grow()
      slot = this.#count++
      this.#slots.set(vnode, slot)
    }
    this.#vnode[slot] = vnode
    const start = slot * recordSize
    for (let at = 0; at < recordSize; at++) this.#records[start + at] = bytes[from + at] ?? 0
    this.#file[slot] = file
    this.#flags[slot] = 0
    this.#holder[slot] = 0
    this.#names[slot] = 0
    this.#subdirectories[slot] = 0
    return slot
  }

  vnode(slot: number): number {
    return this.#vnode[slot] ?? 0
  }

  record(slot: number): VnodeRecord {
    return vnodeRecordLayout.read(this.#records, slot * recordSize)
  }

  /** The 64 bytes of the record: a view, good until the next `add`. */
  bytes(slot: number): Uint8Array {
    return this.#records.subarray(slot * recordSize, (slot + 1) * recordSize)
  }

  /** Plans a change of fields. */
  change(slot: number, fields: Partial<VnodeRecord>): void {
    vnodeRecordLayout.write({ ...this.record(slot), ...fields }, this.#records, slot * recordSize)
    this.mark(slot, "changed")
  }

  unique(slot: number): number {
    return this.word(slot, uniqueAt)
  }

  parent(slot: number): number {
    return this.word(slot, parentAt)
  }

  linkCount(slot: number): number {
    return this.word(slot, 0) >> 16
  }

  isDirectory(slot: number): boolean {
    return classOf(this.vnode(slot)) === "large"
  }

  isSymlink(slot: number): boolean {
    return (this.word(slot, 0) & 7) === vnodeTypes.symlink
  }

  file(slot: number): number {
    return this.#file[slot] ?? -1
  }

  setFile(slot: number, file: number): void {
    this.#file[slot] = file
  }

  has(slot: number, flag: keyof typeof vnodeFlags): boolean {
    return ((this.#flags[slot] ?? 0) & vnodeFlags[flag]) !== 0
  }

  mark(slot: number, flag: keyof typeof vnodeFlags): void {
    this.#flags[slot] = (this.#flags[slot] ?? 0) | vnodeFlags[flag]
  }

  unmark(slot: number, flag: keyof typeof vnodeFlags): void {
    this.#flags[slot] = (this.#flags[slot] ?? 0) & ~vnodeFlags[flag]
  }

  holder(slot: number): number {
    return this.#holder[slot] ?? 0
  }

  setHolder(slot: number, directory: number, names: number): void {
    this.#holder[slot] = directory
    this.#names[slot] = names
  }

  names(slot: number): number {
    return this.#names[slot] ?? 0
  }

  subdirectories(slot: number): number {
    return this.#subdirectories[slot] ?? 0
  }

  addSubdirectory(slot: number): void {
    this.#subdirectories[slot] = this.subdirectories(slot) + 1
  }

  clearSubdirectories(): void {
    this.#subdirectories.fill(0)
  }

  /** Slots in use, in the order in which they were added: by index, ascending, then rebuilt ones. */
  *live(): Generator<number> {
    for (let slot = 0; slot < this.#count; slot++) if (!this.has(slot, "freed")) yield slot
  }

  /** Slots of directories in use. */
  *directories(): Generator<number> {
    for (const slot of this.live()) if (this.isDirectory(slot)) yield slot
  }

  /** The 32-bit field of a record at an offset; 0 for no slot. */
  word(slot: number, offset: number): number {
    return slot < 0 ? 0 : this.#view.getUint32(slot * recordSize + offset, true)
  }

  #grow(): void {
    const size = 2 * this.#vnode.length
    this.#records = copied(this.#records, new Uint8Array(size * recordSize))
    this.#view = new DataView(this.#records.buffer)
    this.#vnode = copied(this.#vnode, new Uint32Array(size))
    this.#file = copied(this.#file, new Int32Array(size))
    this.#flags = copied(this.#flags, new Uint8Array(size))
    this.#holder = copied(this.#holder, new Uint32Array(size))
    this.#names = copied(this.#names, new Uint16Array(size))
    this.#subdirectories = copied(this.#subdirectories, new Uint32Array(size))
  }
}

const uniqueAt = vnodeRecordLayout.offsets["uniquifier"] ?? 0
const parentAt = vnodeRecordLayout.offsets["parent"] ?? 0

function copied<T extends { set(from: ArrayLike<number>): void }>(from: ArrayLike<number>, into: T): T {
  into.set(from)
  return into
}
