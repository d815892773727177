/**
 * What `dafs` does with its words. Each subcommand is a yargs module of its own, loaded only when it is asked for: most of the
 * start-up time of a Node.js program is the loading of modules.
 */
import type { CommandModule } from "yargs"
import { joinDashes } from "../common/cli/dash-values.ts"
import { exitCodeOf } from "../common/cli/exit-codes.ts"
import { outliveReaders } from "../common/cli/lost-reader.ts"
import { type OptionKinds, unclearWord } from "../common/cli/unclear-words.ts"
import { AfsError } from "../common/error.ts"
import { certificatesVariable } from "./node-switches.ts"

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

function row<M>(describe: string, load: () => Promise<M>, loaded: (module: M) => Loaded): Row {
  return { describe, load: async () => loaded(await load()) }
}

const commands: Readonly<Record<string, Row>> = {
  start: row(
    "Run the whole suite on a partition below a folder",
    () => import("./start.ts"),
    (m) => ({
      command: m.startCommand,
    }),
  ),
  fileserver: row(
    "Run the fileserver",
    () => import("../fileserver/cli.ts"),
    (m) => ({
      command: m.fileserverCommand,
      runPlainly: m.runPlainly,
    }),
  ),
  volserver: row(
    "Run the volume server",
    () => import("../volserver/server-cli.ts"),
    (m) => ({
      command: m.volserverCommand,
      runPlainly: m.runPlainly,
    }),
  ),
  salvageserver: row(
    "Run the salvage server",
    () => import("../salvager/server-cli.ts"),
    (m) => ({
      command: m.salvageserverCommand,
    }),
  ),
  salvager: row(
    "Check and repair volumes",
    () => import("../salvager/cli.ts"),
    (m) => ({
      command: m.salvagerCommand,
      runPlainly: m.runPlainly,
    }),
  ),
  vos: row(
    "Work on volumes",
    () => import("../volserver/cli.ts"),
    (m) => ({
      command: m.vosCommand,
      runPlainly: m.runPlainly,
    }),
  ),
  fs: row(
    "Work with files on a fileserver",
    () => import("./fs.ts"),
    (m) => ({ command: m.fsCommand }),
  ),
  fssync: row(
    "Ask the fileserver about volumes, or tell it what to do with them",
    () => import("./fssync.ts"),
    (m) => ({ command: m.fssyncCommand, runPlainly: m.runPlainly }),
  ),
  salvage: row(
    "Ask the salvage server for salvages",
    () => import("./salvage.ts"),
    (m) => ({
      command: m.salvageCommand,
      runPlainly: m.runPlainly,
    }),
  ),
  volinfo: row(
    "Show the volumes of a partition as they are on disk",
    () => import("./volinfo.ts"),
    (m) => ({
      command: m.volinfoCommand,
      runPlainly: m.runPlainly,
    }),
  ),
  "install-launchers": row(
    "Make programs named like OpenAFS's that start ours",
    () => import("./install-launchers.ts"),
    (m) => ({ command: m.installLaunchersCommand }),
  ),
  locks: row(
    "Show who holds which volume",
    () => import("./locks.ts"),
    (m) => ({
      command: m.locksCommand,
      runPlainly: m.runPlainly,
    }),
  ),
  partition: row(
    "Make a partition",
    () => import("./partition.ts"),
    (m) => ({ command: m.partitionCommand }),
  ),
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
  if (verb === "launch") return (await import("./launch.ts")).launch(name, switches, main, fail)
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

/** A promise that nobody settles ends the event loop, and must not look like success: Node.js ends modules with 13 for it. */
const unsettledStatus = 13

async function run(given: readonly string[]): Promise<void> {
  const unsettled = (status: number): void => {
    if (status !== 0) return
    process.stderr.write("dafs: nothing is left to do, and it is not done\n")
    process.exitCode = unsettledStatus
  }
  process.once("exit", unsettled)
  outliveReaders()
  delete process.env[certificatesVariable] // for the programs that it starts
  const words = given[0] === "launch" ? [...given] : joinDashes(given)
  try {
    await main(words)
  } catch (error) {
    fail(error, words.includes("--json"))
  } finally {
    if (process.connected) process.disconnect() // the channel to a parent would keep a failed daemon alive
    process.off("exit", unsettled)
  }
}

void run(process.argv.slice(2))
