/** Options that every daemon has, declared once; what they stand for. */
import type { Options } from "yargs"
import { nodeDisk } from "../disk/node-disk.ts"
import { AfsError } from "../error.ts"
import { type Logger, type LogLevel, logLevels, openLog } from "../log.ts"
import { findPartitions, openPartition, type Partition } from "../partition/partition.ts"
import { logFileOf, type OpenafsLog, type PlaceArguments, partitionOption, placeOptions } from "./place-options.ts"

export const daemonOptions = {
  partition: partitionOption,
  ...placeOptions,
  logfile: {
    type: "string",
    describe: "append the log to this file (default: standard error; in OpenAFS's place, the file of OpenAFS's daemon)",
  },
  "log-level": { choices: logLevels, default: "info", describe: "least level that is logged" },
  "without-effect": { type: "string", array: true, hidden: true, describe: "switches of OpenAFS's, to be logged" },
} as const satisfies Readonly<Record<string, Options>>

export interface DaemonArguments extends PlaceArguments {
  readonly partition?: string[] | undefined
  readonly logfile?: string | undefined
  readonly "log-level": LogLevel
  /** Switches that a launcher was given and that mean nothing here. */
  readonly "without-effect"?: string[] | undefined
}

/** Opens a daemon's log; its first line names the switches that have no effect, if there are any. */
export function openDaemonLog(wanted: DaemonArguments, name: string, file: OpenafsLog): Logger {
  const log = openLog(name, { level: wanted["log-level"], file: logFileOf(wanted, file), isDaemon: true })
  const switches = wanted["without-effect"]
  if (switches !== undefined) log.warn({ switches }, "switches that have no effect here")
  return log
}

/** How many at a time. @throws AfsError USAGE unless it is a number of at least one: nothing would ever run */
export function requireParallel(parallel: number, daemon: string): void {
  if (Number.isInteger(parallel) && parallel >= 1) return
  throw new AfsError("USAGE", daemon, {}, { detail: "--parallel needs a number of at least 1" })
}

/** Those that are named, or all of the machine; one that cannot be used keeps none of the others from being served. */
export function openDaemonPartitions({ partition: paths }: DaemonArguments, log: Logger): Partition[] {
  if (paths !== undefined) return [...new Set(paths)].map((path) => openPartition(path))
  return findPartitions(nodeDisk, (path, err) => log.error({ path, err }, "partition cannot be used"))
}
