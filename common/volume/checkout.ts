/**
 * Who may check a volume out of the fileserver and give it back, and what becomes of the volume. Pure decisions; the answers
 * in words, so that this file knows no protocol (fileserver/fssync-service.ts turns them into numbers).
 * OpenAFS vol/fssync-server.c (FSYNC_com_VolOff, FSYNC_com_VolOn, …), vol/volume.c (VVolOpLeaveOnline_r, VVolOpSetVBusy_r).
 *
 * Exclusion is by program type: a second checkout by the same type replaces the first. Better than OpenAFS 1.8.9:
 * - a salvager cannot put a volume into error, or declare it deleted, while a living program of another type has it;
 * - a checkout remembers its connection and process, and ends when both are gone and nobody holds the volume's lock.
 */
import { attachModes, programTypes } from "../protocol/codes.ts"
import { isErrorState, isExclusive, type VolumeState } from "./volume-state.ts"

/** What a checkout is for: NEEDVOLUME with an attach mode (any number; see `attachModes`), or OFF. */
export type Purpose =
  | { readonly command: "NEED"; readonly mode: number }
  | { readonly command: "OFF"; readonly salvage: boolean }

/** The request that checked the volume out, kept as it came so that its sender recognises it. */
export interface CheckoutRequest {
  readonly command: number
  readonly reason: number
  readonly programType: number
  readonly pid: number
  readonly thread: number
  readonly volume: number
  readonly partition: string
  readonly parent: number
  readonly vnode: number
  readonly unique: number
  /** Its bytes, where a program of OpenAFS sent it. */
  readonly frame?: Uint8Array
}

/** `unknown`: the volume was not attached at checkout; the next access tells whether it can stay online. */
export type OperationState = "runningOnline" | "runningOffline" | "unknown"

/** The connection a request came over; `closed` is aborted with it. */
export interface CheckoutChannel {
  readonly closed: AbortSignal
}

/** A checkout that has not been given back: at most one per volume. */
export interface PendingOperation {
  readonly request: CheckoutRequest
  readonly purpose: Purpose
  readonly channel: CheckoutChannel
  /** State of the volume before it (of the first one, if checkouts of one type follow each other). */
  readonly before: VolumeState
  state: OperationState
}

/** What the decisions look at. */
export interface CheckoutView {
  readonly state: VolumeState
  readonly operation: PendingOperation | undefined
  /** A salvage was asked for and has not ended. */
  readonly salvageWanted: boolean
  /** Known for attached volumes only. */
  readonly readWrite: boolean
}

/**
 * - `denied`: not possible now, without a reason
 * - `exclusive`: another program type has the volume
 * - `salvaging`: the volume is being salvaged, or will be
 */
export type Refusal = "denied" | "exclusive" | "salvaging" | "unknownVolume" | "wrongPartition" | "badState"
type Refused = { readonly step: "refuse"; readonly why: Refusal }
/** Decide again after the next change of the volume's state. */
type Wait = { readonly step: "wait" }

/** Nobody uses the volume, and nothing of it is in core. */
const idle: ReadonlySet<VolumeState> = new Set<VolumeState>(["UNATTACHED", "PREATTACHED", "SALVAGING", "ERROR"])

const refuse = (why: Refusal): Refused => ({ step: "refuse", why })
const waiting: Wait = { step: "wait" }

/** The volume stays online while it is checked out for this. */
export function staysOnline(purpose: Purpose, readWrite: boolean): boolean {
  if (purpose.command !== "NEED") return false
  if (purpose.mode === attachModes.READONLY) return true
  return !readWrite && (purpose.mode === attachModes.CLONE || purpose.mode === attachModes.DUMP)
}

/** Clients are told "busy, ask again" and not "offline" while the volume is checked out for this. */
export function tellsBusy(purpose: Purpose): boolean {
  if (purpose.command === "OFF") return purpose.salvage
  return purpose.mode === attachModes.CLONE || purpose.mode === attachModes.DUMP
}

