/**
 * A partition that we made and worked on is one of OpenAFS's: its salvager has nothing to say about it, its fileserver
 * attaches and serves all of it, and both suites can go on where the other stopped.
 */
import test from "ava"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import type { VolserverContext } from "../../volserver/context.ts"
import { backupVolume } from "../../volserver/operations/backup.ts"
import { convertToReadWrite } from "../../volserver/operations/convert.ts"
import { createVolume } from "../../volserver/operations/create.ts"
import { dumpVolume } from "../../volserver/operations/dump.ts"
import { releaseVolume } from "../../volserver/operations/release.ts"
import { removeVolume } from "../../volserver/operations/remove.ts"
import { renameVolume } from "../../volserver/operations/rename.ts"
import { type Overwrite, restoreVolume } from "../../volserver/operations/restore.ts"
import { putOnline, takeOffline } from "../../volserver/operations/service.ts"
import { setFields } from "../../volserver/operations/set-fields.ts"
import { type Cell, cellAddress, startCell, wholeCell } from "../support/cell.ts"
import { runDasalvager } from "../support/dasalvager.ts"
import { dumpSource, manyFiles, sampleTree, type Tree, treeDump } from "../support/dump-builder.ts"
import { describeTree, readPartitionState } from "../support/partition-state.ts"
import { needsCell, needsCellAndFuse } from "../support/requirements.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, standaloneContext } from "../support/volume-builder.ts"

const changedTree: Tree = {
  greeting: "changed\n",
  "new folder": { folder: { "new file": { size: 70_000, seed: 5 } } },
  big: { size: 300_000 },
}

/** The ids of the volumes that `work` leaves. */
interface Worked {
  readonly sample: number
  readonly backup: number
  readonly readonly: number
  readonly high: number
}

async function restore(
  context: VolserverContext,
  partition: Partition,
  name: string,
  tree: Tree,
  options: { readonly id?: number; readonly overwrite?: Overwrite } = {},
): Promise<number> {
  const source = dumpSource(treeDump(tree, { name }))
  return (await restoreVolume(context, { source, path: name, partition, name, ...options })).id
}

/** One of every operation, some of them more than once. */
async function work(partition: Partition, stateDirectory: string): Promise<Worked> {
  const context = standaloneContext([partition], { stateDirectory }) // where ids of removed volumes are remembered
  const place = (id: number): { partition: Partition; id: number } => ({ partition, id })
  const { id: empty } = await createVolume(context, { partition, name: "empty" })
  await setFields(context, place(empty), { maxquota: 7777 })
  await createVolume(context, { partition, name: "offline", offline: true })
  const sample = await restore(context, partition, "sample", sampleTree)
  const { id: backup } = await backupVolume(context, place(sample))
  const { id: readonly } = await releaseVolume(context, place(sample))
  await restore(context, partition, "sample", changedTree, { id: sample, overwrite: "full" })
  await backupVolume(context, place(sample))
  const high = await restore(context, partition, "high", manyFiles(300, 2000), { id: 4_026_531_841 })
  const { id: highReadonly } = await releaseVolume(context, place(high))
  await removeVolume(context, place(highReadonly))
  await releaseVolume(context, place(high))
  await workAside(context, partition)
  return { sample, backup, readonly, high }
}

/** Operations on volumes that are renamed, turned or gone in the end. */
async function workAside(context: VolserverContext, partition: Partition): Promise<void> {
  const place = (id: number): { partition: Partition; id: number } => ({ partition, id })
  const old = await restore(context, partition, "old.name", { file: "content" })
  await backupVolume(context, place(old))
  await renameVolume(context, place(old), "new.name")
  await takeOffline(context, place(old))
  await putOnline(context, place(old))
  const gone = await restore(context, partition, "gone", sampleTree)
  await backupVolume(context, place(gone))
  await removeVolume(context, place(gone))
  const lost = await restore(context, partition, "lost", sampleTree)
  const { id: survivor } = await releaseVolume(context, place(lost))
  await removeVolume(context, place(lost))
  await convertToReadWrite(context, place(survivor))
  const pieces: Uint8Array[] = []
  const sink = { write: (bytes: Uint8Array): void => void pieces.push(Uint8Array.from(bytes)) }
  await dumpVolume(context, { place: place(old), from: 0, omitDirectories: false, sink, viaClone: true })
  await restoreVolume(context, { source: dumpSource(Buffer.concat(pieces)), path: "dump", partition, name: "copy" })
}

