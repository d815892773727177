/** Text files of a cell's configuration: small, written by people, read whole. */
import type { Disk } from "../disk/disk.ts"
import { FormatError } from "../error.ts"

/** More than any of them needs; a file that is longer is none of them. */
const bytesMax = 1 << 20

/**
 * The text of a file, one character per byte (latin1), or undefined if there is none.
 * @throws FormatError for a file of more than 1 MiB; DiskError
 */
export function readConfiguration(path: string, disk: Disk): string | undefined {
  const stat = disk.stat(path)
  if (stat === undefined) return undefined
  if (stat.size > bytesMax) {
    throw new FormatError("configuration file", { path }, `${stat.size} bytes`, `at most ${bytesMax}`)
  }
  const bytes = disk.readFile(path)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1")
}

/** Where a line of a file is, for errors: `line 3: "text"`. */
export function lineFound(number: number, line: string): string {
  return `line ${number}: ${JSON.stringify(line.slice(0, 80))}`
}
