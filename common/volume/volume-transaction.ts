/**
 * The volume transaction: the only door through which volume metadata changes.
 *
 * New files are prepared at once, since nothing points to them; everything else is held back as a list of plain values
 * (metadata-write.ts) until `commit` applies it in the order of `stageOf`, and within a stage in the order given. Leaving
 * the scope without `commit` takes the prepared files back. Crash test: test/crash.
 */
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { AfsError } from "../error.ts"
import { lockHeaders } from "../lock/header-lock.ts"
import { type Inode, inodeParts, inodeText, specialInode, tagCount } from "../partition/inode-number.ts"
import type { InodeStore } from "../partition/inode-store.ts"
import { type LinkChange, type LinkPlace, LinkTable, linkCountMax } from "../partition/link-table.ts"
import { giveToOwner } from "../partition/owned-file.ts"
import { headerName, headerPath, makeOwnFolder } from "../partition/partition.ts"
import { type MetadataWrite, stageOf } from "./metadata-write.ts"
import { UnsyncedChanges } from "./unsynced-changes.ts"
import { installDraft } from "./volume-draft.ts"

/** Files that are open already, so that a transaction need not open them again. */
export type OpenFiles = (inode: Inode) => DiskFile | undefined

/** Whether commit also waits for the disk: `none` as OpenAFS's default, or every touched file before it returns. */
export type SyncPolicy = "none" | "always"

/** What a committed transaction did beyond its list. */
export interface Committed {
  /** Data files whose last use was released. */
  readonly unlinked: number
  /** Releases of a count that was 0 already: a sign that the link table is damaged. */
  readonly lost: readonly Inode[]
}

const headerMode = 0o644
/** Files that a transaction keeps open at most, beside those it was given and those it made. */
const openedMax = 64

interface Released {
  unlinked: number
  lost: Inode[]
}

/** One transaction on the files of a volume group. */
export class VolumeTransaction implements Disposable {
  readonly store: InodeStore
  readonly #openFiles: OpenFiles
  readonly #writes: MetadataWrite[] = []
  readonly #opened = new Map<string, DiskFile>()
  readonly #created = new Map<string, Inode>()
  readonly #createdFiles: DiskFile[] = []
  /** Counts raised so far, which a transaction that ends badly lowers again. */
  readonly #raised: LinkChange[] = []
  /** The same for counts raised by one, many at a time. */
  readonly #raisedAll: Uint32Array[] = []
  #sync: SyncPolicy = "none"
  #leave: ((inode: Inode) => void) | undefined
  /** True if the group had no folder before this transaction; known from the first creation on. */
  #isNewGroup: boolean | undefined
  #begun = false
  #done = false

  /** `groupExists`: the group is known to have its folder, so that nobody need look. */
  constructor(store: InodeStore, openFiles: OpenFiles = noOpenFiles, options: { readonly groupExists?: boolean } = {}) {
    this.store = store
    this.#openFiles = openFiles
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

  /** A file that `create` made stays open after the end of the transaction; the caller closes it. */
  keep(file: DiskFile): DiskFile {
    const at = this.#createdFiles.indexOf(file)
    if (at >= 0) this.#createdFiles.splice(at, 1)
    return file
  }

  /**
   * Makes a file, now. For a data file its count has been raised by `allocate`. The file stays open until the end of the
   * transaction unless the caller closes it.
   */
  create(inode: Inode, parameter: number): DiskFile {
    this.#noteGroup()
    const file = this.store.create(inode, parameter)
    this.#createdFiles.push(file)
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
    this.#created.set(keyOf(inode), inode)
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
      this.#closeFiles()
    }
  }

