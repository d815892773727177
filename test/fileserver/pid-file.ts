import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { PidFile, pidFileName } from "../../fileserver/pid-file.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

test("pid file: names this process while it serves, in place of what a killed one left, and is gone afterwards", (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, pidFileName)
  writeFileSync(path, "4711\nand more\n")
  {
    using _pid = PidFile.write(directory, nodeDisk)
    t.is(readFileSync(path, "utf8"), `${process.pid}\n`)
  }
  t.false(existsSync(path))
})
