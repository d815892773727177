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
import { dataInode, type Inode, inodeParts, inodeText, specialInode } from "../partition/inode-number.ts"
import type { InodeStore } from "../partition/inode-store.ts"
import { type LinkChange, type LinkResult, LinkTable } from "../partition/link-table.ts"
import { headerName, headerPath, makeFolder, ownFolder } from "../partition/partition.ts"
import { type MetadataWrite, stageOf } from "./metadata-write.ts"

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
  readonly #created: Inode[] = []
  readonly #allocated: LinkChange[] = []
  #done = false

  constructor(store: InodeStore, openFiles: OpenFiles = () => undefined) {
    this.store = store
    this.#openFiles = openFiles
  }

  /** The list so far. */
  get writes(): readonly MetadataWrite[] {
    return this.#writes
  }

  /** Adds one held-back change. */
  add(write: Exclude<MetadataWrite, { kind: "create" }>): void {
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
    for (const [index, vnode] of vnodes.entries()) this.#allocated.push({ vnode, tag: tags[index] ?? 0, delta: -1 })
    return tags
  }

  /**
   * Makes a file, now. For a data file its count has been raised by `allocate`. The file stays open until the end of the
   * transaction unless the caller closes it.
   */
  create(inode: Inode, parameter: number): DiskFile {
    const file = this.store.create(inode, parameter)
    this.#created.push(inode)
    this.#writes.push({ kind: "create", inode, parameter })
    return file
  }

  /**
   * Applies the list. After a failure in the middle the transaction is over and what was applied stays: the volume needs
   * a salvage, which loses nothing.
   */
  commit(sync: SyncPolicy = "none"): Committed {
    if (this.#done) throw new Error("transaction is over")
    this.#done = true
    const done: Released = { unlinked: 0, lost: [] }
    try {
      const ordered = inStages(this.#writes)
      for (let index = 0; index < ordered.length; ) {
        const end = endOfRun(ordered, index)
        this.#apply(ordered.slice(index, end), done)
        index = end
      }
      if (sync === "always") for (const file of this.#opened.values()) file.sync()
      return done
    } finally {
      this.#closeFiles()
    }
  }

  /** Ends the transaction; without a commit the prepared files and their counts are taken back. */
  [Symbol.dispose](): void {
    if (this.#done) return
    this.#done = true
    try {
      this.#takeBack()
    } finally {
      this.#closeFiles()
    }
  }

  #takeBack(): void {
    for (const inode of this.#created) this.store.unlink(inode)
    if (this.#allocated.length > 0) this.#links().change(this.#allocated)
  }

  /** Applies neighbours of one kind together, so that the link table is read and written once for all of them. */
  #apply(run: readonly MetadataWrite[], done: Released): void {
    const first = run[0]?.kind
    if (first === "claim") this.#links().change(run.flatMap(linkChange))
    else if (first === "release") this.#release(run, done)
    else for (const write of run) this.#applyOne(write)
  }

  /** Lowers counts first and unlinks afterwards: a crash in between leaves files that nothing counts, never the reverse. */
  #release(run: readonly MetadataWrite[], done: Released): void {
    for (const { vnode, tag, count, lost, unique } of this.#lower(run)) {
      const inode = dataInode(vnode, unique, tag)
      if (lost) done.lost.push(inode)
      else if (count === 0) {
        this.store.unlink(inode)
        done.unlinked++
      }
    }
  }

  /** Several uniquifiers may share a row, each with its own tag: the tag tells the released file. */
  #lower(run: readonly MetadataWrite[]): (LinkResult & { unique: number })[] {
    const uniques = new Map<number, number>()
    for (const write of run) if (write.kind === "release") uniques.set(write.inode.low, write.inode.high)
    return this.#links()
      .change(run.flatMap(linkChange))
      .map((result) => ({ ...result, unique: uniques.get(dataInode(result.vnode, 0, result.tag).low) ?? 0 }))
  }

  #applyOne(write: MetadataWrite): void {
    const { store } = this
    switch (write.kind) {
      case "create":
      case "claim":
      case "release":
        return
      case "write":
        this.#file(write.inode).write(write.bytes, write.offset)
        return
      case "truncate":
        this.#file(write.inode).truncate(write.size)
        return
      case "owner":
        store.setOwner(this.#file(write.inode), { parameter: write.parameter, number: write.number })
        return
      case "header":
        writeHeaderFile(store, write.volume, write.bytes, write.replace)
        return
      case "removeHeader":
        removeFile(store, headerPath(store.partition, write.volume))
        return
      case "count":
        this.#setCount(write.vnode, write.tag, write.count)
        return
      case "unlink":
        store.unlink(write.inode)
        return
      case "link":
        store.partition.disk.link(store.path(write.from), store.path(write.to))
        return
      case "leaveGroup":
        this.#leaveGroup()
        return
    }
  }

  /** The table's own count never reaches 0 on disk: at the last volume the table goes, and the folders with it. */
  #leaveGroup(): void {
    const inode = specialInode(this.store.group, "linkTable")
    if (this.store.stat(inode) !== undefined && this.#links().count(0, 0) > 1) {
      this.#links().change([{ vnode: 0, tag: 0, delta: -1 }])
      return
    }
    this.store.unlink(inode)
    this.store.removeFolders()
  }

  #setCount(vnode: number, tag: number, count: number): void {
    const links = this.#links()
    const delta = count - links.count(vnode, tag)
    if (delta !== 0) links.change([{ vnode, tag, delta }])
  }

  #links(): LinkTable {
    return new LinkTable(this.#file(specialInode(this.store.group, "linkTable")))
  }

  #file(inode: Inode): DiskFile {
    const open = this.#openFiles(inode)
    if (open !== undefined) return open
    const key = inodeText(inode)
    const known = this.#opened.get(key)
    if (known !== undefined) return known
    const file = this.store.open(inode, "write")
    this.#opened.set(key, file)
    return file
  }

  #closeFiles(): void {
    for (const file of this.#opened.values()) file.close()
    this.#opened.clear()
  }
}

