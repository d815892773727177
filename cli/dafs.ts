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
import { AfsError } from "../common/error.ts"
import type * as salvagerCli from "../salvager/cli.ts"

const requireNow = module.createRequire(import.meta.url)

// biome-ignore lint/complexity/noBannedTypes: yargs writes "no options known yet" as {}
type Command = CommandModule<{}, never>

interface Row {
  readonly describe: string
  readonly load: () => Promise<unknown>
}

const commands: Readonly<Record<string, Row>> = {
  start: {
    describe: "Run the whole suite on a partition below a folder",
    load: async () => (await import("./start.ts")).startCommand,
  },
  fileserver: {
    describe: "Run the fileserver",
    load: async () => (await import("../fileserver/cli.ts")).fileserverCommand,
  },
  volserver: {
    describe: "Run the volume server",
    load: async () => (await import("../volserver/server-cli.ts")).volserverCommand,
  },
  salvageserver: {
    describe: "Run the salvage server",
    load: async () => (await import("../salvager/server-cli.ts")).salvageserverCommand,
  },
  salvager: {
    describe: "Check and repair volumes",
    load: async () => (await import("../salvager/cli.ts")).salvagerCommand,
  },
  vos: { describe: "Work on volumes", load: async () => (await import("../volserver/cli.ts")).vosCommand },
  fs: { describe: "Work with files on a fileserver", load: async () => (await import("./fs.ts")).fsCommand },
  fssync: {
    describe: "Ask the fileserver about volumes, or tell it what to do with them",
    load: async () => (await import("./fssync.ts")).fssyncCommand,
  },
  salvage: {
    describe: "Ask the salvage server for salvages",
    load: async () => (await import("./salvage.ts")).salvageCommand,
  },
  volinfo: {
    describe: "Show the volumes of a partition as they are on disk",
    load: async () => (await import("./volinfo.ts")).volinfoCommand,
  },
  "install-launchers": {
    describe: "Make programs named like OpenAFS's that start ours",
    load: async () => (await import("./install-launchers.ts")).installLaunchersCommand,
  },
  locks: { describe: "Show who holds which volume", load: async () => (await import("./locks.ts")).locksCommand },
  partition: {
    describe: "Make a partition",
    load: async () => (await import("./partition.ts")).partitionCommand,
  },
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
  const names = words.slice(0, 2).filter((word) => !word.startsWith("-"))
  if (message === "Which command?") return `${message} See dafs ${names[0]} --help`
  return message.startsWith("Not enough non-option") ? `a word is missing: see dafs ${names.join(" ")} --help` : message
}

/** yargs lays the help out at every run, wanted or not; without wrapping that costs a tenth. */
function helpWidth(words: readonly string[]): number | null {
  const wanted = words.length === 0 || words.includes("--help") || words.includes("-h")
  return wanted ? Math.min(120, process.stdout.columns ?? 100) : null
}

/**
 * These are run by scripts and servers, many times: what is plain goes without yargs, which takes a third of a start, and is
 * loaded with all that it needs by `require`, which takes half as long as `import()`: that reads in other threads, file by file.
 */
async function ranPlainly([name, ...words]: readonly string[]): Promise<boolean> {
  if (name === "vos") return (await import("../volserver/cli.ts")).runPlainly(words)
  if (name === "salvager") return (requireNow("../salvager/cli.js") as typeof salvagerCli).runPlainly(words)
  return false
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
      throw error ?? new AfsError("USAGE", first ?? "dafs", {}, { detail: usageText(message, words) })
    })
  const row = first !== undefined && Object.hasOwn(commands, first) ? commands[first] : undefined
  if (row === undefined) for (const [name, { describe }] of Object.entries(commands)) parser.command(name, describe)
  else parser.command((await row.load()) as Command)
  await parser.parseAsync()
}

keepCompiled()
const given = process.argv.slice(2)
const words = given[0] === "launch" ? given : joinDashes(given)
try {
  await main(words)
} catch (error) {
  fail(error, words.includes("--json"))
} finally {
  if (process.connected) process.disconnect() // the channel to a parent would keep a failed daemon alive
}
