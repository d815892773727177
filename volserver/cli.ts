/** `dafs vos` and `dafs volserver`: options, and where the work is done. */
import type { Argv, CommandModule, Options } from "yargs"
import { announceReady, untilStopped } from "../common/cli/stopping.ts"
import { AfsError } from "../common/error.ts"
import { type LogLevel, logLevels, openLog } from "../common/log.ts"
import { findPartitions, openPartition } from "../common/partition/partition.ts"
import { prepareStateDirectory } from "../fssync/socket-path.ts"
import { runningJobsMax } from "./job-table.ts"
import { Volserver } from "./main.ts"
import { vosCommands } from "./vos/commands.ts"
import type { Option, OptionTable } from "./vos/option.ts"
import { runAtVolserver } from "./vos/remote.ts"
import { printResult, runHere, type Values } from "./vos/run.ts"
import { type AnyVosCommand, commonOptions } from "./vos/vos-command.ts"
import { runWorker } from "./worker.ts"

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

function positionalOf(usage: string): string[] {
  return [...usage.matchAll(/\[([^\]]+)\]/g)].map((match) => match[1] ?? "")
}

function requireOptions(command: AnyVosCommand, values: Values): void {
  for (const [name, option] of Object.entries(command.options)) {
    if (option.required !== true || values[name] !== undefined) continue
    throw new AfsError("USAGE", "vos", {}, { detail: `${name}: ${option.describe}` })
  }
}

async function run(command: AnyVosCommand, values: Values): Promise<void> {
  requireOptions(command, values)
  printResult(command, values, await (values.volserver ? runAtVolserver(command, values) : runHere(command, values)))
}

function moduleOf(command: AnyVosCommand): CommandModule<object, Values> {
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

/** The subcommand that the command line names: the first word that is the name of one. */
function namedCommand(): string | undefined {
  const words = process.argv.slice(2)
  return words.slice(words.indexOf("vos") + 1).find((word) => word in vosCommands)
}

export const vosCommand: CommandModule = {
  command: "vos <command>",
  describe: "Work on volumes",
  builder: async (parser: Argv) => {
    parser.parserConfiguration({ "short-option-groups": false })
    const name = namedCommand()
    if (name === undefined)
      for (const [each, { describe }] of Object.entries(vosCommands)) parser.command(each, describe)
    const row = name === undefined ? undefined : vosCommands[name]
    if (row !== undefined) parser.command(moduleOf(await row.load()) as CommandModule)
    return parser.demandCommand(1, "Which command?")
  },
  handler: () => undefined,
}

interface VolserverArguments {
  partition: string[] | undefined
  "state-dir": string
  parallel: number
  logfile: string | undefined
  "log-level": LogLevel
  worker: boolean
}

async function runDaemon(wanted: VolserverArguments): Promise<void> {
  if (wanted.worker) return runWorker()
  const stopping = untilStopped()
  const log = openLog("volserver", { level: wanted["log-level"], file: wanted.logfile })
  const stateDirectory = wanted["state-dir"]
  prepareStateDirectory(stateDirectory)
  await using server = new Volserver({
    partitions: wanted.partition?.map((path) => openPartition(path)) ?? findPartitions(),
    stateDirectory,
    parallel: wanted.parallel,
    worker: [process.argv[1] ?? "", "volserver", "--worker"],
    log,
  })
  await server.listen()
  log.info({ parallel: wanted.parallel }, "volserver ready")
  announceReady()
  log.info({ reason: await stopping }, "volserver stopping")
}

export const volserverCommand: CommandModule<object, VolserverArguments> = {
  command: "volserver",
  describe: "Run the volume server: dafs vos --volserver works through it",
  builder: (parser: Argv): Argv<VolserverArguments> =>
    parser
      .option("partition", {
        type: "string",
        array: true,
        describe: "a partition's directory; may be given several times (default: all /vicepX)",
      })
      .option("state-dir", {
        type: "string",
        default: process.env["DAFS_STATE_DIR"] ?? "/var/lib/openafs/local",
        describe: "folder of the servers' sockets",
      })
      .option("parallel", { type: "number", default: runningJobsMax, describe: "operations at a time" })
      .option("logfile", { type: "string", describe: "append the log to this file (default: standard error)" })
      .option("log-level", { choices: logLevels, default: "info" as const, describe: "least level that is logged" })
      .option("worker", { type: "boolean", default: false, hidden: true })
      .example("$0 volserver --partition run/vicepa --state-dir run/state", "for one partition"),
  handler: runDaemon,
}
