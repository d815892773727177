/** Our locks against OpenAFS's own volserver, salvage server and salvager, in both directions. */
import { join } from "node:path"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { AfsError } from "../../common/error.ts"
import { tryLockHeaders } from "../../common/lock/header-lock.ts"
import { parseKernelLocks } from "../../common/lock/kernel-locks.ts"
import { listLocks, listVolumeLocks } from "../../common/lock/lock-holder.ts"
import { lockPartition, lockSalvage } from "../../common/lock/partition-lock.ts"
import { type LockedPartition, lockVolume } from "../../common/lock/volume-lock.ts"
import { type Cell, cellAddress, sharedCell, wholeCell } from "../support/cell.ts"
import { projectFile } from "../support/project.ts"
import { needsCell } from "../support/requirements.ts"
import { runDafs, type Spawned, spawnProgram } from "../support/spawned.ts"

const theCell = needsCell.met ? sharedCell(...wholeCell) : undefined
const dasalvager = "/usr/lib/openafs/dasalvager"

function inCell(): { cell: Cell; partition: LockedPartition } {
  const cell = theCell?.()
  if (cell === undefined) throw new Error("there is no cell")
  return { cell, partition: { path: cell.partition("a"), name: "/vicepa", disk: nodeDisk } }
}

const dump = (cell: Cell, volume: string) =>
  cell.try("vos", ["dump", volume, "-noauth", "-file", join(cell.directory, "volume.dump")])

/** Looks again each turn of the event loop until there is something. */
async function found<T>(look: () => T | undefined): Promise<T> {
  for (const end = performance.now() + 20_000; performance.now() < end; ) {
    const value = look()
    if (value !== undefined) return value
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error("not within 20 s")
}

needsCell.serial(
  "locks: davolserver cannot have a volume whose byte we hold, and can as soon as we let go",
  async (t) => {
    const { cell, partition } = inCell()
    const volume = await cell.createVolume("ours")
    {
      using _lock = lockVolume(partition, volume, "write")
      const refused = await dump(cell, "ours")
      t.not(refused.status, 0)
      t.regex(refused.stdout + refused.stderr, /Volume not attached, does not exist, or not on line/)
    }
    t.is((await dump(cell, "ours")).status, 0)
  },
)

needsCell.serial("locks: davolserver shares a backup volume with our reader, and not the volume itself", async (t) => {
  const { cell, partition } = inCell()
  const volume = await cell.createVolume("shared")
  await cell.vos("backup", "shared", "-noauth")
  const listing = await cell.vos("examine", "shared", "-format", "-noauth")
  const backup = Number(/^backupID\s+(\d+)/m.exec(listing)?.[1])
  using _backup = lockVolume(partition, backup, "read")
  using _volume = lockVolume(partition, volume, "read")
  t.is((await dump(cell, "shared.backup")).status, 0)
  t.not((await dump(cell, "shared")).status, 0)
})

const kernelTable = (): string => Buffer.from(nodeDisk.readFile("/proc/locks") ?? []).toString("latin1")

/** The kernel's line for a process that waits for a lock of this file. */
function waiterFor(path: string): string | undefined {
  const inode = nodeDisk.stat(path)?.identity.split(":")[1]
  const lines = kernelTable().split("\n")
  return lines.find((line) => line.includes("->") && line.includes(`:${inode} `))
}

/** A restore that waits for its input: davolserver holds the new volume's byte for so long. */
async function unfinishedRestore(
  t: Parameters<typeof spawnProgram>[0],
  cell: Cell,
  partition: LockedPartition,
  name: string,
): Promise<{ volume: number; vos: Spawned }> {
  const script = `sleep infinity | "$0" exec "$1" vos restore ${cellAddress} a ${name} -noauth`
  const cellScript = projectFile("test", "openafs", "cell")
  const vos = spawnProgram(t, "setsid", [
    "bash",
    "-c",
    `trap 'kill 0' TERM; (${script}) & wait`,
    cellScript,
    cell.directory,
  ])
  t.teardown(() => vos.signal("SIGTERM"))
  const lock = await found(() => listVolumeLocks(partition).find((held) => held.program === "davolserver"))
  return { volume: lock.first, vos }
}

// SIGSTOP comes first: a stopped volserver in the middle of its work must keep its volume, and must keep nobody waiting.
needsCell.serial(
  "locks: what davolserver has is refused to us at once, by name, while it is stopped too",
  async (t) => {
    const { cell, partition } = inCell()
    const pid = await cell.pid("vol")
    const { volume, vos } = await unfinishedRestore(t, cell, partition, "theirs")
    process.kill(pid, "SIGSTOP")
    try {
      const begin = performance.now()
      for (const type of ["read", "write"] as const) {
        const error = t.throws(() => lockVolume(partition, volume, type), { instanceOf: AfsError, code: "LOCKED" })
        t.is(error?.subject.holder, `pid ${pid} (davolserver)`)
      }
      t.true(performance.now() - begin < 1000)
      lockVolume(partition, volume + 1, "write").release()
      const end = await runDafs(["locks", "--partition", partition.path, "--volumeid", String(volume)])
      t.regex(end.stdout, RegExp(` ${volume} +write +${pid} +davolserver `))
    } finally {
      process.kill(pid, "SIGCONT")
    }
    await cell.kill("vol")
    lockVolume(partition, volume, "write").release()
    await vos.stop("SIGTERM")
    await cell.start("vol")
  },
)

needsCell.serial("locks: davolserver waits for our scan of the headers before it makes one", async (t) => {
  const { cell, partition } = inCell()
  const scan = tryLockHeaders(partition, "write", "scan")
  if (scan === undefined) return t.fail("nobody should hold the header lock")
  const creating = cell.vos("create", cellAddress, "a", "later", "-noauth")
  await found(() => waiterFor(join(partition.path, ".volheaders.lock")))
  scan.release()
  t.regex(await creating, /Volume \d+ created/)
})

needsCell.serial("locks: a salvage server and we see one another's salvage lock", async (t) => {
  const { cell } = inCell()
  const error = t.throws(() => lockSalvage(cell.stateDirectory, "write"), { instanceOf: AfsError, code: "LOCKED" })
  t.is(error?.subject.holder, `pid ${await cell.pid("sal")} (salvageserver)`)
  await cell.stop("sal")
  const shared = lockSalvage(cell.stateDirectory, "read")
  t.is((await cell.try(dasalvager, ["-partition", "a"])).status, 1)
  shared.release()
  using _alone = lockSalvage(cell.stateDirectory, "write")
  t.is((await cell.try(dasalvager, ["-partition", "a"])).status, 1)
})

needsCell.serial("locks: dasalvager of a partition waits for our partition lock, then does its work", async (t) => {
  const { cell } = inCell()
  const partition = { path: cell.partition("b"), name: "/vicepb", disk: nodeDisk }
  await cell.stop("fs", "vol", "sal")
  const lock = lockPartition(partition)
  const salvage = cell.try(dasalvager, ["-partition", "b"])
  await found(() => waiterFor(partition.path))
  t.like(
    listLocks(nodeDisk, partition.path).map(({ kind, ours }) => ({ kind, ours })),
    [{ kind: "flock", ours: true }],
  )
  lock.release()
  t.is((await salvage).status, 0)
  using _again = lockPartition(partition)
  t.is(parseKernelLocks(kernelTable()).filter((held) => held.pid === process.pid && held.kind === "flock").length, 1)
})
