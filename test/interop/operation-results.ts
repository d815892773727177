/**
 * Operation by operation, what vos and davolserver leave on the disk and what ours leave, from the same partition: every
 * field of VolumeInfo, every vnode record, every count. What differs on purpose is listed here.
 */
import { writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { ExecutionContext } from "ava"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import { recordInode } from "../../common/vnode/vnode-record.ts"
import { openVolume } from "../../common/volume/volume.ts"
import type { VolumeInfo } from "../../common/volume/volume-info.ts"
import type { VolserverContext } from "../../volserver/context.ts"
import { backupVolume } from "../../volserver/operations/backup.ts"
import { cloneVolume } from "../../volserver/operations/clone.ts"
import { convertToReadWrite } from "../../volserver/operations/convert.ts"
import { createVolume } from "../../volserver/operations/create.ts"
import { releaseVolume } from "../../volserver/operations/release.ts"
import { removeVolume } from "../../volserver/operations/remove.ts"
import { renameVolume } from "../../volserver/operations/rename.ts"
import { restoreVolume } from "../../volserver/operations/restore.ts"
import { putOnline, takeOffline } from "../../volserver/operations/service.ts"
import { setFields } from "../../volserver/operations/set-fields.ts"
import { listVolumes } from "../../volserver/volume-list.ts"
import { type Cell, cellAddress, startCell } from "../support/cell.ts"
import { copyPartition } from "../support/crash-cases.ts"
import { dumpSource, sampleTree, type Tree, treeDump } from "../support/dump-builder.ts"
import { needsCell } from "../support/requirements.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { standaloneContext } from "../support/volume-builder.ts"

const changedTree: Tree = { ...sampleTree, greeting: "changed\n", added: { folder: { deep: "x" } }, first: "replaced" }

interface Ids {
  readonly rw: number
  readonly ro: number
  readonly bk: number
}

interface Step {
  readonly name: string
  readonly theirs: (cell: Cell, ids: Ids) => Promise<unknown>
  readonly ours: (context: VolserverContext, partition: Partition, ids: Ids) => Promise<unknown>
}

const place = (partition: Partition, id: number) => ({ partition, id })
const dump = (tree: Tree) => treeDump(tree, { name: "v", volume: 536_870_912 })

function restoreOurs(tree: Tree, overwrite: "full" | "incremental"): Step["ours"] {
  return (context, partition, { rw }) =>
    restoreVolume(context, { source: dumpSource(dump(tree)), path: "dump", partition, name: "v", id: rw, overwrite })
}

const restoreTheirs =
  (file: string, overwrite: string): Step["theirs"] =>
  (cell) =>
    cell.vos("restore", cellAddress, "a", "v", "-file", join(cell.directory, file), "-overwrite", overwrite, "-noauth")

const steps: readonly Step[] = [
  {
    name: "backup",
    theirs: (cell) => cell.vos("backup", "v", "-noauth"),
    ours: (context, partition, { rw, bk }) => backupVolume(context, place(partition, rw), { id: bk }),
  },
  {
    name: "backup again",
    theirs: (cell) => cell.vos("backup", "v", "-noauth"),
    ours: (context, partition, { rw }) => backupVolume(context, place(partition, rw)),
  },
  {
    name: "restore over it",
    theirs: restoreTheirs("changed.dump", "full"),
    ours: restoreOurs(changedTree, "full"),
  },
  {
    name: "backup of what changed",
    theirs: (cell) => cell.vos("backup", "v", "-noauth"),
    ours: (context, partition, { rw }) => backupVolume(context, place(partition, rw)),
  },
  {
    name: "release",
    theirs: async (cell) => {
      await cell.vos("addsite", cellAddress, "a", "v", "-noauth")
      await cell.vos("release", "v", "-noauth")
    },
    ours: (context, partition, { rw, ro }) => releaseVolume(context, place(partition, rw), { id: ro }),
  },
  {
    name: "incremental restore",
    theirs: restoreTheirs("first.dump", "incremental"),
    ours: restoreOurs(sampleTree, "incremental"),
  },
  {
    name: "release again",
    theirs: (cell) => cell.vos("release", "v", "-noauth"),
    ours: (context, partition, { rw }) => releaseVolume(context, place(partition, rw)),
  },
  {
    name: "clone",
    theirs: (cell) => cell.vos("clone", "v", "-toname", "v.snap", "-toid", "536871000", "-noauth"),
    ours: (context, partition, { rw }) =>
      cloneVolume(context, { source: place(partition, rw), type: "BK", name: "v.snap", id: 536_871_000 }),
  },
  {
    name: "rename",
    theirs: (cell) => cell.vos("rename", "v", "w", "-noauth"),
    ours: (context, partition, { rw }) => renameVolume(context, place(partition, rw), "w"),
  },
  {
    name: "set fields",
    theirs: (cell) => cell.vos("setfields", "w", "-maxquota", "4711", "-clearuse", "-clearVolUpCounter", "-noauth"),
    ours: (context, partition, { rw }) =>
      setFields(context, place(partition, rw), { maxquota: 4711, clearUse: true, clearUpdateCounter: true }),
  },
  {
    name: "offline",
    theirs: (cell) => cell.vos("offline", cellAddress, "a", "w", "-noauth"),
    ours: (context, partition, { rw }) => takeOffline(context, place(partition, rw)),
  },
  {
    name: "online",
    theirs: (cell) => cell.vos("online", cellAddress, "a", "w", "-noauth"),
    ours: (context, partition, { rw }) => putOnline(context, place(partition, rw)),
  },
  {
    name: "create",
    theirs: (cell) => cell.vos("create", cellAddress, "a", "fresh", "-id", "536872000", "-maxquota", "77", "-noauth"),
    ours: (context, partition) => createVolume(context, { partition, name: "fresh", id: 536_872_000, maxquota: 77 }),
  },
  {
    name: "remove",
    theirs: async (cell) => {
      await cell.vos("remove", cellAddress, "a", "w", "-noauth")
      await cell.vos("remove", cellAddress, "a", "536871000", "-noauth")
    },
    ours: async (context, partition, { rw, bk }) => {
      await removeVolume(context, place(partition, rw), { keepBackup: true })
      await removeVolume(context, place(partition, bk))
      await removeVolume(context, place(partition, 536_871_000))
    },
  },
  {
    name: "convertROtoRW",
    // reports its success as a failure
    theirs: (cell) => cell.try("vos", ["convertROtoRW", cellAddress, "a", "w", "-force", "-noauth"]),
    ours: (context, partition, { ro }) => convertToReadWrite(context, place(partition, ro)),
  },
]

/** Fields that tell when something happened, or what the fileserver in between did. */
const moments: readonly (keyof VolumeInfo)[] = [
  ...(["creationDate", "updateDate", "copyDate", "backupDate", "accessDate", "dayUse", "dayUseDate"] as const),
  ...(["weekUse", "offlineMessage", "statReads", "statWrites"] as const),
]

/** What differs on purpose, by step and field. */
const onPurpose: Readonly<Record<string, readonly (keyof VolumeInfo)[]>> = {
  create: ["filecount"], // ours counts the root directory, as every clone and salvage does
  "restore over it": ["uniquifier"], // ours never goes back: what clients know of the old contents stays distinct
  "incremental restore": ["uniquifier", "statInitialized"], // and ours keeps the statistics of use
}

function infoLines(step: string, info: VolumeInfo): Record<string, unknown> {
  const left = [...moments, ...(onPurpose[step] ?? [])]
  return Object.fromEntries(Object.entries(info).filter(([key]) => !left.some((name) => name === key)))
}

/** All that is in a partition, a fact a line; times from `since` (seconds) on are those of the operation itself. */
function pictureOf(step: string, partition: Partition, since: number): string[] {
  const picture: string[] = []
  for (const { id } of listVolumes(partition)) {
    using volume = openVolume(partition, id, "read")
    for (const [name, value] of Object.entries(infoLines(step, volume.info))) {
      picture.push(`${id} ${name} ${JSON.stringify(value)}`)
    }
    for (const cls of ["large", "small"] as const) {
      for (const { vnode, record } of volume.index(cls).records()) {
        const { high, low } = recordInode(record)
        const { inodeLow: _tag, magic: _magic, unixModifyTime: _times, ...facts } = record
        // While the read-only volume is still there, ours must not let its directories be changed in place.
        if (step === "convertROtoRW") facts.cloned = 0
        if (facts.serverModifyTime >= since) facts.serverModifyTime = since
        picture.push(`${id} vnode ${vnode} ${JSON.stringify(facts)} shared by ${volume.links.count(vnode, low >>> 26)}`)
        if (high !== record.uniquifier) picture.push(`${id} vnode ${vnode} has the file of ${high}`)
      }
    }
    picture.push(`${id} group of ${volume.links.count(0, 0)}`)
  }
  return picture
}

async function quiet<T>(cell: Cell, work: () => Promise<T>): Promise<T> {
  await cell.start("fs", "vol")
  const result = await work()
  await cell.stop("vol", "fs")
  return result
}

async function setUp(cell: Cell): Promise<Ids> {
  writeFileSync(join(cell.directory, "first.dump"), dump(sampleTree))
  writeFileSync(join(cell.directory, "changed.dump"), dump(changedTree))
  await cell.vos("restore", cellAddress, "a", "v", "-file", join(cell.directory, "first.dump"), "-noauth")
  const rw = await cell.volumeId("v")
  const ids = /RWrite: (\d+)(?: +ROnly: (\d+))?(?: +Backup: (\d+))?/.exec(await cell.vos("listvldb", "v", "-noauth"))
  return { rw, ro: Number(ids?.[2] ?? rw + 100), bk: Number(ids?.[3] ?? rw + 101) }
}

needsCell("operations: step by step they leave what OpenAFS's volserver leaves", async (t: ExecutionContext) => {
  const cell = await startCell(t, "vl", "pt", "sal")
  t.timeout(300_000)
  const directory = cell.partition("a")
  let ids = await quiet(cell, () => setUp(cell))
  for (const [index, step] of steps.entries()) {
    const before = copyPartition(directory, join(temporaryDirectory(t), `before ${index}`))
    const since = Math.floor(Date.now() / 1000)
    await quiet(cell, () => step.theirs(cell, ids))
    const theirs = openPartition(directory)
    ids = idsAfter(theirs, ids)
    const ours = openPartition(copyPartition(before, join(dirname(before), "vicepa")))
    await step.ours(standaloneContext([ours], { now: Math.floor(Date.now() / 1000) }), ours, ids)
    t.deepEqual(pictureOf(step.name, ours, since), pictureOf(step.name, theirs, since), step.name)
  }
})

/** The clones that theirs has made have ids of its choice. */
function idsAfter(partition: Partition, ids: Ids): Ids {
  const infos = [...listVolumes(partition)].flatMap((volume) => ("info" in volume ? [volume.info] : []))
  const ro = infos.find(({ type, name }) => type === 1 && name.endsWith(".readonly"))?.id ?? ids.ro
  const bk = infos.find(({ type, name }) => type === 2 && name.endsWith(".backup"))?.id ?? ids.bk
  return { rw: ids.rw, ro, bk }
}
