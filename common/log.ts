/** The suite's log: one pino logger per daemon, one JSON object per line, facts in fields with fixed names. */
import { destination, type Logger, pino, stdTimeFunctions } from "pino"
import { followLogSignals } from "./log-signals.ts"

export type { Logger } from "pino"

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const
export type LogLevel = (typeof logLevels)[number]

/** Where a daemon logs: a file (appended to, folder made) or standard error. */
export interface LogOptions {
  readonly level?: LogLevel | undefined
  readonly file?: string | undefined
  /** A daemon's: the signals TSTP and HUP change level and file (log-signals.ts). */
  readonly isDaemon?: boolean
}

/**
 * Opens the log of a program.
 * @param name the program's name, in every line as `name`.
 */
export function openLog(name: string, options: LogOptions = {}): Logger {
  const stream =
    options.file === undefined
      ? destination({ dest: 2, sync: false })
      : destination({ dest: options.file, append: true, mkdir: true, sync: false })
  const log = pino({ name, level: options.level ?? "info", timestamp: stdTimeFunctions.isoTime }, stream)
  if (options.isDaemon === true) followLogSignals(log, () => options.file === undefined || stream.reopen())
  return log
}

/** A log that keeps nothing. */
export function silentLog(): Logger {
  return pino({ level: "silent" })
}
