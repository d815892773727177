import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { DiskError } from "../../common/disk/disk.ts"
import { atEveryCut, cutDisk, DiskCut } from "../support/cut-disk.ts"
import { testDiskContract } from "../support/disk-contract.ts"
import { spawnSource } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const bytes = (text: string): Uint8Array => Buffer.from(text)

testDiskContract("cut disk that is never cut", (t) => ({ disk: cutDisk(), folder: temporaryDirectory(t) }))

test("cut disk: every kind of change is counted, reading and syncing is not", async (t) => {
  const folder = temporaryDirectory(t)
  const disk = cutDisk()
  disk.mkdir(join(folder, "sub"), 0o700)
  const file = disk.open(join(folder, "file"), "create")
  file.write(bytes("hello"), 0)
  await file.writeLater(bytes("world"), 5)
  file.truncate(7)
  file.setMode(0o600)
  file.setOwner(process.getuid?.() ?? 0, process.getgid?.() ?? 0)
  t.is(disk.changes, 7)
  file.sync()
  await file.syncLater()
  file.read(new Uint8Array(3), 0)
  disk.stat(folder)
  disk.list(folder)
  disk.syncDirectory(folder)
  t.is(disk.changes, 7)
  file.close()
  disk.rename(join(folder, "file"), join(folder, "sub", "file"))
  disk.link(join(folder, "sub", "file"), join(folder, "second"))
  disk.unlink(join(folder, "sub", "file"))
  disk.rmdir(join(folder, "sub"))
  t.is(disk.changes, 11)
  t.is(readFileSync(join(folder, "second"), "utf8"), "hellowo")
  t.regex(disk.history[1] ?? "", /^create .*file$/)
})

test("cut disk: after the cut nothing is written, and nothing is read, even by those who catch the error", (t) => {
  const folder = temporaryDirectory(t)
  const disk = cutDisk({ at: 2, how: "throw" })
  using file = disk.open(join(folder, "file"), "create")
  t.throws(() => file.write(bytes("hello"), 0), { instanceOf: DiskCut })
  t.throws(() => file.write(bytes("hello"), 0), { instanceOf: DiskCut })
  t.throws(() => disk.unlink(join(folder, "file")), { instanceOf: DiskCut })
  t.throws(() => disk.stat(folder), { instanceOf: DiskCut })
  t.is(readFileSync(join(folder, "file"), "utf8"), "")
})

test("cut disk: a torn write leaves its first half", (t) => {
  const folder = temporaryDirectory(t)
  const disk = cutDisk({ at: 2, how: "throw", torn: true })
  using file = disk.open(join(folder, "file"), "create")
  t.throws(() => file.write(bytes("abcdef"), 0), { instanceOf: DiskCut })
  t.is(readFileSync(join(folder, "file"), "utf8"), "abc")
})

test("cut disk: a failing call fails once, as the machine's own would", (t) => {
  const folder = temporaryDirectory(t)
  const disk = cutDisk({ at: 2, how: "ENOSPC" })
  using file = disk.open(join(folder, "file"), "create")
  t.is(t.throws(() => file.write(bytes("hello"), 0), { instanceOf: DiskError })?.code, "ENOSPC")
  file.write(bytes("again"), 0)
  t.is(readFileSync(join(folder, "file"), "utf8"), "again")
})

test("cut disk: a disk that stays full takes removals and nothing else", (t) => {
  const folder = temporaryDirectory(t)
  writeFileSync(join(folder, "old"), "old")
  const disk = cutDisk({ at: 1, how: "ENOSPC", lasting: true })
  for (let round = 0; round < 3; round++)
    t.throws(() => disk.open(join(folder, "new"), "create"), { instanceOf: DiskError })
  disk.unlink(join(folder, "old"))
  t.is(disk.stat(join(folder, "old")), undefined)
})

test("cut disk: work is cut at each of its changes in turn", async (t) => {
  const folder = temporaryDirectory(t)
  const left: string[] = []
  const cuts = await atEveryCut(
    (disk, at) => {
      using file = disk.open(join(folder, String(at)), "create")
      file.write(bytes("a"), 0)
      file.write(bytes("b"), 1)
    },
    (at) => {
      left.push(at === 1 ? "nothing" : readFileSync(join(folder, String(at)), "utf8"))
    },
  )
  t.is(cuts, 3)
  t.deepEqual(left, ["nothing", "", "a"])
})

test("cut disk: an error that is not the cut's own is not swallowed", async (t) => {
  const failing = atEveryCut(
    () => {
      throw new Error("a bug")
    },
    () => {},
  )
  await t.throwsAsync(failing, { message: "a bug" })
})

test("cut disk: a process that is to be killed at a change dies there by SIGKILL", async (t) => {
  const file = join(temporaryDirectory(t), "file")
  const end = await spawnSource(t, "test/testbed/cut-disk.program.ts", [file, "3"]).ended
  t.is(end.signal, "SIGKILL")
  t.is(readFileSync(file, "utf8"), "1")
})
