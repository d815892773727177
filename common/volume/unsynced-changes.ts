/**
 * What a transaction changed and a power failure could still take back: files whose bytes changed and folders whose names
 * did. Only used where a transaction waits for the disk.
 */
import { dirname } from "node:path"
import { isDiskError } from "../disk/disk.ts"
import { type Inode, inodeKey, specialInode } from "../partition/inode-number.ts"
import type { InodeStore } from "../partition/inode-store.ts"
import type { MetadataWrite } from "./metadata-write.ts"

/** Changes between two points at which everything is on the platter. */
export class UnsyncedChanges {
  readonly #store: InodeStore
  readonly #files = new Map<string, Inode>()
  readonly #folders = new Set<string>()

  constructor(store: InodeStore) {
    this.#store = store
  }

  /** Notes what a change touched. The header file itself is synced by who writes it. */
  add(write: MetadataWrite): void {
    switch (write.kind) {
      case "create":
        this.#file(write.inode)
        this.#folders.add(dirname(this.#store.path(write.inode)))
        return
      case "write":
      case "truncate":
      case "owner":
        this.#file(write.inode)
        return
      case "claim":
      case "claimAll":
      case "count":
        this.#file(specialInode(this.#store.group, "linkTable"))
        return
      case "release":
        this.#file(specialInode(this.#store.group, "linkTable"))
        this.#folders.add(dirname(this.#store.path(write.inode)))
        return
      case "releaseAll":
        this.#file(specialInode(this.#store.group, "linkTable"))
        for (const [index, low] of write.lows.entries()) {
          this.#folders.add(dirname(this.#store.path({ low, high: write.highs[index] ?? 0 })))
        }
        return
      case "unlink":
        this.#folders.add(dirname(this.#store.path(write.inode)))
        return
      case "move":
        this.#file(write.to)
        this.#folders.add(dirname(this.#store.path(write.from)))
        this.#folders.add(dirname(this.#store.path(write.to)))
        return
      case "link":
        this.#folders.add(dirname(this.#store.path(write.to)))
        return
      case "leaveGroup":
      case "install":
        this.#namesTo(specialInode(this.#store.group, "linkTable"))
        return
      case "header":
      case "removeHeader":
        this.#folders.add(this.#store.partition.path)
        return
    }
  }

  /** Leaves a file out of the next wait. @returns true if it had changed */
  forget(inode: Inode): boolean {
    return this.#files.delete(inodeKey(inode))
  }

  /** Waits for the disk. `syncFile` does so for one file. Folders that are gone by now need no sync. */
  sync(syncFile: (inode: Inode) => void): void {
    for (const inode of this.#files.values()) syncFile(inode)
    for (const folder of this.#store.takeMadeFolders()) this.#folders.add(dirname(folder))
    for (const folder of this.#folders) this.#syncFolder(folder)
    this.#files.clear()
    this.#folders.clear()
  }

  #file(inode: Inode): void {
    this.#files.set(inodeKey(inode), inode)
  }

  /** The names of the folders that lead to a file. */
  #namesTo(inode: Inode): void {
    const top = this.#store.partition.path
    for (let folder = dirname(this.#store.path(inode)); folder.length >= top.length; folder = dirname(folder)) {
      this.#folders.add(folder)
    }
  }

  #syncFolder(folder: string): void {
    try {
      this.#store.partition.disk.syncDirectory(folder)
    } catch (error) {
      if (!isDiskError(error, "ENOENT")) throw error
    }
  }
}
