/**
 * What an AFSStoreStatus makes of an object: which of its fields count, and what ordinary users cannot set with it.
 * OpenAFS viced/afsfileprocs.c (Update_TargetVnodeStatus).
 */
import { type AFSStoreStatus, storeMask } from "../common/protocol/afsint.ts"
import type { VnodeRecord } from "../common/vnode/vnode-record.ts"
import type { NewVnode, StatusChanges } from "../common/volume/attached-volume.ts"
import { grantedMode } from "./access.ts"
import type { UserIdentity } from "./protection.ts"

const setUidBit = 0o4000
const setIdBits = 0o6000
/** A new object's mode, unless the client says more. The server knows no umask. */
const newMode = 0o777

const given = ({ Mask }: Readonly<AFSStoreStatus>, bit: number): boolean => (Mask & bit) !== 0

/** What a new object begins with. Owner and group are taken as given. `now` in seconds. */
export function newVnodeFields(status: Readonly<AFSStoreStatus>, user: UserIdentity, now: number): NewVnode {
  return {
    owner: given(status, storeMask.owner) ? status.Owner : user.id,
    group: given(status, storeMask.group) ? status.Group | 0 : undefined,
    author: user.id,
    mode: given(status, storeMask.mode) ? grantedMode(status.UnixModeBits, user) : newMode,
    clientModTime: given(status, storeMask.modTime) ? status.ClientModTime : now,
    now,
  }
}

/** Bits of a mode that a change takes away from ordinary users' files unless the mode is set too. */
function keptMode(record: Readonly<VnodeRecord>, user: UserIdentity, lost: number): number | undefined {
  return user.isAdministrator || (record.mode & lost) === 0 ? undefined : record.mode & ~lost
}

function changes(
  record: Readonly<VnodeRecord>,
  status: Readonly<AFSStoreStatus>,
  user: UserIdentity,
  lost: number,
): Pick<StatusChanges, "owner" | "group" | "mode"> {
  const setsOwner = given(status, storeMask.owner)
  return {
    owner: setsOwner ? status.Owner : undefined,
    group: given(status, storeMask.group) ? status.Group | 0 : undefined,
    mode: given(status, storeMask.mode)
      ? grantedMode(status.UnixModeBits, user)
      : keptMode(record, user, lost | (setsOwner ? setIdBits : 0)),
  }
}

/** StoreStatus: only what is given. */
export function statusChanges(
  record: Readonly<VnodeRecord>,
  status: Readonly<AFSStoreStatus>,
  user: UserIdentity,
  now: number,
): StatusChanges {
  const clientModTime = given(status, storeMask.modTime) ? status.ClientModTime : undefined
  return { clientModTime, now, ...changes(record, status, user, 0) }
}

/** StoreData: the time always changes, and ordinary users' stores take the setuid bit away. */
export function storeChanges(
  record: Readonly<VnodeRecord>,
  status: Readonly<AFSStoreStatus>,
  user: UserIdentity,
  now: number,
): StatusChanges {
  const clientModTime = given(status, storeMask.modTime) ? status.ClientModTime : now
  return { clientModTime, now, ...changes(record, status, user, setUidBit) }
}
