/** `dafs locks`: who holds which volume of a partition, and the locks beside those. Takes none and changes nothing. */
import { resolve } from "node:path"
import type { CommandModule, InferredOptionTypes, Options } from "yargs"
import { type Column, printJson, printTable } from "../common/cli/output.ts"
import { placeOptions, stateDirectoryOf } from "../common/cli/place-options.ts"
import { runPlainWords } from "../common/cli/plain-words.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError } from "../common/error.ts"
import { type LockHolder, listLocks, listVolumeLocks } from "../common/lock/lock-holder.ts"
import { headerLockPath, salvageLockPath } from "../common/lock/lock-path.ts"
import { findPartitions, requirePath } from "../common/partition/partition.ts"

const locksOptions = {
  partition: {
    type: "string",
    requiresArg: true,
    describe: "the partition's directory (with --openafs, default: all /vicepX)",
  },
  volumeid: { type: "number", requiresArg: true, describe: "only locks on this volume" },
  ...placeOptions,
  json: { type: "boolean", default: false, describe: "print one JSON document" },
} as const satisfies Readonly<Record<string, Options>>
type LocksArguments = InferredOptionTypes<typeof locksOptions>

/** What a lock stands for: a volume, all headers, the whole partition, or the right to salvage. */
type LockPurpose = "volume" | "headers" | "partition" | "salvage"

interface LockRow extends LockHolder {
  readonly purpose: LockPurpose
  /** One volume, if the lock is on one. */
  readonly volume: number | undefined
}

function rowsOf(purpose: LockPurpose, locks: readonly LockHolder[]): LockRow[] {
  return locks.map((lock) => ({
    purpose,
    volume: purpose === "volume" && lock.first === lock.last ? lock.first : undefined,
    ...lock,
  }))
}

function isWanted(lock: LockHolder, volume: number | undefined): boolean {
  return volume === undefined || (lock.first <= volume && volume <= lock.last)
}

function findLocks(directory: string, volume: number | undefined): LockRow[] {
  const partition = { path: directory, disk: nodeDisk }
  const volumes = listVolumeLocks(partition).filter((lock) => isWanted(lock, volume))
  const rows = rowsOf("volume", volumes)
  if (volume !== undefined) return rows
  rows.push(...rowsOf("headers", listLocks(nodeDisk, headerLockPath(partition))))
  rows.push(
    ...rowsOf(
      "partition",
      listLocks(nodeDisk, directory).filter((lock) => lock.kind === "flock"),
    ),
  )
  return rows
}

/** The right to salvage is locked in the state directory, for all partitions. */
function findSalvageLocks(volume: number | undefined, stateDirectory: string | undefined): LockRow[] {
  if (volume !== undefined || stateDirectory === undefined) return []
  return rowsOf("salvage", listLocks(nodeDisk, salvageLockPath(stateDirectory)))
}

function volumesOf(row: LockRow): string {
  if (row.purpose !== "volume") return ""
  if (row.first === row.last) return String(row.first)
  return row.last === Number.POSITIVE_INFINITY ? `${row.first} and above` : `${row.first}-${row.last}`
}

const kindNames = { record: "record", description: "open file description", flock: "flock" } as const

const columns: readonly Column<LockRow>[] = [
  { title: "LOCK", value: (row) => row.purpose },
  { title: "VOLUME", value: volumesOf, align: "right" },
  { title: "TYPE", value: (row) => row.type },
  { title: "PID", value: (row) => row.pid ?? "?", align: "right" },
  { title: "PROGRAM", value: (row) => row.program ?? "?" },
  { title: "KIND", value: (row) => kindNames[row.kind] },
]

/** As the JSON document has it: a lock to the end of the file has no last byte. */
function plain(row: LockRow) {
  const { purpose, volume, type, kind, pid, program, first, last } = row
  return { purpose, volume, type, kind, pid, program, first, last: Number.isFinite(last) ? last : undefined }
}

function requireDirectory(path: string, option: string): string {
  const directory = resolve(path)
  if (nodeDisk.stat(directory)?.isDirectory === true) return directory
  throw new AfsError("ENOENT", "locks", { path: directory }, { detail: `--${option} is not a directory` })
}

function requireVolume(value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff)) return
  throw new AfsError("USAGE", "locks", {}, { detail: "--volumeid is a number from 0 to 4294967295" })
}

/** The partition that is named; in OpenAFS's place, all of the machine. @throws AfsError USAGE, ENOENT */
function directoriesOf({ partition, openafs }: LocksArguments): string[] {
  if (partition === undefined && openafs === true) return findPartitions().map(({ path }) => path)
  if (partition === undefined)
    throw new AfsError("USAGE", "locks", {}, { detail: "--partition or --openafs: which partition?" })
  requirePath(partition, "locks")
  return [requireDirectory(partition, "partition")]
}

/** What is locked at a place, which several have as their heading. */
interface Section {
  readonly place: string
  readonly rows: readonly LockRow[]
}

function printSections(sections: readonly Section[]): void {
  for (const { place, rows } of sections) {
    if (rows.length === 0) process.stderr.write(`dafs: no lock is held on ${place}\n`)
    else if (sections.length > 1) process.stdout.write(`${place}\n`)
    printTable(rows, columns)
  }
}

/** Of the partition that is named: the salvagers' lock is among the others. */
function showOne({ place, rows }: Section, salvage: readonly LockRow[], json: boolean): void {
  const locks = [...rows, ...salvage]
  if (json) printJson({ type: "locks", partition: place, locks: locks.map(plain) })
  else printSections([{ place, rows: locks }])
}

/** Of all partitions, in one document. */
function showAll(sections: readonly Section[], salvage: Section, json: boolean): void {
  if (!json) return printSections(salvage.rows.length === 0 ? sections : [...sections, salvage])
  const partitions = sections.map(({ place, rows }) => ({ partition: place, locks: rows.map(plain) }))
  printJson({ type: "locks", partitions, salvage: salvage.rows.map(plain) })
}

function showLocks(wanted: LocksArguments): void {
  const { volumeid, json } = wanted
  requireVolume(volumeid)
  const sections = directoriesOf(wanted).map((place) => ({ place, rows: findLocks(place, volumeid) }))
  const isPlaceSaid = wanted["state-dir"] !== undefined || wanted.openafs === true
  const state = isPlaceSaid ? requireDirectory(stateDirectoryOf(wanted), "state-dir") : undefined
  const salvage = findSalvageLocks(volumeid, state)
  const [only] = sections
  if (wanted.partition !== undefined && only !== undefined) showOne(only, salvage, json)
  else showAll(sections, { place: state ?? "", rows: salvage }, json)
}

export const locksCommand: CommandModule<object, LocksArguments> = {
  command: "locks",
  describe: "Show who holds which volume of a partition",
  builder: (parser) =>
    parser
      .options(locksOptions)
      .example("$0 locks --openafs", "every lock on this machine's partitions, and the salvagers' lock")
      .example("$0 locks --partition /vicepa", "every lock on the partition, with process and program")
      .example("$0 locks --partition /vicepa --volumeid 536870915", "who has this volume"),
  handler: showLocks,
}

/** Runs what plain words say. @returns false if nothing was done: yargs has to read them */
export const runPlainly = (words: readonly string[]): Promise<boolean> => runPlainWords(locksOptions, words, showLocks)
