/**
 * What FSSYNC and SALVSYNC answers carry: one shape per command that returns something.
 *
 * Field names are OpenAFS's (vol/volume.h, vol/fssync.h, vol/salvsync.h), so that who knows its structures knows these.
 * Times are seconds since 1970, sizes in units that each field names.
 */
import { volumeInfoLayout } from "../common/volume/volume-info.ts"
import type { SyncRequest, VolumeGroupInfo, VolumeOperationInfo } from "./message.ts"
import { requestFields } from "./message-codec.ts"
import {
  bytes,
  count,
  flag,
  i32,
  layout,
  list,
  optional,
  record,
  type Shape,
  type ShapeOf,
  text,
  u32,
} from "./shape.ts"

/** VOL_QUERY: a volume as the fileserver has it in core (struct Volume). */
export const volumeShape = record("Volume", {
  /** Volume id. */
  hashid: u32,
  /** `/vicepa`. */
  partition: text,
  /** Partition index: 0 for `/vicepa`. */
  device: i32,
  /** A header is attached to it. */
  header: flag,
  nextVnodeUnique: u32,
  shuttingDown: flag,
  goingOffline: flag,
  cacheCheck: u32,
  /** Present users. */
  nUsers: u32,
  needsPutBack: flag,
  /** Error code that clients get while it is offline for an operation: 0, 110 (VBUSY), 111 (VMOVED). */
  specialStatus: u32,
  /** Attach mode of the present checkout; 0 = none. */
  checkoutMode: u32,
  updateTime: u32,
  /** Number of the state. */
  attach_state: u32,
  attach_flags: u32,
  nWaiters: u32,
  chainCacheCheck: u32,
  salvage: record("Volume.salvage", {
    prio: u32,
    /** `salvsyncReasons` number; 0 = none. */
    reason: u32,
    requested: flag,
    scheduled: flag,
    scheduling: flag,
  }),
  stats: record("Volume.stats", {
    hash_lookups: count,
    hash_short_circuits: count,
    hdr_loads: count,
    hdr_gets: count,
    attaches: u32,
    soft_detaches: u32,
    salvages: u32,
    vol_ops: u32,
    last_attach: u32,
    last_get: u32,
    last_promote: u32,
    last_hdr_get: u32,
    last_hdr_load: u32,
    last_salvage: u32,
    last_salvage_req: u32,
    last_vol_op: u32,
  }),
  vlru: record("Volume.vlru", {
    /** Generation: 0 new, 1 mid, 2 old, 3 candidate, 4 held, 5 none. */
    idx: u32,
  }),
  /** A pending operation exists; VOL_QUERY_VOP tells which. */
  pending_vol_op: flag,
  usage_bumps_outstanding: u32,
  usage_bumps_next_write: u32,
  /** Ours: the last changes of state, oldest first. `at` in milliseconds since 1970. */
  transitions: list(record("Volume.transitions", { from: u32, to: u32, at: count })),
})
export type VolumeReport = ShapeOf<typeof volumeShape>

/** VOL_QUERY_HDR: the volume information in core (VolumeDiskData), as its bytes on disk. */
export const volumeInfoShape = layout(volumeInfoLayout)

const requestShape: Shape<SyncRequest> = record("SyncRequest", requestFields)

/** VOL_QUERY_VOP. */
export const volumeOperationShape: Shape<VolumeOperationInfo> = record("VolumeOperationInfo", {
  request: requestShape,
  state: u32,
})

/** VOL_QUERY_VNODE: a vnode as the fileserver has it in core (struct Vnode). */
export const vnodeShape = record("Vnode", {
  hashIndex: u32,
  vnodeNumber: u32,
  volume: u32,
  nUsers: u32,
  cacheCheck: u32,
  Vn_state_flags: u32,
  Vn_state: u32,
  nReaders: u32,
  /** The record as in the vnode index: 64 bytes, 256 for a directory. */
  disk: bytes,
})
export type VnodeReport = ShapeOf<typeof vnodeShape>

