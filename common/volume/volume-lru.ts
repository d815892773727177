/**
 * The VLRU: which attached volumes nobody needs any more, so that the fileserver may detach them (soft detach).
 * Pure: time is an argument; who owns it calls `tick` at `nextTick` and does what the answer says.
 * OpenAFS vol/volume.c (VLRU_ScannerThread, VLRU_Promote_r, VLRU_Demote_r, VLRU_Scan_r).
 *
 *              promote, 2T        promote, 4T
 *        new ─────────────► mid ─────────────► old        T: threshold   I: interval
 *        │ ▲ ◄───────────── mid ◄───────────── old
 *        │ │    demote, 2T         demote, 4T
 *   idle │ │ access
 *   for T▼ │
 *      candidate ── every I, the longest unused `max` ──► soft detach
 */
import type { Millis } from "../clock.ts"
import { type Ranked, RecencyList } from "../recency-list.ts"

/** Generation numbers as OpenAFS reports them; `held` is never used. */
export const generations = { new: 0, mid: 1, old: 2, candidate: 3, held: 4, none: 5 } as const
export type Generation = keyof typeof generations

/** What the VLRU keeps on a volume. */
export interface LruMember<M> extends Ranked<M> {
  generation: Generation
  /** Last access. */
  lastGet: Millis
  /** When it joined the VLRU; promotion does not change it. */
  lastPromote: Millis
  /** Nobody uses it and nobody waits for it. */
  readonly isIdle: boolean
}

export interface LruOptions {
  /** T: a volume unused for so long may be detached. */
  readonly thresholdMs: number
  /** I: how often candidates are detached. */
  readonly intervalMs: number
  /** So many volumes at a time. */
  readonly max: number
}

/** OpenAFS's defaults: `-vlruthresh 120` (minutes), `-vlruinterval 120` (seconds), `-vlrumax 8`. */
export const lruDefaults: LruOptions = { thresholdMs: 120 * 60_000, intervalMs: 120_000, max: 8 }

/** What has to be done with volumes after a tick. */
export interface LruWork<M> {
  /** Detach these: idle for T. They are still members. */
  readonly detach: readonly M[]
  /** These fell back a generation: if not changed lately, they may be marked as not in need of a salvage. */
  readonly demoted: readonly M[]
}

type Queue = "new" | "mid" | "old" | "candidate"

/** The scanner first sleeps for T and this. */
const startDelayMs = 60_000

/** The generations and their timers. */
export class VolumeLru<M extends LruMember<M>> {
  readonly options: LruOptions
  /** Each in the order of access, longest unused first. Members weigh 1. */
  readonly #queues: Readonly<Record<Queue, RecencyList<M>>> = {
    new: new RecencyList(),
    mid: new RecencyList(),
    old: new RecencyList(),
    candidate: new RecencyList(),
  }
  #nextScan: Millis
  #nextDetach: Millis
  #nextNewMid: Millis
  #nextMidOld: Millis
  readonly #scanMs: number
  readonly #firstTick: Millis

  constructor(options: LruOptions, now: Millis) {
    const { thresholdMs, intervalMs } = options
    this.options = options
    this.#scanMs = thresholdMs / intervalMs > 16 ? thresholdMs / 8 : 2 * intervalMs
    this.#firstTick = now + thresholdMs + startDelayMs
    // Scans count from the end of the first sleep, promotions from the start.
    this.#nextScan = this.#firstTick + this.#scanMs
    this.#nextDetach = this.#firstTick + intervalMs
    this.#nextNewMid = now + 2 * thresholdMs
    this.#nextMidOld = now + 4 * thresholdMs
  }

  /** When `tick` has something to look at. */
  get nextTick(): Millis {
    const next = Math.min(this.#nextScan, this.#nextDetach, this.#nextNewMid, this.#nextMidOld)
    return Math.max(next, this.#firstTick)
  }

  /** Number of members of a generation. */
  count(generation: Generation): number {
    return isQueue(generation) ? this.#queues[generation].weight : 0
  }

  /** Members of a generation, longest unused first. */
  members(generation: Generation): M[] {
    return isQueue(generation) ? [...this.#queues[generation]] : []
  }

  /** A volume was attached. */
  add(member: M, now: Millis): void {
    this.remove(member)
    member.lastPromote = now
    member.lastGet = now
    this.#enter(member, "new")
  }

  /** A volume is attached no more. */
  remove(member: M): void {
    if (isQueue(member.generation)) this.#queues[member.generation].remove(member)
    member.generation = "none"
  }

  /** A volume was accessed: it is now the last of its generation, and no candidate. */
  access(member: M, now: Millis): void {
    const { generation } = member
    member.lastGet = now
    if (!isQueue(generation)) return
    if (generation === "candidate") this.#move(member, generation, "new")
    else this.#queues[generation].touch(member)
  }

  /** Runs the timers that are due. */
  tick(now: Millis): LruWork<M> {
    if (now < this.#firstTick) return { detach: [], demoted: [] }
    const demoted: M[] = []
    if (now >= this.#nextMidOld) {
      this.#nextMidOld = now + 4 * this.options.thresholdMs
      this.#exchange("mid", "old", 4 * this.options.thresholdMs, now, demoted)
    }
    if (now >= this.#nextNewMid) {
      this.#nextNewMid = now + 2 * this.options.thresholdMs
      this.#exchange("new", "mid", 2 * this.options.thresholdMs, now, demoted)
    }
    if (now >= this.#nextScan) {
      this.#nextScan = now + this.#scanMs
      this.#findCandidates(now)
    }
    if (now < this.#nextDetach) return { detach: [], demoted: [...new Set(demoted)] }
    this.#nextDetach = now + this.options.intervalMs
    return { detach: this.#pickForDetach(now), demoted: [...new Set(demoted)] }
  }

  #enter(member: M, queue: Queue): void {
    this.#queues[queue].add(member)
    member.generation = queue
  }

  #move(member: M, from: Queue, to: Queue): void {
    this.#queues[from].remove(member)
    this.#enter(member, to)
  }

  /** Volumes used since they joined rise; volumes not used for `spanMs` fall. None does both in one tick. */
  #exchange(lower: Queue, upper: Queue, spanMs: number, now: Millis, demoted: M[]): void {
    const due = (member: M): boolean => member.lastPromote + spanMs <= now
    const rising = [...this.#queues[lower]].filter((member) => due(member) && member.lastGet >= member.lastPromote)
    const falling = [...this.#queues[upper]].filter((member) => due(member) && isStale(member, spanMs, now))
    for (const member of rising) this.#move(member, lower, upper)
    for (const member of falling) this.#move(member, upper, lower)
    demoted.push(...falling)
  }

  #findCandidates(now: Millis): void {
    for (const member of this.#queues.new) {
      if (this.#isDetachable(member, now)) this.#move(member, "new", "candidate")
    }
  }

  #pickForDetach(now: Millis): M[] {
    const picked: M[] = []
    for (const member of this.#queues.candidate) {
      if (picked.length >= this.options.max) break
      if (this.#isDetachable(member, now)) picked.push(member)
    }
    return picked
  }

  #isDetachable(member: M, now: Millis): boolean {
    return member.isIdle && member.lastGet + this.options.thresholdMs <= now
  }
}

function isStale(member: Readonly<{ lastGet: Millis }>, spanMs: number, now: Millis): boolean {
  return member.lastGet < now - spanMs
}

function isQueue(generation: Generation): generation is Queue {
  return generation !== "none" && generation !== "held"
}
