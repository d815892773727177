/** What scan-threads.ts and its threads say to one another. */
import type { MessagePort } from "node:worker_threads"
import type { ColumnParts } from "./file-columns.ts"
import type { DataFolder, Oddity } from "./folder-scan.ts"

/** Words of the shared memory. */
export const scanWords = { next: 0, progress: 1, ended: 2 } as const

/** The next folder that nobody has taken. */
export const take = (words: Int32Array): number => Atomics.add(words, scanWords.next, 1)

/**
 * What a thread does, in one word of shared memory. While it calls C functions, or loads them, nobody may end it: koffi would
 * end the whole process with it.
 */
const threadStates = { idle: 0, busy: 1, closed: 2 } as const
/** So long an end waits for a thread. */
const patienceMs = 1000

/** What belongs to a new thread. */
export const newThreadState = (): Int32Array => new Int32Array(new SharedArrayBuffer(4))

/** Does `work`, unless the thread is to end. */
export function unlessClosed(state: Int32Array, work: () => void): void {
  if (Atomics.compareExchange(state, 0, threadStates.idle, threadStates.busy) !== threadStates.idle) return
  try {
    work()
  } finally {
    Atomics.store(state, 0, threadStates.idle)
    Atomics.notify(state, 0)
  }
}

/** From now on the thread may end, or be ended: what it has in hand is done, and it begins nothing more. */
export function closeThread(state: Int32Array): void {
  const isBusy = (): boolean =>
    Atomics.compareExchange(state, 0, threadStates.idle, threadStates.closed) === threadStates.busy
  if (isBusy() && Atomics.wait(state, 0, threadStates.busy, patienceMs) !== "timed-out") isBusy()
}

/** No thread takes any more folders. */
export const stopTaking = (words: Int32Array): void => void Atomics.store(words, scanWords.next, 2 ** 30)

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
