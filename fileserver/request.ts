/**
 * One call of a client on one volume: who asks, the volume while it is in use, and what goes wrong on the way. Operations get
 * a Request when the caller is known and the volume is attached; all of that is mostly so at once.
 */
import { secondsOf } from "../common/clock.ts"
import { isDiskError } from "../common/disk/disk.ts"
import { AfsError, isAfsError } from "../common/error.ts"
import type { AFSCallBack, AFSFid } from "../common/protocol/afs-types.ts"
import type { AFSFetchStatus, AFSVolSync } from "../common/protocol/afsint.ts"
import { codes } from "../common/protocol/codes.ts"
import type { RpcCall } from "../common/rpc/rpc-call.ts"
import type { Vnode } from "../common/vnode/vnode.ts"
import { type AttachedVolume, type ChangeBy, tellsDamage } from "../common/volume/attached-volume.ts"
import { salvagingCode } from "../common/volume/client-access.ts"
import { fileCallError } from "../common/volume/damage.ts"
import type { Eventually } from "../common/volume/handover.ts"
import { factsOf } from "../common/volume/package-context.ts"
import type { VolumeUse } from "../common/volume/server-volume.ts"
import type { TrafficBy } from "../common/volume/volume-traffic.ts"
import { anonymousRightsOf, callerAccess, type Refusal, rightsOf, type Standing } from "./access.ts"
import { fetchStatus, volumeSync } from "./fetch-status.ts"
import type { Caller } from "./host-table.ts"
import { networkOf } from "./own-networks.ts"
import { anonymousId } from "./protection.ts"
import type { Serving } from "./serving.ts"

/** What a caller may do to an object, and what anybody may. */
export interface Sight extends Standing {
  readonly anonymous: number
}

/** What OpenAFS counts for a call on a file: the file, and its directory for the access list and for the status. */
const looksAtFile = 3
/** Gives nobody any right. */
const noAccessList = new Uint8Array(0)

/** A volume in use by one call. Vnodes that it gives are good for the present turn (common/vnode/vnode.ts). */
export class Request {
  readonly serving: Serving
  readonly caller: Caller
  readonly use: VolumeUse
  readonly volume: AttachedVolume
  /** Seconds since 1970. */
  readonly now: number
  /** The directory that was looked for last, and the sight under the access list that was. */
  #parent: Vnode | undefined
  #sight: Sight | undefined
  #area: Uint8Array | undefined
  #hostCps: readonly number[] | undefined

  constructor(serving: Serving, caller: Caller, use: VolumeUse) {
    this.serving = serving
    this.caller = caller
    this.use = use
    this.volume = use.attached
    this.now = secondsOf(serving.clock.now())
  }

  get by(): ChangeBy {
    return { author: this.caller.user.id, now: this.now }
  }

  /** For what VolumeInfo counts. */
  get trafficBy(): TrafficBy {
    const { user, host } = this.caller
    const isNear = this.serving.networks.has(networkOf(host.addresses[0]?.host ?? 0))
    return { author: user.id, now: this.now, isNear, isNamed: user.id !== anonymousId }
  }

  /** The volume's part of nearly every reply. */
  get sync(): AFSVolSync {
    return volumeSync(this.volume.creationDate)
  }

  /**
   * The object of a fid, counted as looked at: a directory once (`looks` 0: it was counted before).
   * @throws AfsError VNOVNODE if there is none, or another one has its number now
   */
  find(fid: AFSFid, looks = looksAtFile): Vnode {
    const vnode = this.volume.vnode(fid.Vnode, fid.Unique)
    this.volume.accessed(this.now, vnode.isDirectory ? Math.min(looks, 1) : looks)
    return vnode
  }

  /** @throws AfsError VNOVNODE, ENOTDIR */
  findDirectory(fid: AFSFid, looks = 1): Vnode {
    const vnode = this.find(fid, looks)
    if (!vnode.isDirectory) throw this.#refusal("ENOTDIR", vnode)
    return vnode
  }

