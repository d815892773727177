import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { AfsError, FormatError } from "../../common/error.ts"
import { openLog, silentLog } from "../../common/log.ts"
import { spawnSource } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

/** The lines of a log file once it has so many. */
async function linesOf(file: string, count: number): Promise<Record<string, unknown>[]> {
  for (;;) {
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []
    if (lines.length >= count) return lines.map((line) => JSON.parse(line))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test("log: a line is one JSON object with the program, the time in ISO form, the facts and a constant message", async (t) => {
  const file = join(temporaryDirectory(t), "folder", "that", "is", "made", "log")
  const log = openLog("fileserver", { file })
  log.info({ volume: 536870915, partition: "/vicepa" }, "volume attached")
  const [line] = await linesOf(file, 1)
  t.like(line, { name: "fileserver", level: 30, msg: "volume attached", volume: 536870915, partition: "/vicepa" })
  t.regex(String(line?.["time"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test("log: an existing log is added to, not begun anew", async (t) => {
  const file = join(temporaryDirectory(t), "log")
  openLog("first", { file }).info("one")
  await linesOf(file, 1)
  openLog("second", { file }).info("two")
  t.deepEqual(
    (await linesOf(file, 2)).map((line) => line["name"]),
    ["first", "second"],
  )
})

test("log: what is below its level is left out", async (t) => {
  const file = join(temporaryDirectory(t), "log")
  const log = openLog("salvager", { file, level: "warn" })
  log.info("not this")
  log.warn("this")
  t.deepEqual(
    (await linesOf(file, 1)).map((line) => line["msg"]),
    ["this"],
  )
})

test("log: an error is logged with its message, code and cause", async (t) => {
  const file = join(temporaryDirectory(t), "log")
  openLog("volserver", { file }).error({ err: new Error("outer", { cause: new Error("inner") }) }, "operation failed")
  const [line] = await linesOf(file, 1)
  t.regex(JSON.stringify(line?.["err"]), /outer.*inner/)
})

// A hostile client filled the log with stack traces, one for each malformed request.
test("log: only a bug is logged with the place where it happened; damage and refusals say theirs", async (t) => {
  const file = join(temporaryDirectory(t), "log")
  const log = openLog("fileserver", { file })
  log.error({ err: new TypeError("a mistake") }, "failed")
  log.error({ err: new FormatError("frame", { offset: 7 }, "a byte", "another") }, "failed")
  log.error({ err: new AfsError("VNOVOL", "attach", { volume: 7 }) }, "failed")
  const errors = (await linesOf(file, 3)).map((line) => line["err"] as Record<string, unknown>)
  t.deepEqual(
    errors.map(({ stack }) => typeof stack),
    ["string", "undefined", "undefined"],
  )
  t.regex(String(errors[1]?.["message"]), /frame in offset 7: found a byte, wanted another/)
})

test("log: without a file it goes to standard error, all of it before the process ends", async (t) => {
  const end = await spawnSource(t, "test/common/log.program.ts").ended
  t.is(end.stdout, "")
  t.is(end.stderr.trim().split("\n").length, 1000)
})

test("log: a silent log takes everything and keeps nothing", (t) => {
  const log = silentLog()
  t.false(log.isLevelEnabled("fatal"))
  t.notThrows(() => log.error({ volume: 1 }, "nothing"))
})
