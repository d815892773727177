/** Stacks of errors in packed code name our files and their lines. Where each line is from is read when a stack is first looked at. */
import { readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"

/** Beside the code, with its name and this ending. */
export const sourceLinesEnding = ".lines"

/** Where the lines of the code are from. */
export interface SourceLines {
  /** Paths of the sources, relative to the folder of the code. */
  readonly sources: readonly string[]
  /** For each line of the code `sources` index × 65536 + line from 1; 0: nowhere. */
  readonly lines: readonly number[]
}

const lineMax = 0x1_0000

export const packedLine = (source: number, line: number): number => source * lineMax + line

function readLines(path: string): SourceLines {
  try {
    return JSON.parse(readFileSync(`${path}${sourceLinesEnding}`, "utf8")) as SourceLines // as it was packed
  } catch {
    return { sources: [], lines: [] } // the stack names the packed code then
  }
}

/** Path and line of a source, for a line of the code at `path`. */
function placeOf(path: string, { sources, lines }: SourceLines, line: number): string | undefined {
  const place = lines[line - 1] ?? 0
  const source = sources[Math.floor(place / lineMax)]
  return place === 0 || source === undefined ? undefined : `${join(dirname(path), source)}:${place % lineMax}`
}

/** From now on stacks name the sources of the code at `path`. */
export function nameSources(path: string): void {
  const name = basename(path) // V8 may know it by the path at which it was packed: that is in code caches
  let known: SourceLines | undefined
  Error.prepareStackTrace = (error, sites) => {
    const rows = sites.map((site) => {
      const line = basename(site.getFileName() ?? "") === name ? site.getLineNumber() : null
      if (line === null) return `\n    at ${site}`
      known ??= readLines(path)
      const place = placeOf(path, known, line)
      return `\n    at ${place === undefined ? site : String(site).replace(/[^ (]*:\d+:\d+/, place)}`
    })
    return `${nameOf(error)}${rows.join("")}`
  }
}

/** As V8 begins a stack. */
function nameOf(error: Error): string {
  try {
    return Error.prototype.toString.call(error)
  } catch {
    return "<error>"
  }
}
