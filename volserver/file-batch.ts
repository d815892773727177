/**
 * A batch of small files on its way to the disk: their bytes, and what each is called, in memory that threads share. Whoever
 * makes the files goes through it in order and counts those that are made.
 */
import type { DiskFile } from "../common/disk/disk.ts"
import { dataInode, type Inode } from "../common/partition/inode-number.ts"
import { writeSparse } from "./sparse-copy.ts"

/** Bytes of data, and files, that a batch takes. */
export const batchBytesMax = 1024 * 1024
export const batchFilesMax = 256

/** Words that a file takes in `files`: vnode, uniquifier, tag, data version, and where its data begins and ends. */
const fileWords = 6

/** The memory of a batch: what goes to another thread. */
export interface BatchMemory {
  readonly bytes: SharedArrayBuffer
  readonly files: SharedArrayBuffer
}

export function newBatchMemory(): BatchMemory {
  return {
    bytes: new SharedArrayBuffer(batchBytesMax),
    files: new SharedArrayBuffer(4 * fileWords * batchFilesMax),
  }
}

/** One file of a batch. */
export interface BatchFile {
  readonly vnode: number
  readonly unique: number
  readonly tag: number
  readonly dataVersion: number
  /** In the batch's bytes. */
  readonly start: number
  readonly end: number
}

export class FileBatch {
  readonly memory: BatchMemory
  readonly bytes: Uint8Array
  readonly #files: Uint32Array

  constructor(memory: BatchMemory) {
    this.memory = memory
    this.bytes = new Uint8Array(memory.bytes)
    this.#files = new Uint32Array(memory.files)
  }

  set(index: number, { vnode, unique, tag, dataVersion, start, end }: BatchFile): void {
    this.#files.set([vnode, unique, tag, dataVersion, start, end], index * fileWords)
  }

  inode(index: number): Inode {
    const at = index * fileWords
    return dataInode(this.#files[at] ?? 0, this.#files[at + 1] ?? 0, this.#files[at + 2] ?? 0)
  }

  dataVersion(index: number): number {
    return this.#files[index * fileWords + 3] ?? 0
  }

  /** The data of a file: a view. */
  data(index: number): Uint8Array {
    const at = index * fileWords
    return this.bytes.subarray(this.#files[at + 4], this.#files[at + 5])
  }
}

/** Creates a file with the owner data of this data version. @throws DiskError, EEXIST for a file that is there */
export type CreateFile = (inode: Inode, dataVersion: number) => DiskFile

/** Makes the first `count` files of a batch; `made` hears of each. @throws DiskError */
export function makeFiles(create: CreateFile, batch: FileBatch, count: number, made: (index: number) => void): void {
  for (let index = 0; index < count; index++) {
    const data = batch.data(index)
    using file = create(batch.inode(index), batch.dataVersion(index))
    made(index)
    const written = writeSparse(file, data, 0)
    if (written < data.length) file.truncate(data.length)
  }
}
