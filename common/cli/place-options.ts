/**
 * Where a program finds the servers' sockets, and whether it stands in OpenAFS's place: options that daemons and tools have
 * alike. OpenAFS's state directory is the one of its servers; a program that works there, on a machine that a cell is set up
 * on, follows OpenAFS's customs (configuration, names of logs) unless it is told not to.
 */
import { resolve } from "node:path"
import type { Options } from "yargs"
import { openafsDirectories, type ServerDirectories } from "../cell/directories.ts"
import { nodeDisk } from "../disk/node-disk.ts"
import { AfsError } from "../error.ts"

export const openafsDescription =
  "take OpenAFS's place: its state directory and logs (default: if the state directory is OpenAFS's, and it is of a cell)"
export const stateDirectoryDescription = "folder of the servers' sockets (default: DAFS_STATE_DIR, else OpenAFS's)"

export const placeOptions = {
  openafs: { type: "boolean", describe: openafsDescription },
  "state-dir": { type: "string", requiresArg: true, describe: stateDirectoryDescription },
} as const satisfies Readonly<Record<string, Options>>

export const partitionOption = {
  type: "string",
  array: true,
  describe: "a partition's directory; may be given several times (default: all /vicepX)",
} as const satisfies Options

/** What these options say. */
export interface PlaceArguments {
  readonly openafs?: boolean | undefined
  readonly "state-dir"?: string | undefined
}

/**
 * What is named, else OpenAFS's where it is asked for, else the environment's, else OpenAFS's.
 * @throws AfsError USAGE for an empty name: the sockets would be looked for in the root directory
 */
export function stateDirectoryOf({ openafs, "state-dir": named }: PlaceArguments): string {
  if (named === "") throw new AfsError("USAGE", "state directory", {}, { detail: "--state-dir is empty" })
  const usual = openafs === true ? "" : (process.env["DAFS_STATE_DIR"] ?? "")
  return named ?? (usual === "" ? openafsDirectories.state : usual)
}

/** Whether the machine is set up as a server of a cell in OpenAFS's folders. */
const isOfCell = (directories: ServerDirectories): boolean =>
  nodeDisk.stat(`${directories.configuration}/ThisCell`) !== undefined

/** Whether a program with these options stands in OpenAFS's place. */
export function isInOpenafsPlace(wanted: PlaceArguments, directories = openafsDirectories): boolean {
  return wanted.openafs ?? (resolve(stateDirectoryOf(wanted)) === directories.state && isOfCell(directories))
}

/** OpenAFS's names of its programs' logs. */
export type OpenafsLog = "FileLog" | "VolserLog" | "SalsrvLog" | "SalvageLog"

/** The file that is named, else OpenAFS's in its place; undefined: standard error. @throws AfsError USAGE */
export function logFileOf(
  wanted: PlaceArguments & { readonly logfile?: string | undefined },
  name: OpenafsLog,
): string | undefined {
  if (wanted.logfile === "") throw new AfsError("USAGE", "log", {}, { detail: "--logfile is empty" })
  return wanted.logfile ?? (isInOpenafsPlace(wanted) ? `${openafsDirectories.logs}/${name}` : undefined)
}
