/** Which runs use the same code: told by the first words of the command line, and by switches of Node.js. */

/** What `parts`, by beginnings of command lines, have for this one. */
export function partFor<T>(parts: Readonly<Record<string, T>>, words: readonly string[]): T | undefined {
  const beginnings = [2, 1, 0].map((count) => words.slice(0, count).join(" "))
  const beginning = beginnings.find((one) => Object.hasOwn(parts, one))
  return beginning === undefined ? undefined : parts[beginning]
}

/**
 * What a run may be called, the closest name first: after the word that follows the command, and after the switches, since V8
 * takes no code cache that was made with other switches of its own.
 */
export function runKinds(switches: readonly string[], words: readonly string[]): string[] {
  const kinds = [...words.slice(1, 2), ""]
  const switched = kinds.map((kind) => [...switches, kind].join(" ").trimEnd())
  return switches.length === 0 ? kinds : [...switched, ...kinds]
}
