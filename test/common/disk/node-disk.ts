import { execFileSync } from "node:child_process"
import { statfsSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { DiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { cutDisk } from "../../support/cut-disk.ts"
import { testDiskContract } from "../../support/disk-contract.ts"
import { builtProgram } from "../../support/project.ts"
import { needsRoot } from "../../support/requirements.ts"
import { outputOf } from "../../support/spawned.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

testDiskContract("node disk", (t) => ({ disk: nodeDisk, folder: temporaryDirectory(t) }))

test("node disk: a full device is an error that names file and place, and what was stored before stays", (t) => {
  // /dev/full takes opens and reads like a file, and no byte.
  using file = nodeDisk.open("/dev/full", "write")
  const error = t.throws(() => file.write(new Uint8Array(3), 5), { instanceOf: DiskError })
  t.is(error.message, "write /dev/full at offset 5: ENOSPC")
  t.is(error.offset, 5)
})

test("node disk: a write that the system takes in parts is done in parts, and told where it stopped", async (t) => {
  const path = join(temporaryDirectory(t), "f")
  const program = builtProgram("test/common/disk/long-write.program.ts")
  // A limit on file sizes lets the first 4096 bytes through, and then none.
  const output = await outputOf("sh", ["-c", 'ulimit -f 8; exec "$@"', "sh", process.execPath, program, path])
  const wanted = { call: "write", code: "EFBIG", offset: 4096, size: 4096 }
  t.deepEqual(JSON.parse(output), { now: wanted, later: wanted })
})

test("node disk: a pipe in the place of a file is an error, not a wait for ever", (t) => {
  const path = join(temporaryDirectory(t), "V0000000001.vol")
  execFileSync("mkfifo", [path])
  using file = nodeDisk.open(path, "read")
  t.is(t.throws(() => file.read(new Uint8Array(76), 0), { instanceOf: DiskError }).code, "ESPIPE")
  t.false(file.stat().isFile)
})

test("node disk: a name that leads nowhere, or round in circles, is told apart from one that is not there", (t) => {
  const folder = temporaryDirectory(t)
  symlinkSync(join(folder, "none"), join(folder, "dangling"))
  symlinkSync(join(folder, "loop"), join(folder, "loop"))
  t.is(nodeDisk.stat(join(folder, "dangling")), undefined)
  t.is(t.throws(() => nodeDisk.stat(join(folder, "loop")), { instanceOf: DiskError }).code, "ELOOP")
})

test("node disk: space is what statfs says", (t) => {
  const folder = temporaryDirectory(t)
  const facts = statfsSync(folder)
  const space = nodeDisk.space(folder)
  t.is(space.totalBytes, facts.blocks * facts.bsize)
  t.is(space.files, facts.files)
  t.true(space.totalBytes - space.freeBytes >= 0)
  const [size, blocks] = execFileSync("stat", ["-f", "-c", "%S %b", folder], { encoding: "utf8" }).split(" ")
  t.is(space.totalBytes, Number(size) * Number(blocks)) // in the fundamental block size, as statvfs counts
})

needsRoot("node disk: owners above 2^15 and modes without any permission are kept, as a partition needs", (t) => {
  const path = join(temporaryDirectory(t), "f")
  using file = nodeDisk.open(path, "create", 0)
  file.setOwner(0x7fff, 0x7ffe)
  file.setMode(0o31)
  t.like(nodeDisk.stat(path), { uid: 0x7fff, gid: 0x7ffe, mode: 0o31 })
  nodeDisk.open(path, "write").close()
})

testDiskContract("cut disk, uncut", (t) => ({ disk: cutDisk(), folder: temporaryDirectory(t) }))