/**
 * Whether a volume that was not attached at checkout can stay online, as far as the purpose alone tells;
 * `undefined`: it depends on whether the volume is read-write.
 */
export function staysOnlineUnread(purpose: Purpose): boolean | undefined {
  if (purpose.command === "OFF") return false
  if (purpose.mode === attachModes.READONLY) return true
  return purpose.mode === attachModes.CLONE || purpose.mode === attachModes.DUMP ? undefined : false
}

const salvagerTypes: ReadonlySet<number> = new Set([programTypes.salvageServer, programTypes.volumeSalvager])
const volumeTools: ReadonlySet<number> = new Set([programTypes.volumeUtility, programTypes.volumeServer])
/** Types that judge volumes and may be late: their verdict does not count against a living checkout of another type. */
const judges: ReadonlySet<number> = new Set([...salvagerTypes, programTypes.salvager])

export function isSalvager(programType: number): boolean {
  return salvagerTypes.has(programType)
}

/** A debugging tool's checkouts belong to no connection: it ends after each command, and the operator gives them back. */
export function isTracked(programType: number): boolean {
  return programType !== programTypes.debugUtility
}

export type CheckoutStep =
  | Refused
  | Wait
  /** Granted; nothing is recorded. */
  | { readonly step: "grant" }
  /** Granted; recorded with state `unknown`, the volume stays as it is. */
  | { readonly step: "record" }
  | { readonly step: "keepOnline" }
  | { readonly step: "takeOffline" }

/** May this program check the volume (known, on the right partition) out, and how? */
export function decideCheckout(programType: number, purpose: Purpose, view: CheckoutView): CheckoutStep {
  const held = heldByOther(programType, view.operation)
  if (held !== undefined) return refuse(isSalvage(held.purpose) ? "salvaging" : "exclusive")
  if (isExclusive(view.state)) return waiting
  const refusal = refuseByType(programType, view)
  if (refusal !== undefined) return refuse(refusal)
  if (idle.has(view.state)) return { step: "record" }
  if (view.state === "ATTACHED") return { step: staysOnline(purpose, view.readWrite) ? "keepOnline" : "takeOffline" }
  return view.state === "DELETED" || view.state === "FREED" ? { step: "grant" } : waiting
}

function heldByOther(programType: number, operation: PendingOperation | undefined): PendingOperation | undefined {
  return operation !== undefined && operation.request.programType !== programType ? operation : undefined
}

function isSalvage(purpose: Purpose): boolean {
  return purpose.command === "OFF" && purpose.salvage
}

function refuseByType(programType: number, view: CheckoutView): Refusal | undefined {
  if (salvagerTypes.has(programType) || programType === programTypes.debugUtility) return undefined
  if (!volumeTools.has(programType)) return "denied"
  if (view.salvageWanted || view.state === "SALVAGING" || view.state === "SALVAGE_REQ") return "salvaging"
  return view.state === "ERROR" ? "denied" : undefined
}

export type OnStep =
  | Refused
  | Wait
  /** The volume never left service: only the checkout ends. */
  | { readonly step: "endOperation" }
  /** The checkout is still waiting for users: it is withdrawn, the volume stays attached. */
  | { readonly step: "withdraw" }
  /** Forget what was known; the next access attaches. */
  | { readonly step: "preattach" }

/** VOL_ON (and VOL_ATTACH) of a known volume: give it back, put it online. `users`: tasks that still use it. */
export function decideOn(programType: number, view: CheckoutView & { readonly users: number }): OnStep {
  if (heldByOther(programType, view.operation) !== undefined) return refuse("exclusive")
  if (isExclusive(view.state)) return waiting
  if (view.state === "GOING_OFFLINE") return { step: "withdraw" }
  if (idle.has(view.state) || view.state === "DELETED" || view.state === "SALVAGE_REQ") {
    return view.users > 0 ? waiting : { step: "preattach" }
  }
  return { step: "endOperation" }
}

