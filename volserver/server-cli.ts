/** `dafs volserver`: options, and the daemon or one of its workers. */
import type { Argv, CommandModule } from "yargs"
import { announceReady, untilStopped } from "../common/cli/stopping.ts"
import { type LogLevel, logLevels, openLog } from "../common/log.ts"
import { findPartitions, openPartition } from "../common/partition/partition.ts"
import { prepareStateDirectory } from "../fssync/socket-path.ts"
import { runningJobsMax } from "./job-table.ts"
import { Volserver } from "./main.ts"
import { runWorker } from "./worker.ts"

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
  const log = openLog("volserver", { level: wanted["log-level"], file: wanted.logfile, isDaemon: true })
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
