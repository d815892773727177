/**
 * The data files of a volume group, in typed arrays: about 30 bytes a file. Positions are stable once `sort` has been
 * called; files that a repair plans to make are appended behind those that exist.
 */
import { dataInode, type Inode } from "../common/partition/inode-number.ts"
import { FileColumns } from "./file-columns.ts"

/** What the scan learns of a data file. */
export interface DataFileFacts {
  readonly vnode: number
  readonly unique: number
  readonly tag: number
  /** Bytes. */
  readonly size: number
  /** Data version the file was created with (owner data); 0 in a development partition. */
  readonly version: number
}

/** Greatest number of files; vnode and position share a number of 53 bits where they are sorted together. */
const filesMax = 2 ** 27

export class DataFiles {
  /** What the scan finds, until `sort`. */
  readonly scanned = new FileColumns()
  #columns = new Columns(0)
  #count = 0
  #found = 0
  /** What the last search found; all files before it have lower vnode numbers. */
  #last = 0
  /** Planned files by vnode number. */
  readonly #planned = new Map<number, number[]>()

  /** All that is known, for loops over all of a great group: see passes/plain-records.ts. */
  get columns(): Readonly<Columns> {
    return this.#columns
  }

  /** All files, planned ones included. */
  get count(): number {
    return this.#count
  }

  /** Files that exist. */
  get found(): number {
    return this.#found
  }

  /** Adds a file that will be made. @returns its position. */
  plan(facts: DataFileFacts): number {
    const { vnode, unique, tag, size, version } = facts
    const position = this.#append(vnode, unique, tag, size, version)
    const others = this.#planned.get(facts.vnode)
    if (others === undefined) this.#planned.set(facts.vnode, [position])
    else others.push(position)
    return position
  }

  #append(vnode: number, unique: number, tag: number, size: number, version: number): number {
    if (this.#count === this.#columns.vnode.length) this.#grow()
    const position = this.#count++
    this.#columns.vnode[position] = vnode
    this.#columns.unique[position] = unique
    this.#columns.tag[position] = tag
    this.#columns.size[position] = size
    this.#columns.version[position] = version
    return position
  }

  /** Ends the scan: orders the files by vnode number. Positions begin here. */
  sort(): void {
    const { scanned } = this
    const { count } = scanned
    if (count > filesMax) throw new RangeError(`${count} data files in one volume group`)
    this.#columns = new Columns(roomFor(count))
    this.#columns.takeOrdered(scanned, inOrder(scanned.vnode.subarray(0, count)))
    this.#count = count
    this.#found = count
    scanned.handOver()
  }

  vnode(file: number): number {
    return this.#columns.vnode[file] ?? 0
  }

  unique(file: number): number {
    return this.#columns.unique[file] ?? 0
  }

  tag(file: number): number {
    return this.#columns.tag[file] ?? 0
  }

  size(file: number): number {
    return this.#columns.size[file] ?? 0
  }

  version(file: number): number {
    return this.#columns.version[file] ?? 0
  }

  inode(file: number): Inode {
    return dataInode(this.vnode(file), this.unique(file), this.tag(file))
  }

  users(file: number): number {
    return this.#columns.users[file] ?? 0
  }

