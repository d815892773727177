/**
 * The files of one volume, open: header, VolumeInfo, both vnode indexes and the group's link table.
 *
 * Opening checks stamps and ids; it takes no lock and checks nothing out. Who opens for writing holds the volume's lock
 * (fssync/volume-operation.ts) or is its fileserver (volume-package.ts).
 */
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { AfsError, FormatError } from "../error.ts"
import { type Inode, isNoInode, sameInode } from "../partition/inode-number.ts"
import { InodeStore } from "../partition/inode-store.ts"
import { LinkTable } from "../partition/link-table.ts"
import { headerPath, type Partition } from "../partition/partition.ts"
import { VnodeIndex } from "../vnode/vnode-index.ts"
import { classOf, recordInode, recordLength, type VnodeClass, type VnodeRecord } from "../vnode/vnode-record.ts"
import {
  infoInode,
  largeIndexInode,
  linkTableInode,
  readVolumeHeader,
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
  /** What is on disk, so that bytes without meaning survive a rewrite. */
  readonly #infoBytes: Uint8Array

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
   * @throws AfsError VIO if the file does not exist; FormatError if its size is not the record's length.
   */
  openData(vnode: number, record: VnodeRecord, mode: "read" | "write" = "read"): DiskFile | undefined {
    const inode = recordInode(record)
    if (isNoInode(inode)) return undefined
    const file = this.#openDataFile(vnode, inode, mode)
    const size = file.stat().size
    if (size === recordLength(record)) return file
    file.close()
    throw new FormatError(
      `data file of vnode ${vnode}`,
      { path: file.path },
      `${size} bytes`,
      `${recordLength(record)}`,
    )
  }

  /** All bytes of a vnode's data file: for directories and symbolic links. */
  readData(vnode: number, record: VnodeRecord): Uint8Array {
    using file = this.openData(vnode, record)
    if (file === undefined) return new Uint8Array(0)
    const bytes = new Uint8Array(recordLength(record))
    const length = file.read(bytes, 0)
    return bytes.subarray(0, length)
  }

  /** A transaction on this volume's files. */
  transaction(): VolumeTransaction {
    return new VolumeTransaction(this.store, (inode) => this.#openFile(inode))
  }

  /** Adds the writing of VolumeInfo as it is now in core to a transaction. */
  addInfo(transaction: VolumeTransaction): void {
    volumeInfoLayout.write(this.info, this.#infoBytes)
    transaction.write(infoInode(this.header), 0, this.#infoBytes)
  }

  /** Writes VolumeInfo as it is now in core. */
  writeInfo(sync: SyncPolicy = "none"): void {
    using transaction = this.transaction()
    this.addInfo(transaction)
    transaction.commit(sync)
  }

  /** VolumeInfo's bytes as last read or written. */
  infoBytes(): Uint8Array {
    return this.#infoBytes
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

  #openDataFile(vnode: number, inode: Inode, mode: "read" | "write"): DiskFile {
    try {
      return this.store.open(inode, mode)
    } catch (cause) {
      throw new AfsError("VIO", "openData", { volume: this.id, partition: this.partition.name, vnode }, { cause })
    }
  }
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
 * what its format says; AfsError VSALVAGE if one of these files cannot be opened or read.
 */
export function openVolume(partition: Partition, id: number, mode: "read" | "write"): Volume {
  const header = requireHeader(partition, id)
  const store = new InodeStore(partition, header.parent)
  const opened: DiskFile[] = []
  const open = (inode: Inode): DiskFile => {
    const file = openSpecial(store, id, inode, mode)
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
    throw isDiskError(error)
      ? new AfsError("VSALVAGE", "openVolume", { volume: id, partition: partition.name }, { cause: error })
      : error
  }
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

function openSpecial(store: InodeStore, id: number, inode: Inode, mode: "read" | "write"): DiskFile {
  try {
    return store.open(inode, mode)
  } catch (cause) {
    throw new AfsError(
      "VSALVAGE",
      "openVolume",
      { volume: id, partition: store.partition.name, path: store.path(inode) },
      { cause },
    )
  }
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
