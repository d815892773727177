/** The suite's log: one pino logger per daemon, one JSON object per line, facts in fields with fixed names. */
import { createRequire } from "node:module"
import type * as pinoPackage from "pino"
import type { Logger } from "pino"
import { isDiskError } from "./disk/disk.ts"
import { FormatError, isAfsError } from "./error.ts"
import { followLogSignals } from "./log-signals.ts"

export type { Logger } from "pino"

/**
 * Loaded when a log is opened, since many programs have the options of one and open none; a CommonJS package: to import it, Node would
 * first search its text for what it exports.
 */
const loadPino = (): typeof pinoPackage => createRequire(import.meta.url)("pino") as typeof pinoPackage

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const
export type LogLevel = (typeof logLevels)[number]

/** Where a daemon logs: a file (appended to, folder made) or standard error. */
export interface LogOptions {
  readonly level?: LogLevel | undefined
  readonly file?: string | undefined
  /** A daemon's: the signals TSTP and HUP change level and file (log-signals.ts). */
  readonly isDaemon?: boolean
}

/** Where a program was when it met a bug is worth a line; damage, refusals and failures of the disk say what and where themselves. */
function errorFields(error: Error, serialize: (error: Error) => pinoPackage.SerializedError): object {
  const { stack, ...fields } = serialize(error)
  return error instanceof FormatError || isAfsError(error) || isDiskError(error) ? fields : { ...fields, stack }
}

/**
 * Opens the log of a program.
 * @param name the program's name, in every line as `name`.
 */
export function openLog(name: string, options: LogOptions = {}): Logger {
  const { destination, pino, stdSerializers, stdTimeFunctions } = loadPino()
  const stream =
    options.file === undefined
      ? destination({ dest: 2, sync: false })
      : destination({ dest: options.file, append: true, mkdir: true, sync: false })
  const log = pino(
    {
      name,
      level: options.level ?? "info",
      timestamp: stdTimeFunctions.isoTime,
      serializers: { err: (error: Error) => errorFields(error, stdSerializers.err) },
    },
    stream,
  )
  if (options.isDaemon === true) followLogSignals(log, () => options.file === undefined || stream.reopen())
  return log
}

/** A log that keeps nothing. */
export function silentLog(): Logger {
  return loadPino().pino({ level: "silent" })
}
