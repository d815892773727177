import { truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { lineFound, readConfiguration } from "../../../common/cell/configuration-file.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { FormatError } from "../../../common/error.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

test("configuration file: its text has one character for each byte, and no file is no text", (t) => {
  const path = join(temporaryDirectory(t), "File")
  t.is(readConfiguration(path, nodeDisk), undefined)
  writeFileSync(path, Buffer.from([0x61, 0xe9, 0x0a]))
  t.is(readConfiguration(path, nodeDisk), "a\u00e9\n")
})

test("configuration file: one that is far too long is refused and not read", (t) => {
  const path = join(temporaryDirectory(t), "File")
  writeFileSync(path, "")
  truncateSync(path, 2 ** 40)
  const error = t.throws(() => readConfiguration(path, nodeDisk), { instanceOf: FormatError })
  t.is(error?.path, path)
})

test("configuration file: errors show a line by its number and its beginning", (t) => {
  t.is(lineFound(3, "a\tb"), 'line 3: "a\\tb"')
  t.true(lineFound(1, "x".repeat(1000)).length < 120)
})
