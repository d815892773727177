/** The files of an attached volume that are not data: opened at the first need, and kept open within the limit of the cache. */
import type { DiskFile } from "../disk/disk.ts"
import type { FileOwner, OpenFile, OpenFileCache } from "../disk/open-file-cache.ts"
import {
  type Inode,
  inodeParts,
  type SpecialType,
  sameInode,
  specialInode,
  specialTypes,
} from "../partition/inode-number.ts"
import type { InodeStore } from "../partition/inode-store.ts"
import { LinkTable } from "../partition/link-table.ts"
import type { VnodeClass } from "../vnode/vnode-record.ts"

type VolumeFileType = Extract<SpecialType, "volumeInfo" | "smallIndex" | "largeIndex" | "linkTable">

/** One of the files: what the cache knows it by. */
class Slot implements FileOwner {
  readonly inode: Inode
  openFile: OpenFile | undefined

  constructor(inode: Inode) {
    this.inode = inode
  }
}

export class VolumeFiles {
  readonly #store: InodeStore
  readonly #cache: OpenFileCache
  readonly #mode: "read" | "write"
  readonly #slots: Readonly<Record<VolumeFileType, Slot>>

  constructor(store: InodeStore, volume: number, mode: "read" | "write", cache: OpenFileCache) {
    this.#store = store
    this.#cache = cache
    this.#mode = mode
    this.#slots = {
      volumeInfo: new Slot(specialInode(volume, "volumeInfo")),
      smallIndex: new Slot(specialInode(volume, "smallIndex")),
      largeIndex: new Slot(specialInode(volume, "largeIndex")),
      linkTable: new Slot(specialInode(store.group, "linkTable")),
    }
  }

  /** @throws DiskError */
  index(cls: VnodeClass): DiskFile {
    return this.#open(this.#slots[indexType(cls)])
  }

  indexInode(cls: VnodeClass): Inode {
    return this.#slots[indexType(cls)].inode
  }

  /** @throws DiskError */
  get info(): DiskFile {
    return this.#open(this.#slots.volumeInfo)
  }

  /** @throws DiskError */
  get links(): LinkTable {
    return new LinkTable(this.#open(this.#slots.linkTable))
  }

  /** The open file of an inode, if it is one of these. @throws DiskError */
  find(inode: Inode): DiskFile | undefined {
    const { special, tag } = inodeParts(inode)
    if (!special) return undefined
    const slot = this.#slotOf(tag)
    return slot !== undefined && sameInode(slot.inode, inode) ? this.#open(slot) : undefined
  }

  /** Indexes and link table were changed, and this has to survive a power failure once they are closed. */
  markUnsynced(): void {
    this.#cache.markUnsynced(this.#slots.largeIndex)
    this.#cache.markUnsynced(this.#slots.smallIndex)
    this.#cache.markUnsynced(this.#slots.linkTable)
  }

  close(): void {
    for (const slot of Object.values(this.#slots)) this.#cache.drop(slot)
  }

  #open(slot: Slot): DiskFile {
    return this.#cache.get(slot) ?? this.#cache.add(slot, this.#store.open(slot.inode, this.#mode))
  }

  #slotOf(type: number): Slot | undefined {
    switch (type) {
      case specialTypes.volumeInfo:
        return this.#slots.volumeInfo
      case specialTypes.smallIndex:
        return this.#slots.smallIndex
      case specialTypes.largeIndex:
        return this.#slots.largeIndex
      case specialTypes.linkTable:
        return this.#slots.linkTable
      default:
        return undefined
    }
  }
}

const indexType = (cls: VnodeClass): "smallIndex" | "largeIndex" => (cls === "small" ? "smallIndex" : "largeIndex")
