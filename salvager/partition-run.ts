/**
 * Salvages of whole partitions: which groups there are to do, and what a partition itself says: FORCESALVAGE, which keeps
 * fileservers away until all of it was salvaged, and files that a salvager of OpenAFS left behind.
 * OpenAFS vol/vol-salvage.c (SalvageFileSys1).
 */
import { type DiskEntry, isDiskError } from "../common/disk/disk.ts"
import { folderOpener } from "../common/disk/folder-reader.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError } from "../common/error.ts"
import { specialInode } from "../common/partition/inode-number.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { headerVolume, type Partition } from "../common/partition/partition.ts"
import { vnodeClasses } from "../common/vnode/vnode-record.ts"
import { putAside } from "./aside.ts"
import { findingCodes } from "./finding.ts"
import { type GroupTask, salvageGroups, workersFor } from "./group-pool.ts"
import type { WorkerOrder } from "./group-worker.ts"
import { optimizeLate } from "./late-optimization.ts"
import { type Emit, expireOld, type GroupResult, type SalvageOptions, salvageGroup } from "./salvage.ts"
import { Survey } from "./survey.ts"

export interface PartitionRunOptions {
  readonly salvage: SalvageOptions
  /** Processes that work at a time. */
  readonly parallel: number
  /** What further processes are told. */
  readonly order: Pick<WorkerOrder, "stateDirectory" | "hasFileserver">
  /** See PoolOptions; default: as many as are worth it. */
  readonly atOnce?: number
  /** Told of a partition of which all groups were done, but whose other files could not be put right: it may stay out of service. */
  readonly unsettled?: (partition: Partition, error: Error) => void
}

/** What a salvage takes, roughly: to take a group, look at it and give it back; and for each vnode. */
const groupMs = 0.5
const vnodeMs = 0.006
/** So many groups tell how large all are, roughly. */
const indexesLooked = 64

/** Volumes for which the C library is loaded; with fewer it takes longer than it saves. */
const namesForReader = 64
/** With so many groups the code of a salvage is optimized late. */
const manyGroups = 64

const forceFile = (partition: Partition): string => `${partition.path}/FORCESALVAGE`
/** Temporary files of OpenAFS's salvager, which holds the partition while it needs them. */
const leftover = /^salvage\.(inodes|temp)\..*\d$/

/**
 * Salvages all groups of these partitions, whose locks the caller holds. Results are in the order of partitions and groups.
 * @throws AfsError INTERRUPTED if the signal was aborted before all were done
 */
export async function salvagePartitions(
  partitions: readonly Partition[],
  { salvage, parallel, order, atOnce, unsettled }: PartitionRunOptions,
  emit: Emit,
): Promise<GroupResult[]> {
  const surveys = new Map(partitions.map((partition) => [partition.path, new Survey(partition)]))
  if ([...surveys.values()].some(hasMany)) folderOpener()
  const tasks = partitions.flatMap((partition) => tasksOf(partition, surveys.get(partition.path), salvage.force))
  // where there is nothing to share out, threads share the work on a group
  const threads = tasks.length === 1 ? parallel : 1
  const work = async ({ partition, group, force }: GroupTask, emitOf: Emit): Promise<GroupResult> => {
    const survey = surveys.get(partition)
    if (survey === undefined) throw new Error(`${partition} was not surveyed`)
    return salvageGroup(survey, group, { ...salvage, force, threads }, emitOf)
  }
  const optimizesLate = tasks.length >= manyGroups
  if (optimizesLate) optimizeLate()
  const { claimant, signal, force: _force, now: _now, ...options } = salvage
  const pool = {
    parallel,
    order: { type: "order", options, program: claimant.program, optimizesLate, ...order },
    work,
    signal,
    atOnce: atOnce ?? workersFor(estimatedMs(surveys.values())),
  } as const
  const results = await salvageGroups(tasks, pool, emit)
  if (results.length < tasks.length) throw new AfsError("INTERRUPTED", "salvage", {})
  for (const partition of partitions) {
    expireOld(partition, salvage)
    try {
      const entries = partition.disk.list(partition.path) ?? []
      putStrayHeadersAside(partition, entries, salvage, emit)
      if (!salvage.readOnly) settle(partition, entries, results, tasks)
    } catch (error) {
      // what was done to the groups is done, and is told, whatever becomes of the files beside them
      if (!isDiskError(error) || unsettled === undefined) throw error
      unsettled(partition, error)
    }
  }
  return results
}

/** So many folders are read that it is worth to load the C library for them. */
const hasMany = ({ partition, nameCount }: Survey): boolean =>
  partition.disk === nodeDisk && nameCount >= namesForReader

/** How long it takes one process, told from the number of groups and the sizes of some indexes. */
function estimatedMs(surveys: Iterable<Survey>): number {
  const all = [...surveys].flatMap(({ partition, groups }) => [...groups].map((row) => [partition, ...row] as const))
  const step = Math.ceil(all.length / indexesLooked)
  const some = all.filter((_row, index) => index % step === 0)
  let vnodes = 0
  for (const [partition, group, volumes] of some) {
    const store = new InodeStore(partition, group)
    for (const id of volumes) vnodes += indexSize(store, id) / vnodeClasses.small.recordSize
  }
  return all.length * groupMs + vnodes * step * vnodeMs
}

/** Bytes of a volume's index; 0 where nobody can tell: the salvage of its group will say so, and stops no other. */
function indexSize(store: InodeStore, volume: number): number {
  try {
    return store.stat(specialInode(volume, "smallIndex"))?.size ?? 0
  } catch (error) {
    if (!isDiskError(error)) throw error
    return 0
  }
}

function tasksOf(partition: Partition, survey: Survey | undefined, isForced: boolean): GroupTask[] {
  const force = isForced || partition.disk.stat(forceFile(partition)) !== undefined
  const { path, name } = partition
  return (survey?.allGroups() ?? []).map((group) => ({ partition: path, name, group, force }))
}

/**
 * Names that end like a header's and say no volume belong to no group. OpenAFS's salvager removes them, whatever they are; a
 * header may have been among them.
 */
function putStrayHeadersAside(
  partition: Partition,
  entries: readonly DiskEntry[],
  { readOnly, now }: SalvageOptions,
  emit: Emit,
): void {
  const { path, name: partitionName } = partition
  for (const { name } of entries) {
    if (!name.endsWith(".vol") || headerVolume(name) !== undefined) continue
    const file = `${path}/${name}`
    const date = now?.() ?? Math.floor(Date.now() / 1000)
    if (!readOnly) putAside(partition, file, name, date)
    const code = "header-stray"
    emit({ type: "finding", partition: partitionName, done: !readOnly, code, group: 0, file, ...findingCodes[code] })
  }
}

/** A partition of which all was looked at may be served again. */
function settle(
  partition: Partition,
  entries: readonly DiskEntry[],
  results: readonly GroupResult[],
  tasks: readonly GroupTask[],
): void {
  const { path, name } = partition
  for (const entry of entries)
    if (leftover.test(entry.name) && !entry.isDirectory) remove(partition, `${path}/${entry.name}`)
  const isForced = tasks.every((task) => task.partition !== path || task.force)
  const isWhole = results.every((one) => one.partition !== name || (one.status !== "busy" && one.status !== "failed"))
  if (isForced && isWhole) remove(partition, forceFile(partition))
}

function remove({ disk }: Partition, path: string): void {
  try {
    disk.unlink(path)
  } catch (error) {
    if (isDiskError(error, "EISDIR")) disk.rmdir(path)
    else if (!isDiskError(error, "ENOENT")) throw error
  }
}
