/**
 * The commands of FSSYNC and SALVSYNC, one row each: what they return, and whether a client may send one again when the
 * connection broke before its answer. Codecs, server and client all work from these rows.
 *
 * Sent again are queries, and changes of which a second execution leaves what the first left:
 * - OFF and NEEDVOLUME: a checkout by the same program replaces itself. Should the server have restarted in between,
 *   VerifyCheckout (QUERY_VOP after the lock) decides whether it still stands.
 * - ON, ATTACH, LEAVE_OFF, DONE, MOVE: they state where the volume shall be. A repeated DONE may answer FAILED UNKNOWN_VOLID:
 *   the volume is gone already.
 * - BREAKCBKS, VG_ADD, VG_DEL, and SALVSYNC's: breaking twice, adding what is there, queueing what is queued.
 *   VG_SCAN on a partition that is being scanned answers FAILED and changes nothing.
 * - GET: uses end with their connection, so the first one counts no more.
 * Never sent again:
 * - FORCE_ERROR drops whatever checkout it finds: a second one could hit the salvager that the first one called.
 * - PUT: the connection's end has ended the use; a second one would end another use.
 */
import { type FssyncCommand, fssyncCommands, type SalvsyncCommand, salvsyncCommands } from "./message.ts"
import { type RequestKind, salvageStatusLayout } from "./openafs-layouts.ts"
import { type OpenafsPayload, openafsPayloads } from "./openafs-payload.ts"
import {
  generalStatsShape,
  hashStatsShape,
  headerStatsShape,
  partitionStatsShape,
  type SalvageStatus,
  salvageStatusShape,
  serverStatusShape,
  vlruStatsShape,
  vnodeShape,
  volumeGroupShape,
  volumeInfoShape,
  volumeOperationShape,
  volumeRowsShape,
  volumeShape,
} from "./payload.ts"
import type { Shape } from "./shape.ts"

/** A command in OpenAFS's form. */
interface OpenafsForm<T> {
  /** The structure that a request carries. */
  readonly request: RequestKind
  /** A partition's name without its NUL is refused; elsewhere it only names no partition. */
  readonly checksName: boolean
  /** What an OK answer carries; undefined: nothing. */
  readonly payload: OpenafsPayload<T> | undefined
  /** False for a command that OpenAFS's servers know by number, and answer BAD_COMMAND. */
  readonly isServed: boolean
}

/** One command. `T` is what an OK answer carries. */
export interface CommandRow<T> {
  readonly name: string
  readonly code: number
  /** What an OK answer carries (a refusal may carry it too); undefined: nothing. */
  readonly payload: Shape<T> | undefined
  /** May be sent again after a broken connection. */
  readonly repeatable: boolean
  /** Undefined for commands of ours that OpenAFS does not have. */
  readonly openafs: OpenafsForm<T> | undefined
}

/** A protocol: the byte that names it in a frame, and its commands by code. */
export interface SyncProtocol {
  readonly name: "FSSYNC" | "SALVSYNC"
  readonly mark: number
  readonly commands: ReadonlyMap<number, CommandRow<unknown>>
  /** In OpenAFS's form: what every request carries; undefined: it depends on the command. */
  readonly openafsRequest: RequestKind | undefined
  /** In OpenAFS's form: bytes of payload that every answer carries, refusals too. */
  readonly openafsPayloadSize: number
}

type Form<T> = Partial<OpenafsForm<T>>

/** How OpenAFS speaks of a command, where it is not a volume and the checked name of its partition, without an answer. */
function formOf<T>(form: Form<T>): OpenafsForm<T> {
  return { request: "volume", checksName: true, payload: undefined, isServed: true, ...form }
}

/** A command that returns nothing. */
function plain(name: FssyncCommand, form: Form<undefined> = {}, repeatable = true): CommandRow<undefined> {
  return { name, code: fssyncCommands[name], payload: undefined, repeatable, openafs: formOf(form) }
}

/** A command that tells something. */
function telling<T>(name: FssyncCommand, payload: Shape<T>, form: Form<T>): CommandRow<T> {
  return { name, code: fssyncCommands[name], payload, repeatable: true, openafs: formOf(form) }
}

/** A command that only we have. */
function ours<T>(name: FssyncCommand, payload: Shape<T>): CommandRow<T>
function ours(name: FssyncCommand, payload?: undefined, repeatable?: boolean): CommandRow<undefined>
function ours<T>(name: FssyncCommand, payload?: Shape<T>, repeatable = true): CommandRow<T> {
  return { name, code: fssyncCommands[name], payload, repeatable, openafs: undefined }
}

