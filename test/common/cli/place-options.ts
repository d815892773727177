import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { openafsDirectories } from "../../../common/cell/directories.ts"
import { isInOpenafsPlace, logFileOf, stateDirectoryOf } from "../../../common/cli/place-options.ts"
import { runDafs } from "../../support/spawned.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const environment = process.env["DAFS_STATE_DIR"]

test.serial.afterEach.always(() => {
  if (environment === undefined) delete process.env["DAFS_STATE_DIR"]
  else process.env["DAFS_STATE_DIR"] = environment
})

test.serial("state directory: the one that is named, OpenAFS's where that is asked for, the environment's", (t) => {
  process.env["DAFS_STATE_DIR"] = "/from/environment"
  t.is(stateDirectoryOf({ openafs: true, "state-dir": "/named" }), "/named")
  t.is(stateDirectoryOf({ openafs: true }), openafsDirectories.state)
  t.is(stateDirectoryOf({}), "/from/environment")
  t.is(stateDirectoryOf({ openafs: false }), "/from/environment")
  delete process.env["DAFS_STATE_DIR"]
  t.is(stateDirectoryOf({}), openafsDirectories.state)
})

test.serial("OpenAFS's place: where its state directory is used on a machine of a cell, or where it is said", (t) => {
  delete process.env["DAFS_STATE_DIR"]
  const root = temporaryDirectory(t)
  const directories = { state: join(root, "local"), configuration: join(root, "etc"), logs: join(root, "log") }
  mkdirSync(directories.configuration)
  const isThere = (openafs?: boolean, state = directories.state): boolean =>
    isInOpenafsPlace({ openafs, "state-dir": state }, directories)
  t.false(isThere(), "the machine is of no cell")
  t.true(isThere(true))
  writeFileSync(join(directories.configuration, "ThisCell"), "test.cell\n")
  t.true(isThere())
  t.true(isThere(undefined, `${directories.state}/`))
  t.false(isThere(false))
  t.false(isThere(undefined, join(root, "state")))
  t.true(isThere(true, join(root, "state")))
})

test("logs: the file that is named, OpenAFS's in its place, else standard error", (t) => {
  t.is(logFileOf({ openafs: true, logfile: "x" }, "VolserLog"), "x")
  t.is(logFileOf({ openafs: true }, "VolserLog"), `${openafsDirectories.logs}/VolserLog`)
  t.is(logFileOf({ openafs: false }, "VolserLog"), undefined)
})

/** Command lines of every daemon and tool that looks for servers. */
const programs = [
  "fileserver",
  "volserver",
  "salvageserver",
  "salvager",
  "vos listvol",
  "fssync query",
  "salvage request",
  "salvage status",
  "salvage history",
  "locks",
]

for (const program of programs)
  test(`dafs ${program} takes --openafs and --state-dir, and says the same of them as the others`, async (t) => {
    const { stdout } = await runDafs([...program.split(" "), "--help"])
    const help = stdout.replace(/\s+/g, " ")
    t.regex(help, /--openafs take OpenAFS's place: its state directory and logs \(default: if the state directory is/)
    t.regex(help, /--state-dir folder of the servers' sockets \(default: DAFS_STATE_DIR, else OpenAFS's\)/)
  })
