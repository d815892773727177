/**
 * What answers carry in OpenAFS's form: each payload of payload.ts as one C structure, and back. What the structure has no
 * room for (a volume's latest transitions) is left out; what it has beyond ours (pointers, lists) is 0.
 */
import type { Struct } from "../common/codec/struct.ts"
import { FormatError } from "../common/error.ts"
import { partitionName } from "../common/partition/partition.ts"
import { type VolumeInfo, volumeInfoLayout } from "../common/volume/volume-info.ts"
import type { VolumeGroupInfo, VolumeOperationInfo } from "./message.ts"
import {
  generalStatsLayout,
  groupLayout,
  hashStatsLayout,
  headerStatsLayout,
  openafsFlags,
  operationLayout,
  partitionStatsLayout,
  salvageStatusLayout,
  vnodeHeadLayout,
  volumeLayout,
} from "./openafs-layouts.ts"
import { checkoutFrame, readRequestFrame } from "./openafs-request.ts"
import type {
  GeneralStats,
  HashStats,
  HeaderStats,
  PartitionStats,
  SalvageStatus,
  VnodeReport,
  VolumeReport,
} from "./payload.ts"

/** A payload as bytes. */
export interface OpenafsPayload<T> {
  write(value: T): Uint8Array
  /** `flags` are the answer's. @throws FormatError unless the bytes are of the right length */
  read(bytes: Uint8Array, flags: number): T
  /** Bits of the answer's flags that say something of the value. */
  flags?(value: T): number
}

/** The whole of a structure, no byte more. */
function readWhole<T>(layout: Struct<T>, bytes: Uint8Array): T {
  if (bytes.length !== layout.size) throw new FormatError(layout.name, {}, `${bytes.length} bytes`, `${layout.size}`)
  return layout.read(bytes)
}

/** Fields that our payload has no value for. */
function blank<T>(layout: Struct<T>): T {
  return layout.read(new Uint8Array(layout.size))
}

/** A structure that has the payload's fields under their names. */
function plain<T extends object, W extends T>(layout: Struct<W>, pick: (whole: W) => T): OpenafsPayload<T> {
  return {
    write: (value) => layout.encode({ ...blank(layout), ...value }),
    read: (bytes) => pick(readWhole(layout, bytes)),
  }
}

const isSet = (number: number): boolean => number !== 0
const bit = (flag: boolean): 0 | 1 => (flag ? 1 : 0)
/** A counter of 16 bits stays at its greatest value. */
const short = (count: number): number => Math.min(count, 0xffff)

const volume: OpenafsPayload<VolumeReport> = {
  write({ salvage, stats, vlru, ...report }) {
    return volumeLayout.encode({
      ...blank(volumeLayout),
      ...stats,
      attaches: short(stats.attaches),
      soft_detaches: short(stats.soft_detaches),
      salvages: short(stats.salvages),
      vol_ops: short(stats.vol_ops),
      ...report,
      header: bit(report.header),
      partition: 1,
      shuttingDown: bit(report.shuttingDown),
      goingOffline: bit(report.goingOffline),
      needsPutBack: bit(report.needsPutBack),
      salvagePriority: salvage.prio,
      salvageReason: salvage.reason,
      salvageRequested: bit(salvage.requested),
      salvageScheduled: bit(salvage.scheduled),
      salvageScheduling: bit(salvage.scheduling),
      vlruIndex: vlru.idx,
      pending_vol_op: bit(report.pending_vol_op),
    })
  },
  read(bytes) {
    const whole = readWhole(volumeLayout, bytes)
    const { hashid, device, nextVnodeUnique, cacheCheck, nUsers, specialStatus, checkoutMode, updateTime } = whole
    const { attach_state, attach_flags, nWaiters, chainCacheCheck } = whole
    return {
      ...{ hashid, partition: partitionName(device), device, header: isSet(whole.header), nextVnodeUnique },
      ...{ shuttingDown: isSet(whole.shuttingDown), goingOffline: isSet(whole.goingOffline), cacheCheck, nUsers },
      ...{ needsPutBack: isSet(whole.needsPutBack), specialStatus, checkoutMode, updateTime },
      ...{ attach_state, attach_flags, nWaiters, chainCacheCheck },
      salvage: {
        prio: whole.salvagePriority,
        reason: whole.salvageReason,
        requested: isSet(whole.salvageRequested),
        scheduled: isSet(whole.salvageScheduled),
        scheduling: isSet(whole.salvageScheduling),
      },
      stats: readStatistics(whole),
      vlru: { idx: whole.vlruIndex },
      pending_vol_op: isSet(whole.pending_vol_op),
      usage_bumps_outstanding: whole.usage_bumps_outstanding,
      usage_bumps_next_write: whole.usage_bumps_next_write,
      transitions: [],
    }
  },
}

