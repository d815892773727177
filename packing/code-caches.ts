/** Makes the code caches of packed programs: they run in a typical way, each kind of run once. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import type { CodeCache } from "./manifest.ts"
import { dafsKinds, type RunPrograms, runTypically } from "./typical-runs.ts"

/** Caches by the kinds of runs. */
export type CodeCaches = Readonly<Record<string, CodeCache>>

/** What a recorder of a program is to record: files by kinds of runs. */
export type RecordedFiles = Readonly<Record<string, string>>

const filesOf = (code: string, kinds: readonly string[]): RecordedFiles =>
  Object.fromEntries(kinds.map((kind, index) => [kind, `${code}.${index}.cache`]))

/** Files that the recorders leave, for the code files of both programs. */
export const recordedFiles = (
  dafs: string,
  groupWorker: string,
): { dafs: RecordedFiles; groupWorker: RecordedFiles } => ({
  dafs: filesOf(dafs, dafsKinds),
  groupWorker: filesOf(groupWorker, [""]),
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

/** The caches that are there. */
export function foundCaches(folder: string, files: RecordedFiles): CodeCaches {
  const present = new Set(readdirSync(folder))
  const found = Object.entries(files).filter(([, file]) => present.has(file))
  return Object.fromEntries(
    found.map(([kind, file]) => [kind, { file, crc32: crc32(readFileSync(join(folder, file))) }]),
  )
}
