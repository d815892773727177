/** OpenAFS's salvager, run on a partition directory in namespaces of its own, without any server. Takes about 0.2 s. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { startCell } from "./cell.ts"

export interface DasalvagerRun {
  /** What it found or repaired, without dates and without the lines that every run has. */
  readonly findings: readonly string[]
  /** Ids of the read-write volumes whose salvage came to its end: a worker that dies leaves nothing in the log. */
  readonly salvaged: readonly number[]
  /** The whole log, without dates. */
  readonly log: readonly string[]
}

const routine = [
  /^VAttachPartitions: not attaching/, // folders of that name that other programs left in the root folder
  /^@\(#\)OpenAFS/,
  /^STARTING AFS SALVAGER/,
  /^SALVAGING FILE SYSTEM PARTITION/,
  /^\*\*\*Forced salvage of all volumes/,
  /^\d+ nVolumesInInodeFile \d+/,
  /^CHECKING CLONED VOLUME \d+/,
  /^SALVAGING VOLUME \d+/,
  / \(\d+\) (it would have been )?updated /,
  / \(\d+\) (it would have been )?created /,
  /^totalInodes \d+/,
  /^(It would have )?Salvaged .* \(\d+\): \d+ files, \d+ blocks/,
  /^SALVAGING OF PARTITION .* COMPLETED/,
  /^It would have salvaged/,
]

/** `Sat Nov 21 13:17:57 2026 ` at the start of every line. */
const date = /^\w{3} \w{3} +\d+ [\d:]{8} \d{4} /

function parse(log: string): DasalvagerRun {
  const lines = log
    .split("\n")
    .map((line) => line.replace(date, "").trim())
    .filter((line) => line !== "")
  const salvaged = lines
    .map((line) => /alvaged .* \((\d+)\): \d+ files/.exec(line)?.[1])
    .filter((id) => id !== undefined)
  return {
    findings: lines.filter((line) => !routine.some((pattern) => pattern.test(line))),
    salvaged: salvaged.map(Number),
    log: lines,
  }
}

/**
 * Runs dasalvager on the partition in `directory` (whatever its name). The default arguments look at everything and
 * write nothing.
 * @throws Error if it did not get to its end.
 */
export async function runDasalvager(
  t: Pick<ExecutionContext, "teardown" | "timeout">,
  directory: string,
  args: readonly string[] = ["-force", "-nowrite"],
): Promise<DasalvagerRun> {
  const cell = await startCell(t)
  const log = join(cell.directory, "log", "SalvageLog")
  await cell.exec("mount", "--bind", directory, "/vicepa")
  const output = await cell.exec("/usr/lib/openafs/dasalvager", "-partition", "/vicepa", ...args)
  await cell.down()
  const run = parse(readFileSync(log, "utf8"))
  if (!run.log.some((line) => /COMPLETED/.test(line)))
    throw new Error(`dasalvager did not finish: ${output}\n${run.log.join("\n")}`)
  return run
}