/** VOL_STATS_GENERAL (VolPkgStats). */
export const generalStatsShape = record("VolPkgStats", {
  /** Volumes in each state; the index is the state's number. */
  state_levels: list(u32),
  hash_looks: count,
  hash_reorders: count,
  salvages: count,
  vol_ops: count,
  hdr_loads: count,
  hdr_gets: count,
  attaches: count,
  soft_detaches: count,
  hdr_cache_size: u32,
})
export type GeneralStats = ShapeOf<typeof generalStatsShape>

/** VOL_STATS_VICEP (DiskPartitionStats64); space in KiB. */
export const partitionStatsShape = record("DiskPartitionStats64", {
  free: count,
  totalUsable: count,
  /** Blocks kept back for the superuser. */
  minFree: count,
  f_files: count,
  /** Volumes on the partition. */
  vol_list_len: u32,
})
export type PartitionStats = ShapeOf<typeof partitionStatsShape>

/** VOL_STATS_HASH: one chain of the volume table (VolumeHashChainStats). */
export const hashStatsShape = record("VolumeHashChainStats", {
  table_size: u32,
  chain_len: u32,
  chain_cacheCheck: u32,
  chain_busy: u32,
  chain_looks: count,
  chain_gets: count,
  chain_reorders: count,
})
export type HashStats = ShapeOf<typeof hashStatsShape>

/** VOL_STATS_HDR: the header cache (volume_hdr_LRU_stats). */
export const headerStatsShape = record("volume_hdr_LRU_stats", {
  free: u32,
  used: u32,
  /** In use by volumes with users. */
  attached: u32,
})
export type HeaderStats = ShapeOf<typeof headerStatsShape>

/** VOL_STATS_VLRU: one generation of the VLRU, and the lengths of all (new, mid, old, candidate, held). */
export const vlruStatsShape = record("VLRU", {
  idx: u32,
  lengths: list(u32),
  /** Volumes of generation `idx`, longest unused first. */
  volumes: list(u32),
})
export type VlruStats = ShapeOf<typeof vlruStatsShape>

/** VG_QUERY: the parent (read-write id) and all known members of a volume group. */
export const volumeGroupShape: Shape<VolumeGroupInfo> = record("VolumeGroupInfo", { parent: u32, members: list(u32) })

/** VOL_LIST: one row per volume. */
const volumeRowShape = record("VolumeRow", {
  volume: u32,
  partition: text,
  attach_state: u32,
  specialStatus: u32,
  nUsers: u32,
  /** Who has it checked out. */
  pending_vol_op: optional(
    record("VolumeRow.pending_vol_op", { command: u32, reason: u32, programType: u32, pid: u32 }),
  ),
})
export type VolumeRow = ShapeOf<typeof volumeRowShape>
export const volumeRowsShape = list(volumeRowShape)

/** SERVER_STATUS. */
export const serverStatusShape = record("ServerStatus", {
  pid: u32,
  version: text,
  startTime: u32,
  partitions: list(record("ServerStatus.partitions", { name: text, path: text, volumes: u32 })),
  options: list(record("ServerStatus.options", { name: text, value: text })),
})
export type ServerStatus = ShapeOf<typeof serverStatusShape>

/** Every SALVSYNC answer (SALVSYNC_response_hdr). */
export const salvageStatusShape = record("SalvageStatus", {
  /** The scheduler knows the volume: `state` and `prio` say something. */
  known: flag,
  /** 0 unknown, 1 queued, 2 being salvaged, 3 error, 4 done. */
  state: u32,
  prio: u32,
  /** Jobs waiting, over all partitions. */
  sq_len: u32,
  /** Jobs running. */
  pq_len: u32,
})
export type SalvageStatus = ShapeOf<typeof salvageStatusShape>
