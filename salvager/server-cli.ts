/** `dafs salvageserver`: options, and the daemon on one page. */
import type { Argv, CommandModule } from "yargs"
import {
  type DaemonArguments,
  daemonOptions,
  openDaemonLog,
  openDaemonPartitions,
  requireParallel,
} from "../common/cli/daemon-options.ts"
import { isInOpenafsPlace, logFileOf, stateDirectoryOf } from "../common/cli/place-options.ts"
import { announceReady, untilStopped } from "../common/cli/stopping.ts"
import { lockSalvage } from "../common/lock/partition-lock.ts"
import { reportOnRequest } from "../common/log-signals.ts"
import { programTypes } from "../common/protocol/codes.ts"
import { SyncClient } from "../fssync/client.ts"
import { fssyncProtocol, fssyncRows } from "../fssync/command-table.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { prepareStateDirectory } from "../fssync/socket-path.ts"
import { type ErrorReporter, SalvageServer, type WorkerCommand } from "./salvage-server.ts"

interface SalvageserverArguments extends DaemonArguments {
  parallel: number
  orphans: string
  salvagedirs: boolean
}

/** A worker is the salvager itself, told whose place it takes. Its repairs are told where OpenAFS's workers tell theirs. */
function workerCommand(wanted: SalvageserverArguments): WorkerCommand {
  const program = process.argv[1] ?? ""
  const logfile = isInOpenafsPlace(wanted) ? logFileOf(wanted, "SalsrvLog") : undefined
  return (partition, volume) => [
    process.execPath,
    program,
    "salvager",
    ...["--partition", partition.path],
    ...["--volumeid", String(volume)],
    ...["--state-dir", stateDirectoryOf(wanted)],
    ...(logfile === undefined ? [] : ["--logfile", logfile]),
    ...["--orphans", wanted.orphans],
    ...(wanted.salvagedirs ? ["--salvagedirs"] : []),
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

async function run(wanted: SalvageserverArguments): Promise<void> {
  requireParallel(wanted.parallel, "salvageserver")
  const stopping = untilStopped()
  const log = openDaemonLog(wanted, "salvageserver", "SalsrvLog")
  const state = stateDirectoryOf(wanted)
  prepareStateDirectory(state)
  using _salvageLock = lockSalvage(state, "read", "salvageserver")
  const sender = { programType: programTypes.salvageServer, pid: process.pid, thread: 0 }
  // a fileserver that is away and comes back later must not hear of what failed before its time
  const rule = impatientRule
  await using client = new SyncClient({ path: `${state}/fssync.sock`, protocol: fssyncProtocol, sender, rule })
  await using server = new SalvageServer({
    partitions: openDaemonPartitions(wanted, log),
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
      .options(daemonOptions)
      .option("parallel", { type: "number", default: 4, describe: "salvages at a time" })
      .option("orphans", {
        choices: ["ignore", "remove", "attach"],
        default: "attach",
        describe: "what workers do with vnodes that no directory names",
      })
      .option("salvagedirs", { type: "boolean", default: false, describe: "let workers rebuild every directory" })
      .example("$0 salvageserver --partition run/vicepa --state-dir run/state", "for one partition"),
  handler: run,
}
