/**
 * The data files of a volume group, in typed arrays: about 30 bytes a file. Positions are stable once `sort` has been
 * called; files that a repair plans to make are appended behind those that exist.
 */
import { dataInode, type Inode } from "../common/partition/inode-number.ts"

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
  #vnode = new Uint32Array(64)
  #unique = new Uint32Array(64)
  #version = new Uint32Array(64)
  #size = new Float64Array(64)
  #tag = new Uint8Array(64)
  /** Records of all volumes that use the file. */
  #users = new Uint16Array(64)
  /** 1: named by the indexes of something unfinished. */
  #mark = new Uint8Array(64)
  #count = 0
  #found = 0
  /** Planned files by vnode number. */
  readonly #planned = new Map<number, number[]>()

  /** All files, planned ones included. */
  get count(): number {
    return this.#count
  }

  /** Files that exist. */
  get found(): number {
    return this.#found
  }

  /** Adds a file that was found. Positions begin with `sort`. */
  add(vnode: number, unique: number, tag: number, size: number, version: number): void {
    this.#append(vnode, unique, tag, size, version)
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
    if (this.#count === this.#vnode.length) this.#grow()
    const position = this.#count++
    this.#vnode[position] = vnode
    this.#unique[position] = unique
    this.#tag[position] = tag
    this.#size[position] = size
    this.#version[position] = version
    return position
  }

  /** Ends the scan: orders the files by vnode number. */
  sort(): void {
    if (this.#count > filesMax) throw new RangeError(`${this.#count} data files in one volume group`)
    this.#found = this.#count
    const order = orderOf(this.#vnode.subarray(0, this.#count))
    this.#vnode = permuted(this.#vnode, order, new Uint32Array(order.length))
    this.#unique = permuted(this.#unique, order, new Uint32Array(order.length))
    this.#version = permuted(this.#version, order, new Uint32Array(order.length))
    this.#size = permuted(this.#size, order, new Float64Array(order.length))
    this.#tag = permuted(this.#tag, order, new Uint8Array(order.length))
    this.#users = new Uint16Array(order.length)
    this.#mark = new Uint8Array(order.length)
  }

  vnode(file: number): number {
    return this.#vnode[file] ?? 0
  }

  unique(file: number): number {
    return this.#unique[file] ?? 0
  }

  tag(file: number): number {
    return this.#tag[file] ?? 0
  }

  size(file: number): number {
    return this.#size[file] ?? 0
  }

  version(file: number): number {
    return this.#version[file] ?? 0
  }

  inode(file: number): Inode {
    return dataInode(this.vnode(file), this.unique(file), this.tag(file))
  }

  users(file: number): number {
    return this.#users[file] ?? 0
  }

  /** One record more, or less, uses the file. */
  use(file: number, delta: 1 | -1 = 1): void {
    this.#users[file] = this.users(file) + delta
  }

  /** Named by the indexes of a volume or draft that goes away. */
  isOfUnfinished(file: number): boolean {
    return this.#mark[file] === 1
  }

  markUnfinished(file: number): void {
    this.#mark[file] = 1
  }

  /** Positions of all files of a vnode, planned ones last. */
  ofVnode(vnode: number): number[] {
    const files: number[] = []
    for (let file = this.#lowerBound(vnode); file < this.#found && this.#vnode[file] === vnode; file++) files.push(file)
    files.push(...(this.#planned.get(vnode) ?? []))
    return files
  }

  /** The file of exactly this name, or -1. */
  find(vnode: number, unique: number, tag: number): number {
    for (let file = this.#lowerBound(vnode); file < this.#found && this.#vnode[file] === vnode; file++) {
      if (this.#unique[file] === unique && this.#tag[file] === tag) return file
    }
    return -1
  }

  /** First position with this vnode number or a higher one. */
  #lowerBound(vnode: number): number {
    let low = 0
    let high = this.#found
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#vnode[middle] ?? 0) < vnode) low = middle + 1
      else high = middle
    }
    return low
  }

  #grow(): void {
    const size = Math.max(64, 2 * this.#vnode.length)
    this.#vnode = grown(this.#vnode, new Uint32Array(size))
    this.#unique = grown(this.#unique, new Uint32Array(size))
    this.#version = grown(this.#version, new Uint32Array(size))
    this.#size = grown(this.#size, new Float64Array(size))
    this.#tag = grown(this.#tag, new Uint8Array(size))
    this.#users = grown(this.#users, new Uint16Array(size))
    this.#mark = grown(this.#mark, new Uint8Array(size))
  }
}

/** Positions in ascending order of their vnode numbers; equal ones keep their order. */
function orderOf(vnodes: Uint32Array): Uint32Array {
  let highest = 0
  for (let index = 0; index < vnodes.length; index++) highest = Math.max(highest, vnodes[index] ?? 0)
  return highest < 64 + 4 * vnodes.length ? countedOrder(vnodes, highest) : sortedOrder(vnodes)
}

/** For numbers without great gaps, as they are where no file has a damaged name. */
function countedOrder(vnodes: Uint32Array, highest: number): Uint32Array {
  const places = new Uint32Array(highest + 2)
  for (let index = 0; index < vnodes.length; index++) {
    const above = (vnodes[index] ?? 0) + 1
    places[above] = (places[above] ?? 0) + 1
  }
  for (let vnode = 1; vnode < places.length; vnode++) places[vnode] = (places[vnode] ?? 0) + (places[vnode - 1] ?? 0)
  const order = new Uint32Array(vnodes.length)
  for (let index = 0; index < vnodes.length; index++) {
    const vnode = vnodes[index] ?? 0
    const place = places[vnode] ?? 0
    order[place] = index
    places[vnode] = place + 1
  }
  return order
}

function sortedOrder(vnodes: Uint32Array): Uint32Array {
  const keys = new Float64Array(vnodes.length)
  for (let index = 0; index < vnodes.length; index++) keys[index] = (vnodes[index] ?? 0) * filesMax + index
  return Uint32Array.from(keys.sort(), (key) => key % filesMax)
}

interface Numbers {
  [index: number]: number
  readonly length: number
  set(from: ArrayLike<number>): void
}

function grown<T extends Numbers>(from: T, into: T): T {
  into.set(from)
  return into
}

function permuted<T extends Numbers>(from: T, order: Uint32Array, into: T): T {
  for (let index = 0; index < order.length; index++) into[index] = from[order[index] ?? 0] ?? 0
  return into
}