  /** Ends the transaction; without a commit the prepared files and their counts are taken back. */
  [Symbol.dispose](): void {
    if (this.#done) return
    this.#done = true
    this.#tryTakeBack()
    this.#closeFiles()
  }

  /** Ends the transaction and leaves the prepared files and counts to a salvage: where others have the volume by now. */
  abandon(): void {
    this.#done = true
    this.#closeFiles()
  }

  /** Files before their counts, so that nobody takes a tag whose file is still there. */
  #takeBack(): void {
    for (const inode of [...this.#created.values()].reverse()) this.store.unlink(inode)
    if (this.#isNewGroup === true) this.store.removeFolders()
    const isNewTable = this.#created.has(keyOf(this.#linkTable))
    if (isNewTable || this.#raised.length + this.#raisedAll.length === 0) return
    this.#links().change(this.#raised.map(({ vnode, tag, delta }) => ({ vnode, tag, delta: -delta })))
    for (const lows of this.#raisedAll) this.#links().lowerAll(lows)
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
      if (this.#leave === undefined) this.#releaseOne(first.inode, done)
      else this.#leave(first.inode)
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
      unsynced.sync((inode) => this.#file(inode).sync()) // what is pointed to is on the platter before what points
      start = end
    }
  }

  /** Applies neighbours of one kind together, so that the link table is read and written once for all of them. */
  #apply(run: readonly MetadataWrite[], done: Released): void {
    const first = run[0]?.kind
    if (first === "claim") this.#claim(run.filter((write) => write.kind === "claim"))
    else if (first === "count") this.#setCounts(run.filter((write) => write.kind === "count"))
    else if (first === "release") this.#release(run, done)
    else for (const write of run) this.#applyOne(write, done)
  }

  #claim(changes: readonly LinkChange[]): void {
    this.#links().change(changes)
    for (const change of changes) this.#raised.push(change)
  }

  #claimAll(lows: Uint32Array): void {
    this.#links().raiseAll(lows)
    this.#raisedAll.push(lows)
  }

  #releaseAll(lows: Uint32Array, highs: Uint32Array, done: Released): void {
    this.#begun = true
    const inodeAt = (index: number): Inode => ({ low: lows[index] ?? 0, high: highs[index] ?? 0 })
    const lost = this.#links().releaseAll(lows, (index) => {
      this.store.unlink(inodeAt(index))
      done.unlinked++
    })
    for (const index of lost) done.lost.push(inodeAt(index))
  }

