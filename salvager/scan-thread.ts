/** A thread of scan-threads.ts: takes folders as long as there are any, then hands over what it found. */
import { workerData } from "node:worker_threads"
import { folderReader } from "../common/disk/folder-reader.ts"
import { isScanFailure, type Oddity, type ScanSink, scanFolder } from "./folder-scan.ts"
import { type ScanPart, type ScanTask, scanWords, take } from "./scan-threads.ts"

/** Files in columns that grow. */
class Columns implements ScanSink {
  readonly oddities: Oddity[] = []
  #count = 0
  #vnode = new Uint32Array(4096)
  #unique = new Uint32Array(4096)
  #version = new Uint32Array(4096)
  #size = new Float64Array(4096)
  #tag = new Uint8Array(4096)

  /** Files and oddities so far: what a folder that cannot be read in full is taken back to. */
  get mark(): readonly [number, number] {
    return [this.#count, this.oddities.length]
  }

  backTo([count, oddities]: readonly [number, number]): void {
    this.#count = count
    this.oddities.length = oddities
  }

  add(vnode: number, unique: number, tag: number, size: number, version: number): void {
    if (this.#count === this.#vnode.length) this.#grow()
    const at = this.#count++
    this.#vnode[at] = vnode
    this.#unique[at] = unique
    this.#version[at] = version
    this.#size[at] = size
    this.#tag[at] = tag
  }

  odd(oddity: Oddity): void {
    this.oddities.push(oddity)
  }

  part(read: readonly number[]): ScanPart {
    const columns = { vnode: this.#vnode, unique: this.#unique, version: this.#version }
    return { read, count: this.#count, ...columns, size: this.#size, tag: this.#tag, oddities: this.oddities }
  }

  #grow(): void {
    const length = 2 * this.#vnode.length
    this.#vnode = grown(this.#vnode, new Uint32Array(length))
    this.#unique = grown(this.#unique, new Uint32Array(length))
    this.#version = grown(this.#version, new Uint32Array(length))
    this.#size = grown(this.#size, new Float64Array(length))
    this.#tag = grown(this.#tag, new Uint8Array(length))
  }
}

function grown<T extends { set(from: ArrayLike<number>): void }>(from: ArrayLike<number>, into: T): T {
  into.set(from)
  return into
}

function scanAll({ folders, isDevelopment, words }: ScanTask): ScanPart {
  const columns = new Columns()
  const read: number[] = []
  for (let index = take(words); index < folders.length; index = take(words)) {
    const folder = folders[index]
    const before = columns.mark
    try {
      if (folder !== undefined) scanFolder(folderReader(), folder, isDevelopment, columns)
      read.push(index)
    } catch (error) {
      if (!isScanFailure(error)) throw error
      columns.backTo(before) // the caller reads it again, and tells
    }
    Atomics.add(words, scanWords.progress, 1)
  }
  return columns.part(read)
}

const task: ScanTask = workerData
try {
  const part = scanAll(task)
  const { vnode, unique, version, size, tag } = part
  task.port.postMessage(
    part,
    [vnode, unique, version, size, tag].map(({ buffer }) => buffer),
  )
} finally {
  Atomics.add(task.words, scanWords.ended, 1)
  Atomics.notify(task.words, scanWords.ended)
}
