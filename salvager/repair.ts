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
import {
  type Inode,
  inodeParts,
  type SpecialType,
  specialInode,
  specialTypes,
} from "../common/partition/inode-number.ts"
import type { InodeStore } from "../common/partition/inode-store.ts"
import { countIn } from "../common/partition/link-table-format.ts"
import { headerPath, headerVolume } from "../common/partition/partition.ts"
import type { ProgramTypeNumber } from "../common/protocol/codes.ts"
import { newVnodeIndex } from "../common/vnode/vnode-index.ts"
import { indexSizeMax, type VnodeClass, vnodeAt, vnodeClasses } from "../common/vnode/vnode-record.ts"
import { discardDraft } from "../common/volume/volume-draft.ts"
import { newVolumeHeader, volumeHeaderLayout } from "../common/volume/volume-header.ts"
import { dontSalvageMark, type VolumeInfo, volumeInfoLayout } from "../common/volume/volume-info.ts"
import type { VolumeTransaction } from "../common/volume/volume-transaction.ts"
import { putAside } from "./aside.ts"
import { LinkTableRepair } from "./link-table-repair.ts"
import type { GroupModel, VolumeModel } from "./model.ts"
import { plannedDirectory } from "./passes/edits.ts"
import { indexType } from "./passes/vnode-indexes.ts"
import { endOfRecords, type RecordSpan, recordSpans, wholeRecord } from "./planned-records.ts"
import { RepairCommits } from "./repair-commits.ts"

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

class Repair {
  readonly #group: GroupModel
  readonly #options: RepairOptions
  readonly #store: InodeStore
  readonly #commits: RepairCommits
  readonly #linkTable: LinkTableRepair
  /** True once files took their places. */
  #placed = false

  constructor(group: GroupModel, options: RepairOptions) {
    this.#group = group
    this.#options = options
    this.#store = options.store ?? group.store
    this.#commits = new RepairCommits(this.#store, group.hasFolder)
    this.#linkTable = new LinkTableRepair(group, this.#commits, (transaction, inode, parameter, bytes) =>
      this.#make(transaction, inode, parameter, bytes),
    )
  }

  run(): Repaired {
    try {
      return this.#steps()
    } finally {
      this.#commits.closeSpecials()
    }
  }

  #steps(): Repaired {
    const group = this.#group
    const changing = group.kept.filter((volume) => this.#isChanging(volume))
    if (changing.length > 0)
      this.#commits.commit((transaction) => {
        for (const volume of changing) this.#markInUse(transaction, volume)
      })
    this.#linkTable.raise()
    this.#placeFiles()
    this.#makeFiles()
    this.#commits.syncButCounts(group)
    if (group.kept.some(hasTail)) this.#commits.commit((transaction) => this.#settleTails(transaction))
    this.#commits.commit((transaction) => this.#writeVolumes(transaction))
    this.#commits.syncButCounts(group)
    this.#commits.commit((transaction) => this.#lowerAndRemove(transaction))
    this.#discardDrafts()
    this.#commits.syncAll()
    this.#commits.commit((transaction) => {
      for (const volume of group.kept) this.#writeInfo(transaction, volume, changing.includes(volume))
    })
    this.#commits.syncAll()
    return {
      deleted: this.#withoutHeader(),
      created: group.kept.filter((volume) => volume.headerWrong).map(({ id }) => id),
      changed: group.kept.filter((volume) => volume.contentChanged).map(({ id }) => id),
      wrote: this.#commits.wrote || this.#placed || group.draftsToDiscard.length > 0,
    }
  }

  /** No special file may be open then: another one may take its place. */
  #discardDrafts(): void {
    if (this.#group.draftsToDiscard.length === 0) return
    this.#commits.closeSpecials()
    for (const volume of this.#group.draftsToDiscard) discardDraft(this.#store, volume)
  }

  /** Volumes that had a header file and have none now. */
  #withoutHeader(): number[] {
    const { volumes, headersToRemove, kept } = this.#group
    const removed = headersToRemove.map((name) => headerVolume(name)).filter((id) => id !== undefined)
    const deleted = volumes.filter(({ fate }) => fate === "delete").map(({ id }) => id)
    return [...new Set([...removed, ...deleted])].filter((id) => !kept.some((volume) => volume.id === id))
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
    putAside(partition, path, `${this.#group.id}-${basename(path)}`, this.#options.now)
  }

  /** Files that somebody uses come to where they belong. */
  #placeFiles(): void {
    const { elsewhere, files, moves, newFiles } = this.#group
    const made = [...elsewhere.keys(), ...newFiles.map(({ file }) => file), ...moves.map(({ to }) => to)]
    this.#clearFolders(made.map((file) => files.inode(file)))
    for (const [file, path] of elsewhere) {
      if (files.users(file) === 0 && !this.#group.isMoving(file)) continue
      this.#store.adopt(path, files.inode(file))
      this.#placed = true
    }
  }

  #makeFiles(): void {
    const { files, newFiles, moves } = this.#group
    for (const some of chunks(newFiles)) {
      this.#commits.commit((transaction) => {
        for (const { file, volume, directory } of some) {
          const { bytes } = plannedDirectory(this.#group, volume, directory)
          transaction.createWhole(files.inode(file), files.version(file), bytes)
        }
      })
    }
    for (const some of chunks(moves)) {
      this.#commits.commit((transaction) => {
        for (const { from, to } of some)
          transaction.add({ kind: "move", from: files.inode(from), to: files.inode(to), parameter: files.version(to) })
      })
    }
    for (const some of chunks(this.#group.wrongOwners))
      this.#commits.commit((transaction) => this.#setOwners(transaction, some))
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
    this.#commits.special(inode)?.read(bytes, start)
    for (const write of writes) bytes.set(write.bytes, write.offset - start)
    return bytes
  }

  // step 4

  #lowerAndRemove(transaction: VolumeTransaction): void {
    const { files, elsewhere, kept, volumes, rubbish, headersToRemove, hasFolder } = this.#group
    this.#linkTable.lower()
    for (const file of files.unused())
      if (!this.#group.isMoving(file) && !elsewhere.has(file))
        transaction.add({ kind: "unlink", inode: files.inode(file) })
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

function* chunks<T>(items: readonly T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += filesPerTransaction)
    yield items.slice(start, start + filesPerTransaction)
}