  /** A file that nobody uses any more goes with its count, under the table's lock (LinkTable.release). */
  #release(run: readonly MetadataWrite[], done: Released): void {
    this.#begun = true
    const results = this.#links().release(run.flatMap(releasedFile), ({ inode }) => {
      this.store.unlink(inode)
      done.unlinked++
    })
    for (const { lost, place } of results) if (lost) done.lost.push(place.inode)
  }

  #releaseOne(inode: Inode, done: Released): void {
    this.#begun = true
    const { vnode, tag } = inodeParts(inode)
    const { lost } = this.#links().releaseOne({ vnode, tag }, () => {
      this.store.unlink(inode)
      done.unlinked++
    })
    if (lost) done.lost.push(inode)
  }

  #setCounts(counts: readonly (LinkPlace & { readonly count: number })[]): void {
    this.#begun = true
    this.#links().set(counts)
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
        this.#claimAll(write.lows)
        return
      case "releaseAll":
        this.#releaseAll(write.lows, write.highs, done)
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
        writeHeaderFile(store, write.volume, write.bytes, write.replace, this.#sync)
        this.#begun = true
        return
      case "removeHeader":
        this.#begun = true
        removeFile(store, `${store.partition.path}/${write.name ?? headerName(write.volume)}`)
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
        this.#leaveGroup()
        return
    }
  }

  /**
   * The table's own count never reaches 0 on disk: at the last volume the table goes, and the folders with it. The count
   * alone is not believed, since OpenAFS clears it by mistake where a vnode runs out of tags: files of other volumes in
   * the folder say that the group lives on.
   */
  #leaveGroup(): void {
    const inode = specialInode(this.store.group, "linkTable")
    const hasTable = this.store.stat(inode) !== undefined
    if (hasTable && this.#links().count(0, 0) > 1) {
      this.#links().change([{ vnode: 0, tag: 0, delta: -1 }])
      return
    }
    const others = this.store.volumes().length
    if (others > 0) {
      if (hasTable) this.#links().set([{ vnode: 0, tag: 0, count: Math.min(others, linkCountMax) }])
      return
    }
    this.store.unlink(inode)
    this.store.removeFolders()
  }

  get #linkTable(): Inode {
    return specialInode(this.store.group, "linkTable")
  }

  #links(): LinkTable {
    return new LinkTable(this.#file(this.#linkTable))
  }

  /** The file of an inode, about to be changed; a file that this transaction made can still be taken back. */
  #changing(inode: Inode): DiskFile {
    const file = this.#file(inode)
    if (this.#created.size === 0 || !this.#created.has(keyOf(inode))) this.#begun = true
    return file
  }

  #file(inode: Inode): DiskFile {
    const open = this.#openFiles(inode)
    if (open !== undefined) return open
    const key = keyOf(inode)
    const known = this.#opened.get(key)
    if (known !== undefined) return known
    if (this.#opened.size >= openedMax) this.#closeOldest()
    const file = this.store.open(inode, "write")
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

  #closeFiles(): void {
    for (const file of this.#createdFiles) file.close()
    for (const file of this.#opened.values()) file.close()
    this.#opened.clear()
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
const keyOf = (inode: Inode): string => `${inode.high}/${inode.low}`

/** The list in the order of application; a stable sort. */
export function inStages(writes: readonly MetadataWrite[]): readonly MetadataWrite[] {
  if (isInStages(writes)) return writes
  return [...writes].sort((a, b) => stageOf[a.kind] - stageOf[b.kind])
}

function isInStages(writes: readonly MetadataWrite[]): boolean {
  let stage = 0
  for (const { kind } of writes) {
    if (stageOf[kind] < stage) return false
    stage = stageOf[kind]
  }
  return true
}

function endOfRun(writes: readonly MetadataWrite[], start: number): number {
  let end = start + 1
  while (end < writes.length && writes[end]?.kind === writes[start]?.kind) end++
  return end
}

function releasedFile(write: MetadataWrite): (LinkPlace & { inode: Inode })[] {
  if (write.kind !== "release") return []
  const { vnode, tag } = inodeParts(write.inode)
  return [{ vnode, tag, inode: write.inode }]
}

/**
 * Makes or replaces a header file in one step that others see whole: written under another name, then linked or renamed.
 * Readers that scan the partition never meet a short header. Writers hold the header lock for reading.
 */
function writeHeaderFile(
  store: InodeStore,
  volume: number,
  bytes: Uint8Array,
  replace: boolean,
  sync: SyncPolicy,
): void {
  const target = headerPath(store.partition, volume)
  const draft = `${makeOwnFolder(store.partition)}/${headerName(volume)}.${process.pid}`
  removeFile(store, draft) // of a process that is gone and had our number
  using _lock = lockHeaders(store.partition, "read", { who: `writing ${headerName(volume)}` })
  try {
    writeDraft(store, draft, bytes, sync)
    if (replace) store.partition.disk.rename(draft, target)
    else linkExclusively(store, draft, target, volume)
  } finally {
    dropDraft(store, draft)
  }
}

/** A draft that stays is in nobody's way, and the header may be there already: then nothing must look as if it had failed. */
function dropDraft(store: InodeStore, draft: string): void {
  try {
    removeFile(store, draft)
  } catch (error) {
    if (!isDiskError(error)) throw error
  }
}

function writeDraft(store: InodeStore, draft: string, bytes: Uint8Array, sync: SyncPolicy): void {
  using file = store.partition.disk.open(draft, "create", headerMode)
  giveToOwner(store.partition, file)
  file.setMode(headerMode) // whatever the umask is
  file.write(bytes, 0)
  if (sync === "always") file.sync()
}

/** Gives the draft its final name unless that exists. */
function linkExclusively(store: InodeStore, draft: string, target: string, volume: number): void {
  const { disk, name } = store.partition
  try {
    disk.link(draft, target)
  } catch (error) {
    if (isDiskError(error, "EEXIST")) throw new AfsError("VVOLEXISTS", "writeHeader", { volume, partition: name })
    throw error
  }
}

function removeFile(store: InodeStore, path: string): void {
  try {
    store.partition.disk.unlink(path)
  } catch (error) {
    if (!isDiskError(error, "ENOENT")) throw error
  }
}
