/** The counts of a volume group's link table as one transaction changes them, and how those that it raised come back. */
import { type Inode, inodeParts, specialInode } from "../partition/inode-number.ts"
import type { InodeStore } from "../partition/inode-store.ts"
import { type LinkChange, type LinkPlace, LinkTable } from "../partition/link-table.ts"
import { linkCountMax } from "../partition/link-table-format.ts"
import type { TransactionFiles } from "./transaction-files.ts"

/** What became of files that have one user less. */
export interface Released {
  /** Data files whose last use was released. */
  unlinked: number
  /** Releases of a count that was 0 already: a sign that the link table is damaged. */
  readonly lost: Inode[]
}

const placeOf = (inode: Inode): LinkPlace & { readonly inode: Inode } => {
  const { vnode, tag } = inodeParts(inode)
  return { vnode, tag, inode }
}

export class GroupCounts {
  readonly #store: InodeStore
  readonly #files: TransactionFiles
  /** Counts raised so far, and the same for counts raised by one, many at a time. */
  readonly #raised: LinkChange[] = []
  readonly #raisedAll: Uint32Array[] = []

  constructor(store: InodeStore, files: TransactionFiles) {
    this.#store = store
    this.#files = files
  }

  /**
   * Takes a free tag for each vnode and raises its count.
   * @throws AfsError VDISKFULL if a vnode has no free tag.
   */
  allocate(vnodes: readonly number[]): number[] {
    const tags = this.#links().allocate(vnodes)
    for (const [index, vnode] of vnodes.entries()) this.#raised.push({ vnode, tag: tags[index] ?? 0, delta: 1 })
    return tags
  }

  /** `allocate` for one vnode. */
  allocateOne(vnode: number): number {
    const tag = this.#links().allocateOne(vnode)
    this.#raised.push({ vnode, tag, delta: 1 })
    return tag
  }

  claim(changes: readonly LinkChange[]): void {
    this.#links().change(changes)
    for (const change of changes) this.#raised.push(change)
  }

  claimAll(lows: Uint32Array): void {
    this.#links().raiseAll(lows)
    this.#raisedAll.push(lows)
  }

  /** Lowers again what was raised: nobody has come to depend on it. */
  takeBack(): void {
    if (this.#raised.length + this.#raisedAll.length === 0) return
    this.#links().change(this.#raised.map(({ vnode, tag, delta }) => ({ vnode, tag, delta: -delta })))
    for (const lows of this.#raisedAll) this.#links().lowerAll(lows)
  }

  /** A file that nobody uses any more goes with its count, under the table's lock (LinkTable.release). */
  release(inodes: readonly Inode[], done: Released): void {
    const results = this.#links().release(inodes.map(placeOf), ({ inode }) => this.#unlink(inode, done))
    for (const { lost, place } of results) if (lost) done.lost.push(place.inode)
  }

  releaseOne(inode: Inode, done: Released): void {
    const { lost } = this.#links().releaseOne(placeOf(inode), () => this.#unlink(inode, done))
    if (lost) done.lost.push(inode)
  }

  releaseAll(lows: Uint32Array, highs: Uint32Array, done: Released): void {
    const inodeAt = (index: number): Inode => ({ low: lows[index] ?? 0, high: highs[index] ?? 0 })
    const lost = this.#links().releaseAll(lows, (index) => this.#unlink(inodeAt(index), done))
    for (const index of lost) done.lost.push(inodeAt(index))
  }

  #unlink(inode: Inode, done: Released): void {
    this.#store.unlink(inode)
    done.unlinked++
  }

  set(counts: readonly (LinkPlace & { readonly count: number })[]): void {
    this.#links().set(counts)
  }

  /**
   * One volume less. The table's own count never reaches 0 on disk: at the last volume the table goes, and the folders with it.
   * The count alone is not believed, since OpenAFS clears it by mistake where a vnode runs out of tags: files of other volumes in
   * the folder say that the group lives on.
   */
  leaveGroup(): void {
    const inode = specialInode(this.#store.group, "linkTable")
    const hasTable = this.#store.stat(inode) !== undefined
    if (hasTable && this.#links().count(0, 0) > 1) {
      this.#links().change([{ vnode: 0, tag: 0, delta: -1 }])
      return
    }
    const others = this.#store.volumes().length
    if (others > 0) {
      if (hasTable) this.#links().set([{ vnode: 0, tag: 0, count: Math.min(others, linkCountMax) }])
      return
    }
    this.#store.unlink(inode)
    this.#store.removeFolders()
  }

  #links(): LinkTable {
    return new LinkTable(this.#files.file(specialInode(this.#store.group, "linkTable")))
  }
}
