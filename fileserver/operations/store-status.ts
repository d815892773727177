/** StoreStatus (135): chmod, chown, chgrp, utime. No change of data. */
import { countWrite } from "../../common/volume/volume-traffic.ts"
import { judgeStoreStatus } from "../access.ts"
import { afterTelling, onFid } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { statusChanges } from "../store-status.ts"
import { whenFree } from "../vnode-turns.ts"

export const storeStatus =
  (serving: Serving): RxafsProcedure<"StoreStatus"> =>
  ({ Fid, InStatus }, call) => {
    serving.counters.stores++
    return onFid(serving, call, Fid, (request) =>
      whenFree(request, () => {
        request.requireWritable()
        const vnode = request.find(Fid)
        const sight = request.sightOf(vnode)
        request.require(judgeStoreStatus(vnode.record, sight, InStatus), vnode)
        const run = () => {
          const changes = statusChanges(vnode.record, InStatus, sight.user, request.now)
          request.volume.setStatus(vnode, changes)
          countWrite(request.volume.attachment, request.trafficBy)
          const reply = { OutStatus: request.statusOf(vnode, sight), Sync: request.sync }
          return afterTelling(reply, request.tellOthers(vnode))
        }
        return { writes: [vnode], run }
      }),
    )
  }