const { volume, header, operation, vnode, generalStats, partitionStats, hashStats, headerStats, group, salvageStatus } =
  openafsPayloads

function salvsync(name: SalvsyncCommand, checksName = true): CommandRow<SalvageStatus> {
  return {
    name,
    code: salvsyncCommands[name],
    payload: salvageStatusShape,
    repeatable: true,
    openafs: formOf({ request: "salvage", checksName, payload: salvageStatus }),
  }
}

const unchecked = { checksName: false } as const

/** FSSYNC's rows by name. */
export const fssyncRows = {
  VOL_ON: plain("VOL_ON"),
  VOL_OFF: plain("VOL_OFF"),
  VOL_LISTVOLUMES: plain("VOL_LISTVOLUMES", unchecked),
  VOL_NEEDVOLUME: plain("VOL_NEEDVOLUME"),
  VOL_MOVE: plain("VOL_MOVE"),
  VOL_BREAKCBKS: plain("VOL_BREAKCBKS", unchecked),
  VOL_DONE: plain("VOL_DONE"),
  VOL_QUERY: telling("VOL_QUERY", volumeShape, { payload: volume }),
  VOL_QUERY_HDR: telling("VOL_QUERY_HDR", volumeInfoShape, { payload: header }),
  VOL_QUERY_VOP: telling("VOL_QUERY_VOP", volumeOperationShape, { payload: operation, ...unchecked }),
  VOL_STATS_GENERAL: telling("VOL_STATS_GENERAL", generalStatsShape, { request: "nothing", payload: generalStats }),
  VOL_STATS_VICEP: telling("VOL_STATS_VICEP", partitionStatsShape, { request: "statistics", payload: partitionStats }),
  VOL_STATS_HASH: telling("VOL_STATS_HASH", hashStatsShape, { request: "number", payload: hashStats }),
  VOL_STATS_HDR: telling("VOL_STATS_HDR", headerStatsShape, { request: "nothing", payload: headerStats }),
  VOL_STATS_VLRU: telling("VOL_STATS_VLRU", vlruStatsShape, { request: "number", isServed: false }),
  VOL_ATTACH: plain("VOL_ATTACH"),
  VOL_FORCE_ERROR: plain("VOL_FORCE_ERROR", {}, false),
  VOL_LEAVE_OFF: plain("VOL_LEAVE_OFF"),
  VOL_QUERY_VNODE: telling("VOL_QUERY_VNODE", vnodeShape, { request: "vnode", payload: vnode }),
  VG_QUERY: telling("VG_QUERY", volumeGroupShape, { payload: group }),
  VG_ADD: plain("VG_ADD", { request: "group" }),
  VG_DEL: plain("VG_DEL", { request: "group" }),
  VG_SCAN: plain("VG_SCAN"),
  VG_SCAN_ALL: plain("VG_SCAN_ALL", unchecked),
  VOL_GET: ours("VOL_GET"),
  VOL_PUT: ours("VOL_PUT", undefined, false),
  VOL_LIST: ours("VOL_LIST", volumeRowsShape),
  SERVER_STATUS: ours("SERVER_STATUS", serverStatusShape),
} as const satisfies { readonly [K in FssyncCommand]: { readonly name: K | string } }

/** SALVSYNC's rows by name. */
export const salvsyncRows = {
  NOP: salvsync("NOP", false),
  SALVAGE: salvsync("SALVAGE"),
  CANCEL: salvsync("CANCEL"),
  RAISEPRIO: salvsync("RAISEPRIO"),
  QUERY: salvsync("QUERY"),
  CANCELALL: salvsync("CANCELALL", false),
  LINK: salvsync("LINK"),
} as const satisfies { readonly [K in SalvsyncCommand]: { readonly name: K | string } }

function byCode(rows: Readonly<Record<string, CommandRow<unknown>>>): ReadonlyMap<number, CommandRow<unknown>> {
  return new Map(Object.values(rows).map((row) => [row.code, row]))
}

export const fssyncProtocol: SyncProtocol = {
  name: "FSSYNC",
  mark: 0x46,
  commands: byCode(fssyncRows),
  openafsRequest: undefined,
  openafsPayloadSize: 0,
}

export const salvsyncProtocol: SyncProtocol = {
  name: "SALVSYNC",
  mark: 0x53,
  commands: byCode(salvsyncRows),
  openafsRequest: "salvage",
  openafsPayloadSize: salvageStatusLayout.size,
}
