/** The files that a transaction works on: some are open already, the rest it opens, a limited number at a time. */
import type { DiskFile } from "../disk/disk.ts"
import { type Inode, inodeKey } from "../partition/inode-number.ts"
import type { InodeStore } from "../partition/inode-store.ts"

/** Files that are open already, so that a transaction need not open them again. */
export type OpenFiles = (inode: Inode) => DiskFile | undefined

/** Files that are kept open at most, beside those that were given and those that were made. */
const openedMax = 64

export class TransactionFiles {
  readonly #store: InodeStore
  readonly #openFiles: OpenFiles
  readonly #opened = new Map<string, DiskFile>()
  readonly #made: DiskFile[] = []

  constructor(store: InodeStore, openFiles: OpenFiles) {
    this.#store = store
    this.#openFiles = openFiles
  }

  /** A file that was made is closed with the others. */
  add(file: DiskFile): void {
    this.#made.push(file)
  }

  /** A file that was made stays open; the caller closes it. */
  keep(file: DiskFile): DiskFile {
    const at = this.#made.indexOf(file)
    if (at >= 0) this.#made.splice(at, 1)
    return file
  }

  /** The file of an inode, open for writing until others need its place. */
  file(inode: Inode): DiskFile {
    const open = this.#openFiles(inode)
    if (open !== undefined) return open
    const key = inodeKey(inode)
    const known = this.#opened.get(key)
    if (known !== undefined) return known
    if (this.#opened.size >= openedMax) this.#closeOldest()
    const file = this.#store.open(inode, "write")
    this.#opened.set(key, file)
    return file
  }

  #closeOldest(): void {
    for (const [key, file] of this.#opened) {
      file.close()
      this.#opened.delete(key)
      return
    }
  }

  close(): void {
    for (const file of this.#made) file.close()
    for (const file of this.#opened.values()) file.close()
    this.#opened.clear()
  }
}
