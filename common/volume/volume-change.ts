/**
 * One change of an attached volume: a volume transaction, and what core has to follow when it is committed. Leaving the scope
 * without a commit takes everything back.
 *
 * The order in which pages and records are given is the order in which they are written, after all new files and before any
 * release (metadata-write.ts); who makes a change chooses it so that a crash between two writes loses nothing that was there.
 * Crash test: test/crash/attached-volume.ts.
 *
 * What can fail for lack of space (growing an index or a directory) is done first, in a transaction of its own that can be
 * taken back, so that a full disk leaves a whole volume.
 */
import type { DirectoryChange } from "../directory/changed-pages.ts"
import { type Directory, newDirectory } from "../directory/directory.ts"
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { isAfsError } from "../error.ts"
import { unique as toUnique, type VnodeId, vnodeNumber } from "../ids.ts"
import { dataInode, type Inode, isNoInode } from "../partition/inode-number.ts"
import { Vnode } from "../vnode/vnode.ts"
import {
  accessListOffset,
  accessListSize,
  classOf,
  recordOffset,
  type VnodeClass,
  type VnodeRecord,
  vnodeRecordLayout,
} from "../vnode/vnode-record.ts"
import { fileCallError } from "./damage.ts"
import type { VolumeCore } from "./volume-core.ts"
import { blocksOf } from "./volume-info.ts"
import type { VolumeTransaction } from "./volume-transaction.ts"

/** By so many bytes an index grows. Part of the format, though readers take any size. */
const indexGrowth = 16_384
/** So many numbers without a free tag are passed over before the partition is called full. */
const triesMax = 1000
const zeroRecord = Buffer.alloc(vnodeRecordLayout.size)
/**
 * Data version that a data file made with its vnode is created with: the vnode's own. OpenAFS creates it with 1, more than a
 * file has that is never written, and its salvager then tells of an old status (docs/formats/namei.md).
 */
const firstDataVersion = 0

/** A directory that this change edits. */
interface Edited {
  readonly vnode: Vnode
  readonly directory: Directory
  /** The file that its pages go to: its own, or a copy that takes the place of one that a clone shares. */
  readonly copy: { readonly inode: Inode; readonly file: DiskFile } | undefined
  /** Bytes of the data file. */
  size: number
  /** Pages were changed: core is ahead of the disk until the commit. */
  isChanged: boolean
}

interface StagedRecord {
  readonly vnode: Vnode
  readonly record: Readonly<VnodeRecord>
  readonly accessList: Uint8Array | undefined
}

interface KeptFile {
  readonly vnode: Vnode
  readonly file: DiskFile
}

/** The id of a vnode as directories have it. */
export function idOf(vnode: Vnode): VnodeId {
  return { vnode: vnodeNumber(vnode.number), unique: toUnique(vnode.unique) }
}

export class VolumeChange implements Disposable {
  readonly core: VolumeCore
  readonly #operation: string
  readonly #transaction: VolumeTransaction
  readonly #edited: Edited[] = []
  readonly #records: StagedRecord[] = []
  readonly #made: Vnode[] = []
  readonly #removed: Vnode[] = []
  /** Files that stay open for the vnode that they belong to after the commit. */
  readonly #newFiles: KeptFile[] = []
  /** Vnodes whose data are in another file from now on. */
  readonly #copied: Vnode[] = []
  #blocks = 0
  /** Vnodes that count as changed, beside those that are made and removed. */
  #changed = 0
  #done = false

  /** @throws AfsError VREADONLY, VOFFLINE, VSALVAGE, VIO */
  constructor(core: VolumeCore, operation: string) {
    core.settle()
    core.requireWritable(operation)
    if (core.attachment.isMarkedSound) core.writeInfo({ dontSalvage: 0 })
    this.core = core
    this.#operation = operation
    this.#transaction = core.transaction()
  }

