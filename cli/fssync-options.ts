/** The options of `dafs fssync`, and what may be said with them. */
import { basename } from "node:path"
import type { Options } from "yargs"
import { type PlaceArguments, placeOptions } from "../common/cli/place-options.ts"
import { AfsError } from "../common/error.ts"
import { fullPartitionName } from "../common/partition/partition.ts"
import { attachModes } from "../common/protocol/codes.ts"
import { commonReasons, fssyncReasons, partitionNameMax, type SyncRequest } from "../fssync/message.ts"

/** What people may say; strings are names or numbers. */
export interface Wanted extends PlaceArguments {
  readonly json: boolean
  readonly programtype: string
  readonly reason: string
  readonly volumeid: number
  readonly partition: string
  readonly mode: string
  readonly address: string
  readonly vnodeid: number
  readonly unique: number
  readonly parent: number
  readonly child: number
  readonly bucket: number
  readonly generation: string
  readonly subsystem: string
  readonly hold: number
  readonly "only-register": boolean
  readonly timeout: number | undefined
}

export type Option = Exclude<
  keyof Wanted,
  keyof PlaceArguments | "json" | "programtype" | "reason" | "subsystem" | "timeout"
>

type OptionTable = Readonly<Record<string, Options>>

const options: Readonly<Record<Option, Options>> = {
  volumeid: { type: "number", requiresArg: true, default: 0, describe: "the volume" },
  partition: {
    type: "string",
    requiresArg: true,
    default: "",
    describe: "the partition: its directory, or a name as in /vicepa or a",
  },
  mode: { type: "string", requiresArg: true, default: "", describe: "attach mode, by name or number" },
  address: { type: "string", requiresArg: true, default: "0", describe: "IPv4 address of the new site" },
  vnodeid: { type: "number", requiresArg: true, default: 0, describe: "the vnode" },
  unique: { type: "number", requiresArg: true, default: 0, describe: "the vnode's uniquifier" },
  parent: { type: "number", requiresArg: true, default: 0, describe: "the group's read-write volume" },
  child: { type: "number", requiresArg: true, default: 0, describe: "the member" },
  bucket: { type: "number", requiresArg: true, default: 0, describe: "hash: the bucket" },
  generation: {
    type: "string",
    requiresArg: true,
    default: "new",
    describe: "vlru: the generation, by name or number",
  },
  hold: { type: "number", requiresArg: true, default: 0, describe: "seconds to keep the volume in use" },
  "only-register": { type: "boolean", default: false, describe: "only make the volume known, as VOL_ATTACH does" },
}

/** What commands that do not take an option work with. */
export const defaults: Wanted = {
  json: false,
  programtype: "debugUtility",
  reason: "WHATEVER",
  volumeid: 0,
  partition: "",
  mode: "",
  address: "0",
  vnodeid: 0,
  unique: 0,
  parent: 0,
  child: 0,
  bucket: 0,
  generation: "new",
  subsystem: "",
  hold: 0,
  "only-register": false,
  timeout: undefined,
}

/** Seconds; a day. */
const timeoutMax = 86_400

/**
 * The name by which a fileserver knows a partition, from what people type: a name, a letter, or the path of its directory.
 * @throws AfsError USAGE for a name longer than a message has room for
 */
export function partitionNameOf(word: string): string {
  const name = word.includes("/", 1) ? `/${basename(word)}` : fullPartitionName(word)
  if (name.length <= partitionNameMax) return name
  throw usage(`--partition ${word}: a name has at most ${partitionNameMax} characters`)
}

export function usage(detail: string): AfsError {
  return new AfsError("USAGE", "fssync", {}, { detail })
}

/** A number, or a name of the table (in any case, with or without `prefix`). @throws AfsError USAGE */
export function numberOf(word: string, table: Readonly<Record<string, number>>, option: string, prefix = ""): number {
  if (/^\d+$/.test(word)) return Number(word)
  const bare = word.toLowerCase().replace(prefix.toLowerCase(), "")
  for (const [name, number] of Object.entries(table)) if (name.toLowerCase() === bare) return number
  throw usage(`--${option} ${word}: a number, or one of ${Object.keys(table).join(", ")}`)
}

export const modeOf = (word: string): number => numberOf(word, attachModes, "mode", "V_")
const reasonOf = (word: string): number => numberOf(word, { ...commonReasons, ...fssyncReasons }, "reason")

/** An IPv4 address as a number, first byte highest. @throws AfsError USAGE */
export function addressOf(word: string): number {
  if (/^\d+$/.test(word)) return Number(word)
  const bytes = word.split(".").map(Number)
  const isAddress = bytes.length === 4 && bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)
  if (!isAddress) throw usage(`--address ${word}: an IPv4 address is wanted`)
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0)
}

/** The fields that most commands send. */
export function commonFields(wanted: Wanted): Pick<SyncRequest, "volume" | "partition" | "reason"> {
  return { volume: wanted.volumeid, partition: partitionNameOf(wanted.partition), reason: reasonOf(wanted.reason) }
}

/** Numbers that the protocol can carry. @throws AfsError USAGE */
export function checkNumbers(wanted: Wanted): void {
  const { timeout } = wanted
  if (timeout !== undefined && !(timeout > 0 && timeout <= timeoutMax))
    throw usage(`--timeout: a number of seconds up to ${timeoutMax} is wanted`)
  for (const option of ["volumeid", "vnodeid", "unique", "parent", "child", "bucket"] as const) {
    const value = wanted[option] ?? 0
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff)
      throw usage(`--${option}: a number from 0 to 4294967295 is wanted`)
  }
}

const commonOptions = {
  ...placeOptions,
  programtype: {
    type: "string",
    requiresArg: true,
    default: "debugUtility",
    describe: "who to be, by name or number",
  },
  reason: { type: "string", requiresArg: true, default: "WHATEVER", describe: "reason, by name or number" },
  json: { type: "boolean", default: false, describe: "print one JSON document" },
  timeout: {
    type: "number",
    requiresArg: true,
    describe: "seconds after which a fileserver that does not answer is given up (default: never)",
  },
} as const satisfies OptionTable

/** Options that every command has, and those it needs or takes. */
export function optionsOf(needs: readonly Option[], takes: readonly Option[]): OptionTable {
  const table: Record<string, Options> = { ...commonOptions }
  for (const option of takes) table[option] = options[option]
  for (const option of needs) {
    const { default: _, ...needed } = options[option]
    table[option] = { ...needed, demandOption: true }
  }
  return table
}
