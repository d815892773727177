/**
 * The files of one volume, open: header, VolumeInfo, both vnode indexes and the group's link table.
 *
 * Opening checks stamps and ids; it takes no lock and checks nothing out. Who opens for writing holds the volume's lock
 * (fssync/volume-operation.ts) or is its fileserver (volume-package.ts).
 */
import { type DiskError, type DiskFile, isDiskError } from "../disk/disk.ts"
import { AfsError, FormatError } from "../error.ts"
import { type Inode, inodeParts, inodeText, isNoInode, sameInode, tagCount } from "../partition/inode-number.ts"
import { InodeStore } from "../partition/inode-store.ts"
import { LinkTable } from "../partition/link-table.ts"
import { headerPath, type Partition } from "../partition/partition.ts"
import { VnodeIndex } from "../vnode/vnode-index.ts"
import {
  classOf,
  recordInode,
  recordLength,
  recordOffset,
  type VnodeClass,
  type VnodeRecord,
  vnodeRecordLayout,
} from "../vnode/vnode-record.ts"
import {
  infoInode,
  largeIndexInode,
  linkTableInode,
  readVolumeHeader,
  requireOwnInodes,
  smallIndexInode,
  type VolumeHeader,
} from "./volume-header.ts"
import { parseVolumeInfo, type VolumeInfo, volumeInfoLayout } from "./volume-info.ts"
import { type SyncPolicy, VolumeTransaction } from "./volume-transaction.ts"

/** An open volume. `info` is the copy in core; `writeInfo` puts it on disk. */
export class Volume implements Disposable {
  readonly partition: Partition
  readonly header: VolumeHeader
  readonly store: InodeStore
  readonly small: VnodeIndex
  readonly large: VnodeIndex
  readonly links: LinkTable
  info: VolumeInfo
  readonly #infoFile: DiskFile
  /** VolumeInfo as last read or given to a transaction, so that bytes without meaning survive a rewrite. */
  #infoBytes: Uint8Array

  constructor(partition: Partition, header: VolumeHeader, files: VolumeFiles) {
    this.partition = partition
    this.header = header
    this.store = files.store
    this.small = new VnodeIndex(files.small, "small")
    this.large = new VnodeIndex(files.large, "large")
    this.links = new LinkTable(files.links)
    this.#infoFile = files.info
    this.#infoBytes = files.infoBytes
    this.info = parseVolumeInfo(files.infoBytes, files.info.path)
  }

  get id(): number {
    return this.header.id
  }

  index(cls: VnodeClass): VnodeIndex {
    return cls === "small" ? this.small : this.large
  }

  /** The record of a vnode, or undefined. @throws FormatError for a record without its magic. */
  record(vnode: number): VnodeRecord | undefined {
    return this.index(classOf(vnode)).read(vnode)
  }

  /**
   * Opens the data file of a record; undefined where the record names none.
   * @throws AfsError VIO if the file does not exist; FormatError if the record names a file that is not this vnode's, or if
   * the file's size is not the record's length.
   */
  openData(vnode: number, record: VnodeRecord, mode: "read" | "write" = "read"): DiskFile | undefined {
    const inode = recordInode(record)
    if (isNoInode(inode)) return undefined
    this.#requireOwnInode(vnode, record, inode)
    const file = this.#openDataFile(vnode, inode, mode)
    try {
      requireLength(file, vnode, recordLength(record))
      return file
    } catch (error) {
      file.close()
      throw error
    }
  }

  /**
   * All bytes of a vnode's data file: for directories and symbolic links.
   * @throws what openData does; FormatError if there are more than the largest directory has.
   */
  readData(vnode: number, record: VnodeRecord): Uint8Array {
    using file = this.openData(vnode, record)
    if (file === undefined) return new Uint8Array(0)
    const length = recordLength(record)
    if (length > wholeDataMax) throw lengthError(file, vnode, length, `at most ${wholeDataMax}`)
    const bytes = new Uint8Array(length)
    return bytes.subarray(0, file.read(bytes, 0))
  }

