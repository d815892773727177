/** Salvages as `dafs salvage status` and `history` show them: plain values that travel as JSON. */
import { nameIn, salvsyncReasons } from "../fssync/message.ts"
import type { SalvageJob, SalvageState } from "./schedule.ts"

/** Socket of the salvage server, beside SALVSYNC's, on which it tells about its jobs. */
export const salvageBoardName = "salvages.sock"
/** Ended salvages, one JSON object a line, in the state directory. */
export const salvageHistoryName = "salvages.jsonl"

/** How far a worker is. */
export interface JobProgress {
  readonly phase: string
  /** Of this phase; 0 where it cannot be told. */
  readonly done: number
  readonly total: number
  /** Milliseconds since 1970 when the phase began. */
  readonly since: number
}

/** What a worker made of a group. */
export interface JobOutcome {
  readonly status: string
  readonly counts: Readonly<Record<string, number>>
  readonly files: number
}

/** One job; times in milliseconds since 1970. */
export interface JobView {
  readonly volume: number
  readonly partition: string
  /** The read-write volume, for a clone that is salvaged with it. */
  readonly group?: number
  readonly state: SalvageState
  readonly priority: number
  readonly reason: string
  readonly requestedAt?: number
  readonly startedAt?: number
  readonly endedAt?: number
  readonly salvages: number
  /** Workers that broke off since it was asked for, where any did: it is tried again, or was too often. */
  readonly brokenOff?: number
  readonly failure?: string
  readonly progress?: JobProgress
  readonly outcome?: JobOutcome
}

export function viewOf(job: SalvageJob, progress?: JobProgress, outcome?: JobOutcome): JobView {
  const { volume, partition, state, priority, salvages, brokenOff } = job
  const known = { volume, partition, state, priority, reason: nameIn(salvsyncReasons, job.reason), salvages }
  const { requestedAt, startedAt, endedAt, failure } = job
  const times = { requestedAt, startedAt, endedAt }
  const rest = { group: job.group?.volume, ...times, brokenOff: brokenOff || undefined, failure, progress, outcome }
  const present = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return { ...known, ...present }
}

/** Seconds that the phase is likely to take yet; undefined if nobody can say. */
export function secondsLeft({ done, total, since }: JobProgress, now: number): number | undefined {
  if (total <= 0 || done <= 0 || now <= since) return undefined
  return Math.round(((now - since) / 1000 / done) * (total - done))
}
