/**
 * The inside of an attached volume: its vnodes, directory images, open files, free slots and counters. What clients' operations
 * do with them is in the files beside this one: volume-change.ts (one change), names.ts, rename.ts, file-store.ts.
 *
 * Everything in core is on disk as well; what is forgotten is read again. Records and pages change on disk only through
 * a VolumeChange, which lets core follow when they are written.
 */
import { Directory } from "../directory/directory.ts"
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { AfsError, FormatError, type Subject } from "../error.ts"
import { type Inode, inodeParts, inodeText, sameInode, tagCount } from "../partition/inode-number.ts"
import { InodeStore } from "../partition/inode-store.ts"
import type { Partition } from "../partition/partition.ts"
import { Vnode, type VnodeHome } from "../vnode/vnode.ts"
import { VnodeAllocation } from "../vnode/vnode-allocation.ts"
import { type FoundRecord, readRecord } from "../vnode/vnode-reading.ts"
import { classOf, recordOffset, rootVnode, type VnodeClass, vnodeRecordLayout } from "../vnode/vnode-record.ts"
import type { Attachment } from "./attachment.ts"
import { fileCallError } from "./damage.ts"
import type { InfoChanges } from "./info-fields.ts"
import type { ServingCaches } from "./serving-caches.ts"
import { VolumeFiles } from "./volume-files.ts"
import { VolumeTransaction } from "./volume-transaction.ts"
import { VolumeUsage } from "./volume-usage.ts"

export class VolumeCore implements VnodeHome {
  readonly id: number
  readonly partition: Partition
  readonly attachment: Attachment
  readonly caches: ServingCaches
  readonly store: InodeStore
  readonly files: VolumeFiles
  readonly usage: VolumeUsage
  readonly #vnodes = new Map<number, Vnode>()
  readonly #allocations: Partial<Record<VnodeClass, VnodeAllocation>> = {}
  readonly #findFile = (inode: Inode): DiskFile | undefined => this.#openFile(inode)
  /** Data files of which a change that is done has left one user less. */
  #released: Inode[] = []
  /** For a change: leaves it for `settle`; undefined where nothing is left. */
  readonly releaseLater: ((inode: Inode) => void) | undefined
  /** Why the volume is of no use any more. */
  #end: AfsError | undefined

