/**
 * The vnode records of one volume as a salvage sees them: what the indexes hold, with the repairs that are planned. About
 * 110 bytes a vnode: the 64 bytes of the record and what the passes learn of it, in typed arrays.
 */

import type { Inode } from "../common/partition/inode-number.ts"
import { classOf, type VnodeRecord, vnodeClasses, vnodeRecordLayout, vnodeTypes } from "../common/vnode/vnode-record.ts"
import { NumberTable } from "./number-table.ts"

const recordSize = vnodeRecordLayout.size

/** What is known or planned of a vnode; bits that may be combined. */
const vnodeFlags = {
  /** The record differs from the one on disk. */
  changed: 1,
  /** There was no usable record. */
  rebuilt: 2,
  /** The record is to be freed. */
  freed: 4,
  /** Content, parent or link count changed: clients and incremental dumps have to learn of it. */
  contentChanged: 8,
  /** Of a directory: a chain of directories leads to it from the root. */
  reached: 16,
  /** Several directories name it. */
  contested: 32,
  /** Its directory was damaged and could not be read in full. */
  damaged: 64,
  /** The record agrees with its data file (passes/records.ts), and was not changed since. */
  plain: 128,
} as const
type VnodeFlag = keyof typeof vnodeFlags
/** What all is known of a vnode whose record is plain. */
export const plainFlag = vnodeFlags.plain

/** What an object would tell by the flag's name; here it is told without a look at the name, in the innermost loops. */
function bitOf(flag: VnodeFlag): number {
  switch (flag) {
    case "changed":
      return vnodeFlags.changed
    case "rebuilt":
      return vnodeFlags.rebuilt
    case "freed":
      return vnodeFlags.freed
    case "contentChanged":
      return vnodeFlags.contentChanged
    case "reached":
      return vnodeFlags.reached
    case "contested":
      return vnodeFlags.contested
    case "damaged":
      return vnodeFlags.damaged
    case "plain":
      return vnodeFlags.plain
  }
}

export class VnodeTable {
  /** Something changed of which vnodes there are, or which directory has them, since somebody last said false. */
  treeChanged = true
  readonly #slots = new NumberTable()
  #columns = new Columns(64)
  #count = 0
  /** No directory has this slot or a higher one: their index is read first, and there are few of them. */
  #directoriesEnd = 0
  #freed = 0

  /** Slots, freed ones included. */
  get count(): number {
    return this.#count
  }

  /** All that is known, for loops over all of a great volume: see passes/plain-records.ts. */
  get columns(): Readonly<Columns> {
    return this.#columns
  }

  /** Slots in use. */
  get liveCount(): number {
    return this.#count - this.#freed
  }

