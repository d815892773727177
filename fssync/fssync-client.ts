/**
 * FSSYNC's commands as functions. Each answers `{ response, reason, payload }`: a refusal is an answer, `requireOk` (answer-meaning.ts) turns
 * it into an AfsError. Every method may fail as `SyncClient.call` does (UNREACHABLE, INTERRUPTED).
 *
 * A partition is named `/vicepa`. Where it may be "", any partition matches.
 */
import { type AttachMode, attachModes, type ProgramType, programTypes } from "../common/protocol/codes.ts"
import type { VolumeInfo } from "../common/volume/volume-info.ts"
import { type RequestFields, SyncClient, type SyncClientOptions, type SyncReply } from "./client.ts"
import { type CommandRow, fssyncProtocol, fssyncRows } from "./command-table.ts"
import { fssyncReasons, type VolumeGroupInfo, type VolumeOperationInfo } from "./message.ts"
import type {
  GeneralStats,
  HashStats,
  HeaderStats,
  PartitionStats,
  ServerStatus,
  VlruStats,
  VnodeReport,
  VolumeReport,
  VolumeRow,
} from "./payload.ts"

/** The answer of a command that returns nothing. */
export type Done = SyncReply<undefined>

export interface FssyncClientOptions extends Omit<SyncClientOptions, "protocol" | "sender"> {
  /** Who asks: decides what the fileserver allows. Any number may be claimed. */
  readonly programType: ProgramType | number
  /** Default: this process. */
  readonly pid?: number
  /** Default 0. */
  readonly thread?: number
}

export class FssyncClient implements AsyncDisposable {
  readonly #client: SyncClient

  constructor({ programType, pid = process.pid, thread = 0, ...options }: FssyncClientOptions) {
    const number = typeof programType === "number" ? programType : programTypes[programType]
    const sender = { programType: number, pid, thread }
    this.#client = new SyncClient({ ...options, protocol: fssyncProtocol, sender })
  }

  /** The connection below, for requests by number. */
  get client(): SyncClient {
    return this.#client
  }

