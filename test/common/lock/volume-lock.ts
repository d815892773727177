import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { AfsError } from "../../../common/error.ts"
import { type LockedPartition, lockVolume, type VolumeLock } from "../../../common/lock/volume-lock.ts"
import { anyLocker, holdForeign, needsLocker } from "../../support/foreign-lock.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

function partitionOf(t: ExecutionContext): LockedPartition {
  return { path: temporaryDirectory(t), name: "/vicepa", disk: nodeDisk }
}

function locked(t: ExecutionContext, ...args: Parameters<typeof lockVolume>): VolumeLock {
  const lock = lockVolume(...args)
  t.teardown(() => lock.release())
  return lock
}

test("volume lock: a scope that ends, by an error too, lets go of its volume", (t) => {
  const partition = partitionOf(t)
  t.throws(
    () => {
      using lock = lockVolume(partition, 536_870_915, "write")
      t.like(lock, { volume: 536_870_915, type: "write" })
      throw new Error("the work failed")
    },
    { message: "the work failed" },
  )
  locked(t, partition, 536_870_915, "write")
})

test("volume lock: who is refused within one process reads what there has the volume", (t) => {
  const partition = partitionOf(t)
  locked(t, partition, 5, "write", "dump of 5")
  const error = t.throws(() => lockVolume(partition, 5, "read", "salvage of 5"), { instanceOf: AfsError })
  t.is(error?.code, "LOCKED")
  t.deepEqual(error?.subject, { volume: 5, partition: "/vicepa", holder: "this process (dump of 5)" })
  t.is(error?.message, "lockVolume: already locked (LOCKED), volume 5 on /vicepa held by this process (dump of 5)")
})

test("volume lock: each reader in the way of a writer is named, up to a number one can read", (t) => {
  const partition = partitionOf(t)
  for (let reader = 1; reader <= 6; reader++) locked(t, partition, 5, "read", `reader ${reader}`)
  const error = t.throws(() => lockVolume(partition, 5, "write"), { instanceOf: AfsError })
  t.regex(error?.subject.holder ?? "", /^this process \(reader 1\), .*\(reader 4\) and 2 more$/)
})

test("volume lock: any partition object for the same directory means the same volumes", (t) => {
  const partition = partitionOf(t)
  locked(t, { ...partition }, 5, "write")
  t.throws(() => lockVolume({ ...partition, name: "/vicepb" }, 5, "write"), { instanceOf: AfsError })
})

test("volume lock: volumes of two partitions have nothing to do with one another", (t) => {
  locked(t, partitionOf(t), 5, "write")
  locked(t, partitionOf(t), 5, "write")
  t.pass()
})

test("volume lock: a partition that is not there gives the file that could not be opened", (t) => {
  const partition = { ...partitionOf(t), path: "/nonexistent/vicepz" }
  t.throws(() => lockVolume(partition, 5, "write"), { message: "open /nonexistent/vicepz/.volume.lock: ENOENT" })
})

// A dump that could not have its volume said only "busy"; the operator ended the wrong server to get it back.
needsLocker("volume lock: a refusal names the process and program that has the volume", async (t) => {
  const partition = partitionOf(t)
  const holder = await holdForeign(t, anyLocker(), join(partition.path, ".volume.lock"), { type: "write", first: 5 })
  const error = t.throws(() => lockVolume(partition, 5, "read"), { instanceOf: AfsError })
  t.regex(error?.subject.holder ?? "", new RegExp(`^pid ${holder.pid} \\((foreign-lock|python3.*)\\)$`))
})
