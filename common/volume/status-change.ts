/** Changes of a vnode's record that are none of its data: status, access list, and the locks that AFS clients take. */
import { AfsError } from "../error.ts"
import type { Vnode } from "../vnode/vnode.ts"
import { accessListSize, copyRecord, type VnodeRecord } from "../vnode/vnode-record.ts"
import { failure } from "./names.ts"
import { VolumeChange } from "./volume-change.ts"
import type { VolumeCore } from "./volume-core.ts"

/** Changes of a status that are no changes of data; what is undefined stays. */
export interface StatusChanges {
  readonly owner?: number | undefined
  readonly group?: number | undefined
  /** 12 permission bits. */
  readonly mode?: number | undefined
  readonly clientModTime?: number | undefined
  readonly now: number
}

export type FileLockType = "read" | "write"

/** A client's lock holds so many seconds without being extended. OpenAFS's AFS_LOCKWAIT. */
const lockSeconds = 300
const writeLocked = -1
/** Many readers are counted in 32 bits with a sign. */
const readersMax = 0x7fff_ffff

/** A record after a status change, to be changed further. Dates are the caller's. */
export function changedStatus(vnode: Vnode, { owner, group, mode }: StatusChanges): VnodeRecord {
  const record = copyRecord(vnode.record)
  if (owner !== undefined) record.owner = owner
  if (group !== undefined) record.group = group
  if (mode !== undefined) record.mode = mode & 0o7777
  return record
}

export function setStatus(core: VolumeCore, vnode: Vnode, changes: StatusChanges): void {
  core.requireWritable("setStatus")
  if (vnode.isSymlink && changes.mode !== undefined)
    throw failure(core, "EINVAL", "setStatus", vnode, "a link's mode stays")
  const record = changedStatus(vnode, changes)
  if (changes.clientModTime !== undefined) record.unixModifyTime = changes.clientModTime
  record.serverModifyTime = changes.now
  using change = new VolumeChange(core, "setStatus")
  change.writeRecord(vnode, record)
  change.commit(changes.now)
  if (!core.isRoot(vnode) || changes.owner === undefined || changes.owner === core.attachment.word("owner")) return
  core.attachment.setWord("owner", changes.owner)
  core.writeInfo({})
}

export function setAccessList(core: VolumeCore, directory: Vnode, area: Uint8Array, now: number): void {
  core.requireWritable("setAccessList")
  if (!directory.isDirectory) throw failure(core, "ENOTDIR", "setAccessList", directory)
  if (area.length !== accessListSize) throw new RangeError(`an access list of ${area.length} bytes`)
  const record = copyRecord(directory.record)
  record.serverModifyTime = now
  using change = new VolumeChange(core, "setAccessList")
  change.writeRecord(directory, record, new Uint8Array(area))
  change.commit(now)
}

/** Readers, -1 for a writer, 0 for none or an expired one. */
export function lockCount({ record }: Vnode, now: number): number {
  return now > record.lockTime ? 0 : record.lockCount
}

/** @throws AfsError EAGAIN */
export function setLock(core: VolumeCore, vnode: Vnode, type: FileLockType, now: number): void {
  const count = lockCount(vnode, now)
  const isFree = type === "write" ? count === 0 : count >= 0 && count < readersMax
  if (!isFree) {
    throw new AfsError("EAGAIN", "setLock", core.subject(vnode.number), {
      detail: count < 0 ? "it is locked for writing" : `it is locked by ${count} readers`,
    })
  }
  writeLock(core, vnode, type === "write" ? writeLocked : count + 1, now + lockSeconds)
}

/** @throws AfsError EINVAL if nobody has a lock */
export function extendLock(core: VolumeCore, vnode: Vnode, now: number): void {
  const count = lockCount(vnode, now)
  if (count === 0) throw failure(core, "EINVAL", "extendLock", vnode, "nobody has a lock")
  writeLock(core, vnode, count, now + lockSeconds)
}

/** True if no lock remains. */
export function releaseLock(core: VolumeCore, vnode: Vnode, now: number): boolean {
  const count = Math.max(0, lockCount(vnode, now) - 1)
  const expiry = count === 0 ? 0 : vnode.record.lockTime
  if (count !== vnode.record.lockCount || expiry !== vnode.record.lockTime) writeLock(core, vnode, count, expiry)
  return count === 0
}

/** A lock changes no date: it is nothing that a dump would hold. */
function writeLock(core: VolumeCore, vnode: Vnode, count: number, expiry: number): void {
  const record = copyRecord(vnode.record)
  record.lockCount = count
  record.lockTime = expiry >>> 0
  using change = new VolumeChange(core, "setLock")
  change.writeRecord(vnode, record)
  change.commit(undefined)
}
