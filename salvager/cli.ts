/** `dafs salvager`: options, and what they start. */

import type { Argv, CommandModule } from "yargs"
import { exitCodes } from "../common/cli/exit-codes.ts"
import { gatherText } from "../common/cli/gathered-text.ts"
import { outliveReaders } from "../common/cli/lost-reader.ts"
import { isInOpenafsPlace, logFileOf, stateDirectoryOf } from "../common/cli/place-options.ts"
import { runPlainWords } from "../common/cli/plain-words.ts"
import { isWatched } from "../common/cli/progress.ts"
import { untilStopped } from "../common/cli/stopping.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError, isAfsError } from "../common/error.ts"
import { lockPartition, lockSalvage } from "../common/lock/partition-lock.ts"
import { findPartitions, openPartition, type Partition } from "../common/partition/partition.ts"
import type { ProgramType } from "../common/protocol/codes.ts"
import { openFileserver } from "../fssync/fileserver-link.ts"
import type { FssyncClient } from "../fssync/fssync-client.ts"
import { reportOperation } from "./operation-report.ts"
import { salvagePartitions } from "./partition-run.ts"
import { progressLine } from "./progress-line.ts"
import { type ReportStyle, reporter, summaryOf } from "./report.ts"
import { type Emit, type GroupResult, type SalvageOptions, salvageVolume } from "./salvage.ts"
import { SalvageLog } from "./salvage-log.ts"
import { type SalvagerArguments, salvagerOptions } from "./salvager-cli.ts"
import type { UndoLimits } from "./undo/recorder.ts"

/** The fileserver, if one answers; nobody is waited for. */
async function findFileserver(wanted: SalvagerArguments): Promise<FssyncClient | undefined> {
  const program = wanted["program-type"] ?? "volumeSalvager"
  try {
    return await openFileserver({ stateDirectory: stateDirectoryOf(wanted), program, offline: wanted.offline })
  } catch (error) {
    if (isAfsError(error, "UNREACHABLE") && program !== "salvageServer") return undefined
    throw error
  }
}

/** Which program the volumes are told to be held by. */
function programOf(wanted: SalvagerArguments, fileserver: FssyncClient | undefined): ProgramType {
  return wanted["program-type"] ?? (fileserver === undefined ? "salvager" : "volumeSalvager")
}

/**
 * A salvage of a whole partition without a fileserver has it for itself, as dasalvager wants it; any other lets salvages of
 * other groups go on. Looking takes no such locks: it writes nothing.
 */
function lockOthersOut(
  wanted: SalvagerArguments,
  partitions: readonly Partition[],
  hasFileserver: boolean,
): Disposable {
  const locks: Disposable[] = []
  const release = (): void => {
    for (const lock of locks) lock[Symbol.dispose]()
  }
  if (wanted.nowrite) return { [Symbol.dispose]: release }
  const isWhole = wanted.volumeid === undefined
  const state = stateDirectoryOf(wanted)
  try {
    if (hasFileserver || nodeDisk.stat(state) !== undefined)
      locks.push(lockSalvage(state, isWhole && !hasFileserver ? "write" : "read", "salvager"))
    if (isWhole) for (const partition of partitions) locks.push(lockPartition(partition))
  } catch (error) {
    release()
    throw error
  }
  return { [Symbol.dispose]: release }
}

async function run(wanted: SalvagerArguments): Promise<void> {
  requireSense(wanted)
  outliveReaders()
  const partitions = openPartitions(wanted.partition)
  await using fileserver = await findFileserver(wanted)
  using _locks = lockOthersOut(wanted, partitions, fileserver !== undefined)
  const stop = new AbortController()
  void untilStopped().then(() => stop.abort())
  if (wanted.undo !== undefined) {
    const claimant = { program: programOf(wanted, fileserver), fileserver, report: reportOperation }
    const { runUndo } = await import("./undo/command.ts")
    await runUndo(partitions, wanted.undo, claimant, wanted.json)
    return
  }
  const options: SalvageOptions = {
    readOnly: wanted.nowrite,
    force: wanted.force || wanted.volumeid !== undefined,
    orphans: wanted.orphans,
    salvageDirs: wanted.salvagedirs,
    stateDirectory: stateDirectoryOf(wanted),
    phases: wanted.progress || isWatched(),
    threads: wanted.parallel,
    undo: undoLimitsOf(wanted),
    signal: stop.signal,
    claimant: { program: programOf(wanted, fileserver), fileserver, report: reportOperation },
  }
  const results = await salvageAndReport(wanted, partitions, options)
  if (wanted["program-type"] === undefined) requireAnything(wanted, partitions, results)
  const status = exitCodeOf(results, wanted)
  if (status !== exitCodes.done) process.exitCode = status // else what went wrong beside the salvage stays the outcome
}

/** Nothing is kept for 0 days, or in 0 MiB. */
function undoLimitsOf({ "undo-days": days, "undo-size": size }: SalvagerArguments): UndoLimits | undefined {
  return days > 0 && size > 0 ? { seconds: 86_400 * days, bytes: 2 ** 20 * size } : undefined
}

