/** `dafs salvageserver`: options, and the daemon on one page. */
import type { Argv, CommandModule } from "yargs"
import { announceReady, untilStopped } from "../common/cli/stopping.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { lockSalvage } from "../common/lock/partition-lock.ts"
import { type Logger, type LogLevel, logLevels, openLog } from "../common/log.ts"
import { reportOnRequest } from "../common/log-signals.ts"
import { findPartitions, openPartition, type Partition } from "../common/partition/partition.ts"
import { programTypes } from "../common/protocol/codes.ts"
import { SyncClient } from "../fssync/client.ts"
import { fssyncProtocol, fssyncRows } from "../fssync/command-table.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { prepareStateDirectory } from "../fssync/socket-path.ts"
import { type ErrorReporter, SalvageServer, type WorkerCommand } from "./salvage-server.ts"

interface SalvageserverArguments {
  partition: string[] | undefined
  "state-dir": string
  parallel: number
  orphans: string
  logfile: string | undefined
  "log-level": LogLevel
}

/** A worker is the salvager itself, told whose place it takes. */
function workerCommand(wanted: SalvageserverArguments): WorkerCommand {
  const program = process.argv[1] ?? ""
  return (partition, volume) => [
    process.execPath,
    program,
    "salvager",
    ...["--partition", partition.path],
    ...["--volumeid", String(volume)],
    ...["--state-dir", wanted["state-dir"]],
    ...["--orphans", wanted.orphans],
    ...["--program-type", "salvageServer"],
    "--force",
    "--json",
    "--progress",
  ]
}

function fileserverReporter(client: SyncClient): ErrorReporter {
  return {
    forceError: (volume, partition, reason) => client.call(fssyncRows.VOL_FORCE_ERROR, { volume, partition, reason }),
  }
}

/** Those that are named, or all of the machine; one that cannot be used keeps none of the others from being served. */
function openPartitions(paths: readonly string[] | undefined, log: Logger): Partition[] {
  if (paths !== undefined) return paths.map((path) => openPartition(path))
  return findPartitions(nodeDisk, (path, err) => log.error({ path, err }, "partition cannot be used"))
}

async function run(wanted: SalvageserverArguments): Promise<void> {
  const stopping = untilStopped()
  const log = openLog("salvageserver", { level: wanted["log-level"], file: wanted.logfile, isDaemon: true })
  const state = wanted["state-dir"]
  prepareStateDirectory(state)
  using _salvageLock = lockSalvage(state, "read", "salvageserver")
  const sender = { programType: programTypes.salvageServer, pid: process.pid, thread: 0 }
  // a fileserver that is away and comes back later must not hear of what failed before its time
  const rule = impatientRule
  await using client = new SyncClient({ path: `${state}/fssync.sock`, protocol: fssyncProtocol, sender, rule })
  await using server = new SalvageServer({
    partitions: openPartitions(wanted.partition, log),
    socket: `${state}/salvsync.sock`,
    stateDirectory: state,
    parallel: wanted.parallel,
    worker: workerCommand(wanted),
    fileserver: fileserverReporter(client),
    log,
  })
  await server.listen()
  log.info({ socket: `${state}/salvsync.sock`, parallel: wanted.parallel }, "salvageserver ready")
  using _report = reportOnRequest(log, () => ({
    queued: server.schedule.queuedCount,
    running: server.schedule.runningCount,
  }))
  announceReady()
  log.info({ reason: await stopping }, "salvageserver stopping")
}

export const salvageserverCommand: CommandModule<object, SalvageserverArguments> = {
  command: "salvageserver",
  describe: "Run the salvage server",
  builder: (parser: Argv): Argv<SalvageserverArguments> =>
    parser
      .option("partition", {
        type: "string",
        array: true,
        describe: "a partition's directory; may be given several times (default: all /vicepX)",
      })
      .option("state-dir", {
        type: "string",
        default: process.env["DAFS_STATE_DIR"] ?? "/var/lib/openafs/local",
        describe: "folder of sockets and locks",
      })
      .option("parallel", { type: "number", default: 4, describe: "salvages at a time" })
      .option("orphans", {
        choices: ["ignore", "remove", "attach"],
        default: "attach",
        describe: "what workers do with vnodes that no directory names",
      })
      .option("logfile", { type: "string", describe: "append the log to this file (default: standard error)" })
      .option("log-level", { choices: logLevels, default: "info" as const, describe: "least level that is logged" })
      .example("$0 salvageserver --partition run/vicepa --state-dir run/state", "for one partition"),
  handler: run,
}
