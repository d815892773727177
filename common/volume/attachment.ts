/**
 * An attached volume's VolumeInfo in core: the authoritative copy, kept as the bytes of its file so that what no field
 * owns survives, and the one way to write it back. OpenAFS vol/volume.c (VUpdateVolume_r).
 */
import type { DiskFile } from "../disk/disk.ts"
import type { Inode } from "../partition/inode-number.ts"
import { InodeStore } from "../partition/inode-store.ts"
import type { Partition } from "../partition/partition.ts"
import { programTypes, volumeTypes } from "../protocol/codes.ts"
import { infoInode, type VolumeHeader } from "./volume-header.ts"
import { dontSalvageMark, type VolumeInfo, volumeInfoLayout } from "./volume-info.ts"
import { VolumeTransaction } from "./volume-transaction.ts"

/** While a volume is in use its uniquifier on disk is so far ahead of the next one to give out. Part of the format. */
export const uniquifierReserve = 200
/** After 2^32-1 numbers go on here: 1 is the root directory's for ever. */
const firstUniquifier = 2
const uint32Max = 0xffff_ffff

const { offsets } = volumeInfoLayout
const inUseAt = offsets["inUse"] ?? 0
const inServiceAt = offsets["inService"] ?? 0
const blessedAt = offsets["blessed"] ?? 0
const dontSalvageAt = offsets["dontSalvage"] ?? 0

/** What the fileserver keeps of a volume's files while it is attached. */
export class Attachment {
  /** Group id: where the files lie. */
  readonly group: number
  readonly infoInode: Inode
  readonly readWrite: boolean
  /** The next uniquifier that a new vnode gets. */
  nextUnique: number
  readonly #bytes: Uint8Array

  /** `bytes`: VolumeInfo as read from disk; kept. */
  constructor(header: VolumeHeader, bytes: Uint8Array) {
    const info = volumeInfoLayout.read(bytes)
    this.group = header.parent
    this.infoInode = infoInode(header)
    this.readWrite = info.type === volumeTypes.RW
    this.nextUnique = info.uniquifier
    this.#bytes = bytes
  }

  get inUse(): boolean {
    return this.#bytes[inUseAt] !== programTypes.none
  }

  get inService(): boolean {
    return this.#bytes[inServiceAt] !== 0
  }

  get blessed(): boolean {
    return this.#bytes[blessedAt] !== 0
  }

  get isMarkedSound(): boolean {
    return this.#bytes[dontSalvageAt] === dontSalvageMark
  }

  /** A copy, decoded. */
  get info(): VolumeInfo {
    return volumeInfoLayout.read(this.#bytes)
  }

  /** A copy of the bytes, as QUERY_HDR answers. */
  get bytes(): Uint8Array {
    return this.#bytes.slice()
  }

  /** Changes VolumeInfo in core only. */
  edit(change: (info: VolumeInfo) => void): void {
    const info = this.info
    change(info)
    volumeInfoLayout.write(info, this.#bytes)
  }

  /**
   * Changes VolumeInfo and writes it: with the exact next uniquifier if the volume is not in use, else with the reserve on
   * top, so that numbers given out before a crash are not given out again.
   * @throws DiskError; core is changed all the same
   */
  write(partition: Partition, change: (info: VolumeInfo) => void, file?: DiskFile): void {
    this.edit((info) => {
      change(info)
      info.uniquifier = this.#uniquifierToWrite(info.inUse !== programTypes.none)
    })
    const store = new InodeStore(partition, this.group)
    using transaction = new VolumeTransaction(store, () => file)
    transaction.write(this.infoInode, 0, this.#bytes)
    transaction.commit()
  }

  #uniquifierToWrite(inUse: boolean): number {
    if (this.nextUnique === 0 || this.nextUnique + uniquifierReserve > uint32Max) this.nextUnique = firstUniquifier
    return this.nextUnique + (inUse ? uniquifierReserve : 0)
  }
}
