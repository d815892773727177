/**
 * The vnodes, directories and data of one attached volume, in core and on disk: what operations of clients work with.
 *
 * Everything here runs to its end in one turn, except the copying of large files that a clone shares. A change is one
 * volume transaction; when a method returns, the change is in the files, and when it throws, nothing was changed, or the
 * error tells damage (`tellsDamage`) and the volume needs a salvage, which loses nothing.
 *
 * A Vnode that was kept over a wait must be looked up again, unless its lock was held meanwhile (vnode.ts).
 */
import { AfsError } from "../error.ts"
import type { Partition } from "../partition/partition.ts"
import type { Vnode } from "../vnode/vnode.ts"
import type { Attachment } from "./attachment.ts"
import { fileCallError } from "./damage.ts"
import { beginStore, pinned, type Store, type StoreRequest } from "./file-store.ts"
import type { Eventually } from "./handover.ts"
import {
  type ChangeBy,
  createFile,
  lookupName,
  makeDirectory,
  makeLink,
  makeSymlink,
  type NewVnode,
  type Removed,
  removeDirectory,
  removeFile,
} from "./names.ts"
import { type Renamed, rename } from "./rename.ts"
import type { ServingCaches } from "./serving-caches.ts"
import {
  extendLock,
  type FileLockType,
  lockCount,
  releaseLock,
  type StatusChanges,
  setAccessList,
  setLock,
  setStatus,
} from "./status-change.ts"
import { VolumeCore } from "./volume-core.ts"
import type { VolumeSpace } from "./volume-usage.ts"

export { tellsDamage } from "./damage.ts"
export type { Store, StoreRequest } from "./file-store.ts"
export type { ChangeBy, NewVnode, Removed } from "./names.ts"
export type { Renamed } from "./rename.ts"
export type { FileLockType, StatusChanges } from "./status-change.ts"
export type { VolumeSpace } from "./volume-usage.ts"

/** The bytes of a vnode for reading over several turns: they stay there until it is disposed of. */
export interface OpenData extends Disposable {
  /** Bytes of the data. */
  readonly length: number
  /** Of the open file, for those who read past Node; -1 where the bytes are in core. */
  readonly descriptor: number
  /** Fills `into` from `position`; less than its length only at the end. */
  read(into: Uint8Array, position: number): number
  /** The same; a promise if the disk would have to be waited for. */
  readSoon(into: Uint8Array, position: number): Eventually<number>
}

/** What a volume status may change; what is undefined stays. Quotas in KiB. */
export interface VolumeChanges {
  readonly minQuota?: number | undefined
  readonly maxQuota?: number | undefined
  readonly name?: string | undefined
  readonly offlineMessage?: string | undefined
}

const nothing = new Uint8Array(0)

export class AttachedVolume {
  readonly id: number
  readonly partition: Partition
  readonly attachment: Attachment
  readonly #core: VolumeCore

  constructor(id: number, partition: Partition, attachment: Attachment, caches: ServingCaches) {
    this.id = id
    this.partition = partition
    this.attachment = attachment
    this.#core = new VolumeCore(id, partition, attachment, caches)
  }

  get readWrite(): boolean {
    return this.attachment.readWrite
  }

  /** Owner of the root directory, who may administer all access lists. @throws as `vnode` */
  get rootOwner(): number {
    return this.#core.root.record.owner
  }

  /** Seconds since 1970: the first word of AFSVolSync. */
  get creationDate(): number {
    return this.attachment.word("creationDate")
  }

  /** A vnode that is in core; nothing is read. */
  vnodeInCore(number: number, unique: number): Vnode | undefined {
    const vnode = this.#core.known(number)
    return vnode?.unique === unique ? vnode : undefined
  }

  get space(): VolumeSpace {
    return this.#core.usage.space
  }

