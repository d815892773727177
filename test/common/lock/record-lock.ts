import { join } from "node:path"
import test from "ava"
import { DiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { isSameFile, kernelFile, readKernelLocks } from "../../../common/lock/kernel-locks.ts"
import {
  tryFlock,
  tryRecordLock,
  unlockAllRecords,
  unlockFlock,
  unlockRecord,
} from "../../../common/lock/record-lock.ts"
import { anyLocker, holdForeign, needsLocker, tryForeign } from "../../support/foreign-lock.ts"
import { needsProcLocks } from "../../support/requirements.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const offsets = [0, 1, 536_870_912, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1]

// A lock library that left out start and length locked the whole file: one dump stopped work on every volume of a partition.
needsProcLocks("record lock: exactly one byte is locked, wherever in 32 bits it is", (t) => {
  for (const byte of offsets) {
    using file = nodeDisk.open(join(temporaryDirectory(t), "lock"), "lock", 0o600)
    t.true(tryRecordLock(file.descriptor, "write", byte))
    const name = kernelFile(file)
    const held = readKernelLocks().filter((lock) => name !== undefined && isSameFile(lock, name))
    t.like(held, [{ kind: "record", type: "write", pid: process.pid, first: byte, last: byte }])
    unlockRecord(file.descriptor, byte)
    t.false(readKernelLocks().some((lock) => name !== undefined && isSameFile(lock, name)))
  }
})

test("record lock: an offset that no volume can have is a mistake of the caller, and locks nothing", (t) => {
  using file = nodeDisk.open(join(temporaryDirectory(t), "lock"), "lock", 0o600)
  for (const byte of [-1, 2 ** 32, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => tryRecordLock(file.descriptor, "read", byte), { instanceOf: RangeError })
    t.throws(() => unlockRecord(file.descriptor, byte), { instanceOf: RangeError })
  }
})

test("record lock: a failure that is not a refusal is an error with file and offset, never taken for busy", (t) => {
  const path = join(temporaryDirectory(t), "lock")
  nodeDisk.open(path, "lock", 0o600).close()
  using readOnly = nodeDisk.open(path, "read")
  const error = t.throws(() => tryRecordLock(readOnly.descriptor, "write", 7, path), { instanceOf: DiskError })
  t.is(error?.code, "EBADF")
  t.is(error?.message, `lock ${path} at offset 7: EBADF`)
  t.is(t.throws(() => unlockRecord(1_000_000, 7), { instanceOf: DiskError })?.code, "EBADF")
  t.is(t.throws(() => unlockAllRecords(1_000_000), { instanceOf: DiskError })?.code, "EBADF")
  t.is(t.throws(() => tryFlock(1_000_000, "shared"), { instanceOf: DiskError })?.code, "EBADF")
  t.is(t.throws(() => unlockFlock(1_000_000), { instanceOf: DiskError })?.code, "EBADF")
})

needsLocker("record lock: a byte that a foreign program has is refused, its neighbours are not", async (t) => {
  const path = join(temporaryDirectory(t), "lock")
  using file = nodeDisk.open(path, "lock", 0o600)
  await holdForeign(t, anyLocker(), path, { type: "write", first: 2 ** 31 }, { type: "read", first: 50 })
  t.false(tryRecordLock(file.descriptor, "read", 2 ** 31))
  t.false(tryRecordLock(file.descriptor, "write", 50))
  t.true(tryRecordLock(file.descriptor, "read", 50))
  t.true(tryRecordLock(file.descriptor, "write", 2 ** 31 - 1))
  t.true(tryRecordLock(file.descriptor, "write", 2 ** 31 + 1))
})

needsLocker("record lock: letting go of all bytes leaves none behind", async (t) => {
  const path = join(temporaryDirectory(t), "lock")
  using file = nodeDisk.open(path, "lock", 0o600)
  for (const byte of offsets) t.true(tryRecordLock(file.descriptor, "write", byte))
  unlockAllRecords(file.descriptor)
  const wanted = offsets.map((first) => ({ type: "write", first }) as const)
  t.deepEqual(
    await tryForeign(anyLocker(), path, ...wanted),
    wanted.map(() => true),
  )
})

test("flock: two descriptors exclude one another even in one process, shared ones do not", (t) => {
  const directory = temporaryDirectory(t)
  using one = nodeDisk.open(directory, "read")
  using two = nodeDisk.open(directory, "read")
  t.true(tryFlock(one.descriptor, "shared"))
  t.true(tryFlock(two.descriptor, "shared"))
  t.false(tryFlock(one.descriptor, "exclusive"))
  unlockFlock(one.descriptor)
  unlockFlock(two.descriptor)
  t.true(tryFlock(one.descriptor, "exclusive"))
  t.false(tryFlock(two.descriptor, "shared"))
})
