/**
 * The vnodes, directories and data of one attached volume, in core and on disk: what operations of clients work with.
 *
 * Everything here runs to its end in one turn, except the copying of large files that a clone shares. A change is one
 * volume transaction; when a method returns, the change is in the files, and when it throws, nothing was changed, or the
 * error tells damage (`tellsDamage`) and the volume needs a salvage, which loses nothing.
 */
import { AfsError, FormatError, isAfsError } from "../error.ts"
import type { Partition } from "../partition/partition.ts"
import type { Vnode } from "../vnode/vnode.ts"
import type { Attachment } from "./attachment.ts"
import type { Eventually } from "./handover.ts"
import type { ServingCaches } from "./serving-caches.ts"

/** What a new file, directory or symbolic link begins with. Dates in seconds since 1970. */
export interface NewVnode {
  readonly owner: number
  /** Undefined: the directory's. */
  readonly group: number | undefined
  readonly author: number
  /** 12 permission bits. */
  readonly mode: number
  readonly clientModTime: number
  readonly now: number
}

/** Who changes a directory, and when (seconds since 1970). */
export interface ChangeBy {
  readonly author: number
  readonly now: number
}

/** Changes of a status that are no changes of data; what is undefined stays. */
export interface StatusChanges {
  readonly owner?: number | undefined
  readonly group?: number | undefined
  /** 12 permission bits. */
  readonly mode?: number | undefined
  readonly clientModTime?: number | undefined
  readonly now: number
}

/** A StoreData's arguments; lengths and positions in bytes. */
export interface StoreRequest extends StatusChanges {
  readonly position: number
  /** Bytes that will come. */
  readonly length: number
  /** Bytes behind this are cut off; beyond the present length it means nothing (docs/serving.md). */
  readonly fileLength: number
  readonly author: number
  /** The client wants the bytes on the platter before the reply. */
  readonly fsync: boolean
}

/** Bytes on their way into a file. Hold the vnode's lock for writing from before `beginStore` until after `end`. */
export interface Store extends Disposable {
  /** Bytes taken so far. */
  readonly received: number
  /**
   * Takes the next bytes; what is more than the announced length is left out. They are in the file when it returns.
   * @throws AfsError VDISKFULL, VIO: what was written before stays, and `end` still has to be called
   */
  write(bytes: Uint8Array): void
  /** As `write` at the end of all bytes, however many came: settles length, data version and record. */
  end(): void
}

/** The bytes of a vnode for reading over several turns: the file stays open until it is disposed of. */
export interface OpenData extends Disposable {
  /** Bytes of the data. */
  readonly length: number
  /** Of the open file, for those who read past Node; -1 if there is none. */
  readonly descriptor: number
  /** Fills `into` from `position`; less than its length only at the end. */
  read(into: Uint8Array, position: number): number
}

/** How much a volume uses, in KiB; `max` 0 = no limit. */
export interface VolumeSpace {
  readonly used: number
  readonly max: number
  readonly min: number
}

/** What a rename did beside the two directories. */
export interface Renamed {
  readonly moved: Vnode
  /** What had the new name before; `gone`: it had no other name. */
  readonly replaced: { readonly vnode: Vnode; readonly gone: boolean } | undefined
  /** A directory has another parent now: its own data (`..`) changed. */
  readonly changedParents: boolean
}

/** True if the volume has to be salvaged after this error. */
export function tellsDamage(error: unknown): boolean {
  return error instanceof FormatError || isAfsError(error, "VSALVAGE", "DAMAGED")
}

const notYet = (): never => {
  throw new Error("not built yet")
}

export class AttachedVolume {
  readonly id: number
  readonly partition: Partition
  readonly attachment: Attachment
  readonly caches: ServingCaches

  constructor(id: number, partition: Partition, attachment: Attachment, caches: ServingCaches) {
    this.id = id
    this.partition = partition
    this.attachment = attachment
    this.caches = caches
  }

  get readWrite(): boolean {
    return this.attachment.readWrite
  }

  /** Owner of the root directory, who may administer all access lists. */
  get rootOwner(): number {
    return notYet()
  }

  /** Seconds since 1970: the first word of AFSVolSync. */
  get creationDate(): number {
    return notYet()
  }

  get space(): VolumeSpace {
    return notYet()
  }

  /** Counts an access of a client, allowed or not. `now` in seconds. */
  accessed(_now: number): void {
    notYet()
  }

  /** Changes what a volume status shows, and writes VolumeInfo. Quotas in KiB. */
  setVolume(_changes: {
    readonly minQuota?: number | undefined
    readonly maxQuota?: number | undefined
    readonly name?: string | undefined
    readonly offlineMessage?: string | undefined
  }): void {
    notYet()
  }

