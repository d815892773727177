/**
 * May they? Rights from an access list, and what each operation needs of them. Pure: no lookups, no I/O, never throws.
 * OpenAFS viced/afsfileprocs.c (GetRights, Check_PermissionRights), libacl/aclprocs.c (acl_CheckRights); docs/cell.md.
 */
import { type AFSStoreStatus, storeMask } from "../common/protocol/afsint.ts"
import { accessRights, knownGroups, rightsOfGroups } from "../common/vnode/access-list.ts"
import { type VnodeRecord, vnodeTypes } from "../common/vnode/vnode-record.ts"
import { anonymousId, type UserIdentity } from "./protection.ts"

/** What is looked at in the record of an operation's object. */
export type AccessObject = Readonly<Pick<VnodeRecord, "type" | "mode" | "owner" | "group">>

/** What a caller may do to an object: rights of its access list (a file's is its parent's), and who the caller is. */
export interface Standing {
  readonly rights: number
  readonly user: UserIdentity
  /** Owner of the volume's root directory. */
  readonly isVolumeOwner: boolean
}

/** Why not. EINVAL: the request makes no sense, whoever asks. */
export type Refusal = "EACCES" | "EPERM" | "EINVAL"

const { r, w, i, l, d, k, a } = accessRights
/** What `chmod` needs: bits that make a program run as its owner or group. */
const setIdBits = 0o6000
const ownerRead = 0o500
const ownerWrite = 0o200
const anyExecute = 0o111
const administrators = knownGroups["system:administrators"]
/** No right that a list can hold is missing. */
const everything = -1

/** A protection set that ends with system:administrators: of groups only, since a user's own id sorts behind. */
const isAllPowerful = (cps: readonly number[]): boolean => cps[cps.length - 1] === administrators

const rightsOfSet = (area: Uint8Array, cps: readonly number[]): number =>
  isAllPowerful(cps) ? everything : rightsOfGroups(area, cps)

/**
 * Rights of a caller in an access list (192 bytes): positive entries less negative ones, those of the host's groups on top.
 * Administrators may always look up. A damaged list gives nobody any right.
 */
export function rightsOf(area: Uint8Array, user: UserIdentity, hostCps: readonly number[]): number {
  const implicit = user.isAdministrator ? l : 0
  const ofHost = hostCps.length === 0 ? 0 : rightsOfSet(area, hostCps)
  return rightsOfSet(area, user.cps) | implicit | ofHost
}

/** Rights of system:anyuser at this host: AFSFetchStatus.AnonymousAccess. */
export function anonymousRightsOf(area: Uint8Array, anyUser: readonly number[], hostCps: readonly number[]): number {
  const ofHost = hostCps.length === 0 ? 0 : rightsOfSet(area, hostCps)
  return (rightsOfSet(area, anyUser) | ofHost) >>> 0
}

const owns = (object: AccessObject, who: Standing): boolean => object.owner === who.user.id
const isFile = (object: AccessObject): boolean => object.type === vnodeTypes.file
const isDirectory = (object: AccessObject): boolean => object.type === vnodeTypes.directory
const has = (who: Standing, right: number): boolean => (who.rights & right) !== 0
const refuseUnless = (allowed: boolean): Refusal | undefined => (allowed ? undefined : "EACCES")

/** Who has just made a file may fill it: what makes a dropbox work. */
const mayFill = (object: AccessObject, who: Standing): boolean => isFile(object) && owns(object, who) && has(who, i)
const mayReadBack = (object: AccessObject, who: Standing): boolean =>
  mayFill(object, who) && who.user.id !== anonymousId

/**
 * AFSFetchStatus.CallerAccess. On a file or symlink bit `a` says nothing of the access list: it is set for the owner alone, so
 * that clients know who may change the mode.
 */
export function callerAccess(object: AccessObject, who: Standing): number {
  if (isDirectory(object)) return who.rights >>> 0
  return (owns(object, who) ? who.rights | a : who.rights & ~a) >>> 0
}

/** The same in the reply to whoever has made the object, with rights of its directory: who made a file has bit `a`. */
export function creatorAccess(object: AccessObject, { rights }: Standing): number {
  return (isFile(object) ? rights | a : rights) >>> 0
}

const mayLookUp = (who: Standing): boolean => has(who, l) || who.user.isAdministrator || who.isVolumeOwner

/** FetchStatus, BulkStatus: everybody sees that a directory is there. */
export function judgeFetchStatus(object: AccessObject, who: Standing): Refusal | undefined {
  return isDirectory(object) ? undefined : judgeFetchAccessList(object, who)
}

