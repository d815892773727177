/**
 * Directories that are read while threads scan the data files: what is sound in them is kept in columns, until it is known
 * which records lead to what. Those that cannot be read yet, or are damaged, are left to the pass that is theirs.
 */
import { checkDirectory } from "../common/directory/directory-check.ts"
import { dotBlob, dotDotBlob, pageSize, pagesMax } from "../common/directory/directory-page.ts"
import { isDiskError } from "../common/disk/disk.ts"
import { type Inode, sameInode, vnodeMask } from "../common/partition/inode-number.ts"
import type { InodeStore } from "../common/partition/inode-store.ts"
import { fidAt, visitSound } from "./directory-image.ts"
import type { DirectoryFacts } from "./model.ts"

/** A sound directory that was read. */
export interface SoundDirectory {
  readonly inode: Inode
  readonly facts: DirectoryFacts
  /** Some name contains a slash. */
  readonly hasSlash: boolean
  readonly hasSillyName: boolean
  /** Its first entry, and the one behind its last. */
  readonly first: number
  readonly end: number
  /** Another data file of the same vnode number. */
  readonly other: SoundDirectory | undefined
}

/** Blob, vnode number and uniquifier. */
const wordsPerEntry = 3

export class DirectoriesAhead {
  readonly #byVnode = new Map<number, SoundDirectory>()
  /** One more byte than a directory can have; memory of which nothing is touched is not taken. */
  readonly #image = Buffer.from(new ArrayBuffer(pageSize * pagesMax + 1))
  #entries = new Uint32Array(wordsPerEntry << 10)
  #count = 0

  /** Reads a data file, if that was not done yet: volumes of a group share most of them. */
  read(store: InodeStore, inode: Inode): void {
    if (this.find(inode) !== undefined) return
    const length = this.#readImage(store, inode)
    if (length === 0 || length > pageSize * pagesMax) return
    const image = this.#image.subarray(0, length)
    const { fault, nameLengths, hasSlash, hasSillyName } = checkDirectory(image)
    if (fault !== undefined) return
    const vnode = inode.low & vnodeMask
    const first = this.#count
    visitSound(image, nameLengths, (...entry) => this.#add(...entry))
    const facts = { fault, self: fidAt(image, dotBlob), parent: fidAt(image, dotDotBlob) }
    const other = this.#byVnode.get(vnode)
    this.#byVnode.set(vnode, { inode, facts, hasSlash, hasSillyName, first, end: this.#count, other })
  }

  /** What was read of a data file; undefined if nothing was. */
  find(inode: Inode): SoundDirectory | undefined {
    let found = this.#byVnode.get(inode.low & vnodeMask)
    while (found !== undefined && !sameInode(found.inode, inode)) found = found.other
    return found
  }

  /** Calls `visit` for each entry but `.` and `..`, in the order of blobs. */
  visit({ first, end }: SoundDirectory, visit: (blob: number, vnode: number, unique: number) => void): void {
    const entries = this.#entries
    for (let at = wordsPerEntry * first; at < wordsPerEntry * end; at += wordsPerEntry)
      visit(entries[at] ?? 0, entries[at + 1] ?? 0, entries[at + 2] ?? 0)
  }

  #readImage(store: InodeStore, inode: Inode): number {
    try {
      using file = store.open(inode, "read")
      return file.read(this.#image, 0)
    } catch (error) {
      if (isDiskError(error)) return 0 // its own pass says what is wrong with it, if anything uses it
      throw error
    }
  }

  #add(blob: number, vnode: number, unique: number): void {
    const at = wordsPerEntry * this.#count++
    if (at === this.#entries.length) {
      const entries = new Uint32Array(2 * at)
      entries.set(this.#entries)
      this.#entries = entries
    }
    this.#entries[at] = blob
    this.#entries[at + 1] = vnode
    this.#entries[at + 2] = unique
  }
}
