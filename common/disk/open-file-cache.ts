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

/** What a file belongs to. */
export interface FileOwner {
  /** The cache's: its entry while the file is open. */
  openFile: OpenFile | undefined
}

/** A file in the cache. */
export class OpenFile implements Ranked<OpenFile> {
  older: OpenFile | undefined
  newer: OpenFile | undefined
  weight = 1
  readonly owner: FileOwner
  readonly file: DiskFile
  pins = 0
  /** To be synced before it is closed. */
  unsynced = false
  /** Dropped while it was pinned: closed at the last unpin. */
  dropped = false

  constructor(owner: FileOwner, file: DiskFile) {
    this.owner = owner
    this.file = file
  }
}

/** Open files by the object that each belongs to; an object is in one cache at most. */
export class OpenFileCache {
  readonly #limit: number
  #size = 0
  /** Those that nobody has pinned. */
  readonly #byUse = new RecencyList<OpenFile>()
  /** Files that somebody keeps open, in the cache or beside it. */
  #kept = 0
  /** Those beside it. */
  #besides = 0
  readonly #onSyncError: (error: unknown, path: string) => void
  readonly #closing = new Set<Promise<void>>()

  /** `onSyncError` hears of a file that could not be synced when it was closed. */
  constructor(limit: number, onSyncError: (error: unknown, path: string) => void) {
    this.#limit = Math.max(limit, leastFiles)
    this.#onSyncError = onSyncError
  }

  /** Open files, those that are being closed not counted. */
  get size(): number {
    return this.#size
  }

  get limit(): number {
    return this.#limit
  }

  /** Who would keep one more file open over several turns has to do without: the rest is for those who need one for a turn. */
  get isFull(): boolean {
    return this.#kept >= Math.max(this.#limit >> 1, this.#limit - leastFiles)
  }

  get({ openFile: entry }: FileOwner): DiskFile | undefined {
    if (entry === undefined) return undefined
    if (entry.pins === 0) this.#byUse.touch(entry)
    return entry.file
  }

  /** Keeps a file that has just been opened, or made. */
  add(owner: FileOwner, file: DiskFile): DiskFile {
    const entry = new OpenFile(owner, file)
    owner.openFile = entry
    this.#size++
    this.#byUse.add(entry)
    while (this.#size + this.#besides > this.#limit && this.#closeOldest(entry));
    return file
  }

  /** Keeps the file open until the result is disposed of, even if it is dropped meanwhile. It must be open. */
  pin({ openFile: entry }: FileOwner): Disposable {
    if (entry === undefined) throw new Error("a file that is not open cannot be kept open")
    if (entry.pins++ === 0) {
      this.#kept++
      if (!entry.dropped) this.#byUse.remove(entry)
    }
    return { [Symbol.dispose]: () => this.#unpin(entry) }
  }

  /** Counts a file that somebody keeps open beside the cache, until the result is disposed of. */
  hold(): Disposable {
    this.#kept++
    this.#besides++
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return
        isHeld = false
        this.#kept--
        this.#besides--
      },
    }
  }

  /** What was written to the file has to be on the platter once it is closed. */
  markUnsynced({ openFile: entry }: FileOwner): void {
    if (entry !== undefined) entry.unsynced = true
  }

  /** Closes a file if it is open; without a sync where `isGone` says that nobody will ever read it. */
  drop(owner: FileOwner, isGone = false): void {
    const entry = owner.openFile
    if (entry === undefined) return
    owner.openFile = undefined
    this.#size--
    if (entry.pins === 0) this.#byUse.remove(entry)
    if (isGone) entry.unsynced = false
    entry.dropped = true
    if (entry.pins === 0) this.#close(entry)
  }

  /** Resolves when every file that was closed until now has been synced as it was to be. */
  async closed(): Promise<void> {
    while (this.#closing.size > 0) await Promise.all(this.#closing)
  }

  #unpin(entry: OpenFile): void {
    if (--entry.pins > 0) return
    this.#kept--
    if (entry.dropped) this.#close(entry)
    else this.#byUse.add(entry)
  }

  /** Never the one that was just added: it is about to be used. False if there is no other. */
  #closeOldest(added: OpenFile): boolean {
    const { oldest } = this.#byUse
    if (oldest === undefined || oldest === added) return false
    this.drop(oldest.owner)
    return true
  }

  #close(entry: OpenFile): void {
    if (entry.unsynced && this.#closing.size >= closingMax) this.#syncNow(entry)
    if (!entry.unsynced) {
      entry.file.close()
      return
    }
    const closing = this.#syncAndClose(entry.file)
    this.#closing.add(closing)
    void closing.then(() => this.#closing.delete(closing)) // never rejects
  }

  #syncNow(entry: OpenFile): void {
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
