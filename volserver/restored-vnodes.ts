/**
 * The vnodes of a dump, put into a volume's draft: data files first, under tags that nobody uses, then their records. The
 * volume itself is not touched, and leaving without installing the draft takes every file back.
 *
 * Memory: a buffer for the files of one batch (of three where a thread helps, file-maker.ts), a bit per vnode number, 8 bytes
 * per restored vnode.
 */
import type { DumpReader } from "../common/dump/dump-reader.ts"
import type { DumpVnode } from "../common/dump/dump-tags.ts"
import { AfsError, FormatError } from "../common/error.ts"
import { type Inode, inodeParts } from "../common/partition/inode-number.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { type IndexPiece, indexPieceSize, pieceOffsetOf, readIndexPiece } from "../common/vnode/index-piece.ts"
import { encodeRecord } from "../common/vnode/vnode-index.ts"
import {
  classOf,
  lengthHalves,
  newVnodeRecord,
  recordOffset,
  type VnodeClass,
  vnodeClasses,
  vnodeTypes,
} from "../common/vnode/vnode-record.ts"
import type { Volume } from "../common/volume/volume.ts"
import type { VolumeDraft } from "../common/volume/volume-draft.ts"
import { blocksOf } from "../common/volume/volume-info.ts"
import type { VolumeOperation } from "../fssync/volume-operation.ts"
import { findContentFault } from "./content-fault.ts"
import { RecordWriter } from "./record-writer.ts"
import { RestoredFiles, type Step } from "./restored-files.ts"
import { VnodeSet } from "./vnode-set.ts"

/** Files up to this size wait for others; larger ones are copied by themselves. */
const smallFileMax = 256 * 1024
/** The largest directory, and a byte by which a larger one shows. */
const judgedBytesMax = 1023 * 2048 + 1
/** A dump may give reason for millions of notices; nobody reads as many. */
const noticesMax = 100

/** A large file that has been copied already. */
export interface CopiedFile {
  readonly inode: Inode
  /** Its owner data. */
  readonly dataVersion: number
}

/** What the vnodes put so far come to. */
export interface RestoredContents {
  readonly filecount: number
  /** KiB. */
  readonly diskused: number
  readonly highestUnique: number
  readonly hasRoot: boolean
}

export interface RestoreOptions {
  /** Name of the stream, for errors. */
  readonly path: string
  /** A vnode that the dump only mentions is taken over from the volume; else it is an error. */
  readonly incremental: boolean
  /** Told of contents that are restored although they are damaged. */
  readonly notice: (text: string) => void
}

export class RestoredVnodes {
  readonly #volume: Volume
  readonly #store: InodeStore
  readonly #files: RestoredFiles
  readonly #options: RestoreOptions
  readonly #writers: Readonly<Record<VnodeClass, RecordWriter>>
  readonly #seen = new VnodeSet()
  readonly #pieces: Partial<Record<VnodeClass, IndexPiece>> = {}
  #filecount = 0
  #diskused = 0
  #highestUnique = 0
  #notices = 0

  constructor(volume: Volume, draft: VolumeDraft, options: RestoreOptions) {
    this.#volume = volume
    this.#store = new InodeStore(volume.partition, volume.header.parent)
    this.#options = options
    this.#files = new RestoredFiles(this.#store, (vnode, inode) => this.#writeRecord(vnode, inode))
    this.#writers = { large: new RecordWriter(draft.large, "large"), small: new RecordWriter(draft.small, "small") }
  }

