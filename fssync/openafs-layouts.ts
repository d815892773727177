/**
 * FSSYNC and SALVSYNC as OpenAFS's programs speak them: C structures of x86-64, little-endian, without marshalling.
 * docs/formats/fssync.md. OpenAFS vol/daemon_com.h, vol/fssync.h, vol/salvsync.h, vol/volume.h (Volume, VolPkgStats),
 * vol/vnode.h (Vnode). Pointers mean nothing outside of the process that has them: 0, or 1 where it counts that one is set.
 */
import { array, type Field, i16le, i32le, raw, struct, text, u8, u16le, u32le } from "../common/codec/struct.ts"

/** Version in the first four bytes of every frame, in both directions. */
export const openafsVersion = 3

/** Bits of `flags`. */
export const openafsFlags = {
  /** The connection ends with this frame. */
  channelShutdown: 0x1,
  /** A demand-attach program speaks; in every frame. */
  dafsExtensions: 0x2,
  /** SALVSYNC answers: `state` and `prio` are those of a known volume. */
  statusValid: 0x100,
} as const

/** A counter of 64 bits, exact up to 2^53. */
const u64le: Field<number> = {
  size: 8,
  readCode: (at) => `(${u32le.readCode(at)}+4294967296*${u32le.readCode(`(${at}+4)`)})`,
  writeCode: (at, value) =>
    `{const w=${value};${u32le.writeCode(at, "w%4294967296")};${u32le.writeCode(`(${at}+4)`, "Math.floor(w/4294967296)")}}`,
}

export const requestHeadLayout = struct("SYNC_command_hdr", 40, {
  version: u32le,
  packetSequence: u32le,
  commandSequence: u32le,
  programType: u32le,
  pid: u32le,
  thread: u32le,
  command: u32le,
  reason: u32le,
  length: u32le,
  flags: u32le,
})

export const answerHeadLayout = struct("SYNC_response_hdr", 32, {
  version: u32le,
  packetSequence: u32le,
  commandSequence: u32le,
  answerSequence: u32le,
  length: u32le,
  response: i32le,
  reason: i32le,
  flags: u32le,
})

/** What a request carries behind its head, by kind. */
export const requestPayloadLayouts = {
  volume: struct("FSSYNC_VolOp_hdr", 20, { volume: u32le, partition: text(16) }),
  /** A union: the name of a partition, or a number in the first four bytes; the rest is whatever was in memory. */
  statistics: struct("FSSYNC_StatsOp_hdr", 16, { partition: text(16) }),
  number: struct("FSSYNC_StatsOp_hdr", 16, { number: u32le, unused: raw(12) }),
  nothing: struct("FSSYNC_StatsOp_hdr", 16, { unused: raw(16) }),
  vnode: struct("FSSYNC_VnQry_hdr", 32, {
    volume: u32le,
    vnode: u32le,
    unique: u32le,
    spare: u32le,
    partition: text(16),
  }),
  group: struct("FSSYNC_VGUpdate_command_hdr", 24, { parent: u32le, child: u32le, partition: text(16) }),
  salvage: struct("SALVSYNC_command_hdr", 56, {
    version: u32le,
    priority: u32le,
    volume: u32le,
    parent: u32le,
    partition: text(16),
    reserved: raw(24),
  }),
} as const
export type RequestKind = keyof typeof requestPayloadLayouts

export const volumeLayout = struct("Volume", 384, {
  hashChain: raw(16),
  hashid: u32le,
  pad1: u32le,
  header: u64le,
  device: i32le,
  pad2: u32le,
  partition: u64le,
  vnodeIndexes: raw(48),
  linkHandle: u64le,
  nextVnodeUnique: u32le,
  pad3: u32le,
  diskDataHandle: u64le,
  shuttingDown: u8,
  goingOffline: u8,
  pad4: u16le,
  cacheCheck: u32le,
  nUsers: i16le,
  needsPutBack: u8,
  specialStatus: u8,
  checkoutMode: i32le,
  updateTime: u32le,
  pad5: u32le,
  vnodeList: raw(16),
  rxCallList: raw(16),
  attach_state: u32le,
  attach_flags: u32le,
  condition: raw(48),
  nWaiters: i16le,
  pad6: u16le,
  chainCacheCheck: i32le,
  partitionList: raw(16),
  salvagePriority: u32le,
  salvageReason: i32le,
  salvageRequested: u8,
  salvageScheduled: u8,
  salvageScheduling: u8,
  pad7: u8,
  pad8: u32le,
  hash_lookups: u64le,
  hash_short_circuits: u64le,
  hdr_loads: u64le,
  hdr_gets: u64le,
  attaches: u16le,
  soft_detaches: u16le,
  salvages: u16le,
  vol_ops: u16le,
  last_attach: u32le,
  last_get: u32le,
  last_promote: u32le,
  last_hdr_get: u32le,
  last_hdr_load: u32le,
  last_salvage: u32le,
  last_salvage_req: u32le,
  last_vol_op: u32le,
  vlruLinks: raw(16),
  vlruIndex: u32le,
  pad9: u32le,
  pending_vol_op: u64le,
  usage_bumps_outstanding: u32le,
  usage_bumps_next_write: u32le,
})

/** A pending operation: the request that checked the volume out, as it came, and how it stands. */
export const operationLayout = struct("FSSYNC_VolOp_info", 64, { request: raw(60), state: u32le })

/** What stands before the record in a vnode of the cache; the record is as in the index file. */
export const vnodeHeadLayout = struct("Vnode", 152, {
  lists: raw(40),
  hashIndex: u16le,
  pad1: u16le,
  vnodeNumber: u32le,
  volume: u64le,
  nUsers: i32le,
  cacheCheck: u32le,
  flags: u32le,
  nReaders: i32le,
  state: u32le,
  pad2: u32le,
  condition: raw(48),
  writer: u64le,
  class: u64le,
  handle: u64le,
})

export const generalStatsLayout = struct("VolPkgStats", 168, {
  state_levels: array(i32le, 24),
  hash_looks: u64le,
  hash_reorders: u64le,
  salvages: u64le,
  vol_ops: u64le,
  hdr_loads: u64le,
  hdr_gets: u64le,
  attaches: u64le,
  soft_detaches: u64le,
  hdr_cache_size: u32le,
  pad: u32le,
})

export const partitionStatsLayout = struct("DiskPartitionStats64", 40, {
  free: u64le,
  totalUsable: u64le,
  minFree: u64le,
  f_files: u64le,
  vol_list_len: u32le,
  pad: u32le,
})

export const hashStatsLayout = struct("VolumeHashChainStats", 40, {
  table_size: i32le,
  chain_len: i32le,
  chain_cacheCheck: i32le,
  chain_busy: i32le,
  chain_looks: u64le,
  chain_gets: u64le,
  chain_reorders: u64le,
})

export const headerStatsLayout = struct("volume_hdr_LRU_stats", 12, { free: u32le, used: u32le, attached: u32le })

/** Members of a group: at most 20, with holes. */
export const groupLayout = struct("FSSYNC_VGQry_response", 84, { parent: u32le, members: array(u32le, 20) })

export const salvageStatusLayout = struct("SALVSYNC_response_hdr", 32, {
  state: i32le,
  prio: i32le,
  sq_len: i32le,
  pq_len: i32le,
  reserved: raw(16),
})
