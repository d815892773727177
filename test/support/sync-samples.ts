/** What a fileserver might answer: sample payloads for tests and benchmarks of FSSYNC without a fileserver. */
import { responses, type SyncAnswer, type SyncRequest } from "../../fssync/message.ts"
import type { VolumeReport, VolumeRow } from "../../fssync/payload.ts"

/** An attached read-write volume in ordinary use, with the values of a VOL_QUERY seen of OpenAFS. */
export function sampleVolume(volume: number, partition = "/vicepa"): VolumeReport {
  return {
    hashid: volume,
    partition,
    device: 0,
    header: true,
    nextVnodeUnique: 0x965,
    shuttingDown: false,
    goingOffline: false,
    cacheCheck: 1,
    nUsers: 0,
    needsPutBack: false,
    specialStatus: 0,
    checkoutMode: 0,
    updateTime: 1_795_256_297,
    attach_state: 3,
    attach_flags: 0x5f,
    nWaiters: 0,
    chainCacheCheck: 1,
    salvage: { prio: 0, reason: 0, requested: false, scheduled: false, scheduling: false },
    stats: {
      hash_lookups: 2,
      hash_short_circuits: 0,
      hdr_loads: 2,
      hdr_gets: 2,
      attaches: 1,
      soft_detaches: 0,
      salvages: 0,
      vol_ops: 0,
      last_attach: 1_795_250_153,
      last_get: 1_795_250_153,
      last_promote: 1_795_250_153,
      last_hdr_get: 1_795_250_153,
      last_hdr_load: 0,
      last_salvage: 0,
      last_salvage_req: 0,
      last_vol_op: 0,
    },
    vlru: { idx: 0 },
    pending_vol_op: false,
    usage_bumps_outstanding: 1,
    usage_bumps_next_write: 0,
    transitions: [
      { from: 1, to: 2, at: 1_795_250_153_120 },
      { from: 2, to: 3, at: 1_795_250_153_121 },
    ],
  }
}

/** A row of VOL_LIST. */
export function sampleRow(volume: number): VolumeRow {
  const pending = { command: 65539, reason: 2, programType: 6, pid: 4711 }
  return {
    volume,
    partition: "/vicepa",
    attach_state: volume % 2 === 0 ? 1 : 3,
    specialStatus: 0,
    nUsers: 0,
    pending_vol_op: volume % 5 === 0 ? pending : undefined,
  }
}

/** Any request as a client would send it. */
export function sampleRequest(fields: Partial<SyncRequest> = {}): SyncRequest {
  return {
    command: 65543,
    reason: 0,
    programType: 5,
    pid: 4711,
    thread: 0,
    volume: 536870912,
    partition: "/vicepa",
    parent: 0,
    vnode: 0,
    unique: 0,
    ...fields,
  }
}

export const okAnswer: SyncAnswer = { response: responses.OK, reason: 0 }

/** A vnode of volume 5 that nobody uses, with this record on disk. */
export function sampleVnode(vnodeNumber: number, disk: Uint8Array) {
  const idle = { nUsers: 0, cacheCheck: 0, Vn_state_flags: 0, Vn_state: 0, nReaders: 0 }
  return { hashIndex: 0, vnodeNumber, volume: 5, ...idle, disk }
}

/** Counters of a fileserver that has done nothing yet but look up. */
export function sampleStatistics(state_levels: readonly number[], hash_looks: number) {
  const none = { hash_reorders: 0, salvages: 0, vol_ops: 0, hdr_loads: 0, hdr_gets: 0, attaches: 0, soft_detaches: 0 }
  return { state_levels, hash_looks, ...none, hdr_cache_size: 1 }
}

/** A chain of the volume table that nobody has looked at. */
export function sampleChain(table_size: number, chain_len: number) {
  const none = { chain_cacheCheck: 0, chain_busy: 0, chain_looks: 0, chain_gets: 0, chain_reorders: 0 }
  return { table_size, chain_len, ...none }
}
