/**
 * Directories that are read while threads scan the data files: what is sound in them is kept in columns, until it is known
 * which records lead to what. Those that cannot be read yet, or are damaged, are left to the pass that is theirs.
 */
import { checkDirectory } from "../common/directory/directory-check.ts"
import { dotBlob, dotDotBlob, pageSize, pagesMax } from "../common/directory/directory-page.ts"
import { isDiskError } from "../common/disk/disk.ts"
import { type Inode, sameInode, vnodeMask } from "../common/partition/inode-number.ts"
import type { InodeStore } from "../common/partition/inode-store.ts"
import { entryWords, fidAt } from "./directory-image.ts"
import type { DirectoryFacts } from "./model.ts"

/** A sound directory that was read. */
export interface SoundDirectory {
  readonly inode: Inode
  readonly facts: DirectoryFacts
  /** Some name contains a slash. */
  readonly hasSlash: boolean
  readonly hasSillyName: boolean
  /** See `entryWords`. */
  readonly entries: Uint32Array
  /** Another data file of the same vnode number. */
  readonly other: SoundDirectory | undefined
}

export class DirectoriesAhead {
  readonly #byVnode = new Map<number, SoundDirectory>()
  /** One more byte than a directory can have; memory of which nothing is touched is not taken. */
  readonly #image = Buffer.from(new ArrayBuffer(pageSize * pagesMax + 1))

  /** Reads a data file, if that was not done yet: volumes of a group share most of them. */
  read(store: InodeStore, inode: Inode): void {
    if (this.find(inode) !== undefined) return
    const length = this.#readImage(store, inode)
    if (length === 0 || length > pageSize * pagesMax) return
    const image = this.#image.subarray(0, length)
    const { fault, nameLengths, hasSlash, hasSillyName } = checkDirectory(image)
    if (fault !== undefined) return
    const vnode = inode.low & vnodeMask
    const facts = { fault, self: fidAt(image, dotBlob), parent: fidAt(image, dotDotBlob) }
    const other = this.#byVnode.get(vnode)
    const entries = entryWords(image, nameLengths)
    this.#byVnode.set(vnode, { inode, facts, hasSlash, hasSillyName, entries, other })
  }

  /** What was read of a data file; undefined if nothing was. */
  find(inode: Inode): SoundDirectory | undefined {
    let found = this.#byVnode.get(inode.low & vnodeMask)
    while (found !== undefined && !sameInode(found.inode, inode)) found = found.other
    return found
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
}
