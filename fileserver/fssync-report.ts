/** What FSSYNC queries tell about volumes, groups and the server: payloads made from the volume package. */
import { secondsOf } from "../common/clock.ts"
import { volumeTypes } from "../common/protocol/codes.ts"
import type { Vnode } from "../common/vnode/vnode.ts"
import { encodeRecord } from "../common/vnode/vnode-index.ts"
import { classOf } from "../common/vnode/vnode-record.ts"
import type { OperationState } from "../common/volume/checkout.ts"
import type { SalvageReason, ServerVolume } from "../common/volume/server-volume.ts"
import { type Generation, generations } from "../common/volume/volume-lru.ts"
import type { VolumePackage } from "../common/volume/volume-package.ts"
import { volumeStateCount, volumeStates } from "../common/volume/volume-state.ts"
import {
  type SyncRequest,
  salvsyncReasons,
  type VolumeOperationInfo,
  volumeOperationStates,
} from "../fssync/message.ts"
import type {
  GeneralStats,
  HashStats,
  HeaderStats,
  PartitionStats,
  VlruStats,
  VnodeReport,
  VolumeReport,
  VolumeRow,
} from "../fssync/payload.ts"

/** Special status of a volume as a number on the wire. */
const specialNumbers = { VBUSY: 110, VMOVED: 111 } as const

/** `salvsyncReasons` number of the reason a salvage is wanted for. */
export function salvageReasonNumber(reason: SalvageReason): number {
  return salvsyncReasons[reason]
}

/** Bits of attach_flags. OpenAFS vol/volume.h. */
const attachFlags = {
  headerAttached: 0x1,
  headerLoaded: 0x2,
  headerInLru: 0x4,
  inHash: 0x8,
  onList: 0x10,
  inVlru: 0x40,
  markedSound: 0x80,
}

function flagsOf(volume: ServerVolume): number {
  const known = attachFlags.inHash | attachFlags.onList
  if (volume.attachment === undefined) return known
  const header =
    attachFlags.headerAttached | attachFlags.headerLoaded | (volume.users === 0 ? attachFlags.headerInLru : 0)
  const inVlru = volume.generation === "none" ? 0 : attachFlags.inVlru
  return known | header | inVlru | (volume.attachment.isMarkedSound ? attachFlags.markedSound : 0)
}

function statisticsOf(volume: ServerVolume): VolumeReport["stats"] {
  const { statistics } = volume
  return {
    hash_lookups: statistics.lookups,
    hash_short_circuits: 0,
    hdr_loads: statistics.headerLoads,
    hdr_gets: statistics.headerGets,
    attaches: statistics.attaches,
    soft_detaches: statistics.softDetaches,
    salvages: statistics.salvages,
    vol_ops: statistics.operations,
    last_attach: statistics.lastAttach,
    last_get: secondsOf(volume.lastGet),
    last_promote: secondsOf(volume.lastPromote),
    last_hdr_get: statistics.lastHeaderGet,
    last_hdr_load: statistics.lastHeaderLoad,
    last_salvage: statistics.lastSalvage,
    last_salvage_req: statistics.lastSalvageRequest,
    last_vol_op: statistics.lastOperation,
  }
}

function transitionsOf(volume: ServerVolume): VolumeReport["transitions"] {
  const { history } = volume.cell
  return history.slice(1).map((change, index) => ({
    from: volumeStates[history[index]?.state ?? change.state],
    to: volumeStates[change.state],
    at: change.at,
  }))
}

/** VOL_QUERY: the volume in core. */
export function reportVolume(volume: ServerVolume): VolumeReport {
  const { attachment, operation, salvage, state } = volume
  const purpose = operation?.purpose
  return {
    hashid: volume.id,
    partition: volume.partition.name,
    device: volume.partition.index,
    header: attachment !== undefined,
    nextVnodeUnique: attachment?.nextUnique ?? 0,
    shuttingDown: state === "SHUTTING_DOWN",
    goingOffline: state === "GOING_OFFLINE",
    cacheCheck: 0,
    nUsers: volume.users,
    needsPutBack: false,
    specialStatus: specialStatusNumber(volume),
    checkoutMode: purpose?.command === "NEED" ? purpose.mode : 0,
    updateTime: attachment?.info.type === volumeTypes.RW ? attachment.info.updateDate : 0,
    attach_state: volumeStates[state],
    attach_flags: flagsOf(volume),
    nWaiters: volume.cell.waiting,
    // of a chain of OpenAFS's volume table that has changed once
    chainCacheCheck: 1,
    salvage: {
      prio: salvage?.priority ?? 0,
      reason: salvage === undefined ? 0 : salvageReasonNumber(salvage.reason),
      requested: salvage !== undefined,
      scheduled: salvage?.scheduled ?? false,
      scheduling: state === "SALVSYNC_REQ",
    },
    stats: statisticsOf(volume),
    vlru: { idx: generations[volume.generation] },
    pending_vol_op: operation !== undefined,
    usage_bumps_outstanding: 0,
    usage_bumps_next_write: 0,
    transitions: transitionsOf(volume),
  }
}

function specialStatusNumber(volume: ServerVolume): number {
  return volume.specialStatus === undefined ? 0 : specialNumbers[volume.specialStatus]
}

/** States of a vnode that somebody reads, writes over several turns, or nobody. OpenAFS vol/vnode.h (VnState). */
const vnodeStates = { online: 4, exclusive: 6, read: 8 } as const

