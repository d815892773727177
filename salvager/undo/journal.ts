/**
 * What an undo folder holds: one journal, in which each change of a salvage is described before it is made, and the files
 * that were removed, by a second name.
 *
 *     .dafs/salvages/GROUP-TIME-PID/    journal   0 1 2 …
 *
 * The journal is a row of records: a line of JSON, then as many bytes as it says. A record that is cut off at the end is of
 * a change that was never made. The last one of a salvage that came to its end says how it left the files.
 */
import type { Disk } from "../../common/disk/disk.ts"
import { FormatError } from "../../common/error.ts"
import { ownFolder, type Partition } from "../../common/partition/partition.ts"

export const salvagesFolder = "salvages"

/** Folder of all undo folders of a partition. */
export const shelfPath = (partition: { readonly path: string }): string =>
  `${partition.path}/${ownFolder}/${salvagesFolder}`

/** A change, and what it takes to take it back. Paths are relative to the partition, except `saved`: a name in the folder. */
export type Change =
  /** `length` bytes at `offset` were these; the file had `size` bytes. */
  | { readonly op: "bytes"; readonly path: string; readonly offset: number; readonly size: number }
  | { readonly op: "made"; readonly path: string }
  | { readonly op: "gone"; readonly path: string; readonly saved: string }
  | { readonly op: "owner"; readonly path: string; readonly uid: number; readonly gid: number }
  | { readonly op: "mode"; readonly path: string; readonly mode: number }
  /** `to`: where it is now, in our own folder. A file that was made in its place has no record of its own. */
  | { readonly op: "aside"; readonly path: string; readonly to: string }
  | { readonly op: "folderMade"; readonly path: string }
  | { readonly op: "folderGone"; readonly path: string; readonly mode: number }

export interface JournalHead {
  readonly version: 1
  readonly group: number
  readonly partition: string
  /** Seconds since 1970. */
  readonly time: number
  /** Which run of the machine this is; empty where nobody knows. */
  readonly boot: string
  /** Earlier salvages of the group that could be taken back when this one began. */
  readonly after: readonly string[]
}

/** A record as it is read back. */
export interface JournalEntry {
  readonly change: Change
  readonly bytes: Uint8Array
}

export interface Journal {
  readonly head: JournalHead
  readonly entries: JournalEntry[]
  /** Undefined for a salvage that was broken off. */
  readonly stamps: readonly Stamp[] | undefined
  /** Bytes up to the end of the last whole record. */
  readonly length: number
}

/** A file as a salvage left it: if it is no longer so, somebody has worked on the volume since. */
interface Stamp {
  readonly path: string
  /** Undefined: there was no such file. */
  readonly stamp?: string | undefined
}

/**
 * What tells whether somebody has worked on a file since: its size, and its date as fine as the file system keeps it. To read
 * every file again, for a checksum, took longer than to repair it. Undefined if there is none.
 */
export function stampOf({ disk, path }: Pick<Partition, "disk" | "path">, relative: string): string | undefined {
  const stat = disk.stat(`${path}/${relative}`)
  if (stat === undefined) return undefined
  return stat.isFile ? `${stat.size} ${stat.modifiedMs}` : "folder"
}

const newline = 0x0a

/** A record: a line and bytes. */
export function encodeRecord(line: object, bytes: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = JSON.stringify(line)
  const start = Buffer.from(`${text.slice(0, -1)},"length":${bytes.length}}\n`)
  return bytes.length === 0 ? start : Buffer.concat([start, bytes], start.length + bytes.length)
}

/** The last record: how the files with these paths are now. What differs from that later is somebody's work. */
export function encodeEnd(partition: Partition, paths: Iterable<string>): Uint8Array {
  const stamps = Array.from(paths, (path) => ({ path, stamp: stampOf(partition, path) }))
  return encodeRecord({ op: "end", stamps })
}

/**
 * Reads a journal.
 * @throws FormatError if it is no journal; a last record that is cut off is left out
 */
export function readJournal(disk: Disk, path: string): Journal {
  const all = Buffer.from(disk.readFile(path) ?? [])
  const records = [...recordsOf(all, path)]
  const length = records.at(-1)?.end ?? 0
  const head = records.shift()?.line
  if (!isHead(head)) throw new FormatError("undo journal", { path, offset: 0 }, "another beginning", "version 1")
  const entries: JournalEntry[] = []
  let stamps: readonly Stamp[] | undefined
  for (const { line, bytes, offset } of records) {
    if (isChange(line)) entries.push({ change: line, bytes })
    else if (isEnd(line)) stamps = line.stamps
    else throw new FormatError("undo journal", { path, offset }, JSON.stringify(line), "a change")
  }
  return { head, entries, stamps, length }
}

interface Found {
  readonly line: unknown
  readonly bytes: Uint8Array
  readonly offset: number
  /** Offset of what follows. */
  readonly end: number
}

function* recordsOf(all: Buffer, path: string): Generator<Found> {
  for (let offset = 0; offset < all.length; ) {
    const lineEnd = all.indexOf(newline, offset)
    if (lineEnd < 0) return
    const line = parsed(all.toString("utf8", offset, lineEnd))
    const length = isRecord(line) && typeof line["length"] === "number" ? line["length"] : -1
    if (length < 0) throw new FormatError("undo journal", { path, offset }, "garbage", "a record")
    const end = lineEnd + 1 + length
    if (end > all.length) return
    yield { line, bytes: all.subarray(lineEnd + 1, end), offset, end }
    offset = end
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

function isHead(value: unknown): value is JournalHead {
  if (!isRecord(value)) return false
  const { version, group, partition, time, boot, after } = value
  const isOfGroup = version === 1 && typeof group === "number" && typeof partition === "string"
  const areNames = Array.isArray(after) && after.every((name) => typeof name === "string" && /^[\w-]+$/.test(name))
  return isOfGroup && typeof time === "number" && typeof boot === "string" && areNames
}

const numbersOf: Record<Change["op"], readonly string[]> = {
  bytes: ["offset", "size"],
  made: [],
  gone: [],
  aside: [],
  owner: ["uid", "gid"],
  mode: ["mode"],
  folderMade: [],
  folderGone: ["mode"],
}

function isChange(value: unknown): value is Change {
  if (!isRecord(value) || typeof value["op"] !== "string" || !(value["op"] in numbersOf)) return false
  const numbers = Object.entries(numbersOf).find(([op]) => op === value["op"])?.[1] ?? []
  const areNumbers = numbers.every((name) => Number.isSafeInteger(value[name]) && Number(value[name]) >= 0)
  const isInside = isPathInside(value["path"])
  const isAside = value["op"] !== "aside" || (isPathInside(value["to"]) && value["to"].startsWith(`${ownFolder}/`))
  const isSaved = value["op"] !== "gone" || (typeof value["saved"] === "string" && /^\d+$/.test(value["saved"]))
  return areNumbers && isInside && isSaved && isAside
}

const isPathInside = (path: unknown): path is string => typeof path === "string" && !`/${path}/`.includes("/../")

function isEnd(value: unknown): value is { readonly stamps: readonly Stamp[] } {
  if (!isRecord(value) || value["op"] !== "end" || !Array.isArray(value["stamps"])) return false
  return value["stamps"].every((stamp) => isRecord(stamp) && typeof stamp["path"] === "string")
}
