import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import type { DiskFile } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { AfsError } from "../../../common/error.ts"
import { withFlock } from "../../../common/lock/brief-flock.ts"
import { tryFlock } from "../../../common/lock/record-lock.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

function fileIn(t: ExecutionContext): { file: DiskFile; other: DiskFile } {
  const path = join(temporaryDirectory(t), "table")
  writeFileSync(path, "")
  const [file, other] = [nodeDisk.open(path, "write"), nodeDisk.open(path, "write")]
  t.teardown(() => {
    file.close()
    other.close()
  })
  return { file, other }
}

test("brief flock: others are kept out while the work runs, and let in after it, even if it throws", (t) => {
  const { file, other } = fileIn(t)
  t.is(
    withFlock(file, "count", () => (tryFlock(other.descriptor, "exclusive") ? "nobody" : "us")),
    "us",
  )
  const fail = (): never => {
    throw new Error("no room")
  }
  t.throws(() => withFlock(file, "count", fail), { message: "no room" })
  t.true(tryFlock(other.descriptor, "exclusive"))
})

test("brief flock: a lock that is not given back is named after two seconds, not waited for for ever", (t) => {
  const { file, other } = fileIn(t)
  t.true(tryFlock(other.descriptor, "exclusive"))
  let hasRun = false
  const run = (): void => {
    hasRun = true
  }
  const error = t.throws(() => withFlock(file, "count", run), { instanceOf: AfsError })
  t.is(error.code, "LOCKED")
  t.regex(error.message, /^count: .*held by this process/)
  t.false(hasRun)
})

test("brief flock: a file that no other process can see needs none", (t) => {
  const { file, other } = fileIn(t)
  t.true(tryFlock(other.descriptor, "exclusive"))
  const hidden = new Proxy(file, { get: (target, key) => (key === "descriptor" ? -1 : Reflect.get(target, key)) })
  t.is(
    withFlock(hidden, "count", () => 5),
    5,
  )
})