  /**
   * VOL_ON: gives a volume back, or makes a new one known: it may be attached again. The fileserver does not look at the
   * disk. DENIED EXCLUSIVE: another program type has it; DENIED 103: no such partition; FAILED BAD_PART: no partition named.
   */
  volumeOn(volume: number, partition: string, reason = 0): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_ON, { volume, partition, reason })
  }

  /**
   * VOL_OFF: checks a volume out and takes it offline; salvagers give reason SALVAGE. OK also for an unknown volume. Waits
   * for the volume's users. DENIED: EXCLUSIVE, SALVAGE (being salvaged), or 0.
   */
  volumeOff(volume: number, partition: string, reason: number = fssyncReasons.WHATEVER): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_OFF, { volume, partition, reason })
  }

  /** VOL_NEEDVOLUME: checks a volume out in an attach mode; some modes leave it online. Answers as VOL_OFF. */
  needVolume(volume: number, partition: string, mode: AttachMode): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_NEEDVOLUME, { volume, partition, reason: attachModes[mode] })
  }

  /**
   * VOL_LEAVE_OFF: gives a volume back that shall stay offline. FAILED UNKNOWN_VOLID; DENIED EXCLUSIVE, WRONG_PART,
   * BAD_STATE (it is online).
   */
  leaveOff(volume: number, partition: string): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_LEAVE_OFF, { volume, partition })
  }

  /** VOL_DONE: the volume has been deleted. OK WRONG_PART: it lives elsewhere; FAILED UNKNOWN_VOLID; DENIED BAD_STATE. */
  done(volume: number, partition: string, reason = 0): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_DONE, { volume, partition, reason })
  }

  /** VOL_ATTACH: the same as VOL_ON; it attaches nothing. */
  attach(volume: number, partition: string): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_ATTACH, { volume, partition })
  }

  /** VOL_MOVE: clients are told that the volume has moved to `address` (IPv4). DENIED UNKNOWN_VOLID, WRONG_PART, BAD_STATE. */
  move(volume: number, partition: string, address: number): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_MOVE, { volume, partition, reason: address })
  }

  /** VOL_BREAKCBKS: breaks all callbacks on a volume. Always OK. */
  breakCallbacks(volume: number, partition = ""): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_BREAKCBKS, { volume, partition })
  }

  /** VOL_FORCE_ERROR: reason SALVAGE asks for a salvage, any other puts the volume into error. FAILED UNKNOWN_VOLID, WRONG_PART. */
  forceError(volume: number, partition: string, reason: number = fssyncReasons.WHATEVER): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_FORCE_ERROR, { volume, partition, reason })
  }

  /** VOL_LISTVOLUMES: does nothing and is always OK: the server is there. */
  list(): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_LISTVOLUMES)
  }

  /** VOL_QUERY: the volume as the fileserver has it in core. FAILED UNKNOWN_VOLID, WRONG_PART. */
  queryVolume(volume: number, partition = ""): Promise<SyncReply<VolumeReport>> {
    return this.#client.call(fssyncRows.VOL_QUERY, { volume, partition })
  }

  /** VOL_QUERY_HDR: the volume information in core. FAILED HDR_NOT_ATTACHED: read it from the disk; UNKNOWN_VOLID, WRONG_PART. */
  queryHeader(volume: number, partition = ""): Promise<SyncReply<VolumeInfo>> {
    return this.#client.call(fssyncRows.VOL_QUERY_HDR, { volume, partition })
  }

  /** VOL_QUERY_VOP: who has it checked out (for verifyCheckout). FAILED NO_PENDING_VOL_OP, UNKNOWN_VOLID, WRONG_PART. */
  queryVolumeOperation(volume: number, partition = ""): Promise<SyncReply<VolumeOperationInfo>> {
    return this.#client.call(fssyncRows.VOL_QUERY_VOP, { volume, partition })
  }

  /** VOL_QUERY_VNODE: a vnode in core. FAILED UNKNOWN_VOLID, UNKNOWN_VNID (not in the cache). */
  queryVnode(volume: number, vnode: number, unique: number): Promise<SyncReply<VnodeReport>> {
    return this.#client.call(fssyncRows.VOL_QUERY_VNODE, { volume, vnode, unique })
  }

  /** VG_QUERY: which volumes share inodes with this one. FAILED PART_SCANNING: ask again later; UNKNOWN_VOLID, BAD_PART. */
  groupQuery(volume: number, partition: string): Promise<SyncReply<VolumeGroupInfo>> {
    return this.#client.call(fssyncRows.VG_QUERY, { volume, partition })
  }

  /** VG_ADD: a header of `child` has been written; idempotent. FAILED: it is in another group, or the group is full. */
  groupAdd(parent: number, child: number, partition: string): Promise<Done> {
    return this.#client.call(fssyncRows.VG_ADD, { parent, volume: child, partition })
  }

  /** VG_DEL: a header has been removed; parent 0 is any. FAILED UNKNOWN_VOLID: not there (harmless); FAILED: in another group. */
  groupDelete(parent: number, child: number, partition: string): Promise<Done> {
    return this.#client.call(fssyncRows.VG_DEL, { parent, volume: child, partition })
  }

  /** VG_SCAN: reads all headers of a partition again. FAILED: a scan is running; BAD_PART. */
  groupScan(partition: string): Promise<Done> {
    return this.#client.call(fssyncRows.VG_SCAN, { partition })
  }

  /** VG_SCAN_ALL: every partition. FAILED if any failed. */
  groupScanAll(): Promise<Done> {
    return this.#client.call(fssyncRows.VG_SCAN_ALL)
  }

  /** VOL_STATS_GENERAL: counters of the volume package. */
  generalStats(): Promise<SyncReply<GeneralStats>> {
    return this.#client.call(fssyncRows.VOL_STATS_GENERAL)
  }

  /** VOL_STATS_VICEP: space and volumes of a partition. FAILED: no such partition. */
  partitionStats(partition: string): Promise<SyncReply<PartitionStats>> {
    return this.#client.call(fssyncRows.VOL_STATS_VICEP, { partition })
  }

  /** VOL_STATS_HASH: one bucket of the volume table. FAILED: no such bucket. */
  hashStats(bucket: number): Promise<SyncReply<HashStats>> {
    return this.#client.call(fssyncRows.VOL_STATS_HASH, { volume: bucket })
  }

  /** VOL_STATS_HDR: the header cache. */
  headerStats(): Promise<SyncReply<HeaderStats>> {
    return this.#client.call(fssyncRows.VOL_STATS_HDR)
  }

  /** VOL_STATS_VLRU: the volumes of one generation, 0 (new) to 4 (held). FAILED: no such generation. */
  vlruStats(generation: number): Promise<SyncReply<VlruStats>> {
    return this.#client.call(fssyncRows.VOL_STATS_VLRU, { volume: generation })
  }

  /**
   * VOL_GET: what a client's access does: attaches the volume if need be and keeps it in use until `put` or the end of this
   * connection. DENIED with the error code that a client would get (VBUSY 110, VNOVOL 103 …) as reason, or NOMEM: this
   * connection keeps too many uses.
   */
  get(volume: number, partition = ""): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_GET, { volume, partition })
  }

  /** VOL_PUT: ends a use begun with `get` on this connection. FAILED UNKNOWN_VOLID: there is none. */
  put(volume: number, partition = ""): Promise<Done> {
    return this.#client.call(fssyncRows.VOL_PUT, { volume, partition })
  }

  /** VOL_LIST: every volume, in one answer; "" for all partitions. FAILED BAD_PART: no such partition. */
  listVolumes(partition = ""): Promise<SyncReply<VolumeRow[]>> {
    return this.#client.call(fssyncRows.VOL_LIST, { partition })
  }

  /** SERVER_STATUS: the fileserver itself. */
  status(): Promise<SyncReply<ServerStatus>> {
    return this.#client.call(fssyncRows.SERVER_STATUS)
  }

  /** A request by its row, with all its fields. */
  call<T>(row: CommandRow<T>, fields: RequestFields = {}): Promise<SyncReply<T>> {
    return this.#client.call(row, fields)
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
