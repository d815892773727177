/** `dafs volserver`: options, and the daemon or one of its workers. */
import type { Argv, CommandModule, Options } from "yargs"
import {
  type DaemonArguments,
  daemonOptions,
  openDaemonLog,
  openDaemonPartitions,
  requireParallel,
} from "../common/cli/daemon-options.ts"
import { isInOpenafsPlace, stateDirectoryOf } from "../common/cli/place-options.ts"
import { runPlainWords } from "../common/cli/plain-words.ts"
import { announceReady, untilStopped } from "../common/cli/stopping.ts"
import { prepareStateDirectory } from "../fssync/socket-path.ts"
import { runningJobsMax } from "./job-table.ts"

const volserverOptions = {
  ...daemonOptions,
  parallel: { type: "number", default: runningJobsMax, describe: "operations at a time" },
  worker: { type: "boolean", default: false, hidden: true },
} as const satisfies Readonly<Record<string, Options>>

interface VolserverArguments extends DaemonArguments {
  parallel: number
  worker: boolean
}

async function runDaemon(wanted: VolserverArguments): Promise<void> {
  if (wanted.worker) return (await import("./worker.ts")).runWorker() // one for every job: it loads nothing of the daemon
  requireParallel(wanted.parallel, "volserver")
  const stopping = untilStopped()
  const log = openDaemonLog(wanted, "volserver", "VolserLog")
  const stateDirectory = stateDirectoryOf(wanted)
  prepareStateDirectory(stateDirectory)
  const { Volserver } = await import("./main.ts")
  await using server = new Volserver({
    partitions: openDaemonPartitions(wanted, log),
    stateDirectory,
    parallel: wanted.parallel,
    worker: [process.argv[1] ?? "", "volserver", "--worker"],
    log,
  })
  await server.listen()
  log.info({ parallel: wanted.parallel }, "volserver ready")
  if (isInOpenafsPlace(wanted))
    log.warn("serves dafs vos only: OpenAFS's vos needs OpenAFS's davolserver, which works beside our other servers")
  announceReady()
  log.info({ reason: await stopping }, "volserver stopping")
}

export const volserverCommand: CommandModule<object, VolserverArguments> = {
  command: "volserver",
  describe: "Run the volume server: dafs vos --volserver works through it",
  builder: (parser: Argv): Argv<VolserverArguments> =>
    parser
      .options(volserverOptions)
      .example("$0 volserver --partition run/vicepa --state-dir run/state", "for one partition"),
  handler: runDaemon,
}

/** Runs what plain words say. @returns false if nothing was done: yargs has to read them */
export const runPlainly = (words: readonly string[]): Promise<boolean> =>
  runPlainWords(volserverOptions, words, runDaemon)
