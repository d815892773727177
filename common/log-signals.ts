/**
 * Signals by which an operator steers a daemon's log, as OpenAFS's daemons know them: TSTP tells more, HUP tells as much as
 * at the start and opens the log file anew (it has been renamed), XCPU writes down how things stand. OpenAFS util/serverLog.c.
 */
import type { Logger, LogLevel } from "./log.ts"

/** What TSTP goes through, one step at a time. */
const louder: Readonly<Partial<Record<string, LogLevel>>> = {
  silent: "fatal",
  fatal: "error",
  error: "warn",
  warn: "info",
  info: "debug",
  debug: "trace",
}

/** Follows TSTP and HUP from now on; `reopen` opens the log's file by its name again. */
export function followLogSignals(log: Logger, reopen: () => void): void {
  const { level } = log
  process.on("SIGTSTP", () => {
    log.level = louder[log.level] ?? log.level
    log.info({ level: log.level }, "log level raised")
  })
  process.on("SIGHUP", () => {
    reopen()
    log.level = level
    log.info({ level }, "log opened anew")
  })
}

/** Writes `state` into the log at each XCPU, until it is disposed of. */
export function reportOnRequest(log: Logger, state: () => object): Disposable {
  const report = (): void => {
    log.info({ ...state(), memory: process.memoryUsage(), seconds: process.uptime() }, "state on request")
  }
  process.on("SIGXCPU", report)
  return { [Symbol.dispose]: () => void process.off("SIGXCPU", report) }
}
