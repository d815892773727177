import { existsSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { AfsError } from "../../../common/error.ts"
import { describeHolder, listLocks, listVolumeLocks, volumeLockHolders } from "../../../common/lock/lock-holder.ts"
import { type LockedPartition, lockVolume } from "../../../common/lock/volume-lock.ts"
import { anyLocker, holdForeign, lockers, needsLocker } from "../../support/foreign-lock.ts"
import { spawnSource } from "../../support/spawned.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

function partitionOf(t: ExecutionContext): LockedPartition & { file: string } {
  const path = temporaryDirectory(t)
  return { path, name: "/vicepa", disk: nodeDisk, file: join(path, ".volume.lock") }
}

const holderOf = (partition: LockedPartition, volume: number): string | undefined => {
  try {
    lockVolume(partition, volume, "write").release()
    return undefined
  } catch (error) {
    return error instanceof AfsError ? error.subject.holder : String(error)
  }
}

for (const { name, declare, locker } of lockers) {
  declare(
    `lock holder: a lock of an open file description, which has no process, is traced to a ${name} program`,
    async (t) => {
      const partition = partitionOf(t)
      const lock = { kind: "description", type: "read", first: 2 ** 32 - 1 } as const
      const holder = await holdForeign(t, locker(), partition.file, lock)
      t.regex(
        holderOf(partition, 2 ** 32 - 1) ?? "",
        new RegExp(`^pid ${holder.pid} \\(.*\\) by an open-file-description lock$`),
      )
      t.like(volumeLockHolders(partition, 2 ** 32 - 1), [{ kind: "description", pid: holder.pid, ours: false }])
    },
  )
}

needsLocker("lock holder: everybody in the way is named, and nobody else", async (t) => {
  const partition = partitionOf(t)
  const readers = [
    await holdForeign(t, anyLocker(), partition.file, { type: "read", first: 5 }),
    await holdForeign(t, anyLocker(), partition.file, { type: "read", first: 5 }),
  ]
  await holdForeign(t, anyLocker(), partition.file, { type: "write", first: 4 }, { type: "write", first: 6 })
  const holder = holderOf(partition, 5) ?? ""
  t.deepEqual(
    [...holder.matchAll(/pid (\d+)/g)].map((match) => Number(match[1])).sort(),
    readers.map((reader) => reader.pid).sort(),
  )
})

needsLocker(
  "lock holder: a lock on a long range, or on all the file, is in the way of every volume in it",
  async (t) => {
    const partition = partitionOf(t)
    const ranges = [
      { type: "write", first: 100, length: 50 },
      { type: "write", first: 2 ** 31, length: 0 }, // to the end of the file, wherever that is
    ] as const
    const { pid } = await holdForeign(t, anyLocker(), partition.file, ...ranges)
    for (const volume of [100, 149, 2 ** 31, 2 ** 32 - 1])
      t.regex(holderOf(partition, volume) ?? "", RegExp(`^pid ${pid} `))
    for (const volume of [99, 150, 2 ** 31 - 1]) t.is(holderOf(partition, volume), undefined)
    t.like(listVolumeLocks(partition), [
      { first: 100, last: 149, pid, type: "write" },
      { first: 2 ** 31, last: Number.POSITIVE_INFINITY, pid, type: "write" },
    ])
  },
)

test("lock holder: a listing tells this process's locks from those of others", async (t) => {
  const partition = partitionOf(t)
  const program = spawnSource(t, "test/process/volume-lock.program.ts", [partition.path, "read", "5", "7"])
  await program.line(/^locked$/)
  using _lock = lockVolume(partition, 6, "write")
  using _shared = lockVolume(partition, 5, "read")
  t.like(listVolumeLocks(partition), [
    { first: 5, type: "read", ours: process.pid < program.pid },
    { first: 5, type: "read", ours: process.pid > program.pid },
    { first: 6, type: "write", ours: true, pid: process.pid },
    { first: 7, type: "read", ours: false, pid: program.pid, program: "node volume-lock.program.js" },
  ])
})

// A listing that opened and closed the lock file dropped every volume lock of the volserver that ran it.
needsLocker("lock holder: listing costs this process none of its locks", async (t) => {
  const partition = partitionOf(t)
  using _lock = lockVolume(partition, 5, "write")
  listVolumeLocks(partition)
  t.like(volumeLockHolders(partition, 5), [{ pid: process.pid, ours: true }])
  const refused = holdForeign(t, anyLocker(), partition.file, { type: "read", first: 5 })
  await t.throwsAsync(refused, { message: /refused/ })
})

test("lock holder: a partition nobody has locked yet has no locks, and listing makes no lock file", (t) => {
  const partition = partitionOf(t)
  t.deepEqual(listVolumeLocks(partition), [])
  t.deepEqual(listLocks(nodeDisk, partition.path), [])
  t.false(existsSync(partition.file))
})

test("lock holder: what is not known of a holder is said so", (t) => {
  const lock = { kind: "record", type: "write", ours: false, first: 5, last: 5 } as const
  t.is(describeHolder({ ...lock, pid: 12, program: "davolserver" }), "pid 12 (davolserver)")
  t.is(describeHolder({ ...lock, pid: 12, program: undefined }), "pid 12 (which has ended)")
  t.is(describeHolder({ ...lock, pid: 12, program: "x", ours: true }), "this process")
  t.is(
    describeHolder({ ...lock, kind: "description", pid: undefined, program: undefined }),
    "an open-file-description lock of a process that cannot be seen",
  )
})
