/**
 * Carries out a plan, through volume transactions, in an order that leaves something to go on from wherever it breaks off:
 *
 * 1. the volumes that change say so in VolumeInfo (inUse), so that nobody takes them for sound before the end;
 * 2. link counts are raised, a lost link table is made; new files are made, which nothing points to yet;
 * 3. special files, records and headers: what points;
 * 4. link counts are lowered, files that nobody uses go, then volumes that go, their headers last;
 * 5. VolumeInfo as it shall be.
 *
 * After a kill, at whichever write, a second salvage finds what is left to do and comes to the same end. So it does after a
 * power failure: what 1 and 2 write is on the platter before 3 begins, what points before 4 removes anything, and all of it
 * before 5 says that the volume is sound. Link counts need no place in that order, since a volume that is marked is salvaged:
 * they are waited for once, before 5.
 */
import { basename, dirname } from "node:path"
import { type DiskFile, isDiskError } from "../common/disk/disk.ts"
import {
  type Inode,
  inodeParts,
  type SpecialType,
  specialInode,
  specialTypes,
} from "../common/partition/inode-number.ts"
import type { InodeStore } from "../common/partition/inode-store.ts"
import { countIn, linkTableMagic, linkTableStamp, linkTableVersion, rowOffset } from "../common/partition/link-table.ts"
import { headerPath, headerVolume, makeOwnFolder } from "../common/partition/partition.ts"
import type { ProgramTypeNumber } from "../common/protocol/codes.ts"
import { newVnodeIndex } from "../common/vnode/vnode-index.ts"
import { indexSizeMax, type VnodeClass, vnodeAt, vnodeClasses } from "../common/vnode/vnode-record.ts"
import { UnsyncedChanges } from "../common/volume/unsynced-changes.ts"
import { discardDraft } from "../common/volume/volume-draft.ts"
import { newVolumeHeader, volumeHeaderLayout } from "../common/volume/volume-header.ts"
import { dontSalvageMark, type VolumeInfo, volumeInfoLayout } from "../common/volume/volume-info.ts"
import { VolumeTransaction } from "../common/volume/volume-transaction.ts"
import { type GroupModel, inodeKey, type VolumeModel } from "./model.ts"
import { plannedDirectory } from "./passes/edits.ts"
import { indexType } from "./passes/vnode-indexes.ts"
import { endOfRecords, type RecordSpan, recordSpans, wholeRecord } from "./planned-records.ts"

export interface RepairOptions {
  /** Whose mark VolumeInfo carries meanwhile. */
  readonly program: ProgramTypeNumber
  /** True if a fileserver breaks the callbacks when it gets the volumes back. */
  readonly callbacksBroken: boolean
  /** Seconds since 1970. */
  readonly now: number
  /** The group's files, over a disk that notes what changes; default: those of the model. */
  readonly store?: InodeStore | undefined
}

/** Files that one transaction makes or opens at most: all of them are open until its end. */
const filesPerTransaction = 128
const classes: readonly VnodeClass[] = ["large", "small"]

/** What was changed, for those who have to be told. */
export interface Repaired {
  /** Volumes that were deleted, and whose header files are gone. */
  readonly deleted: readonly number[]
  /** Volumes whose header files were made. */
  readonly created: readonly number[]
  /** Volumes whose contents changed: clients have to learn of it. */
  readonly changed: readonly number[]
  /** True if anything was written. */
  readonly wrote: boolean
}

/**
 * Writes what the plan says. Writes nothing if nothing is to be done.
 * @throws DiskError, AfsError if a write fails; the group then needs another salvage
 */
export function repairGroup(group: GroupModel, options: RepairOptions): Repaired {
  return new Repair(group, options).run()
}

interface CountChange {
  readonly vnode: number
  readonly tag: number
  readonly found: number
  readonly wanted: number
}

class Repair {
  readonly #group: GroupModel
  readonly #options: RepairOptions
  readonly #store: InodeStore
  readonly #unsynced: UnsyncedChanges
  /** Special files are changed in several steps, and opened once. */
  readonly #specials = new Map<string, DiskFile>()
  #wrote = false
  /** Counts that change; known when the first are set. */
  #due: readonly CountChange[] | undefined

  constructor(group: GroupModel, options: RepairOptions) {
    this.#group = group
    this.#options = options
    this.#store = options.store ?? group.store
    this.#unsynced = new UnsyncedChanges(this.#store)
  }

