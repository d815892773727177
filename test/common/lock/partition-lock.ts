import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { AfsError } from "../../../common/error.ts"
import { lockPartition, lockSalvage } from "../../../common/lock/partition-lock.ts"
import { lockVolume } from "../../../common/lock/volume-lock.ts"
import { anyLocker, holdForeign, needsLocker, tryForeign } from "../../support/foreign-lock.ts"
import { findProgram } from "../../support/requirements.ts"
import { spawnProgram } from "../../support/spawned.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const partitionOf = (t: ExecutionContext) => ({ path: temporaryDirectory(t), name: "/vicepa", disk: nodeDisk })
const refused = { instanceOf: AfsError, code: "LOCKED" } as const

test("partition lock: one salvage of a whole partition at a time, told at once who has it", (t) => {
  const partition = partitionOf(t)
  const lock = lockPartition(partition)
  const error = t.throws(() => lockPartition(partition), refused)
  t.is(error?.message, "lockPartition: already locked (LOCKED), on /vicepa held by this process")
  lock.release()
  lock.release()
  using _again = lockPartition(partition)
})

test("partition lock: volumes are locked as before while the partition is", (t) => {
  const partition = partitionOf(t)
  using _whole = lockPartition(partition)
  using _volume = lockVolume(partition, 5, "write")
  t.throws(() => lockVolume(partition, 5, "write"), refused)
})

test("partition lock: a partition that is not there cannot be locked", (t) => {
  t.throws(() => lockPartition({ ...partitionOf(t), path: "/nonexistent/vicepz" }), { message: /ENOENT/ })
})

const flock = findProgram("flock")
const needsFlock = flock === undefined ? test.skip : test

needsFlock("partition lock: it excludes flock(1) on the directory, both ways, and names it", async (t) => {
  const partition = partitionOf(t)
  const holder = spawnProgram(t, "flock", [
    "--exclusive",
    "--no-fork",
    partition.path,
    "sh",
    "-c",
    "echo held; exec sleep infinity",
  ])
  await holder.line(/^held$/)
  const error = t.throws(() => lockPartition(partition), refused)
  t.regex(error?.message ?? "", RegExp(`held by pid ${holder.pid} \\((sh|sleep)\\)$`))
  await holder.stop("SIGKILL")
  using _lock = lockPartition(partition)
  const end = await spawnProgram(t, "flock", ["--nonblock", partition.path, "true"]).ended
  t.is(end.status, 1)
})

// flock(1) forks: the process that took the lock may be gone while its child still has the descriptor.
needsFlock("partition lock: a holder that took over the descriptor of a process now gone is found", async (t) => {
  const partition = partitionOf(t)
  const script = `exec 9<"$0"; flock 9; (echo "child $BASHPID"; exec sleep infinity) &`
  const parent = spawnProgram(t, "bash", ["-c", script, partition.path])
  const line = await parent.line(/^child \d+$/)
  const child = Number(line.split(" ")[1])
  t.teardown(() => process.kill(child, "SIGKILL"))
  const error = t.throws(() => lockPartition(partition), refused)
  t.regex(error?.message ?? "", RegExp(`pid ${child} \\((sleep|bash)\\)`))
})

test("salvage lock: servers and salvagers of single volumes run side by side, one of whole partitions alone", (t) => {
  const directory = temporaryDirectory(t)
  const server = lockSalvage(directory, "read", "salvage server")
  const worker = lockSalvage(directory, "read", "worker")
  const error = t.throws(() => lockSalvage(directory, "write"), refused)
  t.is(
    error?.message,
    `lockSalvage: already locked (LOCKED), file ${directory}/salvage.lock held by this process (salvage server), this process (worker)`,
  )
  server.release()
  worker.release()
  using _whole = lockSalvage(directory, "write")
  t.throws(() => lockSalvage(directory, "read"), refused)
})

needsLocker("salvage lock: byte 0 of salvage.lock is what foreign salvagers take", async (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, "salvage.lock")
  const lock = lockSalvage(directory, "read")
  t.deepEqual(await tryForeign(anyLocker(), path, { type: "read", first: 0 }, { type: "write", first: 0 }), [
    true,
    false,
  ])
  lock.release()
  const { pid } = await holdForeign(t, anyLocker(), path, { type: "write", first: 0 })
  t.regex(t.throws(() => lockSalvage(directory, "read"), refused)?.message ?? "", RegExp(`held by pid ${pid} `))
})