export type LeaveOffStep = Refused | Wait | { readonly step: "leaveOffline" }

/** VOL_LEAVE_OFF of a known volume: give it back, keep it offline. */
export function decideLeaveOff(programType: number, view: CheckoutView, partitionMatches: boolean): LeaveOffStep {
  if (partitionMatches && heldByOther(programType, view.operation) !== undefined) return refuse("exclusive")
  if (isExclusive(view.state)) return waiting
  if (view.state === "DELETED" || view.state === "FREED") return refuse("unknownVolume")
  if (!partitionMatches) return refuse("wrongPartition")
  if (view.state === "UNATTACHED" || view.state === "PREATTACHED") return { step: "leaveOffline" }
  return refuse("badState")
}

export type DoneStep = Refused | Wait | { readonly step: "delete" } | { readonly step: "endOperation" }

/** VOL_DONE of a volume known on this partition: it has been deleted. `ownerLives`: so does who has it checked out. */
export function decideDone(programType: number, view: CheckoutView, ownerLives: boolean): DoneStep {
  if (isOverruled(programType, view.operation, ownerLives)) return refuse("exclusive")
  if (isExclusive(view.state)) return waiting
  if (view.state === "DELETED" || view.state === "FREED") return { step: "endOperation" }
  const gone = view.state === "UNATTACHED" || view.state === "PREATTACHED" || isErrorState(view.state)
  return gone ? { step: "delete" } : refuse("badState")
}

/** A judge's word against a living checkout of another type. */
function isOverruled(programType: number, operation: PendingOperation | undefined, ownerLives: boolean): boolean {
  return judges.has(programType) && heldByOther(programType, operation) !== undefined && ownerLives
}

export type ForceErrorStep = Refused | Wait | { readonly step: "salvage" } | { readonly step: "error" }

/** FORCE_ERROR of a volume known on this partition. */
export function decideForceError(
  programType: number,
  salvage: boolean,
  view: CheckoutView,
  ownerLives: boolean,
): ForceErrorStep {
  if (!salvage && isOverruled(programType, view.operation, ownerLives)) return refuse("exclusive")
  if (isExclusive(view.state)) return waiting
  return { step: salvage ? "salvage" : "error" }
}

/** VOL_MOVE of a volume known on this partition: only an offline volume can have moved away. */
export function decideMove(view: CheckoutView): Refused | { readonly step: "moved" } {
  const fits = view.state === "UNATTACHED" || view.state === "PREATTACHED"
  return fits ? { step: "moved" } : refuse("badState")
}

/** What was found out about a checkout whose connection ended. */
export interface LostCheckout {
  /** This connection took the volume from ATTACHED to offline. */
  readonly takenOffline: boolean
  /** The process named in the request exists. */
  readonly processLives: boolean
  /** Anybody holds the volume's byte of `.volume.lock`. */
  readonly lockHeld: boolean
  /** Since the connection ended. */
  readonly lostForMs: number
}

/** So long a living process may take to come back over a new connection. */
export const reconnectGraceMs = 5_000

/**
 * What becomes of it: `drop` at once, or ask again a little later. It is never dropped under a held lock (somebody still
 * works on the files), and a living program that lost its connection may be about to make a new one. Dropping too early
 * harms nobody: QUERY_VOP then says that there is no checkout, and the program checks out again.
 */
export function decideLostCheckout(lost: LostCheckout): "drop" | "askAgain" {
  if (lost.lockHeld) return "askAgain"
  if (lost.takenOffline || !lost.processLives) return "drop"
  return lost.lostForMs >= reconnectGraceMs ? "drop" : "askAgain"
}

/** State of an idle volume after its checkout was dropped: what had been in service will be again. */
export function stateAfterDrop(state: VolumeState, before: VolumeState): VolumeState {
  const served = before === "ATTACHED" || before === "PREATTACHED"
  return state === "UNATTACHED" && served ? "PREATTACHED" : state
}