  /** Makes room for so many slots in all, before there are any. */
  reserve(count: number): void {
    if (this.#count === 0 && count > this.#columns.vnode.length) this.#columns = new Columns((count + 3) & ~3)
    this.#slots.reserve(count)
  }

  /** The slot of a vnode that is in use, or -1. */
  find(vnode: number): number {
    const slot = this.#slots.get(vnode)
    return slot < 0 || this.has(slot, "freed") ? -1 : slot
  }

  /**
   * Adds records of a class that lie one after the other in `bytes`, those of this vnode and of the next ones, without data
   * files. None of the vnodes may be there yet.
   */
  addRun(vnode: number, bytes: Uint8Array): void {
    const { recordSize: stride } = vnodeClasses[classOf(vnode)]
    const count = bytes.length / stride
    const first = this.#count
    while (first + count > this.#columns.vnode.length) this.#grow()
    const { records, vnode: vnodes, file, doubt } = this.#columns
    this.#slots.setRun(vnode, count, first)
    for (let index = 0; index < count; index++) vnodes[first + index] = vnode + 2 * index
    file.fill(-1, first, first + count)
    doubt.fill(1, first, first + count)
    if (stride === recordSize) records.set(bytes, first * recordSize)
    else
      for (let index = 0; index < count; index++)
        records.set(bytes.subarray(index * stride, index * stride + recordSize), (first + index) * recordSize)
    this.#count += count
    this.treeChanged = true
    if (classOf(vnode) === "large") this.#directoriesEnd = this.#count
  }

  /** Adds a record, or one in the place of a freed one. @returns its slot. */
  add(vnode: number, bytes: Uint8Array, file: number): number {
    let slot = this.#slots.get(vnode)
    if (slot < 0) {
      if (this.#count === this.#columns.vnode.length) this.#grow()
      slot = this.#count++
      this.#slots.set(vnode, slot)
      if (classOf(vnode) === "large") this.#directoriesEnd = this.#count
    } else if (this.has(slot, "freed")) this.#freed--
    this.treeChanged = true
    this.#columns.doubt[slot] = 1
    this.#columns.vnode[slot] = vnode
    this.#columns.records.set(bytes.subarray(0, recordSize), slot * recordSize)
    this.#columns.file[slot] = file
    this.#columns.flags[slot] = 0
    this.#columns.holder[slot] = 0
    this.#columns.names[slot] = 0
    this.#columns.subdirectories[slot] = 0
    return slot
  }

  vnode(slot: number): number {
    return this.#columns.vnode[slot] ?? 0
  }

  record(slot: number): VnodeRecord {
    return vnodeRecordLayout.read(this.#columns.records, slot * recordSize)
  }

  /** The 64 bytes of the record: a view, good until the next `add`. */
  bytes(slot: number): Uint8Array {
    return this.#columns.records.subarray(slot * recordSize, (slot + 1) * recordSize)
  }

  /** Plans a change of fields. */
  change(slot: number, fields: Partial<VnodeRecord>): void {
    const { records, view } = this.#columns
    const changes = Object.entries(fields)
    if (changes.every(([field]) => wordOffsets.has(field)))
      for (const [field, value] of changes)
        view.setUint32(slot * recordSize + (wordOffsets.get(field) ?? 0), value, true)
    else vnodeRecordLayout.write(Object.assign(this.record(slot), fields), records, slot * recordSize)
    this.unmark(slot, "plain")
    this.mark(slot, "changed")
  }

  unique(slot: number): number {
    return this.word(slot, uniqueAt)
  }

  parent(slot: number): number {
    return this.word(slot, parentAt)
  }

  /** Of the data file that the record names. */
  inode(slot: number): Inode {
    return { high: this.word(slot, inodeHighAt), low: this.word(slot, inodeLowAt) }
  }

  linkCount(slot: number): number {
    return this.word(slot, 0) >> linkShift
  }

  isDirectory(slot: number): boolean {
    return classOf(this.vnode(slot)) === "large"
  }

  isSymlink(slot: number): boolean {
    return (this.word(slot, 0) & 7) === vnodeTypes.symlink
  }

  file(slot: number): number {
    return this.#columns.file[slot] ?? -1
  }

  setFile(slot: number, file: number): void {
    this.#columns.file[slot] = file
    this.unmark(slot, "plain")
    this.#columns.doubt[slot] = 1
  }

  has(slot: number, flag: VnodeFlag): boolean {
    return ((this.#columns.flags[slot] ?? 0) & bitOf(flag)) !== 0
  }

  mark(slot: number, flag: VnodeFlag): void {
    if (flag === "freed") this.#free(slot)
    this.#columns.flags[slot] = (this.#columns.flags[slot] ?? 0) | bitOf(flag)
    this.#columns.doubt[slot] = 1
  }

  unmark(slot: number, flag: VnodeFlag): void {
    this.#columns.flags[slot] = (this.#columns.flags[slot] ?? 0) & ~bitOf(flag)
  }

  holder(slot: number): number {
    return this.#columns.holder[slot] ?? 0
  }

  setHolder(slot: number, directory: number, names: number): void {
    if (this.#columns.holder[slot] !== directory) this.treeChanged = true
    else if (this.#columns.names[slot] === names) return
    this.#columns.holder[slot] = directory
    this.#columns.names[slot] = names
    this.#columns.doubt[slot] = 1
  }

  names(slot: number): number {
    return this.#columns.names[slot] ?? 0
  }

  subdirectories(slot: number): number {
    return this.#columns.subdirectories[slot] ?? 0
  }

  addSubdirectory(slot: number): void {
    this.#columns.subdirectories[slot] = this.subdirectories(slot) + 1
  }

  clearSubdirectories(): void {
    this.#columns.subdirectories.fill(0)
  }

  /**
   * Gives a vnode that no directory has yet to this one, by one name, and settles it: if its record is plain, and says just that.
   * @returns false if it is not so
   */
  settleIn(directory: number, vnode: number, unique: number): boolean {
    const slot = this.#slots.get(vnode)
    const { flags, holder, names, doubt, words } = this.#columns
    if (slot < 0 || flags[slot] !== plainFlag || holder[slot] !== 0) return false
    const at = slot * wordsPerRecord // a plain record has its magic: its words can be gone by
    if (words[at + uniqueWord] !== unique || words[at + parentWord] !== directory) return false
    if ((words[at] ?? 0) >>> linkShift !== 1) return false
    holder[slot] = directory
    names[slot] = 1
    doubt[slot] = 0
    this.treeChanged = true
    return true
  }

  /** Something else is looked for from now on. */
  doubtAll(): void {
    this.#columns.doubt.fill(1, 0, this.#count)
  }

  /** The first slot behind this one that is in doubt, freed ones included; -1 if there is none. */
  nextInDoubt(after: number): number {
    return this.#columns.doubt.indexOf(1, after + 1)
  }

  /** Slots in use that are in doubt: the few of a great volume that need a closer look. */
  *inDoubt(): Generator<number> {
    for (let slot = this.nextInDoubt(-1); slot >= 0; slot = this.nextInDoubt(slot))
      if (!this.has(slot, "freed")) yield slot
  }

  /** Slots in use, in the order in which they were added: by index, ascending, then rebuilt ones. */
  live(): IterableIterator<number> {
    return new SlotWalk(this, false)
  }

  /** Slots of directories in use. */
  directories(): IterableIterator<number> {
    return new SlotWalk(this, true)
  }

  /** The first slot in use behind this one, of any vnode or of a directory; -1 if there is none. */
  next(after: number, isOfDirectory: boolean): number {
    const end = isOfDirectory ? this.#directoriesEnd : this.#count
    for (let slot = after + 1; slot < end; slot++) {
      const isLive = ((this.#columns.flags[slot] ?? 0) & vnodeFlags.freed) === 0
      if (isLive && (!isOfDirectory || this.isDirectory(slot))) return slot
    }
    return -1
  }

  /** The 32-bit field of a record at an offset; 0 for no slot. */
  word(slot: number, offset: number): number {
    return slot < 0 ? 0 : this.#columns.view.getUint32(slot * recordSize + offset, true)
  }

  #free(slot: number): void {
    this.treeChanged = true
    if (!this.has(slot, "freed")) this.#freed++
  }

  #grow(): void {
    const grown = new Columns(2 * this.#columns.vnode.length)
    grown.take(this.#columns)
    this.#columns = grown
  }
}

/** Slots one after the other: its own result each time, for a volume is gone through many times. */
class SlotWalk implements IterableIterator<number> {
  readonly #table: VnodeTable
  readonly #isOfDirectories: boolean
  value = -1
  done = false

  constructor(table: VnodeTable, isOfDirectories: boolean) {
    this.#table = table
    this.#isOfDirectories = isOfDirectories
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): { value: number; done: boolean } {
    this.value = this.#table.next(this.value, this.#isOfDirectories)
    this.done = this.value < 0
    return this
  }
}

/** What is known of each slot, in one piece of memory: to make and to free many small ones takes longer than to salvage a small volume. */
class Columns {
  readonly records: Uint8Array
  /** The same bytes. */
  readonly view: DataView
  /**
   * The same as words in the order of the processor. Where that is not the disk's they are no record's: only whoever finds a magic
   * in them may go by them.
   */
  readonly words: Uint32Array
  readonly vnode: Uint32Array
  /** Position of the data file in DataFiles, -1 for none. */
  readonly file: Int32Array
  /** Vnode number of the directory that has it, 0 for none. */
  readonly holder: Uint32Array
  /** Directories in this directory. */
  readonly subdirectories: Uint32Array
  /** Names in the directory that has it. */
  readonly names: Uint16Array
  readonly flags: Uint8Array
  /** 1: somebody has to look at it; 0: settled, nothing is wrong with it as it is now. */
  readonly doubt: Uint8Array

  /** `count` slots, a multiple of 4. */
  constructor(count: number) {
    const words = recordSize * count
    const buffer = new ArrayBuffer(words + 4 * 4 * count + 4 * count)
    this.records = new Uint8Array(buffer, 0, words)
    this.view = new DataView(buffer, 0, words)
    this.words = new Uint32Array(buffer, 0, words / 4)
    this.vnode = new Uint32Array(buffer, words, count)
    this.file = new Int32Array(buffer, words + 4 * count, count)
    this.holder = new Uint32Array(buffer, words + 8 * count, count)
    this.subdirectories = new Uint32Array(buffer, words + 12 * count, count)
    this.names = new Uint16Array(buffer, words + 16 * count, count)
    this.flags = new Uint8Array(buffer, words + 18 * count, count)
    this.doubt = new Uint8Array(buffer, words + 19 * count, count)
  }

  take(from: Columns): void {
    this.records.set(from.records)
    this.vnode.set(from.vnode)
    this.file.set(from.file)
    this.holder.set(from.holder)
    this.subdirectories.set(from.subdirectories)
    this.names.set(from.names)
    this.flags.set(from.flags)
    this.doubt.set(from.doubt)
  }
}

/** Of fields that have a word for themselves: they are changed in place. */
const wordOffsets: ReadonlyMap<string, number> = new Map(Object.entries(vnodeRecordLayout.offsets))
const uniqueAt = vnodeRecordLayout.offsets["uniquifier"] ?? 0
const parentAt = vnodeRecordLayout.offsets["parent"] ?? 0
/** Of the first word. */
const linkShift = 16
const wordsPerRecord = recordSize / 4
const [uniqueWord, parentWord] = [uniqueAt / 4, parentAt / 4]
const inodeHighAt = vnodeRecordLayout.offsets["inodeHigh"] ?? 0
const inodeLowAt = vnodeRecordLayout.offsets["inodeLow"] ?? 0
