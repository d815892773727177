/** Link (140): a further name for a file, in the directory where it is. */
import { AfsError } from "../../common/error.ts"
import { countNames } from "../../common/volume/volume-traffic.ts"
import { judgeInsert } from "../access.ts"
import { requireNewName, requireSameVolume } from "../new-name.ts"
import { afterTelling, onFid, requireFid } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { whenFree } from "../vnode-turns.ts"

export const link =
  (serving: Serving): RxafsProcedure<"Link"> =>
  ({ DirFid, Name, ExistingFid }, call) => {
    const before = (): void => {
      requireNewName(Name)
      requireSameVolume(DirFid, ExistingFid)
      requireFid(ExistingFid)
    }
    const work: Parameters<typeof onFid<LinkReply>>[3] = (request) =>
      whenFree(request, () => {
        request.requireWritable()
        const directory = request.findDirectory(DirFid)
        const sight = request.sightOf(directory)
        request.require(judgeInsert(sight), directory)
        const file = request.find(ExistingFid, 1)
        if (!file.isFile) throw new AfsError("EISDIR", "link", { volume: request.volume.id, vnode: file.number })
        const run = () => {
          const before = directory.record
          request.volume.makeLink(directory, Name, file, request.by)
          countNames(request.volume.attachment, request.trafficBy, before)
          const reply = {
            OutFidStatus: request.statusOf(file, sight, sight.rights >>> 0),
            OutDirStatus: request.statusOf(directory, sight),
            Sync: request.sync,
          }
          return afterTelling(reply, request.tellOthers(directory), request.tellOthers(file))
        }
        return { writes: [directory, file], run }
      })
    return onFid(serving, call, DirFid, work, before)
  }

type LinkReply = Awaited<ReturnType<RxafsProcedure<"Link">>>
