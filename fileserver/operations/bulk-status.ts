/** BulkStatus (155), InlineBulkStatus (65536): FetchStatus of up to 50 objects, of one volume or several. */
import { AfsError } from "../../common/error.ts"
import type { AFSCallBack, AFSFid } from "../../common/protocol/afs-types.ts"
import type { AFSFetchStatus, AFSVolSync } from "../../common/protocol/afsint.ts"
import { codes } from "../../common/protocol/codes.ts"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import type { Eventually } from "../../common/volume/handover.ts"
import type { VolumeUse } from "../../common/volume/server-volume.ts"
import { translateErrno } from "../error-translation.ts"
import { lastly, then } from "../eventually.ts"
import { failedStatus, volumeSync } from "../fetch-status.ts"
import type { Caller } from "../host-table.ts"
import { guarded, type Request, requestOn, requireFid } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { promisedStatus } from "./fetch-status.ts"

interface BulkReply {
  readonly StatArray: AFSFetchStatus[]
  readonly CBArray: AFSCallBack[]
  /** Of the first object that was found. */
  Sync: AFSVolSync
}

const noPromise: AFSCallBack = { CallBackVersion: 0, ExpirationTime: 0, CallBackType: 0 }

/** One bulk call; a volume stays in use from one fid to the next of the same volume. */
class BulkLook {
  readonly reply: BulkReply = { StatArray: [], CBArray: [], Sync: volumeSync(0) }
  readonly #serving: Serving
  readonly #caller: Caller
  readonly #isInline: boolean
  #use: VolumeUse | undefined
  #request: Request | undefined
  #isFound = false
  readonly #take = (status: AFSFetchStatus, promise: AFSCallBack): void => this.#found(status, promise)
  readonly #seek = (request: Request, fid: AFSFid): Eventually<void> => promisedStatus(request, fid, true, this.#take)

  constructor(serving: Serving, caller: Caller, isInline: boolean) {
    this.#serving = serving
    this.#caller = caller
    this.#isInline = isInline
  }

  /** Looks at all fids from `index` on, in one turn if nothing has to be waited for. */
  all(fids: readonly AFSFid[], index = 0): Eventually<BulkReply> {
    for (let at = index; at < fids.length; at++) {
      const fid = fids[at]
      const done = fid === undefined ? undefined : this.#one(fid)
      if (done instanceof Promise) return done.then(() => this.all(fids, at + 1))
    }
    return this.reply
  }

  /** Gives the volume back. */
  leave(): void {
    this.#use?.release()
    this.#use = undefined
    this.#request = undefined
  }

  #one(fid: AFSFid): Eventually<void> {
    if (!this.#isInline) return this.#look(fid)
    try {
      const done = this.#look(fid)
      return done instanceof Promise ? done.catch((error: unknown) => this.#failed(error)) : done
    } catch (error) {
      this.#failed(error)
    }
  }

  #look(fid: AFSFid): Eventually<void> {
    requireFid(fid)
    const request = this.#request
    if (request !== undefined && request.volume.id === fid.Volume) return guarded(request, this.#seek, fid)
    return then(this.#requestOf(fid.Volume), (other) => guarded(other, this.#seek, fid))
  }

  #found(status: AFSFetchStatus, promise: AFSCallBack): void {
    this.#put(status, promise)
    if (!this.#isFound && this.#request !== undefined) this.reply.Sync = this.#request.sync
    this.#isFound = true
  }

  #requestOf(volume: number): Eventually<Request> {
    this.leave()
    return then(this.#serving.volumes.acquire(volume), (use) => {
      this.#use = use
      this.#request = requestOn(this.#serving, this.#caller, use)
      return this.#request
    })
  }

  /** A failure may have taken the volume out of service: the next fid has to ask for it again. */
  #failed(error: unknown): void {
    this.leave()
    const code = this.#codeOf(error)
    this.#put(failedStatus(code), noPromise)
  }

  #codeOf(error: unknown): number {
    if (!(error instanceof AfsError)) throw error
    const code = codes[error.code].number ?? codes.VIO.number
    return this.#caller.host.translatesErrors ? translateErrno(code) : code
  }

  #put(status: AFSFetchStatus, promise: AFSCallBack): void {
    this.reply.StatArray.push(status)
    this.reply.CBArray.push(promise)
  }
}

const procedure =
  (serving: Serving, isInline: boolean): RxafsProcedure<"BulkStatus"> =>
  ({ FidsArray }, call) => {
    // Before the caller is known: as it is, whatever errors the client understands.
    if (FidsArray.length === 0) throw new RpcError(codes.EINVAL.number, "RXAFS_BulkStatus")
    return then(serving.hosts.callerOf(call), (caller) => {
      const look = new BulkLook(serving, caller, isInline)
      return lastly(
        () => look.all(FidsArray),
        () => look.leave(),
      )
    })
  }

/** One fid that fails fails the call. */
export const bulkStatus = (serving: Serving): RxafsProcedure<"BulkStatus"> => procedure(serving, false)

/** A fid that fails gets a status that says why. */
export const inlineBulkStatus = (serving: Serving): RxafsProcedure<"InlineBulkStatus"> => procedure(serving, true)
