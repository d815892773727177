/**
 * How a repair writes: step by step, each a volume transaction, with the group's special files open from the first step that needs
 * them to the last, and with a list of what a power failure could still take back.
 */
import { type DiskFile, isDiskError } from "../common/disk/disk.ts"
import { type Inode, inodeParts, specialInode } from "../common/partition/inode-number.ts"
import type { InodeStore } from "../common/partition/inode-store.ts"
import { UnsyncedChanges } from "../common/volume/unsynced-changes.ts"
import { VolumeTransaction } from "../common/volume/volume-transaction.ts"
import { type GroupModel, inodeKey } from "./model.ts"

export class RepairCommits {
  /** True if anything was written. */
  wrote = false
  readonly #store: InodeStore
  readonly #groupExists: boolean
  readonly #unsynced: UnsyncedChanges
  /** Special files are changed in several steps, and opened once. */
  readonly #specials = new Map<string, DiskFile>()

  constructor(store: InodeStore, groupExists: boolean) {
    this.#store = store
    this.#groupExists = groupExists
    this.#unsynced = new UnsyncedChanges(store)
  }

  /** Runs one step; a step without changes touches nothing. @throws DiskError if a write fails */
  commit(fill: (transaction: VolumeTransaction) => void): void {
    const options = { groupExists: this.#groupExists }
    using transaction = new VolumeTransaction(this.#store, (inode) => this.special(inode), options)
    fill(transaction)
    if (transaction.writes.length === 0) return
    this.wrote = true
    // a header file takes its name when its bytes are safe
    transaction.commit(transaction.writes.some(({ kind }) => kind === "header") ? "always" : "none")
    for (const write of transaction.writes) this.#unsynced.add(write)
  }

  /** A special file, open for writing; undefined for any other. */
  special(inode: Inode): DiskFile | undefined {
    if (!inodeParts(inode).special) return undefined
    const key = inodeKey(inode)
    const file = this.#specials.get(key) ?? this.#store.open(inode, "write")
    this.#specials.set(key, file)
    return file
  }

  closeSpecials(): void {
    for (const file of this.#specials.values()) file.close()
    this.#specials.clear()
  }

  /** Returns when all that was changed so far survives a power failure. */
  syncAll(): void {
    this.#unsynced.sync((inode) => {
      const special = this.#specials.get(inodeKey(inode))
      if (special === undefined) this.#syncFile(inode)
      else special.sync()
    })
  }

  /**
   * The same, but for counts in a sound link table, which need no place in the order: without them a power failure leaves the
   * counts that were there before the salvage, and volumes that say that they need another one. They are waited for with those
   * that are lowered, before any volume is called sound.
   */
  syncButCounts({ id, linkTable }: GroupModel): void {
    const table = specialInode(id, "linkTable")
    const isPut = linkTable === "sound" && this.#unsynced.forget(table)
    this.syncAll()
    if (isPut) this.#unsynced.add({ kind: "count", vnode: 0, tag: 0, count: 0 })
  }

  /** What is gone by now need not be kept. */
  #syncFile(inode: Inode): void {
    try {
      using file = this.#store.open(inode, "read")
      file.sync()
    } catch (error) {
      if (!isDiskError(error, "ENOENT", "ENOTDIR")) throw error
    }
  }
}
