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

/** One command. `T` is what an OK answer carries. */
export interface CommandRow<T> {
  readonly name: string
  readonly code: number
  /** What an OK answer carries (a refusal may carry it too); undefined: nothing. */
  readonly payload: Shape<T> | undefined
  /** May be sent again after a broken connection. */
  readonly repeatable: boolean
}

/** A protocol: the byte that names it in a frame, and its commands by code. */
export interface SyncProtocol {
  readonly name: "FSSYNC" | "SALVSYNC"
  readonly mark: number
  readonly commands: ReadonlyMap<number, CommandRow<unknown>>
}

function fssync<T>(name: FssyncCommand, payload: Shape<T>): CommandRow<T>
function fssync(name: FssyncCommand, payload?: undefined, repeatable?: boolean): CommandRow<undefined>
function fssync<T>(name: FssyncCommand, payload?: Shape<T>, repeatable = true): CommandRow<T> {
  return { name, code: fssyncCommands[name], payload, repeatable }
}

const salvsync = (name: SalvsyncCommand): CommandRow<SalvageStatus> => ({
  name,
  code: salvsyncCommands[name],
  payload: salvageStatusShape,
  repeatable: true,
})

/** FSSYNC's rows by name. */
export const fssyncRows = {
  VOL_ON: fssync("VOL_ON"),
  VOL_OFF: fssync("VOL_OFF"),
  VOL_LISTVOLUMES: fssync("VOL_LISTVOLUMES"),
  VOL_NEEDVOLUME: fssync("VOL_NEEDVOLUME"),
  VOL_MOVE: fssync("VOL_MOVE"),
  VOL_BREAKCBKS: fssync("VOL_BREAKCBKS"),
  VOL_DONE: fssync("VOL_DONE"),
  VOL_QUERY: fssync("VOL_QUERY", volumeShape),
  VOL_QUERY_HDR: fssync("VOL_QUERY_HDR", volumeInfoShape),
  VOL_QUERY_VOP: fssync("VOL_QUERY_VOP", volumeOperationShape),
  VOL_STATS_GENERAL: fssync("VOL_STATS_GENERAL", generalStatsShape),
  VOL_STATS_VICEP: fssync("VOL_STATS_VICEP", partitionStatsShape),
  VOL_STATS_HASH: fssync("VOL_STATS_HASH", hashStatsShape),
  VOL_STATS_HDR: fssync("VOL_STATS_HDR", headerStatsShape),
  VOL_STATS_VLRU: fssync("VOL_STATS_VLRU", vlruStatsShape),
  VOL_ATTACH: fssync("VOL_ATTACH"),
  VOL_FORCE_ERROR: fssync("VOL_FORCE_ERROR", undefined, false),
  VOL_LEAVE_OFF: fssync("VOL_LEAVE_OFF"),
  VOL_QUERY_VNODE: fssync("VOL_QUERY_VNODE", vnodeShape),
  VG_QUERY: fssync("VG_QUERY", volumeGroupShape),
  VG_ADD: fssync("VG_ADD"),
  VG_DEL: fssync("VG_DEL"),
  VG_SCAN: fssync("VG_SCAN"),
  VG_SCAN_ALL: fssync("VG_SCAN_ALL"),
  VOL_GET: fssync("VOL_GET"),
  VOL_PUT: fssync("VOL_PUT", undefined, false),
  VOL_LIST: fssync("VOL_LIST", volumeRowsShape),
  SERVER_STATUS: fssync("SERVER_STATUS", serverStatusShape),
} as const satisfies { readonly [K in FssyncCommand]: { readonly name: K | string } }

/** SALVSYNC's rows by name. */
export const salvsyncRows = {
  NOP: salvsync("NOP"),
  SALVAGE: salvsync("SALVAGE"),
  CANCEL: salvsync("CANCEL"),
  RAISEPRIO: salvsync("RAISEPRIO"),
  QUERY: salvsync("QUERY"),
  CANCELALL: salvsync("CANCELALL"),
  LINK: salvsync("LINK"),
} as const satisfies { readonly [K in SalvsyncCommand]: { readonly name: K | string } }

function byCode(rows: Readonly<Record<string, CommandRow<unknown>>>): ReadonlyMap<number, CommandRow<unknown>> {
  return new Map(Object.values(rows).map((row) => [row.code, row]))
}

export const fssyncProtocol: SyncProtocol = { name: "FSSYNC", mark: 0x46, commands: byCode(fssyncRows) }
export const salvsyncProtocol: SyncProtocol = { name: "SALVSYNC", mark: 0x53, commands: byCode(salvsyncRows) }