  /** @throws AfsError VREADONLY on a replica or a backup, or where the server takes no changes from this caller */
  requireWritable(): void {
    if (this.volume.readWrite && this.#isHeard) return
    throw new AfsError("VREADONLY", "request", { volume: this.volume.id })
  }

  get #isHeard(): boolean {
    const { changesBy } = this.serving
    return changesBy === "everybody" || (changesBy === "administrators" && this.caller.user.isAdministrator)
  }

  /** What is under the same access list is seen alike, as long as nothing changes in who asks. */
  sightOf(vnode: Vnode): Sight {
    const { user, host } = this.caller
    const area = vnode.accessList ?? this.#parentOf(vnode).accessList ?? noAccessList
    const isVolumeOwner = this.volume.rootOwner === user.id
    const known = this.#sight
    if (area === this.#area && host.cps === this.#hostCps && known?.user === user) {
      if (known.isVolumeOwner === isVolumeOwner) return known
    }
    this.#area = area
    this.#hostCps = host.cps
    this.#sight = {
      rights: rightsOf(area, user, host.cps),
      anonymous: anonymousRightsOf(area, this.serving.protection.anyUser, host.cps),
      user,
      isVolumeOwner,
    }
    return this.#sight
  }

  #parentOf(vnode: Vnode): Vnode {
    const known = this.#parent
    if (known !== undefined && known.number === vnode.record.parent && !known.isGone) return known
    this.#parent = this.volume.parentOf(vnode)
    return this.#parent
  }

  /** @throws AfsError with the refusal, if there is one */
  require(refusal: Refusal | undefined, vnode: Vnode): void {
    if (refusal !== undefined) throw this.#refusal(refusal, vnode)
  }

  /** The status of a vnode that `sight` is of, or of one under the same access list. */
  statusOf(vnode: Vnode, sight: Sight, caller = callerAccess(vnode.record, sight)): AFSFetchStatus {
    const parent = vnode.isDirectory ? vnode : this.#parentOf(vnode)
    return fetchStatus(vnode.record, parent, { caller, anonymous: sight.anonymous }, this.now)
  }

  fidOf(vnode: Vnode): AFSFid {
    return { Volume: this.volume.id, Vnode: vnode.number, Unique: vnode.unique }
  }

  /** Promises the caller to tell it of changes. */
  promise(vnode: Vnode, isBulk = false): AFSCallBack {
    const { callbacks, clock } = this.serving
    return callbacks.promise(this.caller.host, this.fidOf(vnode), this.volume.readWrite, clock.now(), isBulk)
  }

  /** Tells all others of a change. */
  tellOthers(vnode: Vnode): Promise<void> | undefined {
    return this.serving.callbacks.break(this.fidOf(vnode), this.caller.host)
  }

  /** Tells everybody, the caller too. */
  tellAll(vnode: Vnode): Promise<void> | undefined {
    return this.serving.callbacks.break(this.fidOf(vnode))
  }

  /** What was promised for an object that is no more needs no message. */
  forget(vnode: Vnode): void {
    this.serving.callbacks.forget(this.fidOf(vnode))
  }

  #refusal(code: Refusal | "ENOTDIR", vnode: Vnode): AfsError {
    return new AfsError(code, "request", { volume: this.volume.id, vnode: vnode.number })
  }
}

/** The reply once everybody concerned was told. */
export function afterTelling<R>(reply: R, ...told: readonly (Promise<void> | undefined)[]): Eventually<R> {
  const waiting = told.filter((one) => one !== undefined)
  return waiting.length === 0 ? reply : Promise.all(waiting).then(() => reply)
}

/** @throws AfsError EINVAL for a fid that names nothing */
export function requireFid(fid: AFSFid): void {
  if (fid.Volume === 0 || fid.Vnode === 0) throw new AfsError("EINVAL", "request", { volume: fid.Volume })
}

/**
 * Runs an operation on the object of a fid. `before` is what is checked when the caller is known, before the fid is looked at.
 * @throws AfsError, RpcError: what the client gets
 */