/** The list in the order of application; a stable sort. */
export function inStages(writes: readonly MetadataWrite[]): MetadataWrite[] {
  return [...writes].sort((a, b) => stageOf[a.kind] - stageOf[b.kind])
}

function endOfRun(writes: readonly MetadataWrite[], start: number): number {
  let end = start + 1
  while (end < writes.length && writes[end]?.kind === writes[start]?.kind) end++
  return end
}

function linkChange(write: MetadataWrite): LinkChange[] {
  if (write.kind === "claim") return [{ vnode: write.vnode, tag: write.tag, delta: write.delta }]
  if (write.kind !== "release") return []
  const { vnode, tag } = inodeParts(write.inode)
  return [{ vnode, tag, delta: -1 }]
}

/**
 * Makes or replaces a header file in one step that others see whole: written under another name, then linked or renamed.
 * Readers that scan the partition never meet a short header. Writers hold the header lock for reading.
 */
function writeHeaderFile(store: InodeStore, volume: number, bytes: Uint8Array, replace: boolean): void {
  const { disk, path } = store.partition
  const target = headerPath(store.partition, volume)
  const folder = `${path}/${ownFolder}`
  const draft = `${folder}/${headerName(volume)}.${process.pid}`
  makeFolder(disk, folder, 0o700)
  removeFile(store, draft)
  using _lock = lockHeaders(store.partition, "read", { who: `writing ${headerName(volume)}` })
  {
    using file = disk.open(draft, "create", 0o644)
    file.setMode(0o644)
    file.write(bytes, 0)
  }
  if (replace) disk.rename(draft, target)
  else linkExclusively(store, draft, target, volume)
}

/** Gives the draft its final name unless that exists, and drops the draft's own. */
function linkExclusively(store: InodeStore, draft: string, target: string, volume: number): void {
  const { disk, path } = store.partition
  try {
    disk.link(draft, target)
  } catch (error) {
    if (isDiskError(error, "EEXIST")) throw new AfsError("VVOLEXISTS", "writeHeader", { volume, partition: path })
    throw error
  } finally {
    disk.unlink(draft)
  }
}

function removeFile(store: InodeStore, path: string): void {
  try {
    store.partition.disk.unlink(path)
  } catch (error) {
    if (!isDiskError(error, "ENOENT")) throw error
  }
}
