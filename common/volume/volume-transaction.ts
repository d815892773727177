/**
 * The volume transaction: the only door through which volume metadata changes.
 *
 * New files are prepared at once, since nothing points to them; everything else is held back as a list of plain values
 * (metadata-write.ts) until `commit` applies it in the order of `stageOf`, and within a stage in the order given. Leaving
 * the scope without `commit` takes the prepared files back. Crash test: test/crash.
 */
import type { DiskFile } from "../disk/disk.ts"
import { AfsError } from "../error.ts"
import { type Inode, inodeKey, inodeParts, inodeText, specialInode, tagCount } from "../partition/inode-number.ts"
import type { InodeStore } from "../partition/inode-store.ts"
import { headerName } from "../partition/partition.ts"
import { GroupCounts, type Released } from "./group-counts.ts"
import { removeHeaderFile, writeHeaderFile } from "./header-file.ts"
import { endOfRun, inStages, type MetadataWrite } from "./metadata-write.ts"
import { type OpenFiles, TransactionFiles } from "./transaction-files.ts"
import { UnsyncedChanges } from "./unsynced-changes.ts"
import { installDraft } from "./volume-draft.ts"

/** Whether commit also waits for the disk: `none` as OpenAFS's default, or every touched file before it returns. */
export type SyncPolicy = "none" | "always"

/** What a committed transaction did beyond its list. */
export type Committed = Readonly<Released>

/** One transaction on the files of a volume group. */
export class VolumeTransaction implements Disposable {
  readonly store: InodeStore
  readonly #files: TransactionFiles
  readonly #counts: GroupCounts
  readonly #writes: MetadataWrite[] = []
  readonly #created = new Map<string, Inode>()
  #sync: SyncPolicy = "none"
  #leave: ((inode: Inode) => void) | undefined
  /** True if the group had no folder before this transaction; known from the first creation on. */
  #isNewGroup: boolean | undefined
  #begun = false
  #done = false

  /** `groupExists`: the group is known to have its folder, so that nobody need look. */
  constructor(store: InodeStore, openFiles: OpenFiles = noOpenFiles, options: { readonly groupExists?: boolean } = {}) {
    this.store = store
    this.#files = new TransactionFiles(store, openFiles)
    this.#counts = new GroupCounts(store, this.#files)
    if (options.groupExists === true) this.#isNewGroup = false
  }

  /** The list so far. */
  get writes(): readonly MetadataWrite[] {
    return this.#writes
  }

  /**
   * True once something was changed that cannot be taken back. A commit that failed with this unset left everything as it
   * was; with it set, the volume needs a salvage.
   */
  get begun(): boolean {
    return this.#begun
  }

  /**
   * Adds one held-back change.
   * @throws AfsError DAMAGED for the release of what is no data file's inode.
   */
  add(write: Exclude<MetadataWrite, { kind: "create" }>): void {
    if (write.kind === "release") this.#requireDataInode(write.inode)
    if (write.kind === "releaseAll") {
      for (const [index, low] of write.lows.entries()) this.#requireDataInode({ low, high: write.highs[index] ?? 0 })
    }
    this.#writes.push(write)
  }

  /** Adds bytes at an offset of a file of the group. The bytes are not copied: leave them alone until commit. */
  write(inode: Inode, offset: number, bytes: Uint8Array): void {
    this.#writes.push({ kind: "write", inode, offset, bytes })
  }

  /**
   * Takes a free tag for each vnode and raises its count, now; the files are then made with `create`.
   * @throws AfsError VDISKFULL if a vnode has no free tag.
   */
  allocate(vnodes: readonly number[]): number[] {
    return this.#counts.allocate(vnodes)
  }

  /** `allocate` for one vnode. */
  allocateOne(vnode: number): number {
    return this.#counts.allocateOne(vnode)
  }

  /** A file that `create` made stays open after the end of the transaction; the caller closes it. */
  keep(file: DiskFile): DiskFile {
    return this.#files.keep(file)
  }

  /**
   * Makes a file, now. For a data file its count has been raised by `allocate`. The file stays open until the end of the
   * transaction unless the caller closes it.
   */
  create(inode: Inode, parameter: number): DiskFile {
    this.#noteGroup()
    const file = this.store.create(inode, parameter)
    this.#files.add(file)
    this.#noteCreated(inode, parameter)
    return file
  }

  /** Takes over a file that was made for this transaction by another thread, in the way of `create`. */
  adopt(inode: Inode, parameter: number): void {
    this.#noteGroup()
    this.#noteCreated(inode, parameter)
  }

  /** Makes a special file, now, that appears with its first content or not at all. */
  createWhole(inode: Inode, parameter: number, bytes: Uint8Array): void {
    this.#noteGroup()
    this.store.createWhole(inode, parameter, bytes)
    this.#noteCreated(inode, parameter)
  }

