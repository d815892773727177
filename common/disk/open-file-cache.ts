/**
 * Files that stay open because they will be used again, as many as the limit allows: beyond it the one that was not used for
 * longest is closed. A file that somebody pinned stays open. What was written and is to survive a power failure is marked;
 * it is synced in the background when it is closed, as OpenAFS does at the closing of a handle (vol/ihandle.c).
 *
 * A file that was got is good for the present turn: later it may have been closed. At least `leastFiles` are kept, which is
 * more than one turn uses.
 */
import type { DiskFile } from "./disk.ts"

/** No turn uses more files of one kind than this. */
export const leastFiles = 64

interface Entry {
  readonly file: DiskFile
  pins: number
  /** To be synced before it is closed. */
  unsynced: boolean
  /** Dropped while it was pinned: closed at the last unpin. */
  dropped: boolean
}

/** Open files by the object that each belongs to. */
export class OpenFileCache {
  readonly #limit: number
  readonly #entries = new Map<object, Entry>()
  /** Of all entries, the used ones at the end. */
  readonly #onSyncError: (error: unknown, path: string) => void
  readonly #closing = new Set<Promise<void>>()
  #last: { readonly key: object; readonly entry: Entry } | undefined

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
    if (this.#last?.key === key) return this.#last.entry.file
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    this.#last = { key, entry }
    return entry.file
  }

  /** Keeps a file that has just been opened, or made. */
  add(key: object, file: DiskFile): DiskFile {
    const entry = { file, pins: 0, unsynced: false, dropped: false }
    this.#entries.set(key, entry)
    this.#last = { key, entry }
    if (this.#entries.size > this.#limit) this.#closeOldest()
    return file
  }

  /** The file, opened if need be. */
  use(key: object, open: () => DiskFile): DiskFile {
    return this.get(key) ?? this.add(key, open())
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
    if (this.#last?.key === key) this.#last = undefined
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
    for (const [key, entry] of this.#entries) {
      if (entry.pins > 0) continue
      this.drop(key)
      return
    }
  }

  #close(entry: Entry): void {
    if (!entry.unsynced) {
      entry.file.close()
      return
    }
    const closing = this.#syncAndClose(entry.file)
    this.#closing.add(closing)
    void closing.then(() => this.#closing.delete(closing)) // never rejects
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
