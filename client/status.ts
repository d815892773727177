/** What a fileserver says of an object and of a volume, in numbers as they are meant; and what it is to change. */
import type { AFSFid } from "../common/protocol/afs-types.ts"
import {
  type AFSFetchStatus,
  type AFSFetchVolumeStatus,
  type AFSStoreStatus,
  fileTypes,
  storeMask,
} from "../common/protocol/afsint.ts"

type ObjectType = keyof typeof fileTypes | "unknown"

/** Times in seconds since 1970, length in bytes. */
export interface ObjectStatus {
  readonly fid: AFSFid
  readonly type: ObjectType
  readonly length: number
  readonly dataVersion: number
  readonly linkCount: number
  readonly author: number
  readonly owner: number
  readonly group: number
  /** 12 bits. */
  readonly mode: number
  readonly parent: { readonly vnode: number; readonly unique: number }
  readonly modifyTime: number
  readonly serverModifyTime: number
  /** Rights of this client, of everybody: sums of `accessRights`. */
  readonly callerAccess: number
  readonly anonymousAccess: number
  /** Read locks, -1 for a write lock. */
  readonly lockCount: number
}

function typeOf(number: number): ObjectType {
  if (number === fileTypes.file) return "file"
  if (number === fileTypes.directory) return "directory"
  return number === fileTypes.symlink ? "symlink" : "unknown"
}

export function objectStatus(fid: AFSFid, status: AFSFetchStatus): ObjectStatus {
  return {
    fid,
    type: typeOf(status.FileType),
    length: status.Length_hi * 2 ** 32 + status.Length,
    dataVersion: status.dataVersionHigh * 2 ** 32 + status.DataVersion,
    linkCount: status.LinkCount,
    author: status.Author,
    owner: status.Owner,
    group: status.Group,
    mode: status.UnixModeBits,
    parent: { vnode: status.ParentVnode, unique: status.ParentUnique },
    modifyTime: status.ClientModTime,
    serverModifyTime: status.ServerModTime,
    callerAccess: status.CallerAccess,
    anonymousAccess: status.AnonymousAccess,
    lockCount: status.lockCount | 0,
  }
}

/** What is to change; what is left out stays. */
export interface StatusChange {
  /** Seconds since 1970. */
  readonly modifyTime?: number | undefined
  readonly owner?: number | undefined
  readonly group?: number | undefined
  readonly mode?: number | undefined
  /** The data is on the platter before the server answers. */
  readonly fsync?: boolean | undefined
}

/** A change in the form of the wire. */
export function storeStatus({ modifyTime, owner, group, mode, fsync = false }: StatusChange = {}): AFSStoreStatus {
  const bit = (value: number | undefined, mask: number): number => (value === undefined ? 0 : mask)
  return {
    Mask:
      bit(modifyTime, storeMask.modTime) |
      bit(owner, storeMask.owner) |
      bit(group, storeMask.group) |
      bit(mode, storeMask.mode) |
      (fsync ? storeMask.fsync : 0),
    ClientModTime: modifyTime ?? 0,
    Owner: owner ?? 0,
    Group: group ?? 0,
    UnixModeBits: mode ?? 0,
    SegSize: 0,
  }
}

/** Quotas and blocks in KiB; quota 0: none. */
export interface VolumeStatus {
  readonly id: number
  readonly parent: number
  readonly name: string
  readonly offlineMessage: string
  readonly isReadWrite: boolean
  readonly isOnline: boolean
  readonly isInService: boolean
  readonly isBlessed: boolean
  readonly needsSalvage: boolean
  readonly quota: number
  readonly minQuota: number
  readonly blocksUsed: number
  readonly partitionFree: number
  readonly partitionSize: number
}

export function volumeStatus(status: AFSFetchVolumeStatus, name: string, offlineMessage: string): VolumeStatus {
  return {
    id: status.Vid >>> 0,
    parent: status.ParentId >>> 0,
    name,
    offlineMessage,
    isReadWrite: status.Type === 1,
    isOnline: status.Online !== 0,
    isInService: status.InService !== 0,
    isBlessed: status.Blessed !== 0,
    needsSalvage: status.NeedsSalvage !== 0,
    quota: status.MaxQuota,
    minQuota: status.MinQuota,
    blocksUsed: status.BlocksInUse,
    partitionFree: status.PartBlocksAvail,
    partitionSize: status.PartMaxBlocks,
  }
}