  constructor(id: number, partition: Partition, attachment: Attachment, caches: ServingCaches) {
    this.id = id
    this.partition = partition
    this.attachment = attachment
    this.caches = caches
    this.store = new InodeStore(partition, attachment.group)
    this.files = new VolumeFiles(this.store, id, this.#mode, caches.volumeFiles)
    this.usage = new VolumeUsage(attachment, caches.slack)
    const { later } = caches
    this.releaseLater = later && ((inode) => this.#leave(inode, later))
  }

  get #mode(): "read" | "write" {
    return this.attachment.readWrite ? "write" : "read"
  }

  /** What every error about it names. */
  subject(vnode?: number): Subject {
    return { volume: this.id, partition: this.partition.name, vnode }
  }

  /** @throws AfsError VOFFLINE once it was closed, VSALVAGE once a change broke off half-way */
  requireUsable(): void {
    if (this.#end !== undefined) throw this.#end
  }

  /** It was closed, or a change broke off. */
  get isOver(): boolean {
    return this.#end !== undefined
  }

  /** @throws AfsError VREADONLY; as requireUsable */
  requireWritable(operation: string): void {
    this.requireUsable()
    if (!this.attachment.readWrite) throw new AfsError("VREADONLY", operation, this.subject())
  }

  /** @throws AfsError VNOVNODE; FormatError for a damaged record */
  find(number: number, unique: number): Vnode {
    const vnode = this.findNumber(number)
    if (vnode?.unique === unique) return vnode
    throw new AfsError("VNOVNODE", "findVnode", this.subject(number))
  }

  /** The vnode that has this number now. */
  findNumber(number: number): Vnode | undefined {
    const known = this.#vnodes.get(number)
    if (known !== undefined) {
      this.caches.vnodes.touch(known)
      return known
    }
    const found = this.#read(number)
    return found === undefined ? undefined : this.keep(new Vnode(this.id, number, this, found.record, found.accessList))
  }

  /** The vnode if it is in core; does not count as a use. */
  known(number: number): Vnode | undefined {
    return this.#vnodes.get(number)
  }

  /** Every call looks at it, so that its uses say nothing. */
  get root(): Vnode {
    const known = this.#vnodes.get(rootVnode.number)
    return known?.unique === rootVnode.unique ? known : this.find(rootVnode.number, rootVnode.unique)
  }

  isRoot(vnode: Vnode): boolean {
    return vnode.number === rootVnode.number
  }

  /** @throws FormatError if the parent's record is missing */
  parentOf(vnode: Vnode): Vnode {
    const { parent } = vnode.record
    const found = classOf(parent) === "large" && parent !== 0 ? this.findNumber(parent) : undefined
    if (found !== undefined) return found
    throw this.recordDamage(vnode, "parent", `parent ${parent}`, "a directory of the volume")
  }

  /** Takes a vnode into the cache. */
  keep(vnode: Vnode): Vnode {
    this.#vnodes.set(vnode.number, vnode)
    this.caches.vnodes.add(vnode)
    return vnode
  }

  /** A vnode was removed: nothing of it is needed any more. */
  removed(vnode: Vnode): void {
    this.caches.vnodes.remove(vnode)
    this.#forget(vnode, true)
    this.allocation(classOf(vnode.number)).free(vnode.number)
  }

  /** For the cache, which has dropped it. */
  forgotten(vnode: Vnode): void {
    this.#forget(vnode, false)
  }

  #forget(vnode: Vnode, isRemoved: boolean): void {
    vnode.gone()
    this.#vnodes.delete(vnode.number)
    this.caches.directories.drop(vnode)
    this.caches.dataFiles.drop(vnode, isRemoved)
    if (vnode.isLocked)
      vnode.lock.refuseWaiters(this.#end ?? new AfsError("VNOVNODE", "lock", this.subject(vnode.number)))
  }

  /** The pages of a directory, in core. @throws AfsError ENOTDIR; FormatError */
  directory(vnode: Vnode): Directory {
    if (!vnode.isDirectory) throw new AfsError("ENOTDIR", "readDirectory", this.subject(vnode.number))
    return this.caches.directories.get(vnode) ?? this.caches.directories.add(vnode, this.#readDirectory(vnode))
  }

  #readDirectory(vnode: Vnode): Directory {
    const file = this.dataFile(vnode)
    const bytes = new Uint8Array(vnode.length)
    const length = this.calling("readDirectory", vnode, () => file.read(bytes, 0))
    return Directory.parse(bytes.subarray(0, length), file.path)
  }

  /**
   * The open data file of a vnode, good for the present turn.
   * @throws FormatError if there is none, it is another vnode's, or its size is not the record's length; AfsError VIO
   */
  dataFile(vnode: Vnode): DiskFile {
    const known = this.caches.dataFiles.get(vnode)
    if (known !== undefined) return known
    this.#requireOwnInode(vnode)
    const file = this.#openData(vnode)
    const { size } = file.stat()
    if (size === vnode.length) return this.caches.dataFiles.add(vnode, file)
    file.close()
    throw new FormatError(`data file of vnode ${vnode.number}`, { path: file.path }, `${size} bytes`, `${vnode.length}`)
  }

  #openData(vnode: Vnode): DiskFile {
    try {
      return this.store.open(vnode.inode, this.#mode)
    } catch (error) {
      if (!isDiskError(error, "ENOENT", "ENOTDIR")) throw fileCallError(error, "openData", this.subject(vnode.number))
      throw new FormatError(
        `data file of vnode ${vnode.number}`,
        { path: this.store.path(vnode.inode) },
        "no file",
        "a file",
      )
    }
  }

  /** A damaged record may name anything: another vnode's file must not be read, let alone written, as this one's. */
  #requireOwnInode(vnode: Vnode): void {
    const { vnode: named, high, tag, rest } = inodeParts(vnode.inode)
    if (named === vnode.number && high === vnode.unique && tag < tagCount && rest === 0) return
    throw this.recordDamage(vnode, "inodeLow", `inode ${inodeText(vnode.inode)}`, "one of its own")
  }

  /** No clone shares the data file: it may be changed in place. @throws FormatError if nobody has it */
  isExclusive(vnode: Vnode): boolean {
    if (vnode.isExclusive) return true
    this.#requireOwnInode(vnode)
    const count = this.files.links.count(vnode.number, inodeParts(vnode.inode).tag)
    if (count === 0)
      throw this.recordDamage(vnode, "inodeLow", "a data file that the link table counts for nobody", "1 to 7")
    vnode.isExclusive = count === 1
    return vnode.isExclusive
  }

  allocation(cls: VnodeClass): VnodeAllocation {
    const known = this.#allocations[cls]
    if (known !== undefined) return known
    const read = VnodeAllocation.read(this.files.index(cls), cls, this.attachment.nextUnique)
    this.#allocations[cls] = read
    return read
  }

  /** A uniquifier that nobody had: VolumeInfo on disk is always ahead of it. */
  takeUnique(): number {
    const { attachment } = this
    if (attachment.nextUnique >= attachment.word("uniquifier")) this.writeInfo({})
    return attachment.nextUnique++
  }

  transaction(): VolumeTransaction {
    return new VolumeTransaction(this.store, this.#findFile, { groupExists: true })
  }

  #leave(inode: Inode, later: (work: () => void) => void): void {
    if (this.#released.push(inode) === 1) later(() => this.settle())
  }

  /**
   * Lowers the counts of the data files that changes have left, and unlinks those that nobody uses: what clients were told does
   * not depend on it. Runs when replies are on their way, and before the next change, which so finds space and tags as if nothing
   * had been left. Never throws: if it fails the volume is broken.
   */
  settle(): void {
    if (this.#released.length === 0) return
    const inodes = this.#released
    this.#released = []
    if (this.isOver) return
    try {
      using transaction = this.transaction()
      for (const inode of inodes) transaction.add({ kind: "release", inode })
      transaction.commit()
      if (this.caches.sync === "onclose") this.files.markUnsynced()
    } catch (error) {
      this.broken(error)
      // Who is about to take it out of service finds the mark, and writes it.
      this.attachment.edit((info) => {
        info.needsSalvaged = 1
      })
    }
  }

  /** @throws AfsError VIO */
  writeInfo(changes: InfoChanges): void {
    const { attachment, partition } = this
    // Of a read-only volume the files are open for reading only.
    const file = (): DiskFile | undefined => (attachment.readWrite ? this.files.info : undefined)
    this.calling("writeVolumeInfo", undefined, () => attachment.write(partition, changes, file()))
  }

  /** Does file calls that change nothing if they fail: a failed one becomes what clients get. */
  calling<T>(operation: string, vnode: Vnode | undefined, work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw fileCallError(error, operation, this.subject(vnode?.number))
    }
  }

  /** A change broke off half-way: core and disk may differ, so nothing is served until a salvage. */
  broken(cause: unknown): AfsError {
    if (this.#end !== undefined) return this.#end
    const why = cause instanceof Error ? `: ${cause.message}` : ""
    this.#end = new AfsError("VSALVAGE", "change", this.subject(), { cause, detail: `a change broke off${why}` })
    this.caches.onBroken(this.id, this.#end)
    return this.#end
  }

  /** Closes everything and forgets everything; later uses fail. */
  close(): void {
    this.settle()
    this.#end = new AfsError("VOFFLINE", "use", this.subject())
    for (const vnode of [...this.#vnodes.values()]) {
      this.caches.vnodes.remove(vnode)
      this.#forget(vnode, false)
    }
    this.files.close()
  }

  recordDamage(
    vnode: Vnode,
    field: keyof typeof vnodeRecordLayout.offsets,
    found: string,
    wanted: string,
  ): FormatError {
    const path = this.store.path(this.files.indexInode(classOf(vnode.number)))
    const offset = recordOffset(vnode.number) + vnodeRecordLayout.offsets[field]
    return new FormatError(`vnode ${vnode.number} record`, { path, offset }, found, wanted)
  }

  #read(number: number): FoundRecord | undefined {
    this.requireUsable()
    return this.calling("readVnode", undefined, () => readRecord(this.files.index(classOf(number)), number))
  }

  /** For transactions: which of the files they write are open already. */
  #openFile(inode: Inode): DiskFile | undefined {
    const special = this.files.find(inode)
    if (special !== undefined) return special
    const vnode = this.#vnodes.get(inodeParts(inode).vnode)
    return vnode !== undefined && sameInode(vnode.inode, inode) ? this.dataFile(vnode) : undefined
  }
}
