/**
 * What travels over the FSSYNC and SALVSYNC sockets: commands, responses, reasons and the shapes of requests and answers,
 * once, for every codec. Numbers are OpenAFS's (vol/fssync.h, vol/salvsync.h, vol/daemon_com.h).
 */

/** Command that ends a connection in order; it has no answer. */
export const channelClose = 0

/** FSSYNC command codes. */
export const fssyncCommands = {
  VOL_ON: 65536,
  VOL_OFF: 65537,
  VOL_LISTVOLUMES: 65538,
  VOL_NEEDVOLUME: 65539,
  VOL_MOVE: 65540,
  VOL_BREAKCBKS: 65541,
  VOL_DONE: 65542,
  VOL_QUERY: 65543,
  VOL_QUERY_HDR: 65544,
  VOL_QUERY_VOP: 65545,
  VOL_STATS_GENERAL: 65546,
  VOL_STATS_VICEP: 65547,
  VOL_STATS_HASH: 65548,
  VOL_STATS_HDR: 65549,
  VOL_STATS_VLRU: 65550,
  VOL_ATTACH: 65551,
  VOL_FORCE_ERROR: 65552,
  VOL_LEAVE_OFF: 65553,
  VOL_QUERY_VNODE: 65554,
  VG_QUERY: 65555,
  VG_ADD: 65556,
  VG_DEL: 65557,
  VG_SCAN: 65558,
  VG_SCAN_ALL: 65559,
  /** Ours: do what a client's access does (attach on demand) and keep the volume in use until PUT or the end of the connection. */
  VOL_GET: 131072,
  /** Ours: end a use that GET began on this connection. */
  VOL_PUT: 131073,
  /** Ours: id, partition, state and pending operation of every volume, in one answer. */
  VOL_LIST: 131074,
  /** Ours: process id, start time, options and partitions of the fileserver. */
  SERVER_STATUS: 131075,
} as const
export type FssyncCommand = keyof typeof fssyncCommands

/** SALVSYNC command codes. */
export const salvsyncCommands = {
  NOP: 65536,
  SALVAGE: 65537,
  CANCEL: 65538,
  RAISEPRIO: 65539,
  QUERY: 65540,
  CANCELALL: 65541,
  LINK: 65542,
} as const
export type SalvsyncCommand = keyof typeof salvsyncCommands

/** How a request ended. */
export const responses = { OK: 0, DENIED: 1, COM_ERROR: 2, BAD_COMMAND: 3, FAILED: 4 } as const

/** Reasons common to both protocols. */
export const commonReasons = { NONE: 0, MALFORMED_PACKET: 1, NOMEM: 2, ENCODING_ERROR: 3, PAYLOAD_TOO_BIG: 4 } as const

/** FSSYNC reasons, in requests and answers. */
export const fssyncReasons = {
  WHATEVER: 65536,
  SALVAGE: 65537,
  MOVE: 65538,
  OPERATOR: 65539,
  EXCLUSIVE: 65540,
  UNKNOWN_VOLID: 65541,
  HDR_NOT_ATTACHED: 65542,
  NO_PENDING_VOL_OP: 65543,
  VOL_PKG_ERROR: 65544,
  UNKNOWN_VNID: 65545,
  WRONG_PART: 65546,
  BAD_STATE: 65547,
  BAD_PART: 65548,
  PART_SCANNING: 65549,
} as const

/** SALVSYNC reasons, in requests. */
export const salvsyncReasons = {
  WHATEVER: 65536,
  ERROR: 65537,
  OPERATOR: 65538,
  SHUTDOWN: 65539,
  NEEDED: 65540,
} as const

/** State of a pending volume operation, as QUERY_VOP reports it. */
export const volumeOperationStates = { pending: 0, denied: 1, runningOnline: 2, runningOffline: 3, unknown: 4 } as const

/** Longest partition name in bytes: OpenAFS's frames have 16 with the NUL. */
export const partitionNameMax = 15

/** Who asks. All are claims of the sender. */
export interface Sender {
  /** `programTypes` number. */
  readonly programType: number
  readonly pid: number
  readonly thread: number
}

/** One request on either socket. Fields that a command does not use are 0 or "". */
export interface SyncRequest extends Sender {
  readonly command: number
  /** A reason code, an attach mode, or an address, by command. */
  readonly reason: number
  /** Volume id (VG_ADD, VG_DEL: the child; STATS_HASH: the bucket; STATS_VLRU: the generation). */
  readonly volume: number
  /** `/vicepa`; "" means any. */
  readonly partition: string
  /** VG_ADD, VG_DEL, LINK: the group's read-write id. */
  readonly parent: number
  /** QUERY_VNODE: vnode number and uniquifier. SALVSYNC: `vnode` is the priority. */
  readonly vnode: number
  readonly unique: number
  /** A checkout by a program of OpenAFS: its request as it came, which VOL_QUERY_VOP shows it byte for byte. */
  readonly frame?: Uint8Array
}

/** One answer. `payload` is what the command returns on OK, in the shape that the command's row documents; else undefined. */
export interface SyncAnswer {
  /** `responses` number. */
  readonly response: number
  readonly reason: number
  readonly payload?: unknown
}

/** QUERY_VOP's payload: the request that checked the volume out, and the operation's state (`volumeOperationStates`). */
export interface VolumeOperationInfo {
  readonly request: SyncRequest
  readonly state: number
}

/** VG_QUERY's payload. */
export interface VolumeGroupInfo {
  readonly parent: number
  readonly members: readonly number[]
}

/** Name of a number in one of the tables above, or the number itself as text. */
export function nameIn(table: Readonly<Record<string, number>>, number: number): string {
  for (const [name, value] of Object.entries(table)) if (value === number) return name
  return String(number)
}
