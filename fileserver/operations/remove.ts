/** RemoveFile (136), RemoveDir (142): a name goes, and the object with its last one. */
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import type { Vnode } from "../../common/vnode/vnode.ts"
import { countNames } from "../../common/volume/volume-traffic.ts"
import { judgeDelete } from "../access.ts"
import { namedVnodes } from "../named-vnodes.ts"
import { afterTelling, onFid, type Request, type Sight } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { whenFree } from "../vnode-turns.ts"

/** The directory, if the caller may delete in it. */
function deletable(request: Request, fid: AFSFid): { directory: Vnode; sight: Sight } {
  request.requireWritable()
  const directory = request.findDirectory(fid)
  const sight = request.sightOf(directory)
  request.require(judgeDelete(sight), directory)
  return { directory, sight }
}

export const removeFile =
  (serving: Serving): RxafsProcedure<"RemoveFile"> =>
  ({ DirFid, Name }, call) =>
    onFid(serving, call, DirFid, (request) =>
      whenFree(request, () => {
        const { directory, sight } = deletable(request, DirFid)
        const run = () => {
          const before = directory.record
          const { vnode, gone } = request.volume.removeFile(directory, Name, request.by)
          countNames(request.volume.attachment, request.trafficBy, before)
          if (gone) request.forget(vnode)
          const reply = { OutStatus: request.statusOf(directory, sight), Sync: request.sync }
          return afterTelling(reply, request.tellOthers(directory), gone ? undefined : request.tellAll(vnode))
        }
        return { writes: [directory, ...namedVnodes(request, directory, Name)], run }
      }),
    )

export const removeDirectory =
  (serving: Serving): RxafsProcedure<"RemoveDir"> =>
  ({ DirFid, Name }, call) =>
    onFid(serving, call, DirFid, (request) =>
      whenFree(request, () => {
        const { directory, sight } = deletable(request, DirFid)
        const run = () => {
          const before = directory.record
          request.forget(request.volume.removeDirectory(directory, Name, request.by))
          countNames(request.volume.attachment, request.trafficBy, before)
          const reply = { OutDirStatus: request.statusOf(directory, sight), Sync: request.sync }
          return afterTelling(reply, request.tellOthers(directory))
        }
        return { writes: [directory, ...namedVnodes(request, directory, Name)], run }
      }),
    )