export function onFid<R>(
  serving: Serving,
  call: RpcCall,
  fid: AFSFid,
  work: (request: Request) => Eventually<R>,
  before?: () => void,
): Eventually<R> {
  const caller = serving.hosts.callerOf(call)
  return caller instanceof Promise
    ? caller.then((later) => onFidOf(serving, later, fid, work, before))
    : onFidOf(serving, caller, fid, work, before)
}

function onFidOf<R>(
  serving: Serving,
  caller: Caller,
  fid: AFSFid,
  work: (request: Request) => Eventually<R>,
  before: (() => void) | undefined,
): Eventually<R> {
  before?.()
  requireFid(fid)
  return onVolume(serving, caller, fid.Volume, work)
}

/** Runs an operation on a volume, which stays attached until it is over. */
export function onVolume<R>(
  serving: Serving,
  caller: Caller,
  volume: number,
  work: (request: Request) => Eventually<R>,
): Eventually<R> {
  const use = serving.volumes.acquire(volume)
  return use instanceof Promise
    ? use.then((later) => during(serving, caller, later, work))
    : during(serving, caller, use, work)
}

/** Written out, since every call comes here: functions made for each would be most of what it leaves to the collector. */
function during<R>(
  serving: Serving,
  caller: Caller,
  use: VolumeUse,
  work: (request: Request) => Eventually<R>,
): Eventually<R> {
  let result: Eventually<R> | undefined
  try {
    result = guarded(requestOn(serving, caller, use), work, undefined)
  } finally {
    if (!(result instanceof Promise)) use.release()
  }
  return result instanceof Promise ? result.finally(() => use.release()) : result
}

/** What a caller asks of a volume in use. @throws AfsError what clients get */
export function requestOn(serving: Serving, caller: Caller, use: VolumeUse): Request {
  try {
    return new Request(serving, caller, use)
  } catch (error) {
    throw failureOf(serving, use, error)
  }
}

/** Runs work of a request; its failures become what clients understand. */
export function guarded<A, R>(
  request: Request,
  work: (request: Request, about: A) => Eventually<R>,
  about: A,
): Eventually<R> {
  try {
    const result = work(request, about)
    return result instanceof Promise ? guardedLater(request, result) : result
  } catch (error) {
    throw failureOf(request.serving, request.use, error)
  }
}

async function guardedLater<R>({ serving, use }: Request, result: Promise<R>): Promise<R> {
  try {
    return await result
  } catch (error) {
    throw failureOf(serving, use, error)
  }
}

/**
 * What a client gets for an error. Damage takes the volume, and no other, out of service until it is salvaged.
 * OpenAFS viced/afsfileprocs.c, vol/volume.c.
 */
function failureOf(serving: Serving, use: VolumeUse, error: unknown): unknown {
  if (tellsDamage(error)) return damaged(serving, use, error)
  const failure = fileCallError(error, "request", factsOf(use.volume))
  // The client learns no more than the code: what failed, and where, is for the log.
  if (isAfsError(failure, "VIO") || isDiskError(error))
    serving.log.error({ ...factsOf(use.volume), err: error }, "file call failed for a client")
  return failure
}

function damaged(serving: Serving, use: VolumeUse, error: unknown): AfsError {
  const { volume } = use
  const facts = factsOf(volume)
  serving.log.error({ ...facts, err: error }, "damage met while serving")
  serving.volumes.salvages.want(volume, "ERROR")
  const wantedAt = volume.salvageWantedAt
  const code = wantedAt === undefined ? "VNOVOL" : salvagingCode(wantedAt, serving.clock.now())
  return new AfsError(code, "request", facts, { cause: error })
}

/** Ends a call that takes long when its volume has to go offline, with what its client shall get. */
export function endWithVolume(use: VolumeUse, call: RpcCall): void {
  const end = (): void => call.abort(codes[use.abortCode ?? "VOFFLINE"].number ?? codes.VOFFLINE.number)
  if (use.abortCode !== undefined) end()
  else use.onAbort = end
}
