/**
 * An attached volume's VolumeInfo in core: the authoritative copy, kept as the bytes of its file so that what no field
 * owns survives, and the one way to write it back. OpenAFS vol/volume.c (VUpdateVolume_r).
 */
import type { DiskFile } from "../disk/disk.ts"
import type { Inode } from "../partition/inode-number.ts"
import { InodeStore } from "../partition/inode-store.ts"
import type { Partition } from "../partition/partition.ts"
import { programTypes, volumeTypes } from "../protocol/codes.ts"
import {
  changeInfo,
  countInfo,
  hasOfflineMessage,
  type InfoChanges,
  type InfoCounters,
  type InfoWord,
  infoByte,
  infoWord,
  setInfoWord,
} from "./info-fields.ts"
import { infoInode, type VolumeHeader } from "./volume-header.ts"
import { dontSalvageMark, type VolumeInfo, volumeInfoLayout } from "./volume-info.ts"
import { VolumeTransaction } from "./volume-transaction.ts"

/** While a volume is in use its uniquifier on disk is so far ahead of the next one to give out. Part of the format. */
export const uniquifierReserve = 200
/** After 2^32-1 numbers go on here: 1 is the root directory's for ever. */
const firstUniquifier = 2
const uint32Max = 0xffff_ffff

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
    this.group = header.parent
    this.infoInode = infoInode(header)
    this.readWrite = infoWord(bytes, "type") === volumeTypes.RW
    this.nextUnique = infoWord(bytes, "uniquifier")
    this.#bytes = bytes
  }

  get inUse(): boolean {
    return infoByte(this.#bytes, "inUse") !== programTypes.none
  }

  get inService(): boolean {
    return infoByte(this.#bytes, "inService") !== 0
  }

  get blessed(): boolean {
    return infoByte(this.#bytes, "blessed") !== 0
  }

  get isMarkedSound(): boolean {
    return infoByte(this.#bytes, "dontSalvage") === dontSalvageMark
  }

  get hasOfflineMessage(): boolean {
    return hasOfflineMessage(this.#bytes)
  }

  /** Seconds since 1970. */
  get updateDate(): number {
    return infoWord(this.#bytes, "updateDate")
  }

  /** A field of four bytes in core, unsigned. */
  word(field: InfoWord): number {
    return infoWord(this.#bytes, field)
  }

  /** Changes a field of four bytes in core only. */
  setWord(field: Exclude<InfoWord, "magic" | "version" | "id" | "type" | "uniquifier">, value: number): void {
    setInfoWord(this.#bytes, field, value)
  }

  /** One more in one of a field's counters, in core only. */
  count(field: InfoCounters, index: number): void {
    countInfo(this.#bytes, field, index)
  }

  /** A copy, decoded. */
  get info(): VolumeInfo {
    return volumeInfoLayout.read(this.#bytes)
  }

  /** A copy of the bytes. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#bytes)
  }

  /** Changes VolumeInfo in core only. */
  edit(change: (info: VolumeInfo) => void): void {
    const info = this.info
    change(info)
    volumeInfoLayout.write(info, this.#bytes)
  }

  /**
   * Changes VolumeInfo and writes it: with the exact next uniquifier if the volume is not in use, else with the reserve on
   * top, so that numbers given out before a crash are not given out again. `file`: VolumeInfo's, if it is open already.
   * @throws DiskError; core is changed all the same
   */
  write(partition: Partition, changes: InfoChanges, file?: DiskFile): void {
    changeInfo(this.#bytes, changes)
    setInfoWord(this.#bytes, "uniquifier", this.#uniquifierToWrite())
    const store = new InodeStore(partition, this.group)
    using transaction = new VolumeTransaction(store, () => file)
    transaction.write(this.infoInode, 0, this.#bytes)
    transaction.commit()
  }

  #uniquifierToWrite(): number {
    if (this.nextUnique === 0 || this.nextUnique + uniquifierReserve > uint32Max) this.nextUnique = firstUniquifier
    return this.nextUnique + (this.inUse ? uniquifierReserve : 0)
  }
}
