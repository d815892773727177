/** A thread of scan-threads.ts: takes folders as long as there are any, then hands over what it found. */
import { parentPort, workerData } from "node:worker_threads"
import { folderOpener } from "../common/disk/folder-reader.ts"
import { FileColumns } from "./file-columns.ts"
import { isScanFailure, type Oddity, type ScanSink, scanFolder } from "./folder-scan.ts"
import { type ScanPart, type ScanTask, scanWords, take, unlessClosed } from "./scan-task.ts"

const state: Int32Array = workerData

const files = new FileColumns()
const oddities: Oddity[] = []
const sink: ScanSink = { files, odd: (oddity) => oddities.push(oddity) }

function scanAll({ folders, isDevelopment, words }: ScanTask): ScanPart {
  const read: number[] = []
  for (let index = take(words); index < folders.length; index = take(words)) {
    const folder = folders[index]
    const before = { files: files.count, oddities: oddities.length }
    try {
      if (folder !== undefined) scanFolder(folderOpener(), folder, isDevelopment, sink)
      read.push(index)
    } catch (error) {
      if (!isScanFailure(error)) throw error
      files.count = before.files // the caller reads it again, and tells
      oddities.length = before.oddities
    }
    Atomics.add(words, scanWords.progress, 1)
  }
  return { read, files: files.handOver(), oddities }
}

function run(task: ScanTask): void {
  try {
    unlessClosed(state, () => {
      const part = scanAll(task)
      task.port.postMessage(part, [part.files.buffer])
    })
  } finally {
    Atomics.add(task.words, scanWords.ended, 1)
    Atomics.notify(task.words, scanWords.ended)
  }
}

parentPort?.once("message", run)
unlessClosed(state, () => void folderOpener()) // loads the C library meanwhile
