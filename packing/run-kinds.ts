/** Runs of a program that use the same code: told by the first words of the command line, and by switches of Node.js. */

/** What a run may be called, the closest name first. V8 takes no code cache that was made with other switches of its own. */
export function runKinds(switches: readonly string[], words: readonly string[]): string[] {
  const kinds = [2, 1, 0].map((count) => words.slice(0, count))
  return (switches.length === 0 ? [[]] : [switches, []]).flatMap((own) =>
    kinds.map((kind) => [...own, ...kind].join(" ")),
  )
}