  /** What came in, once `finish` was called. */
  get contents(): RestoredContents {
    const counts = { filecount: this.#filecount, diskused: this.#diskused, highestUnique: this.#highestUnique }
    return { ...counts, hasRoot: this.#seen.has(1) }
  }

  /** Takes the data of a vnode from the reader. @returns the copied file, for `put`, if it was too large to wait */
  async data(reader: DumpReader, vnode: DumpVnode, length: number, step: Step): Promise<CopiedFile | undefined> {
    if (length <= smallFileMax) {
      this.#files.makeRoom(vnode.vnode, length)
      reader.read(this.#files.room(length))
      return undefined
    }
    this.#files.flush()
    return { inode: await this.#files.copy(reader, vnode, length, step), dataVersion: vnode.dataVersion }
  }

  /** Puts a vnode that came in full; `file` is what `data` gave. */
  put(vnode: DumpVnode, file: CopiedFile | undefined): void {
    this.#count(vnode)
    if (file !== undefined) {
      this.#putRecord(vnode, file)
      return
    }
    const length = vnode.dataLength ?? 0
    if (vnode.dataLength === undefined) this.#files.makeRoom(vnode.vnode, 0)
    if (vnode.type !== vnodeTypes.file) this.#judge(vnode, this.#files.room(length))
    this.#files.put(vnode, length)
    this.#requireContent(vnode)
  }

  /**
   * Takes over a vnode that the dump says has not changed.
   * @throws AfsError EINVAL if the volume does not have it: the dump does not fit
   */
  keep(vnode: number, unique: number): void {
    this.#mark(vnode)
    const record = this.#options.incremental ? this.#oldRecord(vnode) : undefined
    if (record === undefined || record.piece.uniquifier(record.slot) !== unique) throw this.#misfit(vnode, unique)
    this.#writers[classOf(vnode)].put(vnode, record.piece.record(record.slot))
    this.#tally(record.piece.length(record.slot), unique)
  }

  /** Writes everything that is still in memory into the draft, and waits for the last file. */
  async finish(): Promise<void> {
    await this.#files.finish()
    this.#writers.large.flush()
    this.#writers.small.flush()
  }

  /** Takes back every data file, as far as that is right. */
  async undo(operation: VolumeOperation): Promise<void> {
    await this.#files.undo(operation)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]()
  }

  /** Puts a record behind those that wait, so that they go in order. */
  #putRecord(vnode: DumpVnode, { inode, dataVersion }: CopiedFile): void {
    this.#files.flush()
    if (vnode.type !== vnodeTypes.file) this.#judgeCopied(vnode, inode)
    if (dataVersion !== vnode.dataVersion) {
      using file = this.#store.open(inode, "write") // the dump told the version only after the data
      this.#store.setOwner(file, { parameter: vnode.dataVersion, number: inodeParts(inode).tag })
    }
    this.#writeRecord(vnode, inode)
  }

  #judgeCopied(vnode: DumpVnode, inode: Inode): void {
    using file = this.#store.open(inode, "read")
    const bytes = new Uint8Array(Math.min(vnode.dataLength ?? 0, judgedBytesMax))
    this.#judge(vnode, bytes.subarray(0, file.read(bytes, 0)))
  }

  /** Tells of damage that the dump brings along. */
  #judge(vnode: DumpVnode, bytes: Uint8Array): void {
    const fault = findContentFault(vnode, bytes)
    if (fault === undefined || ++this.#notices > noticesMax) return
    const { notice, path } = this.#options
    notice(`${path}: vnode ${vnode.vnode}.${vnode.unique} is ${fault}; it is restored as it is, dafs salvager mends it`)
    if (this.#notices === noticesMax) notice(`${path}: further damage is not listed`)
  }

  #writeRecord(vnode: DumpVnode, inode: Inode): void {
    const cls = classOf(vnode.vnode)
    const { type, mode, linkCount, unique, dataVersion, unixModifyTime, author, owner, group, parent } = vnode
    const record = newVnodeRecord(cls, {
      type,
      mode,
      linkCount,
      ...lengthHalves(vnode.dataLength ?? 0),
      uniquifier: unique,
      dataVersion,
      inodeLow: inode.low,
      inodeHigh: inode.high,
      unixModifyTime,
      author,
      owner,
      parent,
      group,
      serverModifyTime: vnode.serverModifyTime,
    })
    this.#writers[cls].put(vnode.vnode, encodeRecord(cls, record, vnode.accessList))
  }

  #count(vnode: DumpVnode): void {
    if (vnode.unique === 0) throw this.#fault(`vnode ${vnode.vnode} with uniquifier 0`, "1 or more")
    this.#mark(vnode.vnode)
    this.#tally(vnode.dataLength ?? 0, vnode.unique)
  }

  #tally(length: number, unique: number): void {
    this.#filecount++
    this.#diskused += blocksOf(length)
    this.#highestUnique = Math.max(this.#highestUnique, unique)
  }

  #mark(vnode: number): void {
    if (!this.#seen.add(vnode)) throw this.#fault(`vnode ${vnode} a second time`)
  }

  #requireContent(vnode: DumpVnode): void {
    if (classOf(vnode.vnode) === "small" || (vnode.dataLength ?? 0) > 0) return
    throw this.#fault(`directory ${vnode.vnode} without contents`, "its pages")
  }

  #fault(found: string, wanted?: string): FormatError {
    return new FormatError("volume dump", { path: this.#options.path }, found, wanted)
  }

  #misfit(vnode: number, unique: number): AfsError {
    const why = this.#options.incremental
      ? "the volume does not have it: restore the dump that goes before this one first"
      : "there is nothing to take it from: this is an incremental dump, restore the full one first"
    const detail = `${this.#options.path} says that vnode ${vnode}.${unique} has not changed, but ${why}`
    return new AfsError(
      "EINVAL",
      "restore",
      { volume: this.#volume.id, partition: this.#volume.partition.name },
      { detail },
    )
  }

  #oldRecord(vnode: number): { piece: IndexPiece; slot: number } | undefined {
    const cls = classOf(vnode)
    const offset = pieceOffsetOf(vnode, cls)
    let piece = this.#pieces[cls]
    if (piece?.offset !== offset) piece = readIndexPiece(this.#volume.index(cls).file, cls, offset, indexPieceSize)
    this.#pieces[cls] = piece
    const slot = (recordOffset(vnode) - offset) / vnodeClasses[cls].recordSize
    return piece.used(slot) ? { piece, slot } : undefined
  }
}
