/** What all `dafs fs` commands share: the server, what they are about, and how they end. */
import type { ArgumentsCamelCase, Argv, CommandModule } from "yargs"
import { parseTarget, type Target } from "../client/fid.ts"
import { Fileserver, findServer } from "../client/fileserver.ts"
import { printJson } from "../common/cli/output.ts"
import { AfsError } from "../common/error.ts"

/** Options that every command has. */
export interface Common {
  readonly server: string
  readonly json: boolean
}

/** A command of `dafs fs`: its positional words and options are declared, `work` runs with a server. */
export interface FsCommand<Wanted> {
  /** `ls <server> <target>`; `$0` behind it: what is done where no other command is named. */
  readonly command: string | readonly string[]
  readonly describe: string
  readonly options: (parser: Argv<Common>) => Argv<Wanted & Common>
  readonly work: (server: Fileserver, wanted: ArgumentsCamelCase<Wanted & Common>) => Promise<void>
}

export const usage = (detail: string): AfsError => new AfsError("USAGE", "fs", {}, { detail })

/** Says what was done: nothing for people, a document for programs. */
export function done(wanted: Common, result: object): void {
  if (wanted.json) printJson({ type: "done", ...result })
}

/** The words that name objects. */
export const target = (parser: Argv<Common>): Argv<Common & { target: string }> =>
  parser.positional("target", {
    type: "string",
    demandOption: true,
    describe: "VOLUME:path, a fid (volume.vnode.uniquifier), or FID:path",
  })

/** @throws AfsError USAGE */
export const targetOf = ({ target: text }: { readonly target: string }): Target => parseTarget(text)

const stopSignals = ["SIGINT", "SIGTERM"] as const

/**
 * Waits for the work; a signal ends it as an error does, so that the server is told. A reader of the output that has seen enough
 * (`dafs fs get … - | head`) ends it too, and nothing is wrong then.
 */
async function whileNotStopped(work: Promise<void>): Promise<void> {
  let stop: (signal: string) => void = () => undefined
  let lost: (error: NodeJS.ErrnoException) => void = () => undefined
  const stopped = new Promise<void>((resolve, reject) => {
    stop = (signal) => reject(new AfsError("INTERRUPTED", "fs", {}, { detail: signal }))
    lost = ({ code }) => code === "EPIPE" && resolve()
  })
  for (const signal of stopSignals) process.on(signal, stop)
  process.stdout.on("error", lost)
  try {
    await Promise.race([work, stopped])
  } finally {
    for (const signal of stopSignals) process.off(signal, stop)
    process.stdout.off("error", lost)
  }
}

/** A yargs module of a command. */
export function moduleOf<Wanted>(command: FsCommand<Wanted>): CommandModule<object, Wanted & Common> {
  return {
    command: command.command,
    describe: command.describe,
    builder: (parser: Argv) =>
      command.options(
        parser
          .positional("server", {
            type: "string",
            demandOption: true,
            describe: "address or name of the fileserver, with :port if it is not 7000",
          })
          .option("json", { type: "boolean", default: false, describe: "print JSON" }),
      ),
    handler: async (wanted) => {
      await using server = await Fileserver.open(await findServer(wanted.server))
      await whileNotStopped(command.work(server, wanted))
    },
  }
}