test("worked partition: with one of every operation done, the second reader finds nothing wrong", async (t) => {
  const partition = newPartition(temporaryDirectory(t), "development")
  const { sample, readonly, backup } = await work(partition, temporaryDirectory(t))
  const state = readPartitionState(partition.path)
  t.deepEqual(state.problems, [])
  const tree = (id: number): string[] =>
    Object.keys(state.volumes.has(id) ? describeTree(state.volumes.get(id) ?? t.fail()) : {})
  t.true(tree(readonly).includes("/sub/inner/deep"))
  t.deepEqual(tree(sample), ["/", "/big", "/greeting", "/new folder", "/new folder/new file"])
  t.deepEqual(tree(backup), tree(sample))
  const names = [...state.volumes.values()].map((volume) => volume.info?.name).sort()
  t.deepEqual(names, [
    ...["copy", "empty", "high", "high.readonly", "lost", "new.name", "new.name.backup", "offline"],
    ...["sample", "sample.backup", "sample.readonly"],
  ])
})

needsCell("worked partition: dasalvager looks at all of it and finds nothing", async (t) => {
  const partition = newPartition(temporaryDirectory(t), "openafs")
  await work(partition, temporaryDirectory(t))
  const run = await runDasalvager(t, partition.path)
  t.deepEqual(run.findings, [])
  const groups = [...readPartitionState(partition.path).groups.keys()]
  t.deepEqual([...run.salvaged].sort(), groups.sort())
})

/** Hashes of all files of a volume as the FUSE client reads them, by path; mount points are left out. */
async function readThroughClient(cell: Cell, volume: string): Promise<string[]> {
  const find = "find . -name mount -prune -o -name sub -prune -o -type f -print0 | xargs -0 sha256sum"
  const listing = await cell.exec("sh", "-c", `cd '/afs/.:mount/test.cell:${volume}' && ${find}`)
  return listing.trimEnd().split("\n").sort()
}

function filesOf(partition: string, id: number): string[] {
  const volume = readPartitionState(partition).volumes.get(id)
  return [...(volume?.tree ?? [])]
    .filter(([, node]) => node.target?.type === 1)
    .map(([path, node]) => `${node.target?.content}  .${Buffer.from(path, "latin1").toString("utf8")}`)
    .sort()
}

async function listing(cell: Cell): Promise<Map<string, string>> {
  const lines = (await cell.vos("listvol", cellAddress, "a", "-noauth")).split("\n")
  const rows = lines.map((line) => /^(\S+) +\d+ (?:RW|RO|BK) +\d+ K (\S+)/.exec(line)).filter((row) => row !== null)
  return new Map(rows.map((row) => [row[1] ?? "", row[2] ?? ""]))
}

const change = `
  set -e
  cd /afs/.:mount/test.cell:sample
  echo appended >>greeting
  cp big copy
  rm big
  mkdir theirs
  echo theirs >theirs/file
  mv 'new folder' theirs/moved
`

needsCellAndFuse(
  "worked partition: dafileserver attaches and serves all of it, changes it, and we go on from there",
  async (t) => {
    const cell = await startCell(t)
    const partition = openPartition(cell.partition("a"))
    const { sample, backup, readonly, high } = await work(partition, temporaryDirectory(t))
    const before = { readonly: filesOf(partition.path, readonly), high: filesOf(partition.path, high) }
    await cell.start(...wholeCell, "fuse")
    const states = await listing(cell)
    t.is(states.get("offline"), "Off-line")
    states.delete("offline")
    t.deepEqual([...new Set(states.values())], ["On-line"])
    t.is(states.size, 10)
    // It enters all volumes, and fails in the end to raise the cell's next volume id above that of `high`.
    await cell.try("vos", ["syncvldb", cellAddress, "-noauth"])
    // The access list of sub lets no anonymous client in.
    const open = before.readonly.filter((line) => !line.includes("  ./sub/"))
    t.true(open.length < before.readonly.length)
    t.deepEqual(await readThroughClient(cell, "sample.readonly"), open)
    t.deepEqual(await readThroughClient(cell, "high"), before.high)
    await cell.exec("sh", "-c", change)
    await cell.stop("fuse", "vol", "fs", "sal")

    t.deepEqual(readPartitionState(partition.path).problems, [])
    t.deepEqual(filesOf(partition.path, readonly), before.readonly)
    const changed = filesOf(partition.path, sample)
    t.true(changed.some((line) => line.endsWith("./theirs/moved/new file")))
    const context = standaloneContext([partition])
    await backupVolume(context, { partition, id: sample })
    await releaseVolume(context, { partition, id: sample })
    t.deepEqual(filesOf(partition.path, backup), changed)
    t.deepEqual(filesOf(partition.path, readonly), changed)
    await cell.down()
    const { findings } = await runDasalvager(t, partition.path)
    // What its own fileserver leaves in files that were made and not written yet.
    t.deepEqual(
      findings.filter((line) => !/version < inode version/.test(line)),
      [],
    )
  },
)
