/** What scan-threads.ts and its threads say to one another. */
import type { MessagePort } from "node:worker_threads"
import type { ColumnParts } from "./file-columns.ts"
import type { DataFolder, Oddity } from "./folder-scan.ts"

/** Words of the shared memory. */
export const scanWords = { next: 0, progress: 1, ended: 2 } as const

/** The next folder that nobody has taken. */
export const take = (words: Int32Array): number => Atomics.add(words, scanWords.next, 1)

/** What a thread is given. */
export interface ScanTask {
  readonly folders: readonly DataFolder[]
  readonly isDevelopment: boolean
  readonly words: Int32Array
  readonly port: MessagePort
}

/** What a thread hands over when there are no more folders. */
export interface ScanPart {
  /** Folders that were read in full. */
  readonly read: readonly number[]
  readonly files: ColumnParts
  readonly oddities: readonly Oddity[]
}
