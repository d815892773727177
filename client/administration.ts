/** Access lists, volumes as a whole, locks. */
import type { AFSFid } from "../common/protocol/afs-types.ts"
import { volumeStatusMask } from "../common/protocol/afsint.ts"
import { formatAccessList, type NamedAccessList, parseAccessList } from "../common/vnode/access-list-text.ts"
import { ask } from "./ask.ts"
import { rootOf } from "./fid.ts"
import type { Fileserver } from "./fileserver.ts"
import { type VolumeStatus, volumeStatus } from "./status.ts"

/** A directory's list; that of its directory for a file. */
export async function fetchAccessList(server: Fileserver, fid: AFSFid): Promise<NamedAccessList> {
  const { AccessList } = await ask("fetch access list", fid, server.rxafs.FetchACL({ Fid: fid }))
  return parseAccessList(AccessList)
}

/** Replaces a directory's list. @throws AfsError EINVAL for a name that nobody has */
export async function storeAccessList(server: Fileserver, fid: AFSFid, list: NamedAccessList): Promise<void> {
  await ask("store access list", fid, server.rxafs.StoreACL({ Fid: fid, AccessList: formatAccessList(list) }))
}

/**
 * A list with other rights for one name: in its positive or its negative part, no rights remove the entry.
 * Names compare without case, as protection servers have them.
 */
export function withRights(list: NamedAccessList, name: string, rights: number, isNegative = false): NamedAccessList {
  const part = isNegative ? list.negative : list.positive
  const others = part.filter((entry) => entry.name.toLowerCase() !== name.toLowerCase())
  const changed = rights === 0 ? others : [...others, { name, rights }]
  return isNegative ? { ...list, negative: changed } : { ...list, positive: changed }
}

export async function fetchVolumeStatus(server: Fileserver, volume: number): Promise<VolumeStatus> {
  const call = server.rxafs.GetVolumeStatus({ Volumeid: volume | 0 })
  const { Volumestatus, Name, OfflineMsg } = await ask("volume status", rootOf(volume), call)
  return volumeStatus(Volumestatus, Name, OfflineMsg)
}

/** KiB; 0 for none. */
export async function setQuota(server: Fileserver, volume: number, quota: number): Promise<void> {
  const Volumestatus = { Mask: volumeStatusMask.maxQuota, MinQuota: 0, MaxQuota: quota }
  const call = server.rxafs.SetVolumeStatus({ Volumeid: volume | 0, Volumestatus, Name: "", OfflineMsg: "", Motd: "" })
  await ask("set quota", rootOf(volume), call)
}

export type LockKind = "read" | "write"

/** A lock on a whole file, for five minutes. @throws AfsError EAGAIN if somebody else has it */
export async function setLock(server: Fileserver, fid: AFSFid, kind: LockKind): Promise<void> {
  await ask("lock", fid, server.rxafs.SetLock({ Fid: fid, Type: kind === "read" ? 0 : 1 }))
}

/** Another five minutes. @throws AfsError EINVAL for an object without a lock */
export async function extendLock(server: Fileserver, fid: AFSFid): Promise<void> {
  await ask("extend lock", fid, server.rxafs.ExtendLock({ Fid: fid }))
}

export async function releaseLock(server: Fileserver, fid: AFSFid): Promise<void> {
  await ask("unlock", fid, server.rxafs.ReleaseLock({ Fid: fid }))
}
