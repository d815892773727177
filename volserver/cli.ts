/** `dafs vos`: options, and where the work is done. What only the volserver needs is not loaded here. */
import type { Argv, CommandModule, Options } from "yargs"
import { AfsError } from "../common/error.ts"
import { positionalOf, readCommandLine } from "./vos/command-line.ts"
import { vosCommands } from "./vos/commands.ts"
import type { Option, OptionTable } from "./vos/option.ts"
import { printResult, runHere, type Values } from "./vos/run.ts"
import { type AnyVosCommand, commonOptions } from "./vos/vos-command.ts"

function yargsOption(option: Option<unknown>): Options {
  const { type, describe, alias, array, choices } = option
  return {
    type,
    describe,
    ...(alias === undefined ? {} : { alias }),
    ...(array === true ? { array: true } : {}),
    ...(choices === undefined ? {} : { choices }),
    ...(option.default === undefined ? {} : { default: option.default }),
  }
}

/** Positional arguments of a usage may also be given as options. */
function addOptions(parser: Argv, table: OptionTable, positional: readonly string[]): Argv {
  return Object.entries(table).reduce((all, [name, option]) => {
    if (!positional.includes(name)) return all.option(name, yargsOption(option))
    const { array: _array, type: _type, ...rest } = yargsOption(option)
    return all.positional(name, { ...rest, type: option.type })
  }, parser)
}

function requireOptions(command: AnyVosCommand, values: Values): void {
  for (const [name, option] of Object.entries(command.options)) {
    if (option.required !== true || values[name] !== undefined) continue
    throw new AfsError("USAGE", "vos", {}, { detail: `${name}: ${option.describe}` })
  }
}

async function runElsewhere(command: AnyVosCommand, values: Values): Promise<unknown> {
  const { runAtVolserver } = await import("./vos/remote.ts")
  return runAtVolserver(command, values)
}

async function run(command: AnyVosCommand, values: Values): Promise<void> {
  requireOptions(command, values)
  const result = await (values.volserver ? runElsewhere(command, values) : runHere(command, values))
  printResult(command, values, result)
}

/** A subcommand as yargs takes it. */
export function moduleOf(command: AnyVosCommand): CommandModule<object, Values> {
  return {
    command: command.usage,
    describe: command.describe,
    builder: (parser: Argv) => {
      const all = addOptions(parser, { ...command.options, ...commonOptions }, positionalOf(command.usage))
      for (const [words, what] of command.examples) all.example(`$0 ${words}`, what)
      return all as Argv<Values> // built from the tables that Values is derived from
    },
    handler: (values) => run(command, values),
  }
}

/**
 * Runs a subcommand whose command line leaves no doubt. `words` are those after `vos`.
 * @returns false if nothing was done: yargs has to read them
 */
export async function runPlainly(words: readonly string[]): Promise<boolean> {
  const [name = "", ...rest] = words
  const command = await (Object.hasOwn(vosCommands, name) ? vosCommands[name] : undefined)?.load()
  const values = command && readCommandLine(command, rest)
  if (command === undefined || values === undefined) return false
  await run(command, values)
  return true
}

/** The names of subcommands in the command line; one of them may be an option's value. */
function namedCommands(): string[] {
  const words = process.argv.slice(2)
  return words.slice(words.indexOf("vos") + 1).filter((word) => Object.hasOwn(vosCommands, word))
}

export const vosCommand: CommandModule = {
  command: "vos <command>",
  describe: "Work on volumes",
  builder: async (parser: Argv) => {
    const names = new Set(namedCommands())
    if (names.size === 0) for (const [each, { describe }] of Object.entries(vosCommands)) parser.command(each, describe)
    for (const name of names) {
      const row = vosCommands[name]
      if (row !== undefined) parser.command(moduleOf(await row.load()) as CommandModule)
    }
    return parser.demandCommand(1, "Which command?")
  },
  handler: () => undefined,
}
