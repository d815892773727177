/** A lone dash as the value of an option: standard input or output. */

/** `--file -` as `--file=-`: yargs takes a lone dash for an argument of the command. */
export function joinDashes(words: readonly string[]): string[] {
  const joined: string[] = []
  for (const word of words) {
    const last = joined.at(-1) ?? ""
    if (word === "-" && /^--[^=]+$/.test(last)) joined[joined.length - 1] = `${last}=-`
    else joined.push(word)
  }
  return joined
}
