/**
 * Volume operations on a small partition with something to lose, for tests that cut them off: each case has a partition to
 * start from, the work, and what it may leave. Names of the cases are arguments of crashed-operation.program.ts.
 */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import type { Disk } from "../../common/disk/disk.ts"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import type { VolserverContext } from "../../volserver/context.ts"
import { backupVolume } from "../../volserver/operations/backup.ts"
import { convertToReadWrite } from "../../volserver/operations/convert.ts"
import { createVolume } from "../../volserver/operations/create.ts"
import { releaseVolume } from "../../volserver/operations/release.ts"
import { removeVolume } from "../../volserver/operations/remove.ts"
import { renameVolume } from "../../volserver/operations/rename.ts"
import { type Overwrite, restoreVolume } from "../../volserver/operations/restore.ts"
import { setFields } from "../../volserver/operations/set-fields.ts"
import { zapVolume } from "../../volserver/operations/zap.ts"
import { dumpSource, type Tree, treeDump } from "./dump-builder.ts"
import type { FixtureEncoding } from "./fixture.ts"
import { describeTree, readPartitionState } from "./partition-state.ts"
import { newPartition, standaloneContext } from "./volume-builder.ts"

export const crashIds = {
  keep: 536_870_912,
  target: 536_870_920,
  fresh: 536_870_930,
  lost: 536_870_940,
  lone: 536_870_950,
} as const

const firstTree: Tree = {
  greeting: "hello\n",
  sub: { folder: { deep: "deep\n", other: { size: 5000 }, link: { link: "deep" } } },
  gone: "removed later",
  large: { size: 300_000 },
  holes: { file: new Uint8Array(20_000) },
}
const secondTree: Tree = {
  greeting: "changed\n",
  sub: { folder: { deep: "deep\n", fresh: { size: 7000 } } },
  other: { folder: { one: "1", two: "2" } },
  more: { size: 4096 },
}

const destroyMe = 0xd3
/** Dates and time that every run sees. */
const now = 1_800_000_000

interface CrashCase {
  readonly work: (context: VolserverContext, partition: Partition) => Promise<unknown>
}

const at = (partition: Partition, id: number): { partition: Partition; id: number } => ({ partition, id })

function restore(
  context: VolserverContext,
  partition: Partition,
  name: string,
  id: number,
  tree: Tree,
  overwrite: Overwrite = "abort",
): Promise<unknown> {
  const source = dumpSource(treeDump(tree, { name }))
  return restoreVolume(context, { source, path: `dump of ${name}`, partition, name, id, overwrite })
}

/** Each changes one volume group at most; volume `keep` and its backup are there to be harmed. */
export const crashCases = {
  create: {
    work: (context, partition) => createVolume(context, { partition, name: "fresh", id: crashIds.fresh }),
  },
  "remove a volume whose clones stay": {
    work: (context, partition) => removeVolume(context, at(partition, crashIds.target), { keepBackup: true }),
  },
  "remove the last volume of a group": {
    work: (context, partition) => removeVolume(context, at(partition, crashIds.lone)),
  },
  "zap a volume whose clones stay": {
    work: (context, partition) => zapVolume(context, at(partition, crashIds.target), { force: true }),
  },
  "make a clone": {
    work: (context, partition) => releaseVolume(context, at(partition, crashIds.keep), { id: crashIds.fresh }),
  },
  "renew a clone": { work: (context, partition) => backupVolume(context, at(partition, crashIds.target)) },
  "restore into a new volume": {
    work: (context, partition) => restore(context, partition, "fresh", crashIds.fresh, firstTree),
  },
  "restore over a volume": {
    work: (context, partition) => restore(context, partition, "target", crashIds.target, firstTree, "full"),
  },
  "restore over a volume, incrementally": {
    work: (context, partition) => restore(context, partition, "target", crashIds.target, firstTree, "incremental"),
  },
  "turn a read-only volume into a read-write one": {
    work: (context, partition) => convertToReadWrite(context, at(partition, crashIds.lost + 1)),
  },
  rename: { work: (context, partition) => renameVolume(context, at(partition, crashIds.target), "other.name") },
  "set fields": {
    work: (context, partition) => setFields(context, at(partition, crashIds.target), { maxquota: 4711 }),
  },
} as const satisfies Readonly<Record<string, CrashCase>>
export type CrashCaseName = keyof typeof crashCases

export function isCrashCase(name: string): name is CrashCaseName {
  return name in crashCases
}

/** Makes the partition that every case starts from. */
export async function makeCrashPartition(directory: string, encoding?: FixtureEncoding): Promise<void> {
  const partition = newPartition(directory, encoding)
  const context = standaloneContext([partition], { now: now - 1000 })
  await restore(context, partition, "keep", crashIds.keep, firstTree)
  await backupVolume(context, at(partition, crashIds.keep), { id: crashIds.keep + 2 })
  await restore(context, partition, "target", crashIds.target, firstTree)
  await releaseVolume(context, at(partition, crashIds.target), { id: crashIds.target + 1 })
  await backupVolume(context, at(partition, crashIds.target), { id: crashIds.target + 2 })
  await restore(context, partition, "target", crashIds.target, secondTree, "full")
  await releaseVolume(context, at(partition, crashIds.target)) // shares all its files, the backup has the old ones
  await restore(context, partition, "lone", crashIds.lone, secondTree)
  await restore(context, partition, "lost", crashIds.lost, secondTree)
  await releaseVolume(context, at(partition, crashIds.lost), { id: crashIds.lost + 1 })
  await removeVolume(context, at(partition, crashIds.lost))
}

/** A copy of a partition in a folder of its own, with its owners, permissions and holes. */
export function copyPartition(from: string, to: string): string {
  execFileSync("cp", ["-a", "--sparse=always", from, to])
  return to
}

/** Does a case's work on a partition, by way of a disk. */
export async function workOn(disk: Disk, directory: string, name: CrashCaseName): Promise<void> {
  const partition = openPartition(directory, disk)
  await crashCases[name].work(standaloneContext([partition], { now }), partition)
}

/** What clients see of each volume, by id: name, type and tree, in words. */
export type Contents = ReadonlyMap<number, string>

export function contentsOf(directory: string): Contents {
  const { volumes, headers } = readPartitionState(directory)
  const ids = new Set([...headers.values()].map((header) => header?.id))
  const readable = [...volumes.values()].filter(({ id, info }) => ids.has(id) && info?.destroyMe !== destroyMe)
  return new Map(
    readable.map((volume) => {
      const { name, type } = volume.info ?? {}
      return [volume.id, JSON.stringify({ name, type, tree: describeTree(volume) })]
    }),
  )
}

/** Ids of volumes that no server touches before a salvage. */
export function markedVolumes(directory: string): number[] {
  const { volumes } = readPartitionState(directory, { contents: false })
  return [...volumes.values()].filter(({ info }) => info?.needsSalvaged !== 0).map(({ id }) => id)
}

/** Volumes that are neither what they were nor what the work makes of them, in words. */
export function harmedVolumes(before: Contents, after: Contents, found: Contents): string[] {
  const ids = new Set([...before.keys(), ...after.keys(), ...found.keys()])
  return [...ids].flatMap((id) => {
    const now = found.get(id)
    if (now === before.get(id) || now === after.get(id)) return []
    return [`volume ${id}: ${now === undefined ? "is gone" : `is neither old nor new: ${now}`}`]
  })
}

/** Path of the partition in a folder of a case. */
export const partitionIn = (folder: string): string => join(folder, "vicepa")
