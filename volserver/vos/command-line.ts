/**
 * Reads the usual command lines of `dafs vos` without yargs, the loading of which takes longer than most subcommands. Whatever
 * could be meant in another way, or is wrong, is left to yargs: its reading is the one that counts, and its are the help and
 * the errors.
 */
import { type ParseArgsConfig, parseArgs } from "node:util"
import type { Option } from "./option.ts"
import type { Values } from "./run.ts"
import { type AnyVosCommand, commonOptions } from "./vos-command.ts"

/** `yargs` reads more into these than one value. */
const ambiguous = /^$|^true$|^false$|^--$|^--no-|^-$|^-[^-]/
const plainNumber = /^\d{1,15}$/

/** Names of the positional arguments of a usage such as `dump [volume]`. */
export function positionalOf(usage: string): string[] {
  return [...usage.matchAll(/\[([^\]]+)\]/g)].map((match) => match[1] ?? "")
}

/** The values of a subcommand's options and arguments; undefined if yargs has to look at the words (dashes joined). */
export function readCommandLine(command: AnyVosCommand, words: readonly string[]): Values | undefined {
  if (words.some((word) => ambiguous.test(word))) return undefined
  const table: Readonly<Record<string, Option<unknown>>> = { ...command.options, ...commonOptions }
  const given = collect(table, positionalOf(command.usage), words)
  if (given === undefined) return undefined
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(table)) {
    const value = settingOf(option, given.get(name) ?? [])
    if (value === undefined) return undefined
    if (value.set !== undefined) values[name] = value.set
  }
  return values as Values // by the table that Values is derived from
}

/** The words given for each option; undefined for what is unknown, or given in two ways. */
function collect(
  table: Readonly<Record<string, Option<unknown>>>,
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
    last = token.kind === "option" ? token.name : ""
    const name = token.kind === "option" ? token.name : positional[position++]
    const isTwice =
      name === undefined || (given.has(name) && (token.kind === "positional" || table[name]?.array !== true))
    if (isTwice) return undefined
    given.set(name, [...(given.get(name) ?? []), token.value ?? true])
  }
  return given
}

function tokensOf(table: Readonly<Record<string, Option<unknown>>>, words: readonly string[]) {
  const options: NonNullable<ParseArgsConfig["options"]> = {}
  for (const [name, { type, array }] of Object.entries(table)) {
    options[name] = { type: type === "boolean" ? "boolean" : "string", multiple: array === true }
  }
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, tokens: true }).tokens
  } catch {
    return undefined // a wrong word: yargs says what is wrong with it
  }
}

/** What an option is set to, if anything; undefined as a whole if its words are none that it takes. */
function settingOf(option: Option<unknown>, words: readonly (string | true)[]): { readonly set: unknown } | undefined {
  const [word] = words
  if (word === undefined) return { set: option.default }
  if (option.array === true) return { set: words }
  if (option.type === "boolean") return word === true ? { set: true } : undefined
  if (word === true || option.choices?.includes(word) === false) return undefined
  if (option.type === "string") return { set: word }
  return plainNumber.test(word) ? { set: Number(word) } : undefined
}
