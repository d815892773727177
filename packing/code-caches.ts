/** Code caches of packed code: names of their files, and the runs that leave them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { syncFile } from "./durable-file.ts"
import type { PackedCode } from "./manifest.ts"
import type { RecordedPart } from "./recorder.ts"
import { type RunPrograms, runTypically } from "./typical-runs.ts"

/** What a recorder is to leave for the code in `file`. */
export const recordedPart = (file: string, kinds: readonly string[]): RecordedPart => ({
  file,
  caches: Object.fromEntries(kinds.map((kind, index) => [kind, `${file}.${index}.cache`])),
})

/** Runs the programs, which leave their caches beside them. @throws Error if a run fails */
export async function recordTypicalRuns(programs: RunPrograms): Promise<void> {
  const folder = mkdtempSync(join(process.env["DAFS_TMP"] ?? tmpdir(), "dafs-packing-"))
  try {
    await runTypically(programs, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * The code with the caches that recorders have left, which are on the platter then.
 * @throws Error if one is missing though all programs ran
 */
export function recordedCode(folder: string, { file, caches }: RecordedPart, haveAllRun: boolean): PackedCode {
  const present = new Set(readdirSync(folder))
  const found = Object.entries(caches).flatMap(([kind, cache]) => {
    if (!present.has(cache) && haveAllRun) throw new Error(`${file}: no typical run is of the kind "${kind}"`)
    if (!present.has(cache)) return []
    syncFile(join(folder, cache))
    return [[kind, { file: cache, crc32: crc32(readFileSync(join(folder, cache))) }] as const]
  })
  return { file, caches: Object.fromEntries(found) }
}
