/** FetchStatus (132): what an object is, with a promise to tell of changes. */
import type { AFSCallBack, AFSFid } from "../../common/protocol/afs-types.ts"
import type { AFSFetchStatus, AFSVolSync } from "../../common/protocol/afsint.ts"
import type { Eventually } from "../../common/volume/handover.ts"
import { judgeFetchStatus } from "../access.ts"
import { onFid, type Request } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { whenFree } from "../vnode-turns.ts"

export interface PromisedStatus {
  readonly OutStatus: AFSFetchStatus
  readonly CallBack: AFSCallBack
  readonly Sync: AFSVolSync
}

/** The status of one object; bulk calls get shorter promises, since they fetch much that nobody needs. */
export function promisedStatus(request: Request, fid: AFSFid, isBulk: boolean): Eventually<PromisedStatus> {
  return whenFree(request, () => {
    const vnode = request.find(fid)
    const sight = request.sightOf(vnode)
    request.require(judgeFetchStatus(vnode.record, sight), vnode)
    const run = (): PromisedStatus => ({
      OutStatus: request.statusOf(vnode, sight),
      CallBack: request.promise(vnode, isBulk),
      Sync: request.sync,
    })
    return { reads: [vnode], run }
  })
}

export const fetchStatus =
  (serving: Serving): RxafsProcedure<"FetchStatus"> =>
  ({ Fid }, call) => {
    serving.counters.fetches++
    return onFid(serving, call, Fid, (request) => promisedStatus(request, Fid, false))
  }
