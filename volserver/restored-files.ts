/**
 * The data files of a restore: made in batches, beside the volume's own, under tags that nobody uses; in a thread too, where a
 * processor has time for it. Nothing names them before their records are written, and all can be taken back.
 */
import type { DumpReader } from "../common/dump/dump-reader.ts"
import type { DumpVnode } from "../common/dump/dump-tags.ts"
import { dataInode, type Inode } from "../common/partition/inode-number.ts"
import type { InodeStore } from "../common/partition/inode-store.ts"
import { IdleProcessors } from "../common/system/idle-processors.ts"
import { VolumeTransaction } from "../common/volume/volume-transaction.ts"
import type { VolumeOperation } from "../fssync/volume-operation.ts"
import { batchBytesMax, batchFilesMax, type CreateFile, FileBatch, makeFiles, newBatchMemory } from "./file-batch.ts"
import { FileMaker } from "./file-maker.ts"
import { InodeList, takeBack } from "./inode-list.ts"
import { writeSparse } from "./sparse-copy.ts"

/** A thread that makes files is worth its start from so many on. */
const threadFilesMin = 512
/** So much of a processor must be idle for it. */
const idleProcessorsMin = 0.5
/** Vnode numbers of a batch lie so close: the rows between are read at once. */
const batchSpanMax = 32_768
const pieceBytes = 256 * 1024

interface WaitingFile {
  readonly vnode: DumpVnode
  /** Where its data lies in the batch buffer. */
  readonly start: number
  readonly end: number
}

/** Called between pieces of a long copy, and awaited if it gives a promise. */
export type Step = () => Promise<void> | undefined

export class RestoredFiles {
  readonly #store: InodeStore
  /** Writes the record of a file. */
  readonly #record: (vnode: DumpVnode, inode: Inode) => void
  readonly #created = new InodeList()
  /** A batch that is made in this thread, unless the file maker has one to be filled. */
  readonly #ownBatch = new FileBatch(newBatchMemory())
  #batch = this.#ownBatch
  #maker: FileMaker | undefined
  /** Undefined where no thread can help. */
  readonly #processors: IdleProcessors | undefined
  /** Files that were put. */
  #count = 0
  /** Number of files at which a thread is thought of next. */
  #nextThought = threadFilesMin
  #waiting: WaitingFile[] = []
  #filled = 0

  constructor(store: InodeStore, record: (vnode: DumpVnode, inode: Inode) => void) {
    this.#store = store
    this.#record = record
    this.#processors = FileMaker.canServe(store) ? new IdleProcessors() : undefined
  }

  /** Makes sure that the vnode's data, `length` bytes, fits behind the files that wait. */
  makeRoom(vnode: number, length: number): void {
    const first = this.#waiting[0]
    if (first === undefined) return
    const isFar = Math.abs(vnode - first.vnode.vnode) >= batchSpanMax
    if (isFar || this.#waiting.length >= batchFilesMax || this.#filled + length > batchBytesMax) this.flush()
  }

  /** Where data of the next file goes; good until it is put. */
  room(length: number): Uint8Array {
    return this.#batch.bytes.subarray(this.#filled, this.#filled + length)
  }

  /** Puts the file whose data, `length` bytes, is in its room. */
  put(vnode: DumpVnode, length: number): void {
    this.#count++
    this.#waiting.push({ vnode, start: this.#filled, end: this.#filled + length })
    this.#filled += length
  }

  /** Makes the files that wait. @throws AfsError VDISKFULL if a vnode has no free tag; DiskError */
  flush(): void {
    const count = this.#waiting.length
    if (count === 0) return
    const batch = this.#batch
    const transaction = new VolumeTransaction(this.#store)
    try {
      const tags = transaction.allocate(this.#waiting.map(({ vnode }) => vnode.vnode))
      for (const [index, { vnode, start, end }] of this.#waiting.entries()) {
        const { vnode: number, unique, dataVersion } = vnode
        batch.set(index, { vnode: number, unique, tag: tags[index] ?? 0, dataVersion, start, end })
      }
      if (batch === this.#ownBatch) this.#makeHere(transaction, count)
    } catch (error) {
      transaction[Symbol.dispose]()
      throw error
    }
    // The draft's records count for nothing until it is installed: they need not wait for their files.
    for (const [index, { vnode }] of this.#waiting.entries()) this.#record(vnode, batch.inode(index))
    if (batch !== this.#ownBatch) this.#maker?.post(batch, count, transaction)
    this.#waiting = []
    this.#filled = 0
    this.#batch = this.#nextBatch()
  }

  #makeHere(transaction: VolumeTransaction, count: number): void {
    const batch = this.#ownBatch
    const create: CreateFile = (inode, dataVersion) => this.#store.create(inode, dataVersion)
    makeFiles(create, batch, count, (index) => transaction.adopt(batch.inode(index), batch.dataVersion(index)))
    transaction.commit()
    for (let index = 0; index < count; index++) this.#created.push(batch.inode(index))
  }

  /** Where the next files go: to the thread, if it is there and has nothing to do. */
  #nextBatch(): FileBatch {
    if (this.#count >= this.#nextThought) this.#maker ??= this.#newMaker()
    return this.#maker?.free() ?? this.#ownBatch
  }

  /** A thread, where a processor has time for it; else the question comes again later. */
  #newMaker(): FileMaker | undefined {
    this.#nextThought = 2 * this.#count
    const isUseful = (this.#processors?.mean() ?? 0) >= idleProcessorsMin
    return isUseful ? new FileMaker(this.#store, this.#created) : undefined
  }

  /** Copies a file by itself, in pieces; its record is the caller's affair. */
  async copy(reader: DumpReader, vnode: DumpVnode, length: number, step: Step): Promise<Inode> {
    const { dataVersion } = vnode
    using transaction = new VolumeTransaction(this.#store)
    const [tag = 0] = transaction.allocate([vnode.vnode])
    const inode = dataInode(vnode.vnode, vnode.unique, tag)
    {
      using file = transaction.create(inode, dataVersion)
      let written = 0
      for (let at = 0; at < length; ) {
        const piece = this.#ownBatch.bytes.subarray(0, Math.min(pieceBytes, length - at))
        reader.read(piece)
        written = Math.max(written, writeSparse(file, piece, at))
        at += piece.length
        const turn = step()
        if (turn !== undefined) await turn
      }
      if (written < length) file.truncate(length)
    }
    transaction.commit()
    this.#created.push(inode)
    return inode
  }

  /** Makes what waits, and waits for the last file. */
  async finish(): Promise<void> {
    this.flush()
    await this.#maker?.finish()
  }

  /** Takes back every file, as far as that is right. */
  async undo(operation: VolumeOperation): Promise<void> {
    await this.#maker?.end()
    takeBack(operation, this.#store, this.#created)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#maker?.end()
  }
}