  /**
   * Makes a vnode with a data file of these bytes, now: nothing leads to it yet. Its record is written where `writeRecord` is
   * called with it.
   * @throws AfsError VDISKFULL, VIO
   */
  make(
    cls: VnodeClass,
    record: VnodeRecord,
    accessList: Uint8Array | undefined,
    content: (self: VnodeId) => Uint8Array,
  ): Vnode {
    const { core } = this
    const { number, tag } = this.#takeNumber(cls)
    try {
      this.#growIndex(cls, number)
      const uniquifier = core.takeUnique()
      const bytes = content({ vnode: vnodeNumber(number), unique: toUnique(uniquifier) })
      const { inode, file } = this.#makeFile(dataInode(number, uniquifier, tag), firstDataVersion, bytes)
      record.uniquifier = uniquifier
      record.inodeLow = inode.low
      record.inodeHigh = inode.high
      record.lengthLow = bytes.length
      const vnode = new Vnode(core.id, number, core, record, accessList)
      this.#made.push(vnode)
      this.#newFiles.push({ vnode, file })
      this.#blocks += blocksOf(bytes.length)
      return vnode
    } catch (error) {
      core.allocation(cls).free(number)
      throw fileCallError(error, this.#operation, core.subject(number))
    }
  }

  /**
   * A free vnode number, and a tag for its data file. A number all of whose tags are in use by clones is left alone until the
   * volume is attached again.
   */
  #takeNumber(cls: VnodeClass): { readonly number: number; readonly tag: number } {
    const { core } = this
    return core.calling(this.#operation, undefined, () => {
      const allocation = core.allocation(cls)
      for (let tries = 1; ; tries++) {
        const number = allocation.take()
        try {
          return { number, tag: this.#transaction.allocateOne(number) }
        } catch (error) {
          if (isAfsError(error, "VDISKFULL") && tries < triesMax) continue
          allocation.free(number)
          throw error
        }
      }
    })
  }

  /** Makes a file for another version of a vnode's data, now, with the data version that it has. */
  makeCopy(vnode: Vnode, content: Uint8Array): { readonly inode: Inode; readonly file: DiskFile } {
    return this.core.calling(this.#operation, vnode, () =>
      this.#makeFile(this.#copyInode(vnode), vnode.dataVersion, content),
    )
  }

  #copyInode({ number, unique }: Vnode): Inode {
    return dataInode(number, unique, this.#transaction.allocateOne(number))
  }

