import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { openDaemonLog, openDaemonPartitions } from "../../../common/cli/daemon-options.ts"
import { silentLog } from "../../../common/log.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition } from "../../support/volume-builder.ts"

test("daemon options: the log goes to the file that is named, and begins with the switches without effect", async (t) => {
  const logfile = join(temporaryDirectory(t), "Log")
  const log = openDaemonLog({ logfile, "log-level": "warn", "without-effect": ["-p", "64"] }, "sample", "FileLog")
  log.info("less than is wanted")
  log.warn("the last line")
  const lines = (): string[] => (existsSync(logfile) ? readFileSync(logfile, "utf8").split("\n").slice(0, -1) : [])
  while (lines().length < 2) await new Promise((resolve) => setImmediate(resolve))
  const [first, last] = lines().map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
  t.like(first, { name: "sample", switches: ["-p", "64"], level: 40 })
  t.is(last?.["msg"], "the last line")
})

test("daemon options: partitions that are named are opened once each; one that is none is an error", (t) => {
  const open = (name: string): string => newPartition(join(temporaryDirectory(t), name)).path
  const [one, two] = [open("vicepa"), open("vicepb")]
  const opened = openDaemonPartitions({ partition: [one, two, one], "log-level": "info" }, silentLog())
  t.deepEqual(
    opened.map(({ path }) => path),
    [one, two],
  )
  const absent = join(temporaryDirectory(t), "absent")
  t.throws(() => openDaemonPartitions({ partition: [absent], "log-level": "info" }, silentLog()))
})
