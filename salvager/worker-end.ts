/**
 * What the end of a salvage worker means. A volume that could not be salvaged is put out of service; a worker that was
 * killed, that lost its fileserver, or that met somebody else at the volume says nothing about the volume: another one
 * tries again after a pause, so often and no more, so that a volume that kills every worker does not keep killing. Pure.
 */
import type { WorkerTalk } from "./worker-talk.ts"

/** Why a worker came to nothing, where that is no fault of the volume's. */
export type BreakOff = "killed" | "noFileserver" | "busy"

export type WorkerEnd =
  | { readonly kind: "done" }
  | { readonly kind: "brokenOff"; readonly cause: BreakOff; readonly why: string }
  | { readonly kind: "failed"; readonly why: string }

/** Exit status of a worker that found its volume to be a clone and linked it to its group. */
const linkedStatus = 10
/** Codes of errors that come of a fileserver that ended. */
const lost: readonly (string | undefined)[] = ["UNREACHABLE", "INTERRUPTED", "TIMEDOUT"]

/** Judges by how the process ended and by what it had said. */
export function judgeEnd(
  code: number | null,
  signal: NodeJS.Signals | null,
  { outcome, errorCode, lastWords }: Pick<WorkerTalk, "outcome" | "errorCode" | "lastWords">,
): WorkerEnd {
  if (code === 0 || code === linkedStatus) return { kind: "done" }
  const how = signal === null ? `the worker ended with status ${code}` : `the worker was killed by ${signal}`
  const why = lastWords === undefined ? how : `${how}: ${lastWords}`
  if (signal !== null) return { kind: "brokenOff", cause: "killed", why }
  if (lost.includes(errorCode)) return { kind: "brokenOff", cause: "noFileserver", why }
  if (outcome?.status === "busy") return { kind: "brokenOff", cause: "busy", why }
  return { kind: "failed", why }
}

/** Milliseconds before the second, third, … try. */
const pauses: Readonly<Record<BreakOff, readonly number[]>> = {
  killed: [0, 1_000],
  // five minutes: a fileserver that starts later asks again by itself
  noFileserver: [500, 1_000, 2_000, 5_000, ...Array<number>(29).fill(10_000)],
  // a minute: whoever gives the volume back then makes the fileserver look at it anew
  busy: [500, 1_000, 2_000, 5_000, ...Array<number>(5).fill(10_000)],
}

/** The pause before the next try after so many that broke off (at least 1); undefined: it is not tried again. */
export function pauseAfter(cause: BreakOff, brokenOff: number): number | undefined {
  return pauses[cause][brokenOff - 1]
}
