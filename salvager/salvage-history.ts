/** The salvages that have ended, on disk, so that a restart of the salvage server does not forget them. */
import { type Disk, isDiskError } from "../common/disk/disk.ts"
import type { JobView } from "./job-view.ts"

/** Beyond this the older half of the file goes. */
const bytesMax = 1 << 20

/** Appends an ended job. A history that cannot be kept is no reason to stop salvaging: `refused` is told. */
export function appendHistory(disk: Disk, path: string, job: JobView, refused: (error: Error) => void): void {
  try {
    const { size } = disk.stat(path) ?? { size: undefined }
    if (size !== undefined && size > bytesMax) shorten(disk, path)
    using file = disk.open(path, "lock", 0o600)
    file.write(Buffer.from(`${JSON.stringify(job)}\n`), file.stat().size)
  } catch (error) {
    if (!isDiskError(error)) throw error
    refused(error)
  }
}

function shorten(disk: Disk, path: string): void {
  const lines = Buffer.from(disk.readFile(path) ?? [])
    .toString()
    .split("\n")
  const draft = `${path}.new`
  if (disk.stat(draft) !== undefined) disk.unlink(draft)
  using file = disk.open(draft, "create", 0o600)
  file.write(Buffer.from(lines.slice(Math.floor(lines.length / 2)).join("\n")), 0)
  disk.rename(draft, path)
}

/** All that is known, the oldest first; lines that cannot be read are left out. */
export function readHistory(disk: Disk, path: string): JobView[] {
  const lines = Buffer.from(disk.readFile(path) ?? [])
    .toString()
    .split("\n")
  return lines.flatMap((line) => {
    const job = parsed(line)
    return job === undefined ? [] : [job]
  })
}

function parsed(line: string): JobView | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isJob(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isJob(value: unknown): value is JobView {
  if (typeof value !== "object" || value === null) return false
  return "volume" in value && typeof value.volume === "number" && "state" in value && "partition" in value
}