/** In the table of vnodes (1), among those of its volume (4), and may be forgotten (2). OpenAFS vol/vnode.h (VnFlags). */
const inCoreFlags = 7

/** VOL_QUERY_VNODE: a vnode in core. */
export function reportVnode(vnode: Vnode): VnodeReport {
  const { readers, isWritten } = vnode.isLocked ? vnode.lock : { readers: 0, isWritten: false }
  const state = readers > 0 ? vnodeStates.read : isWritten ? vnodeStates.exclusive : vnodeStates.online
  return {
    hashIndex: 0,
    vnodeNumber: vnode.number,
    volume: vnode.volume,
    nUsers: readers + (isWritten ? 1 : 0),
    cacheCheck: 0,
    Vn_state_flags: inCoreFlags,
    Vn_state: state,
    nReaders: readers,
    disk: encodeRecord(classOf(vnode.number), vnode.record, vnode.accessList),
  }
}

/** QUERY_VOP: the checkout as it was asked for; undefined if there is none. */
export function reportOperation(volume: ServerVolume): VolumeOperationInfo | undefined {
  const { operation } = volume
  if (operation === undefined) return undefined
  const state: OperationState = operation.state
  return { request: onlyRequest(operation.request), state: volumeOperationStates[state] }
}

/** The request without what the transport added to it. */
function onlyRequest(request: SyncRequest): SyncRequest {
  const { command, reason, programType, pid, thread, volume, partition, parent, vnode, unique, frame } = request
  const fields = { command, reason, programType, pid, thread, volume, partition, parent, vnode, unique }
  return frame === undefined ? fields : { ...fields, frame }
}

/** VOL_LIST: one volume's row. */
export function reportRow(volume: ServerVolume): VolumeRow {
  const request = volume.operation?.request
  return {
    volume: volume.id,
    partition: volume.partition.name,
    attach_state: volumeStates[volume.state],
    specialStatus: specialStatusNumber(volume),
    nUsers: volume.users,
    pending_vol_op:
      request === undefined
        ? undefined
        : { command: request.command, reason: request.reason, programType: request.programType, pid: request.pid },
  }
}

/** STATS_GENERAL. The header cache holds as many entries as volumes are attached. */
export function generalStats(volumes: VolumePackage): GeneralStats {
  const { totals } = volumes.context
  const levels = new Array<number>(volumeStateCount).fill(0)
  let attached = 0
  for (const volume of volumes.volumes()) {
    const number = volumeStates[volume.state]
    levels[number] = (levels[number] ?? 0) + 1
    if (volume.attachment !== undefined) attached++
  }
  return {
    state_levels: levels,
    hash_looks: totals.lookups,
    hash_reorders: 0,
    salvages: totals.salvages,
    vol_ops: totals.operations,
    hdr_loads: totals.headerLoads,
    hdr_gets: totals.headerGets,
    attaches: totals.attaches,
    soft_detaches: totals.softDetaches,
    hdr_cache_size: attached,
  }
}

/** STATS_VICEP; undefined if there is no such partition. */
export function partitionStats(volumes: VolumePackage, name: string): PartitionStats | undefined {
  const partition = volumes.partition(name)
  if (partition === undefined) return undefined
  const space = partition.disk.space(partition.path)
  const kib = (bytes: number): number => Math.floor(bytes / 1024)
  const reserved = kib(space.freeBytes) - kib(space.availableBytes)
  return {
    free: kib(space.availableBytes),
    totalUsable: kib(space.totalBytes) - reserved,
    minFree: reserved,
    f_files: space.files,
    vol_list_len: countOn(volumes, name),
  }
}

/** Volumes of a partition. */
export function countOn(volumes: VolumePackage, partition: string): number {
  let count = 0
  for (const volume of volumes.volumes()) if (volume.partition.name === partition) count++
  return count
}

/** Buckets of OpenAFS's volume table by default; ours has none, the answer counts the volumes that would be in one. */
const hashSize = 1024

/** STATS_HASH; undefined if there is no such bucket. */
export function hashStats(volumes: VolumePackage, bucket: number): HashStats | undefined {
  if (bucket >= hashSize) return undefined
  const chain = [...volumes.volumes()].filter((volume) => volume.id % hashSize === bucket)
  return {
    table_size: hashSize,
    chain_len: chain.length,
    chain_cacheCheck: 0,
    chain_busy: 0,
    chain_looks: chain.reduce((sum, volume) => sum + volume.statistics.lookups, 0),
    chain_gets: chain.reduce((sum, volume) => sum + volume.statistics.headerGets, 0),
    chain_reorders: 0,
  }
}

/** STATS_HDR. */
export function headerStats(volumes: VolumePackage): HeaderStats {
  let used = 0
  let attached = 0
  for (const volume of volumes.volumes()) {
    if (volume.attachment === undefined) continue
    used++
    if (volume.users > 0) attached++
  }
  return { free: 0, used, attached }
}

const queued = ["new", "mid", "old", "candidate", "held"] as const satisfies readonly Generation[]

/** STATS_VLRU; undefined if there is no such generation. */
export function vlruStats(volumes: VolumePackage, index: number): VlruStats | undefined {
  const generation = queued[index]
  if (generation === undefined) return undefined
  const { lru } = volumes.context
  return {
    idx: index,
    lengths: queued.map((one) => lru?.count(one) ?? 0),
    volumes: (lru?.members(generation) ?? []).map((volume) => volume.id),
  }
}
