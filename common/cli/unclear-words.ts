/**
 * Command lines that yargs reads as nobody means them: `--nowrite=yes` denies, a number without its value was never given, an
 * option given twice becomes a list. Where such a reading is acted upon, a salvage writes that should not, or takes a whole
 * partition for one volume.
 */

/** What yargs knows of the options of a command. */
export interface OptionKinds {
  /** The names of all; those of none of the kinds below take one value of any kind. */
  readonly key: Readonly<Record<string, unknown>>
  readonly boolean: readonly string[]
  readonly number: readonly string[]
  readonly array: readonly string[]
  /** Other names, by an option's own. */
  readonly alias: Readonly<Record<string, readonly string[]>>
}

/** An option as it was said; its value if that is in the same word. */
interface Said {
  readonly name: string
  readonly value: string | undefined
}

const isNegative = (word: string): boolean => /^-\.?\d/.test(word)

function optionIn(word: string): Said | undefined {
  const [, name, value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? []
  return name === undefined || isNegative(word) ? undefined : { name, value }
}

/** The word behind an option, if it can be its value: another option is none. */
function valueIn(next: string | undefined): string | undefined {
  return next === undefined || (next.startsWith("-") && !isNegative(next)) ? undefined : next
}

const isNumber = (text: string): boolean => text.trim() !== "" && !Number.isNaN(Number(text))

function ownName(name: string, { alias }: OptionKinds): string {
  return Object.keys(alias).find((own) => alias[own]?.includes(name)) ?? name
}

function wrongValue(name: string, { value: joined }: Said, next: string | undefined, kinds: OptionKinds) {
  if (kinds.boolean.includes(name))
    return joined === undefined || joined === "true" || joined === "false"
      ? undefined
      : `takes true or false, not ${joined}`
  const isNothing = joined === "" && kinds.array.includes(name)
  const value = isNothing ? undefined : (joined ?? valueIn(next))
  if (value === undefined) return "needs a value"
  return kinds.number.includes(name) && !isNumber(value) ? `takes a number, not "${value}"` : undefined
}

/** What is wrong with the first word that is; undefined for words that yargs may read, also for options that nobody knows. */
export function unclearWord(words: readonly string[], kinds: OptionKinds): string | undefined {
  const given = new Set<string>()
  for (const [index, word] of words.entries()) {
    if (word === "--") return undefined
    const said = optionIn(word)
    const name = said && ownName(said.name, kinds)
    if (said === undefined || name === undefined || !Object.hasOwn(kinds.key, name)) continue
    const wrong = wrongValue(name, said, words[index + 1], kinds)
    if (wrong !== undefined) return `--${said.name} ${wrong}`
    if (given.has(name) && !kinds.array.includes(name) && !kinds.boolean.includes(name))
      return `--${said.name} is given twice`
    given.add(name)
  }
  return undefined
}
