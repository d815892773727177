/** `dafs volserver`: options, and the daemon or one of its workers. */
import type { Argv, CommandModule } from "yargs"
import {
  type DaemonArguments,
  daemonOptions,
  openDaemonLog,
  openDaemonPartitions,
} from "../common/cli/daemon-options.ts"
import { isInOpenafsPlace, stateDirectoryOf } from "../common/cli/place-options.ts"
import { announceReady, untilStopped } from "../common/cli/stopping.ts"
import { prepareStateDirectory } from "../fssync/socket-path.ts"
import { runningJobsMax } from "./job-table.ts"
import { Volserver } from "./main.ts"
import { runWorker } from "./worker.ts"

interface VolserverArguments extends DaemonArguments {
  parallel: number
  worker: boolean
}

async function runDaemon(wanted: VolserverArguments): Promise<void> {
  if (wanted.worker) return runWorker()
  const stopping = untilStopped()
  const log = openDaemonLog(wanted, "volserver", "VolserLog")
  const stateDirectory = stateDirectoryOf(wanted)
  prepareStateDirectory(stateDirectory)
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
      .options(daemonOptions)
      .option("parallel", { type: "number", default: runningJobsMax, describe: "operations at a time" })
      .option("worker", { type: "boolean", default: false, hidden: true })
      .example("$0 volserver --partition run/vicepa --state-dir run/state", "for one partition"),
  handler: runDaemon,
}
