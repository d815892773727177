import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { AfsError, isAfsError } from "../../common/error.ts"
import { createPartition } from "../../common/partition/partition.ts"
import { discardSavedClients, openServedPartitions } from "../../fileserver/served-partitions.ts"
import { keptLog } from "../support/served-volumes.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

function partitionAt(...parts: string[]): string {
  const path = join(...parts)
  mkdirSync(join(path, ".."), { recursive: true })
  return createPartition(path, { development: true }).path
}

test("served partitions: those named, each under its own name", (t) => {
  const directory = temporaryDirectory(t)
  const paths = ["vicepa", "vicepb"].map((name) => partitionAt(directory, name))
  t.deepEqual(
    openServedPartitions(paths, keptLog()).map(({ name }) => name),
    ["/vicepa", "/vicepb"],
  )
})

test("served partitions: one that wants a salvage first stops the start, or is left out where it is attached by a file", (t) => {
  const directory = temporaryDirectory(t)
  const paths = ["vicepa", "vicepb"].map((name) => partitionAt(directory, name))
  writeFileSync(join(paths[0] ?? "", "FORCESALVAGE"), "")
  const error = t.throws(() => openServedPartitions(paths, keptLog()), { instanceOf: AfsError })
  t.is(error.code, "VSALVAGE")
  t.regex(error.message, /dafs salvager --partition/)
  writeFileSync(join(paths[0] ?? "", "AlwaysAttach"), "")
  const log = keptLog()
  t.deepEqual(
    openServedPartitions(paths, log).map(({ name }) => name),
    ["/vicepb"],
  )
  t.is(log.lines.filter(({ level }) => level === "error").length, 1)
  const none = t.throws(() => openServedPartitions(paths.slice(0, 1), log), { instanceOf: AfsError })
  t.is(none.code, "ENOENT")
})

test("served partitions: two of one name, and names that FSSYNC cannot carry, are refused", (t) => {
  const directory = temporaryDirectory(t)
  const twice = [partitionAt(directory, "one", "vicepa"), partitionAt(directory, "two", "vicepa")]
  t.true(
    isAfsError(
      t.throws(() => openServedPartitions(twice, keptLog())),
      "EINVAL",
    ),
  )
  for (const name of ["a-name-that-is-too-long", "two words"]) {
    t.true(
      isAfsError(
        t.throws(() => openServedPartitions([partitionAt(directory, name)], keptLog())),
        "EINVAL",
      ),
      name,
    )
  }
})

test("served partitions: saved clients of another fileserver are removed; none is no error", (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, "fsstate.dat")
  discardSavedClients(directory, nodeDisk, keptLog())
  writeFileSync(path, "promises")
  discardSavedClients(directory, nodeDisk, keptLog())
  t.false(existsSync(path))
})
