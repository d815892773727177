/**
 * SetLock (156), ExtendLock (157), ReleaseLock (158), and their old forms (143 to 145) that answer nothing: advisory locks on
 * whole objects, counted in the vnode; nobody knows whose they are. OpenAFS viced/afsfileprocs.c (HandleLocking).
 */
import { AfsError } from "../../common/error.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import type { AFSVolSync } from "../../common/protocol/afsint.ts"
import type { RpcCall } from "../../common/rpc/rpc-call.ts"
import type { Vnode } from "../../common/vnode/vnode.ts"
import type { Eventually } from "../../common/volume/handover.ts"
import { judgeLock } from "../access.ts"
import { then } from "../eventually.ts"
import { volumeSync } from "../fetch-status.ts"
import { afterTelling, onFid, type Request } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { whenFree } from "../vnode-turns.ts"

interface LockReply {
  readonly Sync: AFSVolSync
}

/** ViceLockType */
const kinds: Readonly<Record<number, "read" | "write">> = { 0: "read", 1: "write" }

/** Does something to a vnode's locks. On a volume that nobody writes to there are none, whatever is asked for. */
function onLocks(request: Request, fid: AFSFid, deed: (vnode: Vnode) => Eventually<LockReply>): Eventually<LockReply> {
  if (!request.volume.readWrite) return { Sync: volumeSync(0) }
  return whenFree(request, () => {
    const vnode = request.find(fid)
    return { writes: [vnode], run: () => deed(vnode) }
  })
}

function set(serving: Serving, call: RpcCall, fid: AFSFid, type: number): Eventually<LockReply> {
  const kind = kinds[type]
  const before = (): void => {
    if (kind === undefined) throw new AfsError("EINVAL", "setLock", {}, { detail: `lock type ${type}` })
  }
  const work = (request: Request): Eventually<LockReply> => {
    const wanted = kind ?? "read"
    if (wanted === "write") request.requireWritable()
    return onLocks(request, fid, (vnode) => {
      request.require(judgeLock(vnode.record, request.sightOf(vnode), wanted), vnode)
      request.volume.setLock(vnode, wanted, request.now)
      return { Sync: request.sync }
    })
  }
  return onFid(serving, call, fid, work, before)
}

function extend(serving: Serving, call: RpcCall, fid: AFSFid): Eventually<LockReply> {
  return onFid(serving, call, fid, (request) =>
    onLocks(request, fid, (vnode) => {
      request.volume.extendLock(vnode, request.now)
      return { Sync: request.sync }
    }),
  )
}

/** Who waits for a lock asks for the status again when the last one goes. */
function release(serving: Serving, call: RpcCall, fid: AFSFid): Eventually<LockReply> {
  return onFid(serving, call, fid, (request) =>
    onLocks(request, fid, (vnode) => {
      const isLast = request.volume.releaseLock(vnode, request.now)
      return afterTelling({ Sync: request.sync }, isLast ? request.tellOthers(vnode) : undefined)
    }),
  )
}

export const setLock =
  (serving: Serving): RxafsProcedure<"SetLock"> =>
  ({ Fid, Type }, call) =>
    set(serving, call, Fid, Type)

export const extendLock =
  (serving: Serving): RxafsProcedure<"ExtendLock"> =>
  ({ Fid }, call) =>
    extend(serving, call, Fid)

export const releaseLock =
  (serving: Serving): RxafsProcedure<"ReleaseLock"> =>
  ({ Fid }, call) =>
    release(serving, call, Fid)

const nothing = (): void => {}

export const oldSetLock =
  (serving: Serving): RxafsProcedure<"OldSetLock"> =>
  ({ Fid, Type }, call) =>
    then(set(serving, call, Fid, Type), nothing)

export const oldExtendLock =
  (serving: Serving): RxafsProcedure<"OldExtendLock"> =>
  ({ Fid }, call) =>
    then(extend(serving, call, Fid), nothing)

export const oldReleaseLock =
  (serving: Serving): RxafsProcedure<"OldReleaseLock"> =>
  ({ Fid }, call) =>
    then(release(serving, call, Fid), nothing)
