/** Runs that use the same code of a command: told by the word that follows the command, and by switches of Node.js. */

/** What a run may be called, the closest name first. V8 takes no code cache that was made with other switches of its own. */
export function runKinds(switches: readonly string[], words: readonly string[]): string[] {
  const kinds = [...words.slice(1, 2), ""]
  const switched = kinds.map((kind) => [...switches, kind].join(" ").trimEnd())
  return switches.length === 0 ? kinds : [...switched, ...kinds]
}
