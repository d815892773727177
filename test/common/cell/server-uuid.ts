import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { ensureServerUuid, readServerUuid } from "../../../common/cell/server-uuid.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { FormatError } from "../../../common/error.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

/** As OpenAFS's fileserver wrote it, with one address. */
const theirs = Buffer.from("ccbbaa88010000000003cac8be351b019e4b0100630aaa77010000000a630001", "hex")

test("sysid: OpenAFS's file reads, and stays as it is", (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, "sysid")
  t.is(readServerUuid(directory, nodeDisk), undefined)
  writeFileSync(path, theirs)
  t.is(readServerUuid(directory, nodeDisk), "0003cac8-be35-1b01-9e-4b-0100630aaa77")
  t.is(ensureServerUuid(directory, [1, 2, 3], nodeDisk), "0003cac8-be35-1b01-9e-4b-0100630aaa77")
  t.deepEqual(readFileSync(path), theirs)
})

test("sysid: one is made at the first start, in OpenAFS's form, and is the same ever after", (t) => {
  const directory = temporaryDirectory(t)
  const uuid = ensureServerUuid(directory, [0x0a63_0001], nodeDisk)
  t.is(ensureServerUuid(directory, [], nodeDisk), uuid)
  const bytes = readFileSync(join(directory, "sysid"))
  t.deepEqual(bytes.subarray(0, 8), theirs.subarray(0, 8))
  t.deepEqual(bytes.subarray(24), theirs.subarray(24))
  t.deepEqual(readdirSync(directory), ["sysid"])
  t.not(ensureServerUuid(temporaryDirectory(t), [], nodeDisk), uuid)
})

test("sysid: a file that is none is an error, never replaced: another UUID would be another server", (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, "sysid")
  for (const bytes of [Buffer.alloc(0), theirs.subarray(0, 20), Buffer.alloc(32), Buffer.from(theirs).fill(2, 4, 5)]) {
    writeFileSync(path, bytes)
    const error = t.throws(() => ensureServerUuid(directory, [], nodeDisk), { instanceOf: FormatError })
    t.is(error?.path, path)
    t.deepEqual(readFileSync(path), bytes)
  }
})
