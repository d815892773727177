#!/usr/bin/env node
/**
 * The one command. Each subcommand is a yargs module of its own, loaded only when it is asked for: most of the start-up
 * time of a Node.js program is the loading of modules.
 */
import module from "node:module"
import { join } from "node:path"
import type { CommandModule } from "yargs"
import { joinDashes } from "../common/cli/dash-values.ts"
import { exitCodeOf } from "../common/cli/exit-codes.ts"
import { loaderOf } from "../common/cli/load-now.ts"
import { outliveReaders } from "../common/cli/lost-reader.ts"
import { type OptionKinds, unclearWord } from "../common/cli/unclear-words.ts"
import { AfsError } from "../common/error.ts"
import type * as fileserverCli from "../fileserver/cli.ts"
import type * as salvagerCli from "../salvager/cli.ts"
import type * as salvageserverCli from "../salvager/server-cli.ts"
import type * as vosCli from "../volserver/cli.ts"
import type * as volserverCli from "../volserver/server-cli.ts"
import type * as fsCli from "./fs.ts"
import type * as fssyncCli from "./fssync.ts"
import type * as launchersCli from "./install-launchers.ts"
import type * as launchCli from "./launch.ts"
import type * as locksCli from "./locks.ts"
import type * as partitionCli from "./partition.ts"
import type * as salvageCli from "./salvage.ts"
import type * as startCli from "./start.ts"
import type * as volinfoCli from "./volinfo.ts"

const load = loaderOf(import.meta.url)

// biome-ignore lint/complexity/noBannedTypes: yargs writes "no options known yet" as {}
type Command = CommandModule<{}, never>

interface Loaded {
  readonly command: unknown
  /** Runs a command line that leaves no doubt, without yargs; true if it did. `words` follow the command's name. */
  readonly runPlainly?: (words: readonly string[]) => boolean | Promise<boolean>
}

interface Row {
  readonly describe: string
  readonly load: () => Promise<Loaded>
}

function row<M>(describe: string, path: string, loaded: (module: M) => Loaded): Row {
  return { describe, load: async () => loaded(await load<M>(path)) }
}

const commands: Readonly<Record<string, Row>> = {
  start: row("Run the whole suite on a partition below a folder", "./start.js", (m: typeof startCli) => ({
    command: m.startCommand,
  })),
  fileserver: row("Run the fileserver", "../fileserver/cli.js", (m: typeof fileserverCli) => ({
    command: m.fileserverCommand,
    runPlainly: m.runPlainly,
  })),
  volserver: row("Run the volume server", "../volserver/server-cli.js", (m: typeof volserverCli) => ({
    command: m.volserverCommand,
    runPlainly: m.runPlainly,
  })),
  salvageserver: row("Run the salvage server", "../salvager/server-cli.js", (m: typeof salvageserverCli) => ({
    command: m.salvageserverCommand,
  })),
  salvager: row("Check and repair volumes", "../salvager/cli.js", (m: typeof salvagerCli) => ({
    command: m.salvagerCommand,
    runPlainly: m.runPlainly,
  })),
  vos: row("Work on volumes", "../volserver/cli.js", (m: typeof vosCli) => ({
    command: m.vosCommand,
    runPlainly: m.runPlainly,
  })),
  fs: row("Work with files on a fileserver", "./fs.js", (m: typeof fsCli) => ({ command: m.fsCommand })),
  fssync: row(
    "Ask the fileserver about volumes, or tell it what to do with them",
    "./fssync.js",
    (m: typeof fssyncCli) => ({ command: m.fssyncCommand, runPlainly: m.runPlainly }),
  ),
  salvage: row("Ask the salvage server for salvages", "./salvage.js", (m: typeof salvageCli) => ({
    command: m.salvageCommand,
    runPlainly: m.runPlainly,
  })),
  volinfo: row("Show the volumes of a partition as they are on disk", "./volinfo.js", (m: typeof volinfoCli) => ({
    command: m.volinfoCommand,
    runPlainly: m.runPlainly,
  })),
  "install-launchers": row(
    "Make programs named like OpenAFS's that start ours",
    "./install-launchers.js",
    (m: typeof launchersCli) => ({ command: m.installLaunchersCommand }),
  ),
  locks: row("Show who holds which volume", "./locks.js", (m: typeof locksCli) => ({
    command: m.locksCommand,
    runPlainly: m.runPlainly,
  })),
  partition: row("Make a partition", "./partition.js", (m: typeof partitionCli) => ({ command: m.partitionCommand })),
}

/**
 * Keeps compiled modules beside the modules themselves, where Node.js can (from 22.1 on) and the folder may be written to: a
 * folder that others can write to must not be trusted with what is then run as root.
 */