  /** Counts looks at vnodes for a client, allowed or not. `now` in seconds. @throws AfsError VIO */
  accessed(now: number, times = 1): void {
    if (this.#core.usage.accessed(now, times)) this.#core.writeInfo({})
  }

  /** Changes what a volume status shows, and writes VolumeInfo. @throws AfsError VREADONLY, VIO */
  setVolume({ minQuota, maxQuota, name, offlineMessage }: VolumeChanges): void {
    this.#core.requireWritable("setVolume")
    this.attachment.edit((info) => {
      if (minQuota !== undefined) info.minquota = minQuota
      if (maxQuota !== undefined) info.maxquota = maxQuota
      if (name !== undefined) info.name = name
      if (offlineMessage !== undefined) info.offlineMessage = offlineMessage
    })
    this.#core.writeInfo({})
  }

  /** @throws AfsError VNOVNODE if there is none, or it has another uniquifier; FormatError for a damaged record */
  vnode(number: number, unique: number): Vnode {
    this.#core.requireUsable()
    return this.#core.find(number, unique)
  }

  /** The 192 bytes of the access list that governs a vnode: a directory's own, else its parent's. @throws FormatError */
  accessListOf(vnode: Vnode): Uint8Array {
    return vnode.accessList ?? this.#core.parentOf(vnode).accessList ?? nothing
  }

  /** The directory that a vnode is in. @throws FormatError */
  parentOf(vnode: Vnode): Vnode {
    return this.#core.parentOf(vnode)
  }

  /** What a name leads to. @throws AfsError ENOTDIR; FormatError */
  lookup(directory: Vnode, name: Uint8Array): { readonly vnode: number; readonly unique: number } | undefined {
    return lookupName(this.#live(directory), directory, name)
  }

  /**
   * Names are checked as OpenAFS checks them.
   * @throws AfsError EINVAL, ENOTDIR, EEXIST, EFBIG, VOVERQUOTA, VDISKFULL, VREADONLY, as the others that make something
   */
  createFile(directory: Vnode, name: Uint8Array, fields: NewVnode): Vnode {
    return createFile(this.#live(directory), directory, name, fields)
  }

  /** @throws AfsError EMLINK if the directory has 32,765 subdirectories; as createFile */
  makeDirectory(directory: Vnode, name: Uint8Array, fields: NewVnode): Vnode {
    return makeDirectory(this.#live(directory), directory, name, fields)
  }

  makeSymlink(directory: Vnode, name: Uint8Array, contents: Uint8Array, fields: NewVnode): Vnode {
    return makeSymlink(this.#live(directory), directory, name, contents, fields)
  }

  /** @throws AfsError EXDEV if the file's directory is another one; EISDIR for what is no file; EMLINK, EEXIST, EINVAL */
  makeLink(directory: Vnode, name: Uint8Array, file: Vnode, by: ChangeBy): void {
    makeLink(this.#live(directory, file), directory, name, file, by)
  }

  /** @throws AfsError ENOTDIR, EINVAL for `.` and `..`, ENOENT, EISDIR */
  removeFile(directory: Vnode, name: Uint8Array, by: ChangeBy): Removed {
    return removeFile(this.#live(directory), directory, name, by)
  }

  /** @throws AfsError ENOTDIR, EINVAL, ENOENT, EEXIST if it is not empty */
  removeDirectory(directory: Vnode, name: Uint8Array, by: ChangeBy): Vnode {
    return removeDirectory(this.#live(directory), directory, name, by)
  }

  /** @throws AfsError EINVAL, ENOTDIR, ENOENT, ELOOP_QUIRK, EXDEV, EISDIR, EEXIST, EMLINK, EFBIG */
  rename(from: Vnode, oldName: Uint8Array, to: Vnode, newName: Uint8Array, by: ChangeBy): Renamed {
    return rename(this.#live(from, to), from, oldName, to, newName, by)
  }

  /** The owner of the root directory is the volume's. @throws AfsError EINVAL for the mode of a symbolic link */
  setStatus(vnode: Vnode, changes: StatusChanges): void {
    setStatus(this.#live(vnode), vnode, changes)
  }

  /** Replaces a directory's access list (192 bytes, as on disk). @throws AfsError ENOTDIR */
  setAccessList(directory: Vnode, area: Uint8Array, now: number): void {
    setAccessList(this.#live(directory), directory, area, now)
  }

  /** @throws AfsError EAGAIN if somebody has a lock that excludes this one */
  setLock(vnode: Vnode, type: FileLockType, now: number): void {
    setLock(this.#live(vnode), vnode, type, now)
  }

  /** @throws AfsError EINVAL if nobody has a lock */
  extendLock(vnode: Vnode, now: number): void {
    extendLock(this.#live(vnode), vnode, now)
  }

  /** Never fails for want of a lock. @returns true if no lock remains */
  releaseLock(vnode: Vnode, now: number): boolean {
    return releaseLock(this.#live(vnode), vnode, now)
  }

  /** Locks as a status shows them: number of readers, -1 for a writer, 0 for none or an expired one. */
  lockCount(vnode: Vnode, now: number): number {
    return lockCount(vnode, now)
  }

  /** Reads bytes of a file, directory or symbolic link; returns how many, less than wanted only at the end. */
  read(vnode: Vnode, into: Uint8Array, position: number): number {
    const core = this.#live(vnode)
    const wanted = into.subarray(0, Math.max(0, Math.min(into.length, vnode.length - position)))
    if (wanted.length === 0 || !vnode.hasData) return 0
    if (vnode.isDirectory) {
      wanted.set(core.directory(vnode).bytes.subarray(position, position + wanted.length))
      return wanted.length
    }
    const file = core.dataFile(vnode)
    return core.calling("readData", vnode, () => file.read(wanted, position))
  }

  /**
   * The bytes for reading over several turns, as they are now: a directory's are copied, a file stays open. A file's change
   * under its reader unless the reader holds the vnode's lock for reading.
   */
  openData(vnode: Vnode): OpenData {
    const core = this.#live(vnode)
    if (vnode.isDirectory) return bytesInCore(new Uint8Array(core.directory(vnode).bytes))
    if (!vnode.hasData) return bytesInCore(nothing)
    const pin = pinned(core, vnode)
    const { length } = vnode
    const within = (into: Uint8Array, position: number): Uint8Array => into.subarray(0, Math.max(0, length - position))
    const failed = (error: unknown): never => {
      throw fileCallError(error, "readData", core.subject(vnode.number))
    }
    return {
      length,
      descriptor: pin.file.descriptor,
      read: (into, position) => core.calling("readData", vnode, () => pin.file.read(within(into, position), position)),
      readSoon: (into, position) =>
        core.calling("readData", vnode, () => {
          const { file } = pin
          const target = within(into, position)
          return file.readReady(target, position) ?? file.readLater(target, position).catch(failed)
        }),
      [Symbol.dispose]: () => pin[Symbol.dispose](),
    }
  }

  /**
   * Begins to store: checks space and quota, copies a file that a clone shares, cuts off what `fileLength` says. A promise
   * only where a large file has to be copied.
   * @throws AfsError EISDIR, VOVERQUOTA, VDISKFULL, VREADONLY
   */
  beginStore(vnode: Vnode, request: StoreRequest): Eventually<Store> {
    return beginStore(this.#live(vnode), vnode, request)
  }

  /** Closes its files and forgets its vnodes: what is used of it afterwards fails with VOFFLINE. */
  close(): void {
    this.#core.close()
  }

  /** Vnodes that were looked up before a wait may be gone by now. @throws AfsError VNOVNODE, VOFFLINE, VSALVAGE */
  #live(first: Vnode, second: Vnode = first): VolumeCore {
    this.#core.requireUsable()
    const gone = first.isGone ? first : second
    if (gone.isGone) throw new AfsError("VNOVNODE", "use", this.#core.subject(gone.number))
    return this.#core
  }
}

function bytesInCore(bytes: Uint8Array): OpenData {
  const read = (into: Uint8Array, position: number): number => {
    const piece = bytes.subarray(position, position + into.length)
    into.set(piece)
    return piece.length
  }
  return {
    length: bytes.length,
    descriptor: -1,
    read,
    readSoon: read,
    [Symbol.dispose]: () => {},
  }
}
