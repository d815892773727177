/**
 * Scans the folders of a great volume group with several threads. They only list and stat, so no lock is ever theirs: record
 * locks belong to the process, and a thread that opened and closed a lock file would drop those of all.
 *
 * The calling thread scans too, and at the end waits without its event loop. Folders are taken in turn from a shared counter.
 * What a thread could not read, or took and never handed over, is read again by the caller: so errors are its own, and a
 * thread that dies costs time only.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads"
import type { Disk } from "../common/disk/disk.ts"
import { folderReader, readerOf } from "../common/disk/folder-reader.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { type DataFolder, type Oddity, type ScanSink, scanFolder } from "./folder-scan.ts"
import type { Advance } from "./model.ts"

/** With fewer folders (of some 500 files each) the start of a thread takes longer than it saves. */
const foldersMin = 24
/** A thread that has not ended a folder for so long is not waited for. */
const patienceMs = 10_000

/** Words of the shared memory. */
export const scanWords = { next: 0, progress: 1, ended: 2 } as const

/** What a thread is given. */
export interface ScanTask {
  readonly folders: readonly DataFolder[]
  readonly isDevelopment: boolean
  readonly words: Int32Array
  readonly port: MessagePort
}

/** What a thread hands over when there are no more folders: its files in columns. */
export interface ScanPart {
  /** Folders that were read in full. */
  readonly read: readonly number[]
  readonly count: number
  readonly vnode: Uint32Array<ArrayBuffer>
  readonly unique: Uint32Array<ArrayBuffer>
  readonly version: Uint32Array<ArrayBuffer>
  readonly size: Float64Array<ArrayBuffer>
  readonly tag: Uint8Array<ArrayBuffer>
  readonly oddities: readonly Oddity[]
}

/**
 * Reads all folders into `sink`, in no particular order.
 * @throws DiskError if one cannot be read
 */
export function scanFolders(
  disk: Disk,
  folders: readonly DataFolder[],
  isDevelopment: boolean,
  threads: number,
  sink: ScanSink,
  advance: Advance = () => undefined,
): void {
  const isWorthIt = threads > 1 && disk === nodeDisk && folders.length >= foldersMin
  if (isWorthIt) {
    scanTogether(folders, isDevelopment, threads - 1, sink, advance)
    return
  }
  const read = disk === nodeDisk && folders.length >= foldersMin ? folderReader() : readerOf(disk)
  for (const [index, folder] of folders.entries()) {
    advance(index, folders.length)
    scanFolder(read, folder, isDevelopment, sink)
  }
}

function scanTogether(
  folders: readonly DataFolder[],
  isDevelopment: boolean,
  others: number,
  sink: ScanSink,
  advance: Advance,
): void {
  const words = new Int32Array(new SharedArrayBuffer(4 * Object.keys(scanWords).length))
  const ports = Array.from({ length: others }, () => startThread({ folders, isDevelopment, words }))
  const missing = new Set(folders.keys())
  for (let index = take(words); index < folders.length; index = take(words)) {
    const folder = folders[index]
    advance(index, folders.length)
    if (folder !== undefined) scanFolder(folderReader(), folder, isDevelopment, sink)
    missing.delete(index)
  }
  waitForThreads(words, others)
  for (const port of ports) for (const index of takePart(port, sink)) missing.delete(index)
  for (const index of missing) {
    const folder = folders[index]
    if (folder !== undefined) scanFolder(folderReader(), folder, isDevelopment, sink)
  }
}

/** The next folder that nobody has taken. */
export const take = (words: Int32Array): number => Atomics.add(words, scanWords.next, 1)

function startThread(task: Omit<ScanTask, "port">): MessagePort {
  const { port1, port2 } = new MessageChannel()
  const workerData: ScanTask = { ...task, port: port2 }
  const thread = new Worker(new URL("./scan-thread.js", import.meta.url), { workerData, transferList: [port2] })
  thread.on("error", () => undefined) // what it had is read again
  thread.unref()
  port1.unref()
  return port1
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

/** @returns the folders that the thread has read */
function takePart(port: MessagePort, sink: ScanSink): readonly number[] {
  const received: { message: ScanPart } | undefined = receiveMessageOnPort(port)
  port.close()
  if (received === undefined) return []
  const { read, count, vnode, unique, tag, size, version, oddities } = received.message
  for (let file = 0; file < count; file++)
    sink.add(vnode[file] ?? 0, unique[file] ?? 0, tag[file] ?? 0, size[file] ?? 0, version[file] ?? 0)
  for (const oddity of oddities) sink.odd(oddity)
  return read
}
