/** The only place where an error becomes an exit status. */
import { isDiskError } from "../disk/disk.ts"
import { AfsError, FormatError } from "../error.ts"
import type { Code } from "../protocol/codes.ts"

/** Exit statuses of every `dafs` command. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Some of several things were done. */
  partlyDone: 3,
  /** Damage was found and is still there. */
  damageLeft: 4,
  notFound: 10,
  /** Someone else has it: locked, checked out, being salvaged. */
  busy: 11,
  notPermitted: 12,
  /** As shells report an end by SIGINT. */
  interrupted: 130,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Codes that are not here end in `failed`. */
const exitOfCode: Partial<Record<Code, ExitCode>> = {
  USAGE: exitCodes.usage,
  EINVAL: exitCodes.usage,
  DAMAGED: exitCodes.damageLeft,
  VSALVAGE: exitCodes.damageLeft,
  VNOVOL: exitCodes.notFound,
  VNOVNODE: exitCodes.notFound,
  ENOENT: exitCodes.notFound,
  LOCKED: exitCodes.busy,
  DENIED: exitCodes.busy,
  VBUSY: exitCodes.busy,
  VSALVAGING: exitCodes.busy,
  VRESTARTING: exitCodes.busy,
  VOLSERVOLBUSY: exitCodes.busy,
  EAGAIN: exitCodes.busy,
  TIMEDOUT: exitCodes.busy,
  EACCES: exitCodes.notPermitted,
  EPERM: exitCodes.notPermitted,
  VREADONLY: exitCodes.notPermitted,
  INTERRUPTED: exitCodes.interrupted,
}

/** Of our disks, or of Node.js itself, which commands use for files that are no partition's. */
function isFileError(error: unknown, ...codes: readonly string[]): boolean {
  if (isDiskError(error, ...codes)) return true
  return error instanceof Error && "syscall" in error && "code" in error && codes.includes(String(error.code))
}

/** The exit status for an error that ended a command. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof AfsError) return exitOfCode[error.code] ?? exitCodes.failed
  if (error instanceof FormatError) return exitCodes.damageLeft
  if (isFileError(error, "ENOENT", "ENOTDIR")) return exitCodes.notFound
  if (isFileError(error, "EACCES", "EPERM", "EROFS")) return exitCodes.notPermitted
  return exitCodes.failed
}
