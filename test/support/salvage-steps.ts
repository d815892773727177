/** Salvagers of a salvage server that stop at the step a test names: see stepping-dafs.program.ts. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import type { ExecutionContext } from "ava"
import type { SalvageRig, SalvageRigOptions } from "./salvage-rig.ts"
import { temporaryDirectory } from "./temporary-directory.ts"

/** A rig whose salvagers tell their steps. */
export interface Stepping extends SalvageRig {
  /** Folder where they do. */
  readonly steps: string
}

/** What such a rig is started with, and the folder of the steps. */
export function steppingOptions(
  t: ExecutionContext,
): Pick<Stepping, "steps"> & { readonly options: Pick<SalvageRigOptions, "program" | "environment"> } {
  const steps = join(temporaryDirectory(t), "steps")
  mkdirSync(steps)
  const program = "test/support/stepping-dafs.program.ts"
  return { steps, options: { program, environment: { DAFS_TEST_STEPS: steps } } }
}

/** The next salvager of this volume stops before so many steps. */
export function stopAt({ steps }: Pick<Stepping, "steps">, volume: number, step: number): void {
  writeFileSync(join(steps, `${volume}.stop`), String(step))
}

/** The process id of the salvager that has stopped. */
export async function stoppedAt(
  { steps, salvageserver }: Pick<Stepping, "steps" | "salvageserver">,
  volume: number,
): Promise<number> {
  const path = join(steps, `${volume}.stopped`)
  const end = Date.now() + 30_000
  while (!existsSync(path) || !isStopped(Number(readFileSync(path, "latin1")))) {
    if (Date.now() > end) throw new Error(`no salvager of ${volume} stops: ${salvageserver.stderr()}`)
    await delay(10)
  }
  return Number(readFileSync(path, "latin1"))
}

const isStopped = (pid: number): boolean => / [Tt] /.test(readFileSync(`/proc/${pid}/stat`, "latin1").slice(0, 60))

/** The steps that all salvagers of this volume came to. */
export const stepsOf = ({ steps }: Pick<Stepping, "steps">, volume: number): string[] =>
  readFileSync(join(steps, `${volume}.steps`), "latin1")
    .trim()
    .split("\n")

/** So many of `count` steps, evenly over all there are, the first and the last among them. */
export function chosenSteps(count: number, most: number): number[] {
  const wanted = Math.min(most, count)
  return Array.from({ length: wanted }, (_, index) => 1 + Math.round((index * (count - 1)) / Math.max(1, wanted - 1)))
}
