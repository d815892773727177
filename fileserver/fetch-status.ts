/**
 * What clients are told of an object: AFSFetchStatus, and of its volume: AFSVolSync.
 * OpenAFS viced/afsfileprocs.c (GetStatus, SetVolumeSync).
 */
import type { AFSFetchStatus, AFSVolSync } from "../common/protocol/afsint.ts"
import { fileTypes } from "../common/protocol/afsint.ts"
import { type VnodeRecord, vnodeTypes } from "../common/vnode/vnode-record.ts"

/** What a status says of access rights. */
export interface ShownRights {
  readonly caller: number
  readonly anonymous: number
}

/** A vnode number with its uniquifier. */
export interface VnodeName {
  readonly number: number
  readonly unique: number
}

const interfaceVersion = 1
/** Kinds of a record by its number; a record of another kind is never served. */
const kinds: Readonly<Record<number, number>> = {
  [vnodeTypes.file]: fileTypes.file,
  [vnodeTypes.directory]: fileTypes.directory,
  [vnodeTypes.symlink]: fileTypes.symlink,
}

/** -1 for a write lock, the number of read locks, 0 for none or when their time is over. */
export function locksOf(record: Readonly<VnodeRecord>, nowSeconds: number): number {
  return nowSeconds > record.lockTime ? 0 : record.lockCount
}

/**
 * The status of a vnode. `parent` is its directory: a directory names itself there.
 * Times are in seconds; `nowSeconds` decides whether locks have expired.
 */
export function fetchStatus(
  record: Readonly<VnodeRecord>,
  parent: VnodeName,
  rights: ShownRights,
  nowSeconds: number,
): AFSFetchStatus {
  return {
    InterfaceVersion: interfaceVersion,
    FileType: kinds[record.type] ?? 0,
    LinkCount: record.linkCount >>> 0,
    Length: record.lengthLow,
    DataVersion: record.dataVersion,
    Author: record.author,
    Owner: record.owner,
    CallerAccess: rights.caller >>> 0,
    AnonymousAccess: rights.anonymous >>> 0,
    UnixModeBits: record.mode,
    ParentVnode: parent.number,
    ParentUnique: parent.unique,
    ResidencyMask: 1,
    ClientModTime: record.unixModifyTime,
    ServerModTime: record.serverModifyTime,
    Group: record.group >>> 0,
    SyncCounter: 0,
    dataVersionHigh: 0,
    lockCount: locksOf(record, nowSeconds) >>> 0,
    Length_hi: record.lengthHigh,
    errorCode: 0,
  }
}

/** InlineBulkStatus's answer for a fid that failed. */
export function failedStatus(errorCode: number): AFSFetchStatus {
  return {
    InterfaceVersion: interfaceVersion,
    FileType: 0,
    LinkCount: 0,
    Length: 0,
    DataVersion: 0,
    Author: 0,
    Owner: 0,
    CallerAccess: 0,
    AnonymousAccess: 0,
    UnixModeBits: 0,
    ParentVnode: 0,
    ParentUnique: 0,
    ResidencyMask: 0,
    ClientModTime: 0,
    ServerModTime: 0,
    Group: 0,
    SyncCounter: 0,
    dataVersionHigh: 0,
    lockCount: 0,
    Length_hi: 0,
    errorCode: errorCode >>> 0,
  }
}

/** Of a volume: the date of its creation, or of the clone or release that a replica is. */
export function volumeSync(creationDate: number): AFSVolSync {
  return { spare1: creationDate, spare2: 0, spare3: 0, spare4: 0, spare5: 0, spare6: 0 }
}