  /** @throws AfsError VNOVNODE if there is none, or it has another uniquifier; FormatError for a damaged record */
  vnode(_number: number, _unique: number): Vnode {
    return notYet()
  }

  /** The 192 bytes of the access list that governs a vnode: a directory's own, else its parent's. */
  accessListOf(_vnode: Vnode): Uint8Array {
    return notYet()
  }

  /** A directory itself; the directory of a file or symbolic link. @throws FormatError if the record names none */
  parentOf(_vnode: Vnode): Vnode {
    return notYet()
  }

  /** What a name leads to. @throws AfsError ENOTDIR */
  lookup(_directory: Vnode, _name: Uint8Array): { readonly vnode: number; readonly unique: number } | undefined {
    return notYet()
  }

  /** @throws AfsError EINVAL, ENOTDIR, EEXIST, EFBIG, VOVERQUOTA, VDISKFULL, VREADONLY, as the others that make something */
  createFile(_directory: Vnode, _name: Uint8Array, _fields: NewVnode): Vnode {
    return notYet()
  }

  makeDirectory(_directory: Vnode, _name: Uint8Array, _fields: NewVnode): Vnode {
    return notYet()
  }

  makeSymlink(_directory: Vnode, _name: Uint8Array, _contents: Uint8Array, _fields: NewVnode): Vnode {
    return notYet()
  }

  /** @throws AfsError EXDEV if the file's directory is another one; EISDIR for what is no file; EMLINK, EEXIST, EINVAL */
  makeLink(_directory: Vnode, _name: Uint8Array, _file: Vnode, _by: ChangeBy): void {
    notYet()
  }

  /** @throws AfsError ENOTDIR, EINVAL for `.` and `..`, ENOENT, EISDIR; VBUSY while its bytes are being stored or fetched */
  removeFile(_directory: Vnode, _name: Uint8Array, _by: ChangeBy): { readonly vnode: Vnode; readonly gone: boolean } {
    return notYet()
  }

  /** @throws AfsError ENOTDIR, EINVAL, ENOENT, EEXIST if it is not empty */
  removeDirectory(_directory: Vnode, _name: Uint8Array, _by: ChangeBy): Vnode {
    return notYet()
  }

  /** @throws AfsError EINVAL, ENOTDIR, ENOENT, ELOOP_QUIRK, EXDEV, EISDIR, EEXIST, EMLINK, EFBIG */
  rename(_from: Vnode, _oldName: Uint8Array, _to: Vnode, _newName: Uint8Array, _by: ChangeBy): Renamed {
    return notYet()
  }

  /** @throws AfsError EINVAL for the mode of a symbolic link */
  setStatus(_vnode: Vnode, _changes: StatusChanges): void {
    notYet()
  }

  /** Replaces a directory's access list (192 bytes, as on disk). @throws AfsError ENOTDIR */
  setAccessList(_directory: Vnode, _area: Uint8Array, _now: number): void {
    notYet()
  }

  /** @throws AfsError EAGAIN if somebody has a lock that excludes this one */
  setLock(_vnode: Vnode, _type: "read" | "write", _now: number): void {
    notYet()
  }

  /** @throws AfsError EINVAL if nobody has a lock */
  extendLock(_vnode: Vnode, _now: number): void {
    notYet()
  }

  /** Never fails for want of a lock. @returns true if no lock remains */
  releaseLock(_vnode: Vnode, _now: number): boolean {
    return notYet()
  }

  /** Locks as a status shows them: number of readers, -1 for a writer, 0 for none or an expired one. */
  lockCount(_vnode: Vnode, _now: number): number {
    return notYet()
  }

  /** Reads bytes of a file, directory or symbolic link; returns how many, less than wanted only at the end. */
  read(_vnode: Vnode, _into: Uint8Array, _position: number): number {
    return notYet()
  }

  /** The bytes for reading over several turns. Hold the vnode's lock for reading meanwhile. */
  openData(_vnode: Vnode): OpenData {
    return notYet()
  }

  /**
   * Begins to store: checks space and quota, copies a file that a clone shares, cuts off what `fileLength` says. A promise
   * only where a large file has to be copied.
   * @throws AfsError EISDIR, VOVERQUOTA, VDISKFULL, EFBIG, VREADONLY
   */
  beginStore(_vnode: Vnode, _request: StoreRequest): Eventually<Store> {
    return notYet()
  }

  /** Closes its files and forgets its vnodes: what is used of it afterwards fails with VOFFLINE. */
  close(): void {
    notYet()
  }
}
