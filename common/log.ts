/** The suite's log: one pino logger per daemon, one JSON object per line, facts in fields with fixed names. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino"

export type { Logger } from "pino"

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const
export type LogLevel = (typeof logLevels)[number]

/** Where a daemon logs: a file (appended to, folder made) or standard error. */
export interface LogOptions {
  readonly level?: LogLevel | undefined
  readonly file?: string | undefined
}

/**
 * Opens the log of a program.
 * @param name the program's name, in every line as `name`.
 */
export function openLog(name: string, options: LogOptions = {}): Logger {
  const stream: DestinationStream =
    options.file === undefined
      ? destination({ dest: 2, sync: false })
      : destination({ dest: options.file, append: true, mkdir: true, sync: false })
  return pino({ name, level: options.level ?? "info", timestamp: stdTimeFunctions.isoTime }, stream)
}

/** A log that keeps nothing. */
export function silentLog(): Logger {
  return pino({ level: "silent" })
}
