/** Where each line of packed code is from, out of its source map. */
import { SourceMap } from "node:module"
import { packedLine, type SourceLines } from "./source-names.ts"

export function sourceLinesOf(code: string, map: string): SourceLines {
  const found = new SourceMap(JSON.parse(map))
  const sources = new Map<string, number>()
  const lines = code.split("\n").map((text, line) => {
    const entry = found.findEntry(line, text.length - text.trimStart().length)
    if (!("originalSource" in entry)) return 0
    const known = sources.get(entry.originalSource) ?? sources.size
    sources.set(entry.originalSource, known)
    return packedLine(known, entry.originalLine + 1)
  })
  return { sources: [...sources.keys()], lines }
}