/** Only what is counted: a structure has more under other names. */
function readStatistics(whole: VolumeReport["stats"]): VolumeReport["stats"] {
  const { hash_lookups, hash_short_circuits, hdr_loads, hdr_gets, attaches, soft_detaches, salvages, vol_ops } = whole
  const { last_attach, last_get, last_promote, last_hdr_get, last_hdr_load } = whole
  const { last_salvage, last_salvage_req, last_vol_op } = whole
  return {
    ...{ hash_lookups, hash_short_circuits, hdr_loads, hdr_gets, attaches, soft_detaches, salvages, vol_ops },
    ...{ last_attach, last_get, last_promote, last_hdr_get, last_hdr_load },
    ...{ last_salvage, last_salvage_req, last_vol_op },
  }
}

const header: OpenafsPayload<VolumeInfo> = {
  write: (info) => volumeInfoLayout.encode(info),
  read: (bytes) => readWhole(volumeInfoLayout, bytes),
}

const operation: OpenafsPayload<VolumeOperationInfo> = {
  write: ({ request, state }) => operationLayout.encode({ request: checkoutFrame(request), state }),
  read(bytes) {
    const { request, state } = readWhole(operationLayout, bytes)
    return { request: readRequestFrame(request), state }
  },
}

/** Bytes of a vnode's record: of a file, of a directory. */
const recordSizes: readonly number[] = [64, 256]

const vnode: OpenafsPayload<VnodeReport> = {
  write({ disk, Vn_state, Vn_state_flags, volume: _, ...report }) {
    const head = { ...blank(vnodeHeadLayout), ...report, state: Vn_state, flags: Vn_state_flags }
    return Buffer.concat([vnodeHeadLayout.encode(head), disk])
  },
  read(bytes) {
    const head = vnodeHeadLayout.read(bytes)
    const disk = new Uint8Array(bytes.subarray(vnodeHeadLayout.size))
    if (!recordSizes.includes(disk.length)) throw new FormatError("Vnode", {}, `${bytes.length} bytes`, "216 or 408")
    const { hashIndex, vnodeNumber, nUsers, cacheCheck, nReaders } = head
    // the structure has its volume by pointer
    return {
      ...{ hashIndex, vnodeNumber, volume: 0, nUsers, cacheCheck, nReaders, disk },
      ...{ Vn_state: head.state, Vn_state_flags: head.flags },
    }
  },
}

const group: OpenafsPayload<VolumeGroupInfo> = {
  write: ({ parent, members }) => groupLayout.encode({ parent, members: [...members] }),
  read(bytes) {
    const { parent, members } = readWhole(groupLayout, bytes)
    return { parent, members: members.filter(isSet) }
  },
}

const salvageStatus: OpenafsPayload<SalvageStatus> = {
  write: (status) => salvageStatusLayout.encode({ ...blank(salvageStatusLayout), ...status }),
  read(bytes, flags) {
    const { state, prio, sq_len, pq_len } = readWhole(salvageStatusLayout, bytes)
    return { known: (flags & openafsFlags.statusValid) !== 0, state, prio, sq_len, pq_len }
  },
  flags: ({ known }) => (known ? openafsFlags.statusValid : 0),
}

const generalStats: OpenafsPayload<GeneralStats> = plain(generalStatsLayout, ({ pad: _, ...stats }) => stats)
const partitionStats: OpenafsPayload<PartitionStats> = plain(partitionStatsLayout, ({ pad: _, ...stats }) => stats)
const hashStats: OpenafsPayload<HashStats> = plain(hashStatsLayout, (stats) => stats)
const headerStats: OpenafsPayload<HeaderStats> = plain(headerStatsLayout, (stats) => stats)

/** By what they are. */
export const openafsPayloads = {
  volume,
  header,
  operation,
  vnode,
  generalStats,
  partitionStats,
  hashStats,
  headerStats,
  group,
  salvageStatus,
} as const
