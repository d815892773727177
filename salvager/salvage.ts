/**
 * Salvages of a partition's volume groups: each group by itself, checked out, looked at, repaired and given back. One group
 * that cannot be salvaged stops no other.
 */
import { isDiskError } from "../common/disk/disk.ts"
import type { FileEntry } from "../common/disk/folder-reader.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError, FormatError, isAfsError } from "../common/error.ts"
import { specialInode } from "../common/partition/inode-number.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import type { Partition } from "../common/partition/partition.ts"
import { programTypes } from "../common/protocol/codes.ts"
import { vnodeClasses } from "../common/vnode/vnode-record.ts"
import { removeSavedClients } from "../common/volume/saved-clients.ts"
import { findDraft, finishDraft, settleDraft } from "../common/volume/volume-draft.ts"
import type { Claimant } from "../fssync/volume-checkout.ts"
import type { Finding, Severity } from "./finding.ts"
import { GroupHold } from "./group-hold.ts"
import type { OrphanPolicy, PlanPhase } from "./model.ts"
import { type GroupPlan, planGroup } from "./plan.ts"
import { needsNoSalvage } from "./quick-check.ts"
import { type Repaired, type RepairOptions, repairGroup } from "./repair.ts"
import { ScanThreads } from "./scan-threads.ts"
import { Survey } from "./survey.ts"
import { type UndoLimits, UndoRecorder } from "./undo/recorder.ts"
import { expireSalvages, keptSalvages, takeBack } from "./undo/reversal.ts"

export interface SalvageOptions {
  /** Look only: nothing is written to the partition. */
  readonly readOnly: boolean
  /** Look at groups that are marked as consistent too. */
  readonly force: boolean
  readonly orphans: OrphanPolicy
  readonly salvageDirs: boolean
  readonly claimant: Claimant
  readonly signal?: AbortSignal | undefined
  /** Phases are told too; default: yes. For small groups it takes as long as some of their passes. */
  readonly phases?: boolean
  /** Threads that read one group; default 1. */
  readonly threads?: number
  /** State directory of the server whose partition this is, where what its fileserver knew of clients goes out of date. */
  readonly stateDirectory?: string | undefined
  /** Whether, and within which limits, what is overwritten or removed is kept so that the salvage can be taken back. */
  readonly undo?: UndoLimits | undefined
  /** Seconds since 1970; default: the clock. */
  readonly now?: () => number
}

/**
 * - `clean`: nothing to repair; `repaired`: everything that was planned was done;
 * - `damaged`: there is something to repair, and nothing was to be written;
 * - `skipped`: marked as consistent, not looked at;
 * - `busy`: somebody has a volume of the group; `failed`: it broke off.
 */
type GroupStatus = "clean" | "repaired" | "damaged" | "skipped" | "busy" | "failed"

/** What became of one group. */
export interface GroupResult {
  readonly type: "group"
  readonly partition: string
  readonly group: number
  readonly status: GroupStatus
  readonly volumes: readonly VolumeSummary[]
  readonly counts: Readonly<Record<Severity, number>>
  /** Data files of the group. */
  readonly files: number
  readonly milliseconds: number
  /** Name under which the salvage can be taken back, and the partition's directory. */
  readonly undo?: string
  readonly path?: string
  /** Why it cannot, though that was asked for. */
  readonly undoFailure?: string
  /** Why it is busy or failed. */
  readonly error?: { readonly code: string | undefined; readonly message: string }
}

interface VolumeSummary {
  readonly volume: number
  readonly name: string | undefined
  readonly fate: "kept" | "deleted"
  /** Vnodes. */
  readonly files: number
  /** KiB. */
  readonly blocks: number
}

/** What is told on the way. */
export type SalvageEvent =
  | {
      readonly type: "phase"
      readonly group: number
      readonly phase: PlanPhase | "checkOut" | "repair"
      readonly files: number
      /** Of folders, records or directories, whichever the phase is about; 0 of 0 at its beginning. */
      readonly done: number
      readonly total: number
    }
  /** `done`: the repair was carried out. */
  | ({ readonly type: "finding"; readonly partition: string; readonly done: boolean } & Finding)
  | GroupResult

