/**
 * Files that stay open because they will be used again, as many as the limit allows: beyond it the one that was not used for
 * longest is closed. A file that somebody pinned stays open. What was written and is to survive a power failure is marked;
 * it is synced in the background when it is closed, as OpenAFS does at the closing of a handle (vol/ihandle.c).
 *
 * A file that was got is good for the present turn: later it may have been closed. At least `leastFiles` are kept, which is
 * more than one turn uses.
 */
import { type Ranked, RecencyList } from "../recency-list.ts"
import type { DiskFile } from "./disk.ts"

/** No turn uses more files of one kind than this. */
const leastFiles = 64
/** Files that are synced in the background at a time; then the next one is waited for, so that they cannot pile up. */
const closingMax = 64

class Entry implements Ranked<Entry> {
  older: Entry | undefined
  newer: Entry | undefined
  weight = 1
  readonly key: object
  readonly file: DiskFile
  pins = 0
  /** To be synced before it is closed. */
  unsynced = false
  /** Dropped while it was pinned: closed at the last unpin. */
  dropped = false

  constructor(key: object, file: DiskFile) {
    this.key = key
    this.file = file
  }
}

/** Open files by the object that each belongs to. */
export class OpenFileCache {
  readonly #limit: number
  readonly #entries = new Map<object, Entry>()
  readonly #byUse = new RecencyList<Entry>()
  readonly #onSyncError: (error: unknown, path: string) => void
  readonly #closing = new Set<Promise<void>>()

  /** `onSyncError` hears of a file that could not be synced when it was closed. */
  constructor(limit: number, onSyncError: (error: unknown, path: string) => void) {
    this.#limit = Math.max(limit, leastFiles)
    this.#onSyncError = onSyncError
  }

  /** Open files, those that are being closed not counted. */
  get size(): number {
    return this.#entries.size
  }

  get limit(): number {
    return this.#limit
  }

  get(key: object): DiskFile | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#byUse.touch(entry)
    return entry.file
  }

  /** Keeps a file that has just been opened, or made. */
  add(key: object, file: DiskFile): DiskFile {
    const entry = new Entry(key, file)
    this.#entries.set(key, entry)
    this.#byUse.add(entry)
    if (this.#entries.size > this.#limit) this.#closeOldest()
    return file
  }

  /** Keeps the file open until the result is disposed of, even if it is dropped meanwhile. It must be open. */
  pin(key: object): Disposable {
    const entry = this.#entries.get(key)
    if (entry === undefined) throw new Error("a file that is not open cannot be kept open")
    entry.pins++
    return { [Symbol.dispose]: () => this.#unpin(entry) }
  }

  /** What was written to the file has to be on the platter once it is closed. */
  markUnsynced(key: object): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.unsynced = true
  }

  /** Closes a file if it is open; without a sync where `isGone` says that nobody will ever read it. */
  drop(key: object, isGone = false): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#byUse.remove(entry)
    if (isGone) entry.unsynced = false
    entry.dropped = true
    if (entry.pins === 0) this.#close(entry)
  }

  /** Resolves when every file that was closed until now has been synced as it was to be. */
  async closed(): Promise<void> {
    while (this.#closing.size > 0) await Promise.all(this.#closing)
  }

  #unpin(entry: Entry): void {
    entry.pins--
    if (entry.dropped && entry.pins === 0) this.#close(entry)
  }

  #closeOldest(): void {
    let entry = this.#byUse.oldest
    while (entry !== undefined && entry.pins > 0) entry = entry.newer
    if (entry !== undefined) this.drop(entry.key)
  }

  #close(entry: Entry): void {
    if (entry.unsynced && this.#closing.size >= closingMax) this.#syncNow(entry)
    if (!entry.unsynced) {
      entry.file.close()
      return
    }
    const closing = this.#syncAndClose(entry.file)
    this.#closing.add(closing)
    void closing.then(() => this.#closing.delete(closing)) // never rejects
  }

  #syncNow(entry: Entry): void {
    entry.unsynced = false
    try {
      entry.file.sync()
    } catch (error) {
      this.#onSyncError(error, entry.file.path)
    }
  }

  async #syncAndClose(file: DiskFile): Promise<void> {
    try {
      await file.syncLater()
    } catch (error) {
      this.#onSyncError(error, file.path)
    } finally {
      file.close()
    }
  }
}
