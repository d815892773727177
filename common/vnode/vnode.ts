/**
 * A vnode in core: its record as it is on disk, its access list and image if it is a directory, and the lock for work that
 * spans turns.
 *
 * An object is good for the present turn of the event loop, and beyond it while its lock is held: the cache
 * (vnode-cache.ts) forgets what was not used for long and is not locked. `isGone` tells that it was removed, or that its
 * volume went offline, since the object was looked up.
 */
import type { FileOwner, OpenFile } from "../disk/open-file-cache.ts"
import { type Inode, isNoInode } from "../partition/inode-number.ts"
import type { Ranked } from "../recency-list.ts"
import type { DirectoryImage } from "./vnode-cache.ts"
import { VnodeLock } from "./vnode-lock.ts"
import { recordInode, recordLength, type VnodeRecord, vnodeTypes } from "./vnode-record.ts"

/** Whose vnodes these are: hears of a vnode that the cache forgets. */
export interface VnodeHome {
  forgotten(vnode: Vnode): void
}

export class Vnode implements Ranked<Vnode>, FileOwner {
  /** Id of its volume. */
  readonly volume: number
  readonly number: number
  readonly home: VnodeHome
  older: Vnode | undefined
  newer: Vnode | undefined
  weight = 1
  /** The data file, while the cache keeps it open. */
  openFile: OpenFile | undefined
  /** A directory's pages in core, while the cache keeps them. */
  image: DirectoryImage | undefined
  /** No clone is known to share the data file: what looked at the link table has found so, and no clone can be made while
   * the volume is attached. */
  isExclusive = false
  #record: Readonly<VnodeRecord>
  #accessList: Uint8Array | undefined
  #lock: VnodeLock | undefined
  #isGone = false

  /** `accessList`: the 192 bytes of a directory's, undefined for others. */
  constructor(
    volume: number,
    number: number,
    home: VnodeHome,
    record: Readonly<VnodeRecord>,
    accessList: Uint8Array | undefined,
  ) {
    this.volume = volume
    this.number = number
    this.home = home
    this.#record = record
    this.#accessList = accessList
  }

  get unique(): number {
    return this.#record.uniquifier
  }

  /** As it is on disk. A change makes a new one. */
  get record(): Readonly<VnodeRecord> {
    return this.#record
  }

  /** A directory's access list, 192 bytes; undefined for others, which are under their parent's. */
  get accessList(): Uint8Array | undefined {
    return this.#accessList
  }

  get lock(): VnodeLock {
    this.#lock ??= new VnodeLock()
    return this.#lock
  }

  /** Somebody has its lock, or waits for it. */
  get isLocked(): boolean {
    return this.#lock?.isHeld === true
  }

  /** Bytes of the data file. */
  get length(): number {
    return recordLength(this.#record)
  }

  get dataVersion(): number {
    return this.#record.dataVersion
  }

  get inode(): Inode {
    return recordInode(this.#record)
  }

  /** It has a data file. A restore of a dump without data leaves one without. */
  get hasData(): boolean {
    return !isNoInode(this.inode)
  }

  get isDirectory(): boolean {
    return this.#record.type === vnodeTypes.directory
  }

  get isFile(): boolean {
    return this.#record.type === vnodeTypes.file
  }

  /** Symbolic links and mount points. */
  get isSymlink(): boolean {
    return this.#record.type === vnodeTypes.symlink
  }

  /** Removed, or forgotten with its volume: look it up again. */
  get isGone(): boolean {
    return this.#isGone
  }

  /** For who has changed the record on disk. */
  recordChanged(record: Readonly<VnodeRecord>): void {
    this.#record = record
  }

  /** For who has changed the access list on disk. */
  accessListChanged(accessList: Uint8Array): void {
    this.#accessList = accessList
  }

  /** For who has removed it. */
  gone(): void {
    this.#isGone = true
  }
}
