/**
 * Reads usual command lines without yargs, the loading of which takes longer than most commands. Whatever could be meant in
 * another way, or is wrong, is left to yargs: its reading is the one that counts, and its are the help and the errors.
 */
import { type ParseArgsConfig, parseArgs } from "node:util"

/** What a reading needs to know of an option; yargs's own tables have it. */
interface PlainOption {
  readonly type?: "array" | "boolean" | "count" | "number" | "string" | undefined
  readonly array?: boolean | undefined
  readonly choices?: readonly unknown[] | undefined
  readonly default?: unknown
  readonly demandOption?: boolean | string | undefined
}
/** Options by their names. */
export type PlainTable = Readonly<Record<string, PlainOption>>

/** yargs reads more into these than one value, or takes quotes away. */
const ambiguous = /^$|^true$|^false$|^--$|^--no-|^--[^=]*=$|^--[^=]*=["']|^-$|^-[^-]/
const plainNumber = /^\d{1,15}$/

type Said = readonly (string | true)[]

/**
 * The values of a table's options; undefined if yargs has to look at the words (dashes joined). `positional`: names of the
 * options that words without a name stand for. `T` is what the table comes to.
 */
export function readPlainWords<T extends object>(
  table: PlainTable,
  words: readonly string[],
  positional: readonly string[] = [],
): T | undefined {
  const given = words.some((word) => ambiguous.test(word)) ? undefined : collect(table, positional, words)
  if (given === undefined) return undefined
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(table)) {
    const said = given.get(name)
    const value = said === undefined ? option.default : settingOf(option, said)
    const isUnread = value === undefined && (said !== undefined || isDemanded(option))
    if (isUnread) return undefined
    values[name] = value
  }
  return values as T // by the table that T is derived from
}

/**
 * Runs a command whose words leave no doubt.
 * @returns false if nothing was done: yargs has to read them
 */
export async function runPlainWords<T extends object>(
  table: PlainTable,
  words: readonly string[],
  run: (wanted: T) => void | Promise<void>,
): Promise<boolean> {
  const wanted = readPlainWords<T>(table, words)
  if (wanted !== undefined) await run(wanted)
  return wanted !== undefined
}

const isDemanded = (option: PlainOption | undefined): boolean => (option?.demandOption ?? false) !== false

/** The words given for each option; undefined for what is unknown, or given in two ways. */
function collect(
  table: PlainTable,
  positional: readonly string[],
  words: readonly string[],
): Map<string, (string | true)[]> | undefined {
  const tokens = tokensOf(table, words)
  if (tokens === undefined) return undefined
  const given = new Map<string, (string | true)[]>()
  let last = ""
  let position = 0
  for (const token of tokens) {
    if (token.kind === "option-terminator") return undefined
    if (token.kind === "positional" && table[last]?.array === true) return undefined // yargs takes it for the option's
    if (token.kind === "option" && positional.includes(token.name) && isDemanded(table[token.name])) return undefined
    last = token.kind === "option" ? token.name : ""
    const name = token.kind === "option" ? token.name : positional[position++]
    const isTwice =
      name === undefined || (given.has(name) && (token.kind === "positional" || table[name]?.array !== true))
    if (isTwice) return undefined
    given.set(name, [...(given.get(name) ?? []), token.value ?? true])
  }
  return given
}

/** Undefined for a wrong word: yargs says what is wrong with it. */
function tokensOf(table: PlainTable, words: readonly string[]) {
  const options: NonNullable<ParseArgsConfig["options"]> = {}
  for (const [name, { type, array }] of Object.entries(table)) {
    options[name] = { type: type === "boolean" ? "boolean" : "string", multiple: array === true }
  }
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, tokens: true }).tokens
  } catch {
    return undefined
  }
}

/** What an option is set to; undefined if its words are none that it takes. */
function settingOf(option: PlainOption, words: Said): unknown {
  if (option.array === true) {
    const all = words.map((word) => wordValue(option, word))
    return all.includes(undefined) ? undefined : all
  }
  return wordValue(option, words[0])
}

function wordValue({ type, choices }: PlainOption, word: string | true | undefined): unknown {
  if (type === "boolean") return word === true ? true : undefined
  if (word === undefined || word === true || choices?.includes(word) === false) return undefined
  if (type === "number") return plainNumber.test(word) ? Number(word) : undefined
  return type === "string" || type === undefined ? word : undefined
}
