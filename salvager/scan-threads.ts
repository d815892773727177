/**
 * Scans the folders of a great volume group with several threads. They only list and stat, so no lock is ever theirs: record
 * locks belong to the process, and a thread that opened and closed a lock file would drop those of all.
 *
 * Threads are started ahead, because their start takes as long as to read some ten thousand files. The calling thread scans
 * too, when it has done what needs no scan, and at the end waits without its event loop. Folders are taken in turn from a
 * shared counter. What a thread could not read, or took and never handed over, is read again by the caller: so errors are
 * its own, and a thread that dies costs time only.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads"
import type { Disk } from "../common/disk/disk.ts"
import { folderOpener, readyFolderOpener } from "../common/disk/folder-reader.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { FileColumns } from "./file-columns.ts"
import { type DataFolder, type ScanSink, scanFolder } from "./folder-scan.ts"
import type { Advance } from "./model.ts"
import { closeThread, newThreadState, type ScanPart, type ScanTask, scanWords, stopTaking, take } from "./scan-task.ts"

/** With fewer folders (of some 250 files each) the start of a thread takes longer than it saves. */
const foldersMin = 24
/** A thread that has not ended a folder for so long is not waited for. */
const patienceMs = 10_000

/** Threads for one scan. */
export class ScanThreads implements Disposable {
  readonly #count: number
  #threads: Worker[] = []
  /** Of all that were started, and what those that had a task share. */
  readonly #states: Int32Array[] = []
  #words: Int32Array | undefined

  /** `count` besides the calling one. */
  constructor(count: number) {
    this.#count = count
  }

  /** They load what they need, and wait for their task. */
  start(): void {
    while (this.#threads.length < this.#count) {
      const state = newThreadState()
      this.#states.push(state)
      this.#threads.push(startThread(state))
    }
  }

  /** @returns where each will hand over its part */
  hand(task: Omit<ScanTask, "port">): MessagePort[] {
    this.start()
    this.#words = task.words
    return this.#threads.splice(0).map((thread) => {
      const { port1, port2 } = new MessageChannel()
      thread.postMessage({ ...task, port: port2 } satisfies ScanTask, [port2])
      port1.unref()
      return port1
    })
  }

  /** Ends those that never had a task; others end by themselves. The process may end then, too. */
  [Symbol.dispose](): void {
    if (this.#words !== undefined) stopTaking(this.#words)
    for (const state of this.#states.splice(0)) closeThread(state)
    for (const thread of this.#threads.splice(0)) void thread.terminate()
  }
}

function startThread(state: Int32Array): Worker {
  const thread = new Worker(new URL("./scan-thread.js", import.meta.url), { workerData: state })
  thread.on("error", () => undefined) // what it had is read again
  thread.unref()
  return thread
}

/** A scan that threads may have begun. */
export interface FolderScan {
  /** Threads read meanwhile. */
  readonly isShared: boolean
  /**
   * Reads all that is left into `sink`, in no particular order. To be called once.
   * @throws DiskError if a folder cannot be read
   */
  finish(sink: ScanSink, advance?: Advance): void
}

/** Lets threads begin with these folders, if they are many. */
export function beginScan(
  disk: Disk,
  folders: readonly DataFolder[],
  isDevelopment: boolean,
  threads?: ScanThreads,
): FolderScan {
  const isGreat = disk === nodeDisk && folders.length >= foldersMin
  if (isGreat && threads !== undefined) return new SharedScan(folders, isDevelopment, threads)
  return {
    isShared: false,
    finish(sink, advance = () => undefined) {
      const open = isGreat ? folderOpener() : readyFolderOpener(disk)
      for (const [index, folder] of folders.entries()) {
        advance(index, folders.length)
        scanFolder(open, folder, isDevelopment, sink)
      }
    },
  }
}

class SharedScan implements FolderScan {
  readonly isShared: boolean
  readonly #folders: readonly DataFolder[]
  readonly #isDevelopment: boolean
  readonly #words = new Int32Array(new SharedArrayBuffer(4 * Object.keys(scanWords).length))
  readonly #ports: readonly MessagePort[]
  /** Folders that were not read yet, as far as is known here. */
  readonly #missing: Set<number>

  constructor(folders: readonly DataFolder[], isDevelopment: boolean, threads: ScanThreads) {
    this.#folders = folders
    this.#isDevelopment = isDevelopment
    this.#missing = new Set(folders.keys())
    this.#ports = threads.hand({ folders, isDevelopment, words: this.#words })
    this.isShared = this.#ports.length > 0
  }

  finish(sink: ScanSink, advance: Advance = () => undefined): void {
    const count = this.#folders.length
    for (let index = take(this.#words); index < count; index = take(this.#words)) {
      advance(index, count)
      this.#read(index, sink)
    }
    if (this.#missing.size > 0) waitForThreads(this.#words, this.#ports.length)
    for (const port of this.#ports) this.#takePart(port, sink)
    for (const index of this.#missing) this.#read(index, sink)
  }

  #read(index: number, sink: ScanSink): void {
    const folder = this.#folders[index]
    if (folder !== undefined) scanFolder(folderOpener(), folder, this.#isDevelopment, sink)
    this.#missing.delete(index)
  }

  #takePart(port: MessagePort, sink: ScanSink): void {
    const received: { message: ScanPart } | undefined = receiveMessageOnPort(port)
    port.close()
    if (received === undefined) return
    const { read, files, oddities } = received.message
    sink.files.addAll(FileColumns.of(files))
    for (const oddity of oddities) sink.odd(oddity)
    for (const index of read) this.#missing.delete(index)
  }
}

/** Returns when all have ended, or when none has got on for a while. */
function waitForThreads(words: Int32Array, count: number): void {
  for (;;) {
    const ended = Atomics.load(words, scanWords.ended)
    const progress = Atomics.load(words, scanWords.progress)
    if (ended >= count) return
    const isTimeOver = Atomics.wait(words, scanWords.ended, ended, patienceMs) === "timed-out"
    if (isTimeOver && Atomics.load(words, scanWords.progress) === progress) return
  }
}