export type Emit = (event: SalvageEvent) => void

const tellEveryMs = 200
/** With fewer the start of a thread takes longer than it saves. */
const vnodesForThreads = 10_000
const nothingDone: Repaired = { deleted: [], created: [], changed: [], wrote: false }
const noCounts: Record<Severity, number> = { note: 0, repaired: 0, loss: 0, left: 0 }

/** Salvages every group of a partition, one after the other. */
export async function salvagePartition(
  partition: Partition,
  options: SalvageOptions,
  emit: Emit,
): Promise<GroupResult[]> {
  const survey = new Survey(partition)
  const results: GroupResult[] = []
  for (const group of survey.allGroups()) {
    if (options.signal?.aborted === true) throw new AfsError("INTERRUPTED", "salvage", { partition: partition.name })
    results.push(await salvageGroup(survey, group, options, emit))
  }
  return results
}

/**
 * Takes a salvage back whose name a group's result told.
 * @throws AfsError ENOENT if it is not kept; DENIED if the volumes changed since; LOCKED or VBUSY if somebody has them
 */
export async function undoSalvage(partition: Partition, name: string, claimant: Claimant): Promise<void> {
  const kept = keptSalvages(partition).find((one) => one.name === name)
  if (kept === undefined) {
    const detail = `no salvage ${name} is kept`
    throw new AfsError("ENOENT", "undo", { partition: partition.name }, { detail })
  }
  const survey = new Survey(partition)
  const before = survey.membersOf(kept.group)
  const hold = await GroupHold.take(survey, kept.group, kept.group, { claimant, readOnly: false })
  try {
    takeBack(partition, name)
  } catch (error) {
    await hold.abort()
    throw error
  }
  const after = new Survey(partition).membersOf(kept.group)
  const created = after.filter((id) => !before.includes(id))
  await hold.end({ deleted: before.filter((id) => !after.includes(id)), created, changed: after })
}

/** Salvages the group of a volume, given by any of its ids. */
export async function salvageVolume(
  partition: Partition,
  volume: number,
  options: SalvageOptions,
  emit: Emit,
): Promise<GroupResult> {
  const survey = new Survey(partition)
  const result = await salvageGroup(survey, survey.groupOf(volume), options, emit, volume)
  expireOld(partition, options)
  return result
}

/**
 * What was kept of a salvage may push out older ones. One that cannot be read or removed is no failure of the salvage: it
 * stays, and a list of what is kept says why.
 */
export function expireOld(partition: Partition, { readOnly, undo, now }: SalvageOptions): void {
  if (readOnly || undo === undefined) return
  try {
    expireSalvages(partition, undo, now?.() ?? Math.floor(Date.now() / 1000))
  } catch (error) {
    if (!isDiskError(error)) throw error
  }
}

/** Salvages one group of a partition that was surveyed; `asked`: the volume that is checked out first. */
export async function salvageGroup(
  survey: Survey,
  group: number,
  options: SalvageOptions,
  emit: Emit,
  asked = group,
): Promise<GroupResult> {
  const salvage = new GroupSalvage(survey, group, options, emit)
  const result = await salvage.run(asked)
  emit(result)
  return result
}

/** Restores and clones that had been broken off. */
interface DraftsMet {
  /** What was put into place. */
  readonly finished: readonly Finding[]
  /** Volumes beside which nothing lies. */
  readonly withoutDraft: ReadonlySet<number>
}

const noDrafts: DraftsMet = { finished: [], withoutDraft: new Set() }

class GroupSalvage {
  readonly #survey: Survey
  readonly #partition: Partition
  readonly #group: number
  readonly #options: SalvageOptions
  readonly #emit: Emit
  readonly #started = performance.now()
  #plan: GroupPlan | undefined
  #undo: UndoRecorder | undefined
  #told = 0

