/** Rename (138): another name, another directory, or both; what had the new name before goes. */
import type { Vnode } from "../../common/vnode/vnode.ts"
import type { Renamed } from "../../common/volume/attached-volume.ts"
import { type Before, countNames } from "../../common/volume/volume-traffic.ts"
import { judgeDelete, judgeInsert } from "../access.ts"
import { namedVnodes } from "../named-vnodes.ts"
import { requireNewName, requireSameVolume } from "../new-name.ts"
import { afterTelling, onFid, type Request, requireFid } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { whenFree } from "../vnode-turns.ts"

/** Whom a rename concerns, beside those who know the directories. */
function tellOfRename(request: Request, { moved, replaced, changedParents }: Renamed): (Promise<void> | undefined)[] {
  if (replaced?.gone === true) request.forget(replaced.vnode)
  return [
    // Its own ".." changed, and its client does not know.
    changedParents ? request.tellAll(moved) : undefined,
    replaced?.gone === false ? request.tellAll(replaced.vnode) : undefined,
  ]
}

/** Both directories count as changed, also if they are one: the second time its caller's change is the one before. */
function countChanges({ volume, trafficBy }: Request, [from, to]: readonly [Before, Before], isOne: boolean): void {
  countNames(volume.attachment, trafficBy, from)
  const { author, now: unixModifyTime } = trafficBy
  countNames(volume.attachment, trafficBy, isOne ? { author, unixModifyTime } : to)
}

export const rename =
  (serving: Serving): RxafsProcedure<"Rename"> =>
  ({ OldDirFid, OldName, NewDirFid, NewName }, call) => {
    const before = (): void => {
      requireNewName(NewName)
      requireSameVolume(OldDirFid, NewDirFid)
      requireFid(NewDirFid)
    }
    const work: Parameters<typeof onFid<RenameReply>>[3] = (request) =>
      whenFree(request, () => {
        request.requireWritable()
        const from = request.findDirectory(OldDirFid)
        const isOne = OldDirFid.Vnode === NewDirFid.Vnode
        const to = request.findDirectory(NewDirFid, isOne ? 0 : 1)
        const [fromSight, toSight] = [request.sightOf(from), request.sightOf(to)]
        request.require(judgeDelete(fromSight), from)
        request.require(judgeInsert(toSight), to)
        const sources = namedVnodes(request, from, OldName)
        const targets = namedVnodes(request, to, NewName)
        if (sources.length > 0 && targets.length > 0) request.require(judgeDelete(toSight), to)
        const run = () => {
          const before = [from.record, to.record] as const
          const renamed = request.volume.rename(from, OldName, to, NewName, request.by)
          countChanges(request, before, isOne)
          const reply = {
            OutOldDirStatus: request.statusOf(from, fromSight),
            OutNewDirStatus: request.statusOf(to, toSight),
            Sync: request.sync,
          }
          const told = [request.tellOthers(to), to === from ? undefined : request.tellOthers(from)]
          return afterTelling(reply, ...told, ...tellOfRename(request, renamed))
        }
        const moved: readonly Vnode[] = from === to ? [] : sources
        return { writes: [from, to, ...moved, ...targets], run }
      })
    return onFid(serving, call, OldDirFid, work, before)
  }

type RenameReply = Awaited<ReturnType<RxafsProcedure<"Rename">>>
