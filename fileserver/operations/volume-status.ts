/** GetVolumeStatus (149), SetVolumeStatus (150): quota, space and texts of a volume. */
import { usableBytes } from "../../common/disk/disk.ts"
import { AfsError } from "../../common/error.ts"
import { type AFSFetchVolumeStatus, blocksMax, volumeStatusMask } from "../../common/protocol/afsint.ts"
import type { RpcCall } from "../../common/rpc/rpc-call.ts"
import type { Eventually } from "../../common/volume/handover.ts"
import { judgeAdministrator } from "../access.ts"
import { then } from "../eventually.ts"
import { onVolume, type Request } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"

const kib = 1024
/** As status says of the volume's type; not the number in VolumeInfo. */
const shownTypes = { readOnly: 0, readWrite: 1 } as const

const blocks = (bytes: number): number => Math.min(blocksMax, Math.floor(bytes / kib))

function onVolumeId<R>(
  serving: Serving,
  call: RpcCall,
  id: number,
  work: (request: Request) => Eventually<R>,
): Eventually<R> {
  return then(serving.hosts.callerOf(call), (caller) => {
    if (id === 0) throw new AfsError("EINVAL", "volumeStatus", { volume: 0 })
    return onVolume(serving, caller, id >>> 0, (request) => {
      request.volume.accessed(request.now)
      return work(request)
    })
  })
}

function statusOf(request: Request): AFSFetchVolumeStatus {
  const { volume } = request
  const { info } = volume.attachment
  const { used, max, min } = volume.space
  const space = volume.partition.disk.space(volume.partition.path)
  return {
    Vid: volume.id | 0,
    ParentId: info.parentId | 0,
    Online: info.inUse === 0 ? 0 : 1,
    InService: info.inService,
    Blessed: info.blessed,
    NeedsSalvage: info.needsSalvaged,
    Type: volume.readWrite ? shownTypes.readWrite : shownTypes.readOnly,
    MinQuota: min,
    MaxQuota: max,
    BlocksInUse: used,
    PartBlocksAvail: blocks(space.availableBytes),
    PartMaxBlocks: blocks(usableBytes(space)),
  }
}

export const getVolumeStatus =
  (serving: Serving): RxafsProcedure<"GetVolumeStatus"> =>
  ({ Volumeid }, call) =>
    onVolumeId(serving, call, Volumeid, (request) => {
      const { name, offlineMessage } = request.volume.attachment.info
      return { Volumestatus: statusOf(request), Name: name, OfflineMsg: offlineMessage, Motd: "" }
    })

/** Names and messages change only where they are given. */
export const setVolumeStatus =
  (serving: Serving): RxafsProcedure<"SetVolumeStatus"> =>
  ({ Volumeid, Volumestatus, Name, OfflineMsg }, call) =>
    onVolumeId(serving, call, Volumeid, (request) => {
      request.requireWritable()
      const refusal = judgeAdministrator(request.caller.user)
      if (refusal !== undefined) throw new AfsError(refusal, "setVolumeStatus", { volume: request.volume.id })
      const { Mask, MinQuota, MaxQuota } = Volumestatus
      request.volume.setVolume({
        minQuota: (Mask & volumeStatusMask.minQuota) === 0 ? undefined : MinQuota,
        maxQuota: (Mask & volumeStatusMask.maxQuota) === 0 ? undefined : MaxQuota,
        name: Name === "" ? undefined : Name,
        offlineMessage: OfflineMsg === "" ? undefined : OfflineMsg,
      })
    })
