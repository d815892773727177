/** One line on a terminal that says what salvages are doing: phase, how much of it, how fast, how long yet. */
import { isWatched } from "../common/cli/progress.ts"
import { secondsLeft } from "./job-view.ts"
import type { Emit, SalvageEvent } from "./salvage.ts"

type Phase = Extract<SalvageEvent, { type: "phase" }>

export interface ProgressLine {
  readonly emit: Emit
  clear(): void
}

const nobody: ProgressLine = { emit: () => undefined, clear: () => undefined }

/** A line that is written over again and again; nothing where nobody would see it. */
export function progressLine(): ProgressLine {
  if (!isWatched()) return nobody
  const began = new Map<string, number>()
  const clear = (): void => void process.stderr.write("\r\x1b[K")
  return {
    clear,
    emit(event) {
      clear()
      if (event.type !== "phase") return
      const key = `${event.group} ${event.phase}`
      if (event.done === 0) began.set(key, Date.now())
      process.stderr.write(phaseText(event, began.get(key) ?? Date.now(), Date.now()))
    },
  }
}

/** `group 5: scan, 120 of 400 (60/s, 5 s left)`; times in milliseconds. */
export function phaseText({ group, phase, files, done, total }: Phase, since: number, now: number): string {
  if (total === 0) return `group ${group}: ${phase}, ${files} data files`
  const rate = now > since ? Math.round((1000 * done) / (now - since)) : 0
  const left = secondsLeft({ phase, done, total, since }, now)
  const pace = left === undefined ? "" : ` (${rate}/s, ${left} s left)`
  return `group ${group}: ${phase}, ${done} of ${total}${pace}`
}