  /** A transaction on this volume's files. */
  transaction(): VolumeTransaction {
    return new VolumeTransaction(this.store, (inode) => this.#openFile(inode))
  }

  /** Adds the writing of VolumeInfo as it is now in core to a transaction. */
  addInfo(transaction: VolumeTransaction): void {
    this.#infoBytes = this.#infoBytes.slice() // an earlier transaction keeps what it was given
    volumeInfoLayout.write(this.info, this.#infoBytes)
    transaction.write(infoInode(this.header), 0, this.#infoBytes)
  }

  /** Writes VolumeInfo as it is now in core. */
  writeInfo(sync: SyncPolicy = "none"): void {
    using transaction = this.transaction()
    this.addInfo(transaction)
    transaction.commit(sync)
  }

  /** The files in the order in which OpenAFS syncs them: large, small, info, links. */
  files(): DiskFile[] {
    return [this.large.file, this.small.file, this.#infoFile, this.links.file]
  }

  close(): void {
    for (const file of this.files()) file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #openFile(inode: Inode): DiskFile | undefined {
    if (sameInode(inode, infoInode(this.header))) return this.#infoFile
    if (sameInode(inode, smallIndexInode(this.header))) return this.small.file
    if (sameInode(inode, largeIndexInode(this.header))) return this.large.file
    return sameInode(inode, linkTableInode(this.header)) ? this.links.file : undefined
  }

  /** A damaged record may name anything: another vnode's file must not be read, let alone written, as this one's. */
  #requireOwnInode(vnode: number, record: VnodeRecord, inode: Inode): void {
    const { vnode: named, high, tag, rest } = inodeParts(inode)
    if (named === vnode && high === record.uniquifier && tag < tagCount && rest === 0) return
    const index = this.index(classOf(vnode))
    const where = { path: index.file.path, offset: recordOffset(vnode) + vnodeRecordLayout.offsets.inodeLow }
    const wanted = `one of vnode ${vnode} uniquifier ${record.uniquifier}`
    throw new FormatError(`vnode ${vnode} record`, where, `inode ${inodeText(inode)}`, wanted)
  }

  #openDataFile(vnode: number, inode: Inode, mode: "read" | "write"): DiskFile {
    try {
      return this.store.open(inode, mode)
    } catch (cause) {
      throw new AfsError("VIO", "openData", { volume: this.id, partition: this.partition.name, vnode }, { cause })
    }
  }
}

/** The most that readData reads: a directory of 1023 pages. */
const wholeDataMax = 1023 * 2048

function lengthError(file: DiskFile, vnode: number, length: number, wanted: string): FormatError {
  return new FormatError(`data file of vnode ${vnode}`, { path: file.path }, `${length} bytes`, wanted)
}

function requireLength(file: DiskFile, vnode: number, length: number): void {
  const { size } = file.stat()
  if (size !== length) throw lengthError(file, vnode, size, `${length}`)
}

interface VolumeFiles {
  readonly store: InodeStore
  readonly info: DiskFile
  readonly infoBytes: Uint8Array
  readonly small: DiskFile
  readonly large: DiskFile
  readonly links: DiskFile
}

/**
 * Opens a volume.
 * @throws AfsError VNOVOL if there is no header file; FormatError if header, VolumeInfo, an index or the link table is not
 * what its format says; AfsError VSALVAGE if one of these files is missing or cannot be read, VIO if this process cannot
 * open it for a reason of its own (too many open files, no permission).
 */
export function openVolume(partition: Partition, id: number, mode: "read" | "write"): Volume {
  const header = requireHeader(partition, id)
  requireOwnInodes(header, headerPath(partition, id))
  const store = new InodeStore(partition, header.parent)
  const opened: DiskFile[] = []
  const open = (inode: Inode): DiskFile => {
    const file = store.open(inode, mode)
    opened.push(file)
    return file
  }
  try {
    const info = open(infoInode(header))
    const files = {
      store,
      info,
      infoBytes: readInfoBytes(info),
      small: open(smallIndexInode(header)),
      large: open(largeIndexInode(header)),
      links: open(linkTableInode(header)),
    }
    const volume = new Volume(partition, header, files)
    checkVolume(volume)
    return volume
  } catch (error) {
    for (const file of opened) file.close()
    if (!isDiskError(error)) throw error
    const subject = { volume: id, partition: partition.name, path: error.path }
    throw new AfsError(codeOf(error), "openVolume", subject, { cause: error })
  }
}

/** A volume must not be taken for damaged because this process is short of something. */
function codeOf(error: DiskError): "VSALVAGE" | "VIO" {
  return isDiskError(error, "EMFILE", "ENFILE", "ENOMEM", "EACCES", "EPERM", "EROFS", "EINTR") ? "VIO" : "VSALVAGE"
}

/** The header of a volume. @throws AfsError VNOVOL if there is none; FormatError if it is damaged. */
export function requireHeader(partition: Partition, id: number): VolumeHeader {
  const header = readVolumeHeader(partition, id)
  if (header === undefined) {
    throw new AfsError("VNOVOL", "openVolume", {
      volume: id,
      partition: partition.name,
      path: headerPath(partition, id),
    })
  }
  return header
}

function readInfoBytes(file: DiskFile): Uint8Array {
  const bytes = new Uint8Array(volumeInfoLayout.size)
  const length = file.read(bytes, 0)
  return bytes.subarray(0, length)
}

function checkVolume(volume: Volume): void {
  const { info, header } = volume
  const at = volume.store.path(infoInode(header))
  if (info.id !== header.id) {
    throw new FormatError("VolumeInfo", { path: at, offset: 8 }, `volume id ${info.id}`, `${header.id}`)
  }
  volume.small.checkStamp()
  volume.large.checkStamp()
  volume.links.checkStamp()
}