  run(): Repaired {
    try {
      return this.#steps()
    } finally {
      this.#closeSpecials()
    }
  }

  #steps(): Repaired {
    const group = this.#group
    const changing = group.kept.filter((volume) => this.#isChanging(volume))
    if (changing.length > 0)
      this.#commit((transaction) => {
        for (const volume of changing) this.#markInUse(transaction, volume)
      })
    this.#raiseCounts()
    this.#placeFiles()
    this.#makeFiles()
    this.#syncButCounts()
    if (group.kept.some(hasTail)) this.#commit((transaction) => this.#settleTails(transaction))
    this.#commit((transaction) => this.#writeVolumes(transaction))
    this.#syncButCounts()
    this.#commit((transaction) => this.#lowerAndRemove(transaction))
    this.#discardDrafts()
    this.#syncAll()
    this.#commit((transaction) => {
      for (const volume of group.kept) this.#writeInfo(transaction, volume, changing.includes(volume))
    })
    this.#syncAll()
    return {
      deleted: this.#withoutHeader(),
      created: group.kept.filter((volume) => volume.headerWrong).map(({ id }) => id),
      changed: group.kept.filter((volume) => volume.contentChanged).map(({ id }) => id),
      wrote: this.#wrote || group.draftsToDiscard.length > 0,
    }
  }

  /** No special file may be open then: another one may take its place. */
  #discardDrafts(): void {
    if (this.#group.draftsToDiscard.length === 0) return
    this.#closeSpecials()
    for (const volume of this.#group.draftsToDiscard) discardDraft(this.#store, volume)
  }

  /** Volumes that had a header file and have none now. */
  #withoutHeader(): number[] {
    const { volumes, headersToRemove, kept } = this.#group
    const removed = headersToRemove.map((name) => headerVolume(name)).filter((id) => id !== undefined)
    const deleted = volumes.filter(({ fate }) => fate === "delete").map(({ id }) => id)
    return [...new Set([...removed, ...deleted])].filter((id) => !kept.some((volume) => volume.id === id))
  }

  /** Runs one step; a step without changes touches nothing. */
  #commit(fill: (transaction: VolumeTransaction) => void): void {
    const options = { groupExists: this.#group.hasFolder }
    using transaction = new VolumeTransaction(this.#store, (inode) => this.#special(inode), options)
    fill(transaction)
    if (transaction.writes.length === 0) return
    this.#wrote = true
    // a header file takes its name when its bytes are safe
    transaction.commit(transaction.writes.some(({ kind }) => kind === "header") ? "always" : "none")
    for (const write of transaction.writes) this.#unsynced.add(write)
  }

  #special(inode: Inode): DiskFile | undefined {
    if (!inodeParts(inode).special) return undefined
    const key = inodeKey(inode)
    const file = this.#specials.get(key) ?? this.#store.open(inode, "write")
    this.#specials.set(key, file)
    return file
  }

  #closeSpecials(): void {
    for (const file of this.#specials.values()) file.close()
    this.#specials.clear()
  }

  /** Returns when all that was changed so far survives a power failure. */
  #syncAll(): void {
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
  #syncButCounts(): void {
    const table = specialInode(this.#group.id, "linkTable")
    const isPut = this.#group.linkTable === "sound" && this.#unsynced.forget(table)
    this.#syncAll()
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

  // step 1

  /** More than VolumeInfo changes. */
  #isChanging(volume: VolumeModel): boolean {
    if (volume.contentChanged || volume.garbage.size > 0 || volume.accessLists.size > 0) return true
    const isWrong = (cls: VnodeClass): boolean => {
      const { stampRight, tail, size } = volume.indexes[cls]
      return !stampRight || tail > 0 || size > indexSizeMax(cls)
    }
    if (classes.some(isWrong)) return true
    for (const slot of volume.vnodes.inDoubt()) if (volume.vnodes.has(slot, "changed")) return true
    return false
  }

  /** A second salvage cannot tell any more what the first one changed: that clients have to learn of it is said now. */
  #markInUse(transaction: VolumeTransaction, volume: VolumeModel): void {
    const found = volume.infoOnDisk
    if (found === undefined) return
    const marked = found.slice()
    const info = volumeInfoLayout.read(found)
    volumeInfoLayout.write({ ...info, ...this.#changes(volume, 1), ...this.#mark }, marked)
    transaction.write(infoInode(volume), 0, marked)
  }

  get #mark(): Partial<VolumeInfo> {
    return { inUse: this.#options.program, dontSalvage: 0 }
  }

  #changes({ contentChanged }: VolumeModel, needsCallback: number): Partial<VolumeInfo> {
    return contentChanged ? { needsCallback, updateDate: this.#options.now } : {}
  }

  // step 2

  #raiseCounts(): void {
    const { id, linkTable, linkTableOwnerRight, linkTablePad, linkTableTooLong, plannedRows } = this.#group
    const inode = specialInode(id, "linkTable")
    if (this.#group.kept.length === 0) return
    const isWhole = linkTable === "sound" && linkTableOwnerRight && !linkTableTooLong && linkTablePad === 0
    if (!isWhole)
      this.#commit((transaction) => {
        if (linkTable === "missing") this.#make(transaction, inode, id, tableBytes(plannedRows))
        else if (linkTable === "empty") transaction.write(inode, 0, tableBytes(plannedRows))
        else if (linkTable === "stamp") transaction.write(inode, 0, stampBytes())
        if (linkTableTooLong) transaction.add({ kind: "truncate", inode, size: endOfRows(plannedRows) })
        if (linkTablePad > 0) transaction.write(inode, linkTablePad, Uint8Array.of(0))
        if (!linkTableOwnerRight && linkTable !== "missing")
          transaction.add({ kind: "owner", inode, parameter: id, number: specialTypes.linkTable })
      })
    this.#setCounts((found, wanted) => wanted > found)
  }

  /** Makes a special file that is missing. */
  #make(transaction: VolumeTransaction, inode: Inode, parameter: number, bytes: Uint8Array): void {
    this.#clearFolders([inode])
    this.#clear(this.#store.path(inode))
    transaction.createWhole(inode, parameter, bytes)
  }

  /** Where files are to be made, what stands in the place of their folders is put aside. */
  #clearFolders(inodes: readonly Inode[]): void {
    const { disk } = this.#store.partition
    const folders = new Set(inodes.map((inode) => dirname(this.#store.path(inode))))
    for (const path of new Set([...folders].flatMap((folder) => [dirname(folder), folder])))
      if (disk.stat(path)?.isDirectory === false) this.#clear(path)
  }

  /** What lies in the place of something that is missing is no file, or it would have been found: it is put aside. */
  #clear(path: string): void {
    const { partition } = this.#store
    if ((partition.disk.readLink(path) ?? partition.disk.stat(path)) === undefined) return
    const aside = makeOwnFolder(partition, "aside")
    partition.disk.rename(path, `${aside}/${this.#group.id}-${basename(path)}-${this.#options.now}`)
  }

  /** Sets the counts for which `isDue`. A table that was made anew has them already. */
  #setCounts(isDue: (found: number, wanted: number) => boolean): void {
    const { linkTable } = this.#group
    if (linkTable === "missing" || linkTable === "empty" || this.#group.kept.length === 0) return
    this.#due ??= [...this.#differences()]
    const due = this.#due.filter(({ found, wanted }) => isDue(found, wanted))
    const [found, wanted] = [this.#group.rows[0] ?? 0, this.#group.plannedRows[0] ?? 0]
    const isRowZeroDue = found !== wanted && isDue(found, wanted)
    if (due.length === 0 && !isRowZeroDue) return
    this.#commit((transaction) => {
      for (const { vnode, tag, wanted: count } of due) transaction.add({ kind: "count", vnode, tag, count })
      if (isRowZeroDue) this.#writeRowZero(transaction, wanted)
    })
  }

  /** The volumes of the group. No other bit of this row means anything. */
  #writeRowZero(transaction: VolumeTransaction, row: number): void {
    transaction.write(specialInode(this.#group.id, "linkTable"), rowOffset(0), Uint8Array.of(row & 0xff, row >>> 8))
  }

  *#differences(): Generator<CountChange> {
    const { rows, plannedRows } = this.#group
    for (let vnode = 1; vnode < plannedRows.length; vnode++) {
      if (rows[vnode] === plannedRows[vnode]) continue
      for (let tag = 0; tag < 5; tag++) {
        const [found, wanted] = [countIn(rows[vnode] ?? 0, tag), countIn(plannedRows[vnode] ?? 0, tag)]
        if (found !== wanted) yield { vnode, tag, found, wanted }
      }
    }
  }

  /** Files that somebody uses come to where they belong. */
  #placeFiles(): void {
    const { elsewhere, files, moves, newFiles } = this.#group
    const moved = new Set(moves.map(({ from }) => from))
    const made = [...elsewhere.keys(), ...newFiles.map(({ file }) => file), ...moves.map(({ to }) => to)]
    this.#clearFolders(made.map((file) => files.inode(file)))
    for (const [file, path] of elsewhere) {
      if (files.users(file) === 0 && !moved.has(file)) continue
      this.#store.adopt(path, files.inode(file))
      this.#wrote = true
    }
  }

  #makeFiles(): void {
    const { files, newFiles, moves } = this.#group
    for (const some of chunks(newFiles)) {
      this.#commit((transaction) => {
        for (const { file, volume, directory } of some) {
          const { bytes } = plannedDirectory(this.#group, volume, directory)
          transaction.createWhole(files.inode(file), files.version(file), bytes)
        }
      })
    }
    for (const some of chunks(moves)) {
      this.#commit((transaction) => {
        for (const { from, to } of some)
          transaction.add({ kind: "move", from: files.inode(from), to: files.inode(to), parameter: files.version(to) })
      })
    }
    for (const some of chunks(this.#group.wrongOwners))
      this.#commit((transaction) => this.#setOwners(transaction, some))
  }

  #setOwners(transaction: VolumeTransaction, some: GroupModel["wrongOwners"]): void {
    const { files } = this.#group
    for (const { inode, parameter } of some) {
      const { vnode, high, tag } = inodeParts(inode)
      // what nobody uses goes away instead
      if (files.users(files.find(vnode, high, tag)) > 0)
        transaction.add({ kind: "owner", inode, parameter, number: tag })
    }
  }

  // step 3

  /** A piece of a record at the end of an index becomes a whole one first: growing the file would make a record of it. */
  #settleTails(transaction: VolumeTransaction): void {
    for (const volume of this.#group.kept) {
      for (const cls of classes) {
        const { size, tail } = volume.indexes[cls]
        const { recordSize } = vnodeClasses[cls]
        const inode = specialInode(volume.id, indexType[cls])
        if (size > indexSizeMax(cls)) {
          transaction.add({ kind: "truncate", inode, size: endOfRecords(volume, cls) })
          continue
        }
        if (tail === 0) continue
        if (size <= recordSize) transaction.add({ kind: "truncate", inode, size: newVnodeIndex(cls).length })
        else transaction.write(inode, size - tail, wholeRecord(volume, vnodeAt(cls, size - tail)))
      }
    }
  }

  #writeVolumes(transaction: VolumeTransaction): void {
    for (const { volume, directory, size } of this.#group.overwrites) {
      const slot = volume.vnodes.find(directory)
      const inode = this.#group.files.inode(volume.vnodes.file(slot))
      transaction.write(inode, 0, plannedDirectory(this.#group, volume, directory).bytes)
      transaction.add({ kind: "truncate", inode, size })
    }
    for (const volume of this.#group.kept) this.#writeVolume(transaction, volume)
  }

  #writeVolume(transaction: VolumeTransaction, volume: VolumeModel): void {
    if (!volume.specials.has("volumeInfo"))
      this.#make(
        transaction,
        infoInode(volume),
        volume.id,
        this.#infoBytes(volume, { ...this.#changes(volume, 1), ...this.#mark }),
      )
    for (const cls of classes) this.#writeIndex(transaction, volume, cls)
    for (const [type, { ownerRight }] of volume.specials) {
      const inode = specialInode(volume.id, type)
      if (!ownerRight) transaction.add({ kind: "owner", inode, parameter: volume.id, number: specialTypes[type] })
    }
    if (!volume.headerWrong) return
    if (volume.headerFile === undefined) this.#clear(headerPath(this.#store.partition, volume.id))
    const bytes = volumeHeaderLayout.encode(newVolumeHeader(volume.id, volume.group))
    transaction.add({ kind: "header", volume: volume.id, bytes, replace: volume.headerFile !== undefined })
  }

  #writeIndex(transaction: VolumeTransaction, volume: VolumeModel, cls: VnodeClass): void {
    const inode = specialInode(volume.id, indexType[cls])
    const { stampRight } = volume.indexes[cls]
    if (!volume.specials.has(indexType[cls])) this.#make(transaction, inode, volume.id, newVnodeIndex(cls))
    else if (!stampRight) transaction.write(inode, 0, newVnodeIndex(cls))
    for (const span of recordSpans(volume, cls)) {
      const [first] = span.writes
      transaction.write(inode, span.start, span.writes.length === 1 && first ? first.bytes : this.#filled(inode, span))
    }
  }

  /** The bytes of a span as they shall be; what lies between the records stays what it is. */
  #filled(inode: Inode, { start, end, writes }: RecordSpan): Uint8Array {
    const bytes = new Uint8Array(end - start)
    this.#special(inode)?.read(bytes, start)
    for (const write of writes) bytes.set(write.bytes, write.offset - start)
    return bytes
  }

  // step 4

  #lowerAndRemove(transaction: VolumeTransaction): void {
    const { files, moves, elsewhere, kept, volumes, rubbish, headersToRemove, hasFolder } = this.#group
    this.#setCounts((found, wanted) => wanted < found)
    const moved = new Set(moves.map(({ from }) => from))
    for (const file of files.unused())
      if (!moved.has(file) && !elsewhere.has(file)) transaction.add({ kind: "unlink", inode: files.inode(file) })
    for (const inode of rubbish) transaction.add({ kind: "unlink", inode })
    for (const volume of volumes) if (volume.fate === "delete") this.#removeVolume(transaction, volume)
    for (const name of headersToRemove) transaction.add({ kind: "removeHeader", volume: 0, name })
    if (kept.length === 0 && hasFolder && volumes.every((volume) => volume.fate === "delete"))
      this.#removeGroup(transaction)
  }

  #removeVolume(transaction: VolumeTransaction, volume: VolumeModel): void {
    // VolumeInfo, which carries the mark, goes last: until then everybody can see that the rest may go
    const order: readonly SpecialType[] = ["largeIndex", "smallIndex", "volumeInfo"]
    for (const type of order)
      if (volume.specials.has(type)) transaction.add({ kind: "unlink", inode: specialInode(volume.id, type) })
    if (volume.headerFile !== undefined) transaction.add({ kind: "removeHeader", volume: volume.id })
  }

  /** With the last volume the link table goes, and the folders. */
  #removeGroup(transaction: VolumeTransaction): void {
    if (this.#group.linkTable === "sound" && countIn(this.#group.rows[0] ?? 0, 0) > 1)
      transaction.add({ kind: "count", vnode: 0, tag: 0, count: 1 })
    transaction.add({ kind: "leaveGroup" })
  }

  // step 5

  #writeInfo(transaction: VolumeTransaction, volume: VolumeModel, isChanging: boolean): void {
    const found = volume.infoOnDisk
    const changes = this.#changes(volume, this.#options.callbacksBroken ? 0 : 1)
    const bytes = this.#infoBytes(volume, changes)
    if (!isChanging && found !== undefined && Buffer.compare(found, bytes) === 0) return
    transaction.write(infoInode(volume), 0, this.#infoBytes(volume, { ...changes, dontSalvage: dontSalvageMark }))
  }

  #infoBytes(volume: VolumeModel, changes: Partial<VolumeInfo>): Uint8Array {
    const bytes = volume.infoOnDisk?.slice() ?? new Uint8Array(volumeInfoLayout.size)
    if (volume.info !== undefined) volumeInfoLayout.write({ ...volume.info, ...changes }, bytes)
    return bytes
  }
}

/** An index that does not end where its last record does. */
const hasTail = ({ indexes }: VolumeModel): boolean =>
  classes.some((cls) => indexes[cls].tail > 0 || indexes[cls].size > indexSizeMax(cls))

const infoInode = (volume: VolumeModel): Inode => specialInode(volume.id, "volumeInfo")

const stampBytes = (): Uint8Array => linkTableStamp.encode({ magic: linkTableMagic, version: linkTableVersion })

function tableBytes(rows: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(rowOffset(rows.length))
  bytes.set(stampBytes())
  for (let row = 0; row < rows.length; row++) {
    bytes[rowOffset(row)] = (rows[row] ?? 0) & 0xff
    bytes[rowOffset(row) + 1] = (rows[row] ?? 0) >>> 8
  }
  return bytes
}

/** Where a link table with these rows may end. */
function endOfRows(rows: Uint16Array): number {
  let count = rows.length
  while (count > 1 && rows[count - 1] === 0) count--
  return rowOffset(count)
}

function* chunks<T>(items: readonly T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += filesPerTransaction)
    yield items.slice(start, start + filesPerTransaction)
}