  /** Files that exist and that no record uses, in order. */
  *unused(): Generator<number> {
    const { users } = this.#columns
    for (let file = users.indexOf(0); file >= 0 && file < this.#found; file = users.indexOf(0, file + 1)) yield file
  }

  /** One record more, or less, uses the file. */
  use(file: number, delta: 1 | -1 = 1): void {
    this.#columns.users[file] = this.users(file) + delta
  }

  /** Named by the indexes of a volume or draft that goes away. */
  isOfUnfinished(file: number): boolean {
    return this.#columns.mark[file] === 1
  }

  markUnfinished(file: number): void {
    this.#columns.mark[file] = 1
  }

  /** True if there is a file of the vnode, whatever version. */
  hasVnode(vnode: number): boolean {
    return this.#columns.vnode[this.#lowerBound(vnode)] === vnode
  }

  /** Positions of all files of a vnode, planned ones last. */
  ofVnode(vnode: number): number[] {
    const files: number[] = []
    for (let file = this.#lowerBound(vnode); file < this.#found && this.#columns.vnode[file] === vnode; file++)
      files.push(file)
    files.push(...(this.#planned.get(vnode) ?? []))
    return files
  }

  /** The file of exactly this name, or -1. */
  find(vnode: number, unique: number, tag: number): number {
    for (let file = this.#lowerBound(vnode); file < this.#found && this.#columns.vnode[file] === vnode; file++) {
      if (this.#columns.unique[file] === unique && this.#columns.tag[file] === tag) return file
    }
    return -1
  }

  /** First position with this vnode number or a higher one. Most questions come in ascending order: it is near the last. */
  #lowerBound(vnode: number): number {
    const vnodes = this.#columns.vnode
    let low = this.#last
    if (low > 0 && (vnodes[low - 1] ?? 0) >= vnode) low = 0
    let step = 1
    while (low + step < this.#found && (vnodes[low + step] ?? 0) < vnode) {
      low += step
      step *= 2
    }
    let high = Math.min(low + step, this.#found)
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((vnodes[middle] ?? 0) < vnode) low = middle + 1
      else high = middle
    }
    this.#last = low
    return low
  }

  #grow(): void {
    const grown = new Columns(roomFor(this.#count))
    grown.take(this.#columns)
    this.#columns = grown
  }
}

/** What is planned is little beside what exists: in a great group columns are not made twice for it. */
const roomFor = (count: number): number => count + Math.max(64, count >>> 6)

/** What is known of each file, in one piece of memory. */
class Columns {
  readonly size: Float64Array
  readonly vnode: Uint32Array
  readonly unique: Uint32Array
  readonly version: Uint32Array
  /** Records of all volumes that use the file. */
  readonly users: Uint16Array
  readonly tag: Uint8Array
  /** 1: named by the indexes of something unfinished. */
  readonly mark: Uint8Array

  constructor(count: number) {
    const buffer = new ArrayBuffer(24 * count)
    this.size = new Float64Array(buffer, 0, count)
    this.vnode = new Uint32Array(buffer, 8 * count, count)
    this.unique = new Uint32Array(buffer, 12 * count, count)
    this.version = new Uint32Array(buffer, 16 * count, count)
    this.users = new Uint16Array(buffer, 20 * count, count)
    this.tag = new Uint8Array(buffer, 22 * count, count)
    this.mark = new Uint8Array(buffer, 23 * count, count)
  }

  take(from: Columns): void {
    this.size.set(from.size)
    this.vnode.set(from.vnode)
    this.unique.set(from.unique)
    this.version.set(from.version)
    this.users.set(from.users)
    this.tag.set(from.tag)
    this.mark.set(from.mark)
  }

  /** What the scan learnt, in this order; nobody uses a file yet. */
  takeOrdered(from: FileColumns, order: Uint32Array): void {
    const { size, vnode, unique, version, tag } = this
    for (let place = 0; place < order.length; place++) {
      const index = order[place] ?? 0
      size[place] = from.size[index] ?? 0
      vnode[place] = from.vnode[index] ?? 0
      unique[place] = from.unique[index] ?? 0
      version[place] = from.version[index] ?? 0
      tag[place] = from.tag[index] ?? 0
    }
  }
}

/** The files in ascending order of vnode numbers; equal ones keep their order. */
function inOrder(vnodes: Uint32Array): Uint32Array {
  let highest = 0
  for (let index = 0; index < vnodes.length; index++) highest = Math.max(highest, vnodes[index] ?? 0)
  return highest < 64 + 4 * vnodes.length ? chained(vnodes, highest) : sorted(vnodes)
}

/** For numbers without great gaps, as they are where no file has a damaged name: those of one number in a chain. */
function chained(vnodes: Uint32Array, highest: number): Uint32Array {
  // 0 is the end: positions count from 1
  const first = new Uint32Array(highest + 1)
  const next = new Uint32Array(vnodes.length + 1)
  for (let position = vnodes.length; position > 0; position--) {
    const vnode = vnodes[position - 1] ?? 0
    next[position] = first[vnode] ?? 0
    first[vnode] = position
  }
  const order = new Uint32Array(vnodes.length)
  let place = 0
  for (let vnode = 0; vnode <= highest; vnode++)
    for (let position = first[vnode] ?? 0; position > 0; position = next[position] ?? 0) order[place++] = position - 1
  return order
}

function sorted(vnodes: Uint32Array): Uint32Array {
  const keys = new Float64Array(vnodes.length)
  for (let index = 0; index < vnodes.length; index++) keys[index] = (vnodes[index] ?? 0) * filesMax + index
  return Uint32Array.from(keys.sort(), (key) => key % filesMax)
}
