import test from "ava"
import { exitCodeOf, exitCodes } from "../../../common/cli/exit-codes.ts"
import { DiskError } from "../../../common/disk/disk.ts"
import { AfsError, FormatError } from "../../../common/error.ts"

const errno = (code: string): Error => Object.assign(new Error(code), { code })

test("exit codes: a script can tell not found, busy, not permitted, damage and a typing mistake apart", (t) => {
  t.is(exitCodeOf(new AfsError("VNOVOL", "examine")), exitCodes.notFound)
  t.is(exitCodeOf(new AfsError("LOCKED", "lockVolume")), exitCodes.busy)
  t.is(exitCodeOf(new AfsError("EACCES", "openPartition")), exitCodes.notPermitted)
  t.is(exitCodeOf(new FormatError("VolumeHeader", {}, "magic 0x0")), exitCodes.damageLeft)
  t.is(exitCodeOf(new AfsError("USAGE", "locks")), exitCodes.usage)
  t.is(exitCodeOf(new AfsError("INTERRUPTED", "dump")), 130)
})

test("exit codes: a failed file call ends as the file system's reason says", (t) => {
  t.is(exitCodeOf(new DiskError("open", "/x", errno("ENOENT"))), exitCodes.notFound)
  t.is(exitCodeOf(new DiskError("open", "/x", errno("EROFS"))), exitCodes.notPermitted)
  t.is(exitCodeOf(new DiskError("write", "/x", errno("EIO"))), exitCodes.failed)
})

test("exit codes: a file that Node.js itself cannot open ends a command alike", async (t) => {
  const { open } = await import("node:fs/promises")
  t.is(exitCodeOf(await t.throwsAsync(open("/nonexistent/file"))), exitCodes.notFound)
  t.is(exitCodeOf(Object.assign(new Error("no"), { code: "EACCES", syscall: "open" })), exitCodes.notPermitted)
  t.is(exitCodeOf(Object.assign(new Error("not of a file"), { code: "ENOENT" })), exitCodes.failed)
})

test("exit codes: what nobody foresaw is a failure, never success", (t) => {
  t.is(exitCodeOf(new Error("boom")), exitCodes.failed)
  t.is(exitCodeOf(undefined), exitCodes.failed)
  t.is(exitCodeOf(new AfsError("VDISKFULL", "restore")), exitCodes.failed)
})
