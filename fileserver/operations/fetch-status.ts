/** FetchStatus (132): what an object is, with a promise to tell of changes. */
import type { AFSCallBack, AFSFid } from "../../common/protocol/afs-types.ts"
import type { AFSFetchStatus, AFSVolSync } from "../../common/protocol/afsint.ts"
import type { Vnode } from "../../common/vnode/vnode.ts"
import type { Eventually } from "../../common/volume/handover.ts"
import { judgeFetchStatus } from "../access.ts"
import { onFid, type Request, type Sight } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { isReadable, whenFree } from "../vnode-turns.ts"

export interface PromisedStatus {
  readonly OutStatus: AFSFetchStatus
  readonly CallBack: AFSCallBack
  readonly Sync: AFSVolSync
}

/** What an object is and what was promised, of one moment. */
type StatusTaker<R> = (status: AFSFetchStatus, promise: AFSCallBack) => R

/**
 * Gives the status of one object to `take`; bulk calls get shorter promises, since they fetch much that nobody needs.
 * Mostly nobody is at the vnode, and nothing is made for the case that somebody is.
 */
export function promisedStatus<R>(request: Request, fid: AFSFid, isBulk: boolean, take: StatusTaker<R>): Eventually<R> {
  const first = request.find(fid)
  const sight = seen(request, first)
  if (isReadable(first)) return take(request.statusOf(first, sight), request.promise(first, isBulk))
  return whenFree(request, () => {
    const vnode = request.find(fid)
    const later = seen(request, vnode)
    const run = (): R => take(request.statusOf(vnode, later), request.promise(vnode, isBulk))
    return { reads: [vnode], run }
  })
}

/** @throws AfsError if the caller may not know what it is */
function seen(request: Request, vnode: Vnode): Sight {
  const sight = request.sightOf(vnode)
  request.require(judgeFetchStatus(vnode.record, sight), vnode)
  return sight
}

export const fetchStatus =
  (serving: Serving): RxafsProcedure<"FetchStatus"> =>
  ({ Fid }, call) => {
    serving.counters.fetches++
    return onFid(serving, call, Fid, (request) =>
      promisedStatus(
        request,
        Fid,
        false,
        (OutStatus, CallBack): PromisedStatus => ({ OutStatus, CallBack, Sync: request.sync }),
      ),
    )
  }
