/**
 * The options of `dafs salvager`, as yargs takes them, and a reader of plain command lines: salvages of one group are run by
 * scripts and by the salvage server, many times, and to load yargs takes longer than most of them. Whatever could be meant in
 * another way, or is wrong, is left to yargs: its reading is the one that counts.
 */
import { availableParallelism } from "node:os"
import { type ParseArgsConfig, parseArgs } from "node:util"
import type { InferredOptionTypes, Options } from "yargs"
import { partitionOption, placeOptions } from "../common/cli/place-options.ts"
import { orphanPolicies } from "./model.ts"

const salvagerPrograms = ["salvager", "salvageServer", "volumeSalvager"] as const

export const salvagerOptions = {
  partition: partitionOption,
  volumeid: { type: "number", describe: "salvage the group of this volume only; implies --force" },
  force: {
    type: "boolean",
    alias: "f",
    default: false,
    describe: "look at groups that are marked as consistent too",
  },
  nowrite: { type: "boolean", alias: "dry-run", default: false, describe: "say what would be done; write nothing" },
  orphans: {
    choices: orphanPolicies,
    default: "attach" as const,
    describe: "what to do with vnodes that no directory leads to",
  },
  salvagedirs: { type: "boolean", default: false, describe: "rebuild every directory" },
  undo: {
    type: "string",
    describe: "take back the salvage of this name, where the volumes have not changed since; list: show all names",
  },
  "undo-days": { type: "number", default: 30, describe: "days for which a salvage can be taken back" },
  "undo-size": { type: "number", default: 1024, describe: "MiB of a partition that are kept for that" },
  parallel: {
    type: "number",
    default: availableParallelism(),
    describe: "processes that work at a time, on groups of all partitions",
  },
  showlog: { type: "boolean", default: false, describe: "print lines as in OpenAFS's SalvageLog" },
  logfile: {
    type: "string",
    describe:
      "append these lines to this file (default: SalvageLog in OpenAFS's log directory or the state directory, if that is there)",
  },
  json: { type: "boolean", default: false, describe: "print one JSON object per finding, group and run" },
  ...placeOptions,
  offline: { type: "boolean", default: false, describe: "insist on working without a fileserver" },
  progress: { type: "boolean", default: false, hidden: true, describe: "tell phases in JSON too" },
  "program-type": { choices: salvagerPrograms, hidden: true, describe: "in whose place this salvager works" },
} satisfies Readonly<Record<string, Options>>

export type SalvagerArguments = InferredOptionTypes<typeof salvagerOptions>

const table: Readonly<Record<string, Options>> = salvagerOptions
/** yargs reads more into these than one value. */
const ambiguous = /^$|^true$|^false$|^--$|^--no-|^-$|^-[^-]/
const plainNumber = /^\d{1,15}$/

/** The options that plain words say; undefined if yargs has to look at them. */
export function readPlainly(words: readonly string[]): SalvagerArguments | undefined {
  const given = words.some((word) => ambiguous.test(word)) ? undefined : collect(words)
  if (given === undefined) return undefined
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(table)) {
    const said = given[name]
    const value = said === undefined ? option.default : settingOf(option, said)
    if (said !== undefined && value === undefined) return undefined
    values[name] = value
  }
  return values as SalvagerArguments // by the table that SalvagerArguments is derived from
}

type Given = Readonly<Record<string, readonly (string | boolean)[] | undefined>>

function collect(words: readonly string[]): Given | undefined {
  const options: NonNullable<ParseArgsConfig["options"]> = {}
  for (const [name, { type }] of Object.entries(table))
    options[name] = { type: type === "boolean" ? "boolean" : "string", multiple: true }
  try {
    const { values } = parseArgs({ args: [...words], options })
    return values as Given // every option is a list
  } catch {
    return undefined // a wrong word: yargs says what is wrong with it
  }
}

function settingOf({ type, array, choices }: Options, words: readonly (string | boolean)[]): unknown {
  if (array === true) return words
  const [word, second] = words
  if (second !== undefined) return undefined
  if (typeof word === "boolean" || choices?.includes(word) === false)
    return typeof word === "boolean" ? word : undefined
  if (type !== "number") return word
  return word !== undefined && plainNumber.test(word) ? Number(word) : undefined
}
