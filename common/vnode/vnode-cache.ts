/**
 * Vnodes and directory images in core, of all volumes of a fileserver together, each within a limit: what was not used for
 * longest goes. Neither holds anything that is not on disk.
 */
import type { Directory } from "../directory/directory.ts"
import { type Ranked, RecencyList } from "../recency-list.ts"
import type { Vnode } from "./vnode.ts"

/** More than the vnodes that one turn works with, so that none of these is forgotten within it. */
const leastVnodes = 256

export class VnodeCache {
  readonly #limit: number
  readonly #byUse = new RecencyList<Vnode>()

  constructor(limit: number) {
    this.#limit = Math.max(limit, leastVnodes)
  }

  get size(): number {
    return this.#byUse.weight
  }

  add(vnode: Vnode): void {
    this.#byUse.add(vnode)
    if (this.#byUse.weight > this.#limit) this.#forgetOldest()
  }

  touch(vnode: Vnode): void {
    this.#byUse.touch(vnode)
  }

  remove(vnode: Vnode): void {
    this.#byUse.remove(vnode)
  }

  /** A locked vnode is somebody's still; then there is one too many for a while. */
  #forgetOldest(): void {
    let vnode = this.#byUse.oldest
    while (vnode?.isLocked === true) vnode = vnode.newer
    if (vnode === undefined) return
    this.#byUse.remove(vnode)
    vnode.home.forgotten(vnode)
  }
}

/** A directory's pages in core. */
export class DirectoryImage implements Ranked<DirectoryImage> {
  older: DirectoryImage | undefined
  newer: DirectoryImage | undefined
  /** Bytes. */
  weight: number
  readonly vnode: Vnode
  readonly directory: Directory

  constructor(vnode: Vnode, directory: Directory) {
    this.vnode = vnode
    this.directory = directory
    this.weight = directory.length
  }
}

export class DirectoryCache {
  readonly #limit: number
  readonly #byUse = new RecencyList<DirectoryImage>()

  /** `limit` in bytes of directory pages; the one that is in use stays, however large. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes. */
  get size(): number {
    return this.#byUse.weight
  }

  get(vnode: Vnode): Directory | undefined {
    const { image } = vnode
    if (image === undefined) return undefined
    this.#byUse.touch(image)
    return image.directory
  }

  add(vnode: Vnode, directory: Directory): Directory {
    const image = new DirectoryImage(vnode, directory)
    vnode.image = image
    this.#byUse.add(image)
    this.#shrink(image)
    return directory
  }

  /** The directory may have grown. */
  changed(vnode: Vnode): void {
    const { image } = vnode
    if (image === undefined || image.weight === image.directory.length) return
    this.#byUse.reweigh(image, image.directory.length)
    this.#shrink(image)
  }

  drop(vnode: Vnode): void {
    const { image } = vnode
    if (image === undefined) return
    vnode.image = undefined
    this.#byUse.remove(image)
  }

  /** Images that one turn works with are the ones used last, at most three of them. */
  #shrink(inUse: DirectoryImage): void {
    for (let image = this.#byUse.oldest; image !== undefined && this.#byUse.weight > this.#limit; ) {
      const next = image.newer
      if (image !== inUse) this.drop(image.vnode)
      image = next
    }
  }
}