/** FetchACL: as FetchStatus, and on directories too. */
export function judgeFetchAccessList(object: AccessObject, who: Standing): Refusal | undefined {
  if (!isFile(object)) return refuseUnless(mayLookUp(who))
  return refuseUnless(has(who, r) || mayReadBack(object, who) || who.user.isAdministrator)
}

/** FetchData: the contents of a file, the pages of a directory, the target of a symlink. */
export function judgeFetchData(object: AccessObject, who: Standing): Refusal | undefined {
  if (!isFile(object)) return refuseUnless(has(who, l) || who.isVolumeOwner)
  if (!has(who, r) && !mayReadBack(object, who)) return "EACCES"
  return refuseUnless((object.mode & ownerRead) !== 0 || owns(object, who) || who.user.isAdministrator)
}

/** StoreData into a file. The owner may write what a mode forbids, given `i`: files are made before they are filled. */
export function judgeStoreData(
  object: AccessObject,
  who: Standing,
  change: Readonly<AFSStoreStatus>,
): Refusal | undefined {
  const ofStatus = judgeOwnership(object, who, change)
  if (ofStatus !== undefined || mayFill(object, who)) return ofStatus
  return refuseUnless(has(who, w) && ((object.mode & ownerWrite) !== 0 || who.user.isAdministrator))
}

const setsOwner = (object: AccessObject, { Mask, Owner, Group }: Readonly<AFSStoreStatus>): boolean =>
  ((Mask & storeMask.owner) !== 0 && Owner !== object.owner) ||
  ((Mask & storeMask.group) !== 0 && Group !== object.group >>> 0)

const setsIdBits = ({ Mask, UnixModeBits }: Readonly<AFSStoreStatus>): boolean =>
  (Mask & storeMask.mode) !== 0 && (UnixModeBits & setIdBits) !== 0

/** What only administrators may change with a store: owner and group, and bits that make a program run as these. */
function judgeOwnership(object: AccessObject, who: Standing, change: Readonly<AFSStoreStatus>): Refusal | undefined {
  if (who.user.isAdministrator) return undefined
  if (setsOwner(object, change)) return "EPERM"
  return setsIdBits(change) && !mayFill(object, who) ? "EACCES" : undefined
}

/** StoreStatus: chmod, chown, utime. */
export function judgeStoreStatus(
  object: AccessObject,
  who: Standing,
  change: Readonly<AFSStoreStatus>,
): Refusal | undefined {
  const refusal = judgeOwnership(object, who, change)
  if (refusal !== undefined) return refusal
  const right = isDirectory(object) ? i | d : w
  if (!who.user.isAdministrator && !mayFill(object, who) && !has(who, right)) return "EACCES"
  const isSymlink = object.type === vnodeTypes.symlink
  return isSymlink && (change.Mask & storeMask.mode) !== 0 ? "EINVAL" : undefined
}

/** The mode that a store really sets (bits 07777): without the bits that only administrators may set. */
export function grantedMode(mode: number, user: UserIdentity): number {
  return user.isAdministrator ? mode & 0o7777 : mode & 0o777
}

/** StoreACL, on a directory. */
export const judgeStoreAccessList = (who: Standing): Refusal | undefined =>
  refuseUnless(has(who, a) || who.isVolumeOwner || who.user.isAdministrator)

/** CreateFile, MakeDir, Link; the new place of Rename. */
export const judgeInsert = (who: Standing): Refusal | undefined => refuseUnless(has(who, i))

/** Symlink. One that nobody may execute is a mount point, by the convention of clients. */
export function judgeSymlink(who: Standing, mode: number): Refusal | undefined {
  if ((mode & anyExecute) === 0 && !has(who, a) && !who.user.isAdministrator) return "EACCES"
  return judgeInsert(who)
}

/** RemoveFile, RemoveDir; the old place of Rename, and its target if there is one. */
export const judgeDelete = (who: Standing): Refusal | undefined => refuseUnless(has(who, d))

/** SetLock for reading or writing. */
export function judgeLock(object: AccessObject, who: Standing, kind: "read" | "write"): Refusal | undefined {
  if (mayFill(object, who)) return undefined
  return refuseUnless(has(who, kind === "read" ? k | w : w))
}

/** SetVolumeStatus. */
export const judgeAdministrator = (user: UserIdentity): Refusal | undefined => refuseUnless(user.isAdministrator)

/** FlushCPS. */
export const judgeSuperuser = (user: UserIdentity): Refusal | undefined => (user.isSuperuser ? undefined : "EPERM")