  #makeFile(inode: Inode, dataVersion: number, content: Uint8Array): { inode: Inode; file: DiskFile } {
    const file = this.#transaction.create(inode, dataVersion)
    if (content.length > 0) file.write(content, 0)
    return { inode, file }
  }

  /** A new directory's page. */
  static newDirectoryPage(self: VnodeId, parent: Vnode): Uint8Array {
    return newDirectory(self, idOf(parent)).bytes
  }

  /**
   * Changes names of a directory and writes its pages. One change of one name at a time, so that the pages can be written in
   * the order that is safe.
   * @throws AfsError ENOTDIR, and what the change throws
   */
  editNames(vnode: Vnode, edit: (directory: Directory) => void): void {
    const edited = this.#editedOf(vnode)
    const { directory, copy } = edited
    edit(directory)
    edited.isChanged = true
    const changes = directory.takeChangesInOrder()
    if (copy !== undefined) this.core.calling(this.#operation, vnode, () => writeAll(copy.file, changes))
    else {
      if (directory.length > edited.size) this.#growDirectory(edited, changes)
      for (const { offset, bytes } of changes) this.#transaction.write(vnode.inode, offset, bytes)
    }
    this.#blocks += blocksOf(directory.length) - blocksOf(edited.size)
    edited.size = directory.length
  }

  /**
   * The record of a vnode becomes this one, at this place in the order of writes. A directory's length and data file follow
   * what was done to its names. The record is the change's from now on.
   */
  writeRecord(vnode: Vnode, record: VnodeRecord, accessList?: Uint8Array): void {
    if (vnode.isDirectory) this.#followEdits(vnode, record)
    this.#records.push({ vnode, record, accessList })
    this.#transaction.write(
      this.#indexInode(vnode),
      recordOffset(vnode.number),
      recordBytes(vnode, record, accessList, this.#made),
    )
  }

  #followEdits(vnode: Vnode, record: VnodeRecord): void {
    const edited = this.#edited.find((one) => one.vnode === vnode)
    if (edited === undefined) return
    record.lengthLow = edited.directory.length
    if (edited.copy !== undefined) nameData(record, edited.copy.inode)
  }

  /** Frees a vnode: its record at this place in the order of writes, its data file after all of them. */
  remove(vnode: Vnode): void {
    this.#transaction.write(this.#indexInode(vnode), recordOffset(vnode.number), zeroRecord)
    if (vnode.hasData) this.#release(vnode.inode)
    this.#removed.push(vnode)
    this.#blocks -= blocksOf(vnode.length)
  }

  /** The data of a vnode are from now on in a file that `makeCopy` made; the former file has one user less. */
  replaceData(vnode: Vnode, copy: { readonly inode: Inode; readonly file: DiskFile }, record: VnodeRecord): void {
    this.#release(vnode.inode)
    this.#copied.push(vnode)
    this.#newFiles.push({ vnode, file: copy.file })
    nameData(record, copy.inode)
  }

  /** So many blocks more or less, beside those of what is made and removed. */
  addBlocks(blocks: number): void {
    this.#blocks += blocks
  }

  /**
   * A vnode has new data, or another directory. The volume's counter of updates leaves out what clients are told of by
   * callbacks before the call ends: directories that change, status, links. OpenAFS vol/vnode.c (VPutVnode counts,
   * VVnodeWriteToRead does not).
   */
  countChanged(): void {
    this.#changed++
  }

  /** One user less of a data file. */
  #release(inode: Inode): void {
    if (!isNoInode(inode)) this.#transaction.add({ kind: "release", inode })
  }

  /**
   * Makes it so. `now` (seconds) is the volume's date of update; undefined where nothing changed that a dump would hold.
   * @throws AfsError VDISKFULL, VIO: nothing was changed; VSALVAGE: it broke off half-way
   */
  commit(now: number | undefined): void {
    const { core } = this
    core.requireUsable()
    const kept = this.#filesToKeep()
    try {
      if (core.caches.sync === "always") this.#transaction.commit("always")
      else this.#transaction.commit("none", core.releaseLater)
    } catch (error) {
      for (const { file } of kept) file.close()
      throw this.#transaction.begun ? core.broken(error) : fileCallError(error, this.#operation, core.subject())
    }
    this.#done = true
    this.#follow(kept)
    if (core.caches.sync === "onclose") this.#markUnsynced()
    core.usage.adjust(this.#blocks, this.#made.length - this.#removed.length)
    if (now !== undefined) core.usage.changed(this.#made.length + this.#removed.length + this.#changed, now)
  }

  [Symbol.dispose](): void {
    if (this.#done) return
    this.#done = true
    const { core } = this
    if (core.isOver) this.#transaction.abandon()
    else this.#transaction[Symbol.dispose]()
    for (const { vnode, directory, isChanged } of this.#edited) {
      if (isChanged || directory.dirtyPages.length > 0) core.caches.directories.drop(vnode)
    }
    for (const vnode of this.#made) core.allocation(classOf(vnode.number)).free(vnode.number)
  }

  /** Core becomes what the disk is. */
  #follow(kept: readonly KeptFile[]): void {
    const { core } = this
    for (const vnode of this.#made) {
      vnode.isExclusive = true
      core.keep(vnode)
    }
    for (const { vnode, record, accessList } of this.#records) {
      if (!isNoInode(vnode.inode) && vnode.inode.low !== record.inodeLow) core.caches.dataFiles.drop(vnode)
      vnode.recordChanged(record)
      if (accessList !== undefined) vnode.accessListChanged(accessList)
    }
    for (const { vnode, file } of kept) {
      vnode.isExclusive = true
      core.caches.dataFiles.add(vnode, file)
    }
    for (const { vnode } of this.#edited) core.caches.directories.changed(vnode)
    for (const vnode of this.#removed) core.removed(vnode)
  }

  /** New files are used again soon: they are not closed with the transaction. */
  #filesToKeep(): KeptFile[] {
    for (const { vnode, copy } of this.#edited) {
      if (copy === undefined) continue
      this.#copied.push(vnode)
      this.#newFiles.push({ vnode, file: copy.file })
    }
    for (const { file } of this.#newFiles) this.#transaction.keep(file)
    return this.#newFiles
  }

  /** As OpenAFS: indexes, link table and copies are synced when they are closed, other data only if a client asked for it. */
  #markUnsynced(): void {
    this.core.files.markUnsynced()
    for (const vnode of this.#copied) this.core.caches.dataFiles.markUnsynced(vnode)
  }

  #editedOf(vnode: Vnode): Edited {
    const known = this.#edited.find((one) => one.vnode === vnode)
    if (known !== undefined) return known
    const directory = this.core.directory(vnode)
    const isShared = vnode.record.cloned !== 0 || !this.core.isExclusive(vnode)
    const edited = {
      vnode,
      directory,
      copy: isShared ? this.makeCopy(vnode, directory.bytes) : undefined,
      size: vnode.length,
      isChanged: false,
    }
    this.#edited.push(edited)
    if (isShared) this.#release(vnode.inode)
    return edited
  }

  #indexInode(vnode: Vnode): Inode {
    return this.core.files.indexInode(classOf(vnode.number))
  }

  /** The new record lies behind the end of the index: zeros are written there, free slots. */
  #growIndex(cls: VnodeClass, number: number): void {
    const allocation = this.core.allocation(cls)
    if (!allocation.isBeyond(number)) return
    const offset = recordOffset(number)
    this.#grow(this.core.files.indexInode(cls), allocation.size, { offset, bytes: new Uint8Array(indexGrowth) })
    allocation.grown(offset + indexGrowth)
  }

  /** The new pages, as they will be: nothing points to them yet. */
  #growDirectory(edited: Edited, changes: readonly DirectoryChange[]): void {
    const { vnode, size } = edited
    for (const { offset, bytes } of changes) {
      if (offset + bytes.length <= size) continue
      const at = Math.max(offset, size)
      this.#grow(vnode.inode, size, { offset: at, bytes: bytes.subarray(at - offset) })
    }
  }

  /** Lengthens a file; what could not be written whole is cut off again. */
  #grow(inode: Inode, size: number, { offset, bytes }: DirectoryChange): void {
    const { core } = this
    try {
      using transaction = core.transaction()
      transaction.write(inode, offset, bytes)
      transaction.commit()
    } catch (error) {
      if (isDiskError(error)) this.#shrink(inode, size)
      throw fileCallError(error, this.#operation, core.subject())
    }
  }

  #shrink(inode: Inode, size: number): void {
    try {
      using transaction = this.core.transaction()
      transaction.add({ kind: "truncate", inode, size })
      transaction.commit()
    } catch (error) {
      throw this.core.broken(error)
    }
  }
}

function writeAll(file: DiskFile, changes: readonly DirectoryChange[]): void {
  for (const { offset, bytes } of changes) file.write(bytes, offset)
}

function nameData(record: VnodeRecord, inode: Inode): void {
  record.inodeLow = inode.low
  record.inodeHigh = inode.high
  record.cloned = 0
}

/** A new directory's record is whole; of others that part is written which changes. */
function recordBytes(
  vnode: Vnode,
  record: VnodeRecord,
  accessList: Uint8Array | undefined,
  made: readonly Vnode[],
): Uint8Array {
  const list = accessList ?? (made.includes(vnode) ? vnode.accessList : undefined)
  // From Node's pool: an array of its own costs more than what it holds.
  const bytes = Buffer.allocUnsafe(list === undefined ? vnodeRecordLayout.size : accessListOffset + accessListSize)
  vnodeRecordLayout.write(record, bytes)
  if (list !== undefined) bytes.set(list, accessListOffset)
  return bytes
}