/** @throws AfsError USAGE */
function requireSense(wanted: SalvagerArguments): void {
  const { volumeid, partition, parallel } = wanted
  const refuse = (detail: string): never => {
    throw new AfsError("USAGE", "salvager", {}, { detail })
  }
  if (volumeid !== undefined && !(Number.isInteger(volumeid) && volumeid > 0 && volumeid <= 0xffff_ffff))
    refuse(`--volumeid ${volumeid} is no volume id`)
  if (volumeid !== undefined && partition?.length !== 1) refuse("--volumeid needs one --partition")
  if (!Number.isInteger(parallel) || parallel < 1) refuse("--parallel needs a number of at least 1")
  for (const option of ["undo-days", "undo-size"] as const)
    if (wanted[option] < 0) refuse(`--${option} needs a number of at least 0`)
}

/** Those that are named, or all of the machine; one that cannot be used is told, and keeps none of the others waiting. */
function openPartitions(paths: readonly string[] | undefined): Partition[] {
  if (paths !== undefined) return [...new Set(paths)].map((path) => openPartition(path))
  const found = findPartitions(undefined, (path, error) => reportTrouble({ path }, error))
  if (found.length > 0) return found
  throw new AfsError("ENOENT", "salvager", {}, { detail: "there is no partition: name one with --partition" })
}

/** Something went wrong that keeps no group from its salvage. */
function reportTrouble({ path }: Pick<Partition, "path">, error: unknown): void {
  process.stderr.write(`dafs salvager: ${path}: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = exitCodes.partlyDone
}

/** A mistyped id must not look like a sound volume. @throws AfsError VNOVOL if there was nothing to salvage */
function requireAnything(
  { volumeid }: SalvagerArguments,
  [partition]: readonly Partition[],
  results: readonly GroupResult[],
): void {
  const isNothing = results.every((one) => one.status === "clean" && one.volumes.length === 0 && one.files === 0)
  if (volumeid === undefined || !isNothing) return
  throw new AfsError("VNOVOL", "salvage", { volume: volumeid, partition: partition?.name ?? "" })
}

/** A name of its own, OpenAFS's in its place, else beside the servers' other files, where there is a place for them. */
function logPathOf(wanted: SalvagerArguments): string | undefined {
  const name = wanted["program-type"] === "salvageServer" ? "SalsrvLog" : "SalvageLog"
  if (wanted.logfile !== undefined || isInOpenafsPlace(wanted)) return logFileOf(wanted, name)
  const state = stateDirectoryOf(wanted)
  return nodeDisk.stat(state)?.isDirectory === true ? `${state}/${name}` : undefined
}

async function salvageAndReport(
  wanted: SalvagerArguments,
  partitions: readonly Partition[],
  options: SalvageOptions,
): Promise<GroupResult[]> {
  const style: ReportStyle = wanted.json ? "json" : wanted.showlog ? "log" : "text"
  const out = gatherText(process.stdout)
  const report = reporter(style, out, wanted.progress)
  const progress = progressLine()
  using log = SalvageLog.open(logPathOf(wanted), partitions, options.readOnly)
  const emit: Emit = (event) => {
    progress.emit(event)
    report.emit(event)
    log.emit(event)
  }
  const results = await salvageWhat(wanted, partitions, options, emit)
  progress.clear()
  for (const { name } of partitions) {
    const own = results.filter(({ partition }) => partition === name)
    const summary = summaryOf(name, options.readOnly, own)
    report.end(summary)
    log.end(summary)
  }
  out.flush()
  for (const { status, error, group } of results)
    if (error !== undefined) process.stderr.write(`dafs salvager: group ${group}: ${status}: ${error.message}\n`)
  return results
}

async function salvageWhat(
  wanted: SalvagerArguments,
  partitions: readonly Partition[],
  salvage: SalvageOptions,
  emit: Emit,
): Promise<GroupResult[]> {
  const { volumeid, parallel } = wanted
  const [partition] = partitions
  if (volumeid !== undefined && partition !== undefined)
    return [await salvageVolume(partition, volumeid, salvage, emit)]
  const order = { stateDirectory: stateDirectoryOf(wanted), hasFileserver: salvage.claimant.fileserver !== undefined }
  return salvagePartitions(partitions, { salvage, parallel, order, unsettled: reportTrouble }, emit)
}

/** 0: everything may be served. A worker of the salvage server says no more than that it did its work. */
function exitCodeOf(results: readonly GroupResult[], wanted: SalvagerArguments): number {
  const bad = results.filter(({ status }) => status === "busy" || status === "failed")
  if (bad.length > 0) {
    if (bad.length < results.length) return exitCodes.partlyDone
    return bad.every(({ status }) => status === "busy") ? exitCodes.busy : exitCodes.failed
  }
  return wanted.nowrite && results.some(({ status }) => status === "damaged") ? exitCodes.damageLeft : exitCodes.done
}

export const salvagerCommand: CommandModule<object, SalvagerArguments> = {
  command: "salvager",
  describe: "Check and repair volumes",
  builder: (parser: Argv) =>
    parser
      .options(salvagerOptions)
      .example("$0 salvager --partition /vicepa --force --nowrite", "what is wrong on a partition?")
      .example("$0 salvager --partition /vicepa --volumeid 536870915", "repair the group of one volume")
      .epilog(
        "Exit status: 0 all may be served, 3 some groups were not salvaged, 4 damage found and nothing written, 11 somebody has the volumes.",
      ),
  handler: run,
}

/** Runs what plain words say. @returns false if nothing was done: yargs has to read them */
export const runPlainly = (words: readonly string[]): Promise<boolean> => runPlainWords(salvagerOptions, words, run)
