import { existsSync, readFileSync, renameSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { spawnSource } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

/** The first line of a log with this message, once it is there. */
async function lineOf(file: string, message: string, count = 1): Promise<Record<string, unknown>> {
  for (;;) {
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []
    const found = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message)
    if (found.length >= count) return found[count - 1]
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test("log signals: TSTP tells more step by step, HUP as much as at first, in a file of the old name; XCPU tells how things stand", async (t) => {
  const file = join(temporaryDirectory(t), "log")
  const daemon = spawnSource(t, "test/common/log-signals.program.ts", [file])
  await daemon.line(/^ready$/)
  for (const [count, level] of [
    [1, "debug"],
    [2, "trace"],
    [3, "trace"],
  ] as const) {
    daemon.signal("SIGTSTP")
    t.is((await lineOf(file, "log level raised", count))["level"], level)
  }
  renameSync(file, `${file}.old`)
  daemon.signal("SIGHUP")
  t.is((await lineOf(file, "log opened anew"))["level"], "info")
  daemon.signal("SIGXCPU")
  t.like(await lineOf(file, "state on request"), { volumes: 7 })
  t.is((await daemon.stop()).status, 0)
})
