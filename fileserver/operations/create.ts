/** CreateFile (137), MakeDir (141), Symlink (139): a new object with a name in a directory. */
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import type { AFSStoreStatus } from "../../common/protocol/afsint.ts"
import type { RpcCall } from "../../common/rpc/rpc-call.ts"
import type { Vnode } from "../../common/vnode/vnode.ts"
import type { AttachedVolume, NewVnode } from "../../common/volume/attached-volume.ts"
import type { Eventually } from "../../common/volume/handover.ts"
import { countNames, countWrite } from "../../common/volume/volume-traffic.ts"
import { creatorAccess, judgeInsert, judgeSymlink, type Refusal } from "../access.ts"
import { requireNewName } from "../new-name.ts"
import { afterTelling, onFid, type Request, type Sight } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { newVnodeFields } from "../store-status.ts"
import { whenFree } from "../vnode-turns.ts"

/** What the three have in common. */
interface Creation {
  readonly DirFid: AFSFid
  readonly Name: Uint8Array
  readonly InStatus: AFSStoreStatus
}

/** How they differ: who may, and what is made. */
interface Kind {
  judge(who: Sight): Refusal | undefined
  make(volume: AttachedVolume, directory: Vnode, fields: NewVnode): Vnode
}

function create<R>(
  serving: Serving,
  call: RpcCall,
  ask: Creation,
  kind: Kind,
  replyOf: (request: Request, made: Vnode, status: ReturnType<typeof statuses>) => R,
): Eventually<R> {
  const checkName = (): void => requireNewName(ask.Name)
  const work = (request: Request): Eventually<R> =>
    whenFree(request, () => {
      request.requireWritable()
      const directory = request.findDirectory(ask.DirFid)
      const sight = request.sightOf(directory)
      request.require(kind.judge(sight), directory)
      const run = (): Eventually<R> => {
        const before = directory.record
        const made = kind.make(request.volume, directory, newVnodeFields(ask.InStatus, sight.user, request.now))
        countWrite(request.volume.attachment, request.trafficBy)
        countNames(request.volume.attachment, request.trafficBy, before)
        const reply = replyOf(request, made, statuses(request, made, directory, sight))
        return afterTelling(reply, request.tellOthers(directory))
      }
      return { writes: [directory], run }
    })
  return onFid(serving, call, ask.DirFid, work, checkName)
}

function statuses(request: Request, made: Vnode, directory: Vnode, sight: Sight) {
  return {
    OutFid: request.fidOf(made),
    OutFidStatus: request.statusOf(made, sight, creatorAccess(made.record, sight)),
    OutDirStatus: request.statusOf(directory, sight),
    Sync: request.sync,
  }
}

export const createFile =
  (serving: Serving): RxafsProcedure<"CreateFile"> =>
  (ask, call) => {
    const make: Kind["make"] = (volume, directory, fields) => volume.createFile(directory, ask.Name, fields)
    return create(serving, call, ask, { judge: judgeInsert, make }, (request, made, status) => ({
      CallBack: request.promise(made),
      ...status,
    }))
  }

export const makeDirectory =
  (serving: Serving): RxafsProcedure<"MakeDir"> =>
  (ask, call) => {
    const make: Kind["make"] = (volume, directory, fields) => volume.makeDirectory(directory, ask.Name, fields)
    return create(serving, call, ask, { judge: judgeInsert, make }, (request, made, status) => ({
      CallBack: request.promise(made),
      ...status,
    }))
  }

/** Symbolic links and, by the convention of clients, mount points: links that nobody may execute. */
export const makeSymlink =
  (serving: Serving): RxafsProcedure<"Symlink"> =>
  (ask, call) => {
    const kind: Kind = {
      judge: (who) => judgeSymlink(who, ask.InStatus.UnixModeBits),
      make: (volume, directory, fields) => volume.makeSymlink(directory, ask.Name, ask.LinkContents, fields),
    }
    return create(serving, call, ask, kind, (_request, _made, status) => status)
  }