function keepCompiled(): void {
  if (!("enableCompileCache" in module) || typeof module.enableCompileCache !== "function") return
  module.enableCompileCache(join(import.meta.dirname, "..", ".compiled"))
}

/** Prints an error for a person (or as JSON) and sets the exit status. */
function fail(error: unknown, json: boolean): void {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof AfsError ? error.code : undefined
  process.stderr.write(json ? `${JSON.stringify({ type: "error", code, message })}\n` : `dafs: ${message}\n`)
  if (process.env["DAFS_TRACE"] === "1" && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`)
  process.exitCode = exitCodeOf(error)
}

/** What yargs says of a command line that it cannot use; where it only counts words, the help says which. */
function usageText(message: string, words: readonly string[]): string {
  const [, option] = /^Not enough arguments following: (.*)$/.exec(message) ?? []
  if (option !== undefined) return `--${option} needs a value`
  const names = words.slice(0, 2).filter((word) => !word.startsWith("-"))
  if (message === "Which command?") return `${message} See dafs ${names[0]} --help`
  return message.startsWith("Not enough non-option") ? `a word is missing: see dafs ${names.join(" ")} --help` : message
}

/** yargs lays the help out at every run, wanted or not; without wrapping that costs a tenth. */
function helpWidth(words: readonly string[]): number | null {
  const wanted = words.length === 0 || words.includes("--help") || words.includes("-h")
  return wanted ? Math.min(120, process.stdout.columns ?? 100) : null
}

/** @throws AfsError USAGE for words that yargs would read as they are not meant */
function requireClear(words: readonly string[], command: string, parser: object): void {
  const tables = parser as { getOptions(): OptionKinds } // yargs's types leave it out
  const detail = unclearWord(words, tables.getOptions())
  if (detail !== undefined) throw new AfsError("USAGE", command, {}, { detail })
}

/** yargs's own error for a command line, as against one of the command. */
const isOfYargs = (error: Error | undefined): boolean => error === undefined || error.name === "YError"

const rowOf = (name: string): Row | undefined => (Object.hasOwn(commands, name) ? commands[name] : undefined)

/** Scripts and servers run these many times: what is plain goes without yargs, which takes a third of a start. */
async function ranPlainly([name = "", ...words]: readonly string[]): Promise<boolean> {
  const loaded = await rowOf(name)?.load()
  return (await loaded?.runPlainly?.(words)) ?? false
}

async function main(words: string[]): Promise<void> {
  const [verb, name = "", ...switches] = words
  if (verb === "launch") return (await load<typeof launchCli>("./launch.js")).launch(name, switches, main, fail)
  if (await ranPlainly(words)) return
  const { default: yargs } = await import("yargs")
  const first = words.find((word) => !word.startsWith("-"))
  const parser = yargs(words)
    .scriptName("dafs")
    .usage("$0 <command> [options]")
    // one dash is enough for a name, as OpenAFS's programs have it; a dot is part of one
    .parserConfiguration({ "short-option-groups": false, "dot-notation": false, "camel-case-expansion": false })
    .strict()
    .demandCommand(1, "Which command? See dafs --help")
    .recommendCommands()
    .option("sync-form", {
      choices: ["detect", "ours", "openafs"] as const,
      describe: "form of FSSYNC and SALVSYNC to speak (default: DAFS_SYNC_FORM, else detect)",
      global: true,
    })
    .middleware(({ "sync-form": form }) => {
      if (form !== undefined) process.env["DAFS_SYNC_FORM"] = form // for every client of this process and its workers
    }, true)
    .help()
    .alias("help", "h")
    .wrap(helpWidth(words))
    .epilog(
      "Exit status: 0 done, 1 failed, 2 wrong usage, 3 done in part, 4 damage left, 10 not found, 11 busy, 12 not permitted, 130 interrupted.",
    )
    .exitProcess(false)
    .fail((message, error) => {
      if (!isOfYargs(error)) throw error
      throw new AfsError("USAGE", first ?? "dafs", {}, { detail: usageText(message ?? error.message, words) })
    })
  parser.middleware(() => requireClear(words, first ?? "dafs", parser), true)
  const wanted = first === undefined ? undefined : rowOf(first)
  if (wanted === undefined) for (const [name, { describe }] of Object.entries(commands)) parser.command(name, describe)
  else parser.command((await wanted.load()).command as Command)
  await parser.parseAsync()
}

keepCompiled()
outliveReaders()
const given = process.argv.slice(2)
const words = given[0] === "launch" ? given : joinDashes(given)
try {
  await main(words)
} catch (error) {
  fail(error, words.includes("--json"))
} finally {
  if (process.connected) process.disconnect() // the channel to a parent would keep a failed daemon alive
}
