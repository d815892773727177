/** FetchACL (131), StoreACL (134): the access list that governs a directory and the files in it, as text. */

import type { AFSFid } from "../../common/protocol/afs-types.ts"
import type { Vnode } from "../../common/vnode/vnode.ts"
import { judgeFetchAccessList, judgeStoreAccessList } from "../access.ts"
import { accessListFromWire, accessListToWire } from "../acl-text.ts"
import { then } from "../eventually.ts"
import { afterTelling, onFid, type Request } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { whenFree } from "../vnode-turns.ts"

export const fetchAccessList =
  (serving: Serving): RxafsProcedure<"FetchACL"> =>
  ({ Fid }, call) => {
    serving.counters.fetches++
    return onFid(serving, call, Fid, (request) =>
      whenFree(request, () => {
        const vnode = request.find(Fid)
        const sight = request.sightOf(vnode)
        request.require(judgeFetchAccessList(vnode.record, sight), vnode)
        const run = () => {
          const OutStatus = request.statusOf(vnode, sight)
          const area = request.volume.accessListOf(vnode)
          return then(accessListToWire(area, serving.protection), (AccessList) => ({
            AccessList,
            OutStatus,
            Sync: request.sync,
          }))
        }
        return { reads: [vnode], run }
      }),
    )
  }

/** A directory whose list the caller may set. */
function settable(request: Request, fid: AFSFid, looks: number): Vnode {
  request.requireWritable()
  const directory = request.findDirectory(fid, looks)
  request.require(judgeStoreAccessList(request.sightOf(directory)), directory)
  return directory
}

/** The rights in the reply are those before the change. */
export const storeAccessList =
  (serving: Serving): RxafsProcedure<"StoreACL"> =>
  ({ Fid, AccessList }, call) => {
    serving.counters.stores++
    return onFid(serving, call, Fid, (request) => {
      const over = settable(request, Fid, 1).accessList
      return then(accessListFromWire(AccessList, serving.protection, over), (area) =>
        whenFree(request, () => {
          const directory = settable(request, Fid, 0)
          const sight = request.sightOf(directory)
          const run = () => {
            request.volume.setAccessList(directory, area, request.now)
            const reply = { OutStatus: request.statusOf(directory, sight), Sync: request.sync }
            return afterTelling(reply, request.tellOthers(directory))
          }
          return { writes: [directory], run }
        }),
      )
    })
  }
