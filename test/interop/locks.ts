/** Our locks and those of OpenAFS's own programs are the same locks: each side keeps the other off, and neither of us waits. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import type { ExecutionContext } from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { isAfsError } from "../../common/error.ts"
import { type LockHolder, listLocks, listVolumeLocks } from "../../common/lock/lock-holder.ts"
import { salvageLockPath } from "../../common/lock/lock-path.ts"
import { lockPartition } from "../../common/lock/partition-lock.ts"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import { type Cell, cellAddress, sharedCell, wholeCell } from "../support/cell.ts"
import { manyFiles, treeDump } from "../support/dump-builder.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { needsCell } from "../support/requirements.ts"
import { isAlive, spawnProgram } from "../support/spawned.ts"

const cell = sharedCell(...wholeCell)
const salvager = "/usr/lib/openafs/dasalvager"

async function restoreThere(name: string, bytes: Uint8Array): Promise<number> {
  const end = await cell().try("vos", ["restore", cellAddress, "a", name, "-noauth"], { input: bytes })
  if (end.status !== 0) throw new Error(end.stderr)
  return await cell().volumeId(name)
}

const partitionOf = (inside: Cell): Partition => openPartition(inside.partition("a"))

/** Waits until another program holds a lock on the volume. */
async function foreignHolder(partition: Partition, volume: number): Promise<LockHolder> {
  for (;;) {
    const holder = listVolumeLocks(partition).find((one) => one.first <= volume && one.last >= volume)
    if (holder !== undefined) return holder
    await pause(1)
  }
}

async function nobodyHolds(partition: Partition, volume: number): Promise<void> {
  while (listVolumeLocks(partition).some((one) => one.first <= volume && one.last >= volume)) await pause(5)
}

/** The lock is refused within moments, and the error says who has it. */
function isRefused(t: ExecutionContext, partition: Partition, volume: number, program: RegExp): void {
  for (const type of ["read", "write"] as const) {
    const error = t.throws(() => lockVolume(partition, volume, type))
    t.true(isAfsError(error, "LOCKED"))
    t.regex(error.message, program)
  }
}

/** What OpenAFS logs about a lock of this process on a volume. */
const conflictWithUs = (volume: number): RegExp =>
  new RegExp(`conflicting lock held on fd \\d+, offset ${volume} by pid ${process.pid} `)

for (const id of [2_000_000_000, 4_294_967_000])
  needsCell.serial(`locks: davolserver is refused volume ${id} that we have locked, and does not wait`, async (t) => {
    await cell().vos("create", cellAddress, "a", `ours.${id}`, "-id", String(id), "-noauth")
    const lock = lockVolume(partitionOf(cell()), id, "write", "a test")
    const end = await cell().try("vos", ["offline", cellAddress, "a", String(id), "-noauth"])
    t.not(end.status, 0)
    t.regex(await cell().exec("cat", "/var/log/openafs/VolserLog"), conflictWithUs(id))
    lock.release()
    await cell().stop("vol", "fs") // the fileserver keeps a volume in error after a refused lock
    await cell().start("fs", "vol")
    await cell().vos("dump", String(id), "-file", join(cell().directory, "out.dump"), "-noauth")
  })

needsCell.serial(
  "locks: a read lock of ours lets davolserver read a backup volume beside us, not renew it",
  async (t) => {
    const id = await cell().createVolume("shared")
    await cell().vos("backup", "shared", "-noauth")
    const backup = await cell().volumeId("shared.backup")
    t.is(backup, id + 2)
    {
      using _lock = lockVolume(partitionOf(cell()), backup, "read", "a test")
      await cell().vos("dump", "shared.backup", "-file", join(cell().directory, "out.dump"), "-noauth")
      const end = await cell().try("vos", ["backup", "shared", "-noauth"])
      t.not(end.status, 0)
    }
  },
)

needsCell.serial(
  "locks: a volume that davolserver is dumping is refused to us at once, by the name of davolserver",
  async (t) => {
    const id = await restoreThere("dumped", treeDump({ big: { size: 20_000_000 } }))
    const partition = partitionOf(cell())
    // Nobody reads from the pipe, so the dump stands still with the volume in davolserver's hands.
    spawnProgram(t, "sh", ["-c", `exec ${cell().script} exec ${cell().directory} vos dump dumped -noauth | sleep 1000`])
    const holder = await foreignHolder(partition, id)
    t.is(holder.pid, await cell().pid("vol"))
    isRefused(t, partition, id, /davolserver/)
    await cell().kill("vol")
    await nobodyHolds(partition, id)
    lockVolume(partition, id, "write").release()
    await cell().start("vol")
  },
)

needsCell.serial("locks: dasalvager gives up on a volume that we have locked, and changes nothing of it", async (t) => {
  const id = await cell().createVolume("kept")
  const partition = partitionOf(cell())
  using _lock = lockVolume(partition, id, "write", "a test")
  const args = ["-partition", "/vicepa", "-volumeid", String(id), "-forceDAFS"]
  const end = await cell().try(salvager, args)
  const log = await cell().exec("sh", "-c", "cat /var/log/openafs/SalvageLog*")
  t.regex(log, conflictWithUs(id))
  t.notRegex(log, new RegExp(`alvaged .*\\(${id}\\): \\d+ files`), `${end.stdout}${end.stderr}`)
})

needsCell.serial("locks: a volume that dasalvager is at work on is refused to us at once, by its name", async (t) => {
  const id = await restoreThere("salvaged", treeDump(manyFiles(3000, 10)))
  const partition = partitionOf(cell())
  const args = [salvager, "-partition", "/vicepa", "-volumeid", String(id), "-forceDAFS"]
  const salvage = spawnProgram(t, cell().script, ["exec", cell().directory, ...args])
  const holder = await foreignHolder(partition, id)
  process.kill(holder.pid ?? 0, "SIGSTOP")
  isRefused(t, partition, id, /dasalvager/)
  process.kill(holder.pid ?? 0, "SIGCONT")
  await salvage.ended
  await nobodyHolds(partition, id)
  lockVolume(partition, id, "write").release()
  t.deepEqual(
    partitionProblems(partition.path).filter(
      (problem) => problem.startsWith(`volume ${id}:`) && !/in use/.test(problem),
    ),
    [],
  )
})

/** A worker of the salvageserver may be left, which waits for a fileserver that is gone; beside it dasalvager would give up. */
async function noSalvageLock(): Promise<void> {
  for (;;) {
    const held = listLocks(nodeDisk, salvageLockPath(cell().stateDirectory))
    if (held.length === 0) return
    for (const { pid } of held) if (pid !== undefined && isAlive(pid)) process.kill(pid, "SIGKILL")
    await pause(20)
  }
}

needsCell.serial("locks: dasalvager waits for a partition that we salvage, and goes on when we are done", async (t) => {
  await cell().stop("vol", "fs", "sal")
  await noSalvageLock()
  const partition = partitionOf(cell())
  const ours = lockPartition(partition)
  const salvage = spawnProgram(t, cell().script, [
    "exec",
    cell().directory,
    salvager,
    "-partition",
    "/vicepa",
    "-nowrite",
  ])
  while (!/-> FLOCK/.test(readFileSync("/proc/locks", "latin1")) && isAlive(salvage.pid)) await pause(5)
  t.true(isAlive(salvage.pid), salvage.stdout() + salvage.stderr())
  ours.release()
  t.is((await salvage.ended).status, 0)
})
