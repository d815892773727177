/**
 * How a command or daemon finds the fileserver that it shares partitions with, or is told to work without one. There is no
 * silent fallback: working behind the back of a running fileserver would change volumes that it has in core.
 */
import { type Disk, isDiskError } from "../common/disk/disk.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError, isAfsError } from "../common/error.ts"
import type { ProgramType } from "../common/protocol/codes.ts"
import type { FssyncClient, FssyncClientOptions } from "./fssync-client.ts"
import { impatientRule, type RetryRule, restartRule } from "./retry-rule.ts"
import type { Waiting } from "./waiting.ts"

/** Name of the fileserver's socket in the state directory. */
export const fssyncSocketName = "fssync.sock"

export interface FileserverLinkOptions {
  /** Folder of the servers' sockets. */
  readonly stateDirectory: string
  readonly program: ProgramType
  /** Work without a fileserver. Refused while one answers. */
  readonly offline: boolean
  /** For a fileserver that has answered and then breaks off; default `restartRule`. One that never did is absent at once. */
  readonly rule?: RetryRule | undefined
  readonly disk?: Disk
  /** As of SyncClientOptions. */
  readonly timeoutMs?: number | undefined
  readonly onWait?: ((waiting: Waiting) => void) | undefined
}

/**
 * A connection to the fileserver that has been seen to answer; undefined if there is none and `offline` says so.
 * @throws AfsError UNREACHABLE without a fileserver and without `offline`; VONLINE with both; EACCES if the state directory
 * may not be searched: whether a fileserver runs is then unknown; TIMEDOUT
 */
export async function openFileserver(options: FileserverLinkOptions): Promise<FssyncClient | undefined> {
  const path = `${options.stateDirectory}/${fssyncSocketName}`
  const exists = isThere(options.disk ?? nodeDisk, path)
  if (!exists && options.offline) return undefined
  if (!exists) throw absent(path, "there is no such socket")
  const { program: programType, rule = restartRule } = options
  const { timeoutMs, onWait } = options
  const { FssyncClient } = await import("./fssync-client.ts") // where no fileserver runs it need not be loaded
  const answers = await isAnswering({ path, programType, timeoutMs, onWait })
  if (answers === true && !options.offline) return new FssyncClient({ path, programType, rule, timeoutMs, onWait })
  if (answers === true) {
    const detail = `a fileserver answers at ${path}: leave out --offline`
    throw new AfsError("VONLINE", "openFileserver", {}, { detail })
  }
  if (options.offline) return undefined
  throw absent(path, answers)
}

function isThere(disk: Disk, path: string): boolean {
  try {
    return disk.stat(path) !== undefined
  } catch (error) {
    if (!isDiskError(error, "EACCES")) throw error
    const detail = "whether a fileserver runs cannot be seen: name a state directory of your own with --state-dir"
    throw new AfsError("EACCES", "openFileserver", { path }, { cause: error, detail })
  }
}

/** True, or why there is no answer. */
async function isAnswering(options: FssyncClientOptions): Promise<true | string> {
  const { FssyncClient } = await import("./fssync-client.ts")
  await using client = new FssyncClient({ ...options, rule: impatientRule })
  try {
    await client.list()
    return true
  } catch (error) {
    if (isAfsError(error, "UNREACHABLE")) return error.message
    throw error
  }
}

function absent(path: string, why: string): AfsError {
  const detail = `${why}: start the fileserver, name its state directory with --state-dir, or give --offline to work without one`
  return new AfsError("UNREACHABLE", "openFileserver", { path }, { detail })
}
