import { join } from "node:path"
import test from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import {
  deviceName,
  isSameFile,
  kernelFile,
  parseKernelLocks,
  readKernelLocks,
} from "../../../common/lock/kernel-locks.ts"
import { tryFlock, tryRecordLock } from "../../../common/lock/record-lock.ts"
import { needsProcLocks } from "../../support/requirements.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const table = `1: FLOCK  ADVISORY  WRITE 28994 fe:00:2146427 0 EOF
2: OFDLCK ADVISORY  READ -1 fe:00:2146429 100 100
3: POSIX  ADVISORY  WRITE 28994 fe:00:2146429 4294967295 4294967295
3: -> POSIX  ADVISORY  WRITE 29001 fe:00:2146429 4294967295 4294967295
3:  -> POSIX  ADVISORY  READ 29002 fe:00:2146429 4294967295 4294967295
4: LEASE  ACTIVE    READ 12 fe:00:7 0 EOF
5: DELEG  ACTIVE    READ 12 fe:00:7 0 EOF
6: POSIX  ADVISORY  READ 7 00:19:8 0 EOF
`

test("kernel locks: every lock that is held is read, and none that is only waited for", (t) => {
  const file = { device: "fe:00", inode: "2146429" }
  t.deepEqual(parseKernelLocks(table), [
    {
      kind: "flock",
      type: "write",
      pid: 28_994,
      device: "fe:00",
      inode: "2146427",
      first: 0,
      last: Number.POSITIVE_INFINITY,
    },
    { kind: "description", type: "read", pid: -1, ...file, first: 100, last: 100 },
    { kind: "record", type: "write", pid: 28_994, ...file, first: 4_294_967_295, last: 4_294_967_295 },
    { kind: "record", type: "read", pid: 7, device: "00:19", inode: "8", first: 0, last: Number.POSITIVE_INFINITY },
  ])
})

test("kernel locks: the lines of a process's descriptor are read alike, and what is not a lock is passed over", (t) => {
  const facts = "pos:\t0\nflags:\t02\nmnt_id:\t27\nlock:\t1: POSIX  ADVISORY  WRITE 5 fe:00:9 5 7\n"
  t.deepEqual(parseKernelLocks(facts), [
    { kind: "record", type: "write", pid: 5, device: "fe:00", inode: "9", first: 5, last: 7 },
  ])
  t.deepEqual(parseKernelLocks("\n1: POSIX ADVISORY WRITE\n2: POSIX  ADVISORY  UNLCK 5 fe:00:9 5 7\nrubbish"), [])
})

test("kernel locks: a device number is written as the kernel writes it", (t) => {
  t.is(deviceName(65_024n), "fe:00")
  t.is(deviceName(0x4561_2378n), "123:45678")
  t.is(deviceName(0x1000_0002_3400n), "1234:00")
  t.is(deviceName(0x15n), "00:15")
})

needsProcLocks("kernel locks: a file and a directory are found under the name the kernel gives them", (t) => {
  const directory = temporaryDirectory(t)
  using file = nodeDisk.open(join(directory, "lock"), "lock", 0o600)
  using folder = nodeDisk.open(directory, "read")
  t.true(tryRecordLock(file.descriptor, "read", 2 ** 31))
  t.true(tryFlock(folder.descriptor, "exclusive"))
  const [fileName, folderName] = [kernelFile(file), kernelFile(folder)]
  if (fileName === undefined || folderName === undefined) return t.fail("the kernel knows both")
  const locks = readKernelLocks()
  t.like(
    locks.filter((lock) => isSameFile(lock, fileName)),
    [{ kind: "record", type: "read", pid: process.pid, first: 2 ** 31, last: 2 ** 31 }],
  )
  t.like(
    locks.filter((lock) => isSameFile(lock, folderName)),
    [{ kind: "flock", type: "write", pid: process.pid }],
  )
})

needsProcLocks("kernel locks: naming a file by its path alone costs this process none of its locks on it", (t) => {
  const path = join(temporaryDirectory(t), "lock")
  using file = nodeDisk.open(path, "lock", 0o600)
  t.true(tryRecordLock(file.descriptor, "write", 1))
  {
    using named = nodeDisk.open(path, "path")
    t.deepEqual(kernelFile(named), kernelFile(file))
  }
  const name = kernelFile(file)
  t.true(name !== undefined && readKernelLocks().some((lock) => isSameFile(lock, name)))
})