  #noteGroup(): void {
    this.#isNewGroup ??= this.store.partition.disk.stat(this.store.root) === undefined
  }

  #noteCreated(inode: Inode, parameter: number): void {
    this.#created.set(inodeKey(inode), inode)
    this.#writes.push({ kind: "create", inode, parameter })
  }

  /**
   * Applies the list. A failure before anything else was changed takes the prepared files and the counts back. After a
   * failure in the middle the transaction is over and what was applied stays: the volume needs a salvage, which loses
   * nothing. `begun` tells which. Releases go to `leave` if it is given, for another transaction soon: nothing points to these
   * files any more, and a crash before leaves what a salvage clears. (Not with sync "always".)
   */
  commit(sync: SyncPolicy = "none", leave?: (inode: Inode) => void): Committed {
    if (this.#done) throw new Error("transaction is over")
    this.#done = true
    this.#sync = sync
    this.#leave = leave
    const done: Released = { unlinked: 0, lost: [] }
    try {
      this.#applyAll(inStages(this.#writes), done)
      return done
    } catch (error) {
      if (!this.#begun) this.#tryTakeBack()
      throw error
    } finally {
      this.#files.close()
    }
  }

  /** Ends the transaction; without a commit the prepared files and their counts are taken back. */
  [Symbol.dispose](): void {
    if (this.#done) return
    this.#done = true
    this.#tryTakeBack()
    this.#files.close()
  }

  /** Ends the transaction and leaves the prepared files and counts to a salvage: where others have the volume by now. */
  abandon(): void {
    this.#done = true
    this.#files.close()
  }

  /** Files before their counts, so that nobody takes a tag whose file is still there. */
  #takeBack(): void {
    for (const inode of [...this.#created.values()].reverse()) this.store.unlink(inode)
    if (this.#isNewGroup === true) this.store.removeFolders()
    if (!this.#created.has(inodeKey(specialInode(this.store.group, "linkTable")))) this.#counts.takeBack()
  }

  /** What cannot be taken back either is left to a salvage: the first failure is the one to tell. */
  #tryTakeBack(): void {
    try {
      this.#takeBack()
    } catch {
      this.#begun = true
    }
  }

  #applyAll(ordered: readonly MetadataWrite[], done: Released): void {
    if (this.#sync === "always") this.#applySynced(ordered, done)
    else for (let start = 0; start < ordered.length; ) start = this.#applyFrom(ordered, start, done)
  }

  /** One change, or as many of one kind as go together; gives the index of what comes next. */
  #applyFrom(ordered: readonly MetadataWrite[], start: number, done: Released): number {
    const first = ordered[start]
    const next = ordered[start + 1]
    if (first?.kind === "write" || first?.kind === "create") {
      this.#applyOne(first, done)
      return start + 1
    }
    if (first?.kind === "release" && (next === undefined || this.#leave !== undefined)) {
      if (this.#leave !== undefined) this.#leave(first.inode)
      else {
        this.#begun = true
        this.#counts.releaseOne(first.inode, done)
      }
      return start + 1
    }
    const end = endOfRun(ordered, start)
    this.#apply(ordered.slice(start, end), done)
    return end
  }

  #applySynced(ordered: readonly MetadataWrite[], done: Released): void {
    const unsynced = new UnsyncedChanges(this.store)
    for (let start = 0; start < ordered.length; ) {
      const end = endOfRun(ordered, start)
      const run = ordered.slice(start, end)
      this.#apply(run, done)
      for (const write of run) unsynced.add(write)
      unsynced.sync((inode) => this.#files.file(inode).sync()) // what is pointed to is on the platter before what points
      start = end
    }
  }

  /** Applies neighbours of one kind together, so that the link table is read and written once for all of them. */
  #apply(run: readonly MetadataWrite[], done: Released): void {
    const first = run[0]?.kind
    if (first === "count" || first === "release") this.#begun = true
    if (first === "claim") this.#counts.claim(run.filter((write) => write.kind === "claim"))
    else if (first === "count") this.#counts.set(run.filter((write) => write.kind === "count"))
    else if (first === "release")
      this.#counts.release(
        run.flatMap((write) => (write.kind === "release" ? [write.inode] : [])),
        done,
      )
    else for (const write of run) this.#applyOne(write, done)
  }

  #applyOne(write: MetadataWrite, done: Released): void {
    const { store } = this
    switch (write.kind) {
      case "create":
      case "claim":
      case "release":
      case "count":
        return
      case "claimAll":
        this.#counts.claimAll(write.lows)
        return
      case "releaseAll":
        this.#begun = true
        this.#counts.releaseAll(write.lows, write.highs, done)
        return
      case "write":
        this.#changing(write.inode).write(write.bytes, write.offset)
        return
      case "truncate":
        this.#changing(write.inode).truncate(write.size)
        return
      case "owner":
        store.setOwner(this.#changing(write.inode), { parameter: write.parameter, number: write.number })
        return
      case "header":
        writeHeaderFile(store.partition, write.volume, write.bytes, {
          replace: write.replace,
          sync: this.#sync === "always",
        })
        this.#begun = true
        return
      case "removeHeader":
        this.#begun = true
        removeHeaderFile(store.partition, write.name ?? headerName(write.volume))
        return
      case "unlink":
        this.#begun = true
        store.unlink(write.inode)
        return
      case "link":
        store.link(write.from, write.to)
        this.#begun = true
        return
      case "move":
        this.#begun = true
        store.move(write.from, write.to, write.parameter)
        return
      case "install":
        this.#begun = true
        installDraft(store, write.volume)
        return
      case "leaveGroup":
        this.#begun = true
        this.#counts.leaveGroup()
        return
    }
  }

  /** The file of an inode, about to be changed; a file that this transaction made can still be taken back. */
  #changing(inode: Inode): DiskFile {
    const file = this.#files.file(inode)
    if (this.#created.size === 0 || !this.#created.has(inodeKey(inode))) this.#begun = true
    return file
  }

  /** A damaged record may name anything: what is no data file has no count, or that of something else. */
  #requireDataInode(inode: Inode): void {
    const { special, vnode, tag, rest } = inodeParts(inode)
    if (!special && vnode > 0 && tag < tagCount && rest === 0) return
    const { group, partition } = this.store
    const detail = `inode ${inodeText(inode)} is not that of a data file`
    throw new AfsError("DAMAGED", "release", { volume: group, partition: partition.name }, { detail })
  }
}

const noOpenFiles = (): undefined => undefined
