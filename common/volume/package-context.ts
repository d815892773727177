/** What the parts of the volume package share: time, log, counters, and the rest of the fileserver as they see it. */
import type { Clock, Millis } from "../clock.ts"
import type { ServerVolume } from "./server-volume.ts"
import type { VolumeLru } from "./volume-lru.ts"

/** What the package reports; pino's loggers fit. */
export interface PackageLog {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

/** Callback promises of clients, as the package needs them. */
export interface CallbackBreaker {
  /** Tells every client that what it knows of this volume is out of date. Does not wait for them. */
  breakVolume(id: number): void
}

/** Counters since the start, over all volumes. */
export interface PackageTotals {
  lookups: number
  salvages: number
  operations: number
  headerLoads: number
  headerGets: number
  attaches: number
  softDetaches: number
}

export function noTotals(): PackageTotals {
  return { lookups: 0, salvages: 0, operations: 0, headerLoads: 0, headerGets: 0, attaches: 0, softDetaches: 0 }
}

export interface PackageContext {
  readonly clock: Clock
  readonly log: PackageLog
  readonly callbacks: CallbackBreaker
  readonly totals: PackageTotals
  /** Undefined: idle volumes stay attached. */
  readonly lru: VolumeLru<ServerVolume> | undefined
  /** So long an operation waits for users before they are asked to end; undefined: for ever. */
  readonly offlineTimeoutMs: Millis | undefined
}

/** The fields that every log line about a volume has. */
export function factsOf(volume: ServerVolume): { volume: number; partition: string } {
  return { volume: volume.id, partition: volume.partition.name }
}