  constructor(survey: Survey, group: number, options: SalvageOptions, emit: Emit) {
    this.#survey = survey
    this.#partition = survey.partition
    this.#group = group
    this.#options = options
    this.#emit = emit
  }

  async run(asked: number): Promise<GroupResult> {
    try {
      if (!this.#options.force && needsNoSalvage(this.#survey, this.#group)) return this.#result("skipped")
      return await this.#salvage(asked)
    } catch (error) {
      if (!isExpected(error)) throw error
      const status = isAfsError(error, "LOCKED", "VBUSY", "VSALVAGING", "DENIED") ? "busy" : "failed"
      return this.#result(status, error)
    }
  }

  async #salvage(asked: number): Promise<GroupResult> {
    const { claimant, readOnly, signal } = this.#options
    using threads = this.#threads()
    this.#tell("checkOut")
    const hold = await GroupHold.take(this.#survey, this.#group, asked, { claimant, readOnly, signal })
    let outcome: Repaired
    try {
      outcome = this.#lookAndRepair(hold.special, threads)
    } catch (error) {
      await hold.abort()
      throw error
    } finally {
      this.#undo?.close()
    }
    await hold.end(outcome)
    const { counts } = this.#plan ?? { counts: noCounts }
    const isDamaged = counts.repaired + counts.loss + counts.left > 0
    return this.#result(outcome.wrote ? "repaired" : readOnly && isDamaged ? "damaged" : "clean")
  }

  /** `special`: what lies in the group's folder of special files now. */
  #lookAndRepair(special: readonly FileEntry[], threads: ScanThreads): Repaired {
    const { readOnly, claimant, orphans, salvageDirs } = this.#options
    const now = this.#now()
    const { finished, withoutDraft } = readOnly ? noDrafts : this.#finishDrafts(special, now)
    const isSame = readOnly || (finished.length === 0 && !hasLinks(special))
    const survey = this.#survey.forGroup(this.#group, isSame ? special : undefined, withoutDraft)
    const plan = planGroup(survey, this.#group, { orphans, salvageDirs, now, threads }, (...step) =>
      this.#advance(...step),
    )
    this.#plan = plan
    // what a repair writes, a finding tells: without one there is nothing to write
    if (readOnly || (plan.findings.length === 0 && finished.length === 0)) {
      this.#emitFindings(finished, false)
      return nothingDone
    }
    this.#tell("repair")
    const repaired = this.#repair(plan, finished, {
      program: programTypes[claimant.program],
      callbacksBroken: claimant.fileserver !== undefined,
      now,
      store: this.#storeToChange(now),
    })
    this.#emitFindings(finished, true)
    return { ...repaired, wrote: repaired.wrote || finished.length > 0 }
  }

  /** Threads for the scan: where the index tells of a great group they start now, and are there when it begins. */
  #threads(): ScanThreads {
    const count = this.#options.threads ?? 1
    const threads = new ScanThreads(count - 1)
    const index = specialInode(this.#group, "smallIndex")
    const size = count > 1 ? (new InodeStore(this.#partition, this.#group).stat(index)?.size ?? 0) : 0
    if (size / vnodeClasses.small.recordSize >= vnodesForThreads) threads.start()
    return threads
  }

  /** The group's files; that they change is noted, if that is asked for. */
  #storeToChange(now: number): InodeStore {
    const { undo } = this.#options
    if (undo !== undefined) this.#undo ??= new UndoRecorder(this.#partition, this.#group, now, undo.bytes)
    return this.#undo?.store() ?? new InodeStore(this.#partition, this.#group)
  }

  /** What was found is told even if it cannot be repaired. */
  #repair(plan: GroupPlan, finished: readonly Finding[], options: RepairOptions): Repaired {
    try {
      this.#forgetClients(plan, finished.length > 0)
      return repairGroup(plan.model, options)
    } catch (error) {
      this.#emitFindings(finished, false)
      throw error
    }
  }

  /** A fileserver that is down takes up old promises when it starts: those for what changes here are wrong then. */
  #forgetClients({ model }: GroupPlan, isSwitched: boolean): void {
    const { stateDirectory, claimant } = this.#options
    if (stateDirectory === undefined || claimant.fileserver !== undefined) return
    const isDeleting = model.volumes.length > model.kept.length
    if (!isSwitched && !isDeleting && !model.kept.some((volume) => volume.contentChanged)) return
    removeSavedClients(stateDirectory, nodeDisk)
  }

  /** Tidies up after restores and clones that were in place when they were broken off; others leave the old volume in place. */
  #finishDrafts(special: readonly FileEntry[], now: number): DraftsMet {
    const finished: Finding[] = []
    const withoutDraft = new Set<number>()
    const store = new InodeStore(this.#partition, this.#group)
    for (const volume of store.volumes(special)) {
      const found = findDraft(store, volume)
      if (found === "none") withoutDraft.add(volume)
      if (found !== "complete") {
        if (hasLinks(special)) settleDraft(this.#storeToChange(now), volume)
        continue
      }
      finishDraft(this.#storeToChange(now), volume)
      const text = "a restore or clone was complete but not yet in place"
      finished.push({
        code: "draft-finished",
        severity: "note",
        group: this.#group,
        volume,
        text,
        repair: "put into place",
      })
    }
    return { finished, withoutDraft }
  }

  #emitFindings(first: readonly Finding[], done: boolean): void {
    const partition = this.#partition.name
    for (const finding of [...first, ...(this.#plan?.findings ?? [])])
      this.#emit({ type: "finding", partition, done, ...finding })
  }

  #tell(phase: PlanPhase | "checkOut" | "repair", done = 0, total = 0): void {
    if (this.#options.phases === false) return
    this.#emit({ type: "phase", group: this.#group, phase, files: this.#plan?.model.files.found ?? 0, done, total })
  }

  /** Beginnings are told at once, what follows only so often. */
  #advance(phase: PlanPhase, done: number, total: number): void {
    if (this.#options.phases === false) return
    const now = performance.now()
    if (done > 0 && now - this.#told < tellEveryMs) return
    this.#told = now
    this.#tell(phase, done, total)
  }

  #now(): number {
    return this.#options.now?.() ?? Math.floor(Date.now() / 1000)
  }

  #result(status: GroupStatus, error?: Error): GroupResult {
    const model = this.#plan?.model
    const result = {
      type: "group" as const,
      partition: this.#partition.name,
      group: this.#group,
      status,
      volumes: (model?.volumes ?? []).filter(({ fate }) => fate !== "foreign").map(summaryOf),
      counts: this.#plan?.counts ?? noCounts,
      files: model?.files.found ?? 0,
      milliseconds: Math.round(performance.now() - this.#started),
      ...(this.#undo?.name === undefined ? {} : { undo: this.#undo.name, path: this.#partition.path }),
      ...(this.#undo?.failure === undefined ? {} : { undoFailure: this.#undo.failure }),
    }
    if (error === undefined) return result
    return { ...result, error: { code: isAfsError(error) ? error.code : undefined, message: error.message } }
  }
}

/** A special file is a symbolic link while another version of its volume is put into place. */
const hasLinks = (entries: readonly FileEntry[]): boolean => entries.some(({ isLink }) => isLink)

function summaryOf(volume: GroupPlan["model"]["volumes"][number]): VolumeSummary {
  const { id, info, fate, vnodes } = volume
  const kept = fate === "keep"
  return {
    volume: id,
    name: info?.name,
    fate: kept ? "kept" : "deleted",
    files: vnodes.liveCount,
    blocks: kept ? (info?.diskused ?? 0) : 0,
  }
}

/** Failures of a disk, of a format or of an answer: they end a group. Anything else is a mistake in this program. */
function isExpected(error: unknown): error is Error {
  return error instanceof FormatError || isAfsError(error) || isDiskError(error)
}
