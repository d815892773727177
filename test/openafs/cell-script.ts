import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import test from "ava"
import { cellAddress, sharedCell, startCell, wholeCell } from "../support/cell.ts"
import { projectFile } from "../support/project.ts"
import { needsCell, needsCellAndFuse } from "../support/requirements.ts"
import { isAlive, outputOf, runProgram, spawnProgram } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const script = projectFile("test", "openafs", "cell")
const cell = sharedCell(...wholeCell)

test("cell: without arguments it explains itself and fails with status 2", async (t) => {
  const end = await runProgram(script)
  t.is(end.status, 2)
  t.regex(end.stderr, /cell up DIR/)
  t.notRegex(end.stderr, /set -euo/)
})

test("cell: a folder without a cell gives an error, not a command run outside", async (t) => {
  const directory = temporaryDirectory(t)
  const end = await runProgram(script, ["exec", directory, "touch", join(directory, "outside")])
  t.is(end.status, 1)
  t.regex(end.stderr, /no cell is up/)
  t.false(existsSync(join(directory, "outside")))
})

needsCell.serial("cell: a created volume is online and open to everybody", async (t) => {
  const id = await cell().createVolume("open", "b")
  t.regex(await cell().vos("listvol", cellAddress, "b", "-noauth"), new RegExp(`open +${id} RW +\\d+ K On-line`))
  t.true(existsSync(join(cell().partition("b"), `V${String(id).padStart(10, "0")}.vol`)))
})

needsCellAndFuse.serial("cell: an unauthenticated client reads and writes through FUSE", async (t) => {
  await cell().createVolume("shared")
  await cell().start("fuse")
  await cell().exec("sh", "-c", "echo hello >/afs/.:mount/test.cell:shared/greeting")
  t.is(await cell().exec("cat", "/afs/.:mount/test.cell:shared/greeting"), "hello\n")
  await cell().stop("fuse")
})

needsCell.serial(
  "cell: no mount and no server of it is seen outside, and a second cell stands beside it",
  async (t) => {
    const other = await startCell(t)
    await other.exec("touch", "/vicepa/of-the-other")
    t.false(existsSync(join(cell().partition("a"), "of-the-other")))
    t.true(existsSync(join(other.partition("a"), "of-the-other")))
    t.notRegex(readFileSync("/proc/mounts", "utf8"), / \/vicep[ab] /)
    t.false(readdirSync("/vicepa").includes("of-the-other"))
  },
)

needsCell.serial("cell: a killed fileserver is started again and finds its volumes", async (t) => {
  const before = await cell().pid("fs")
  await cell().kill("fs")
  t.false(isAlive(before))
  await cell().start("fs")
  t.not(await cell().pid("fs"), before)
  const status = await cell()
    .exec("/usr/lib/openafs/fssync-debug", "stats")
    .catch(() => "")
  t.is(typeof status, "string")
})

needsCell.serial("cell: it comes down by itself when its owner is killed", async (t) => {
  const directory = temporaryDirectory(t)
  const owner = spawnProgram(t, "sleep", ["1000"])
  await outputOf(script, ["up", directory, "-"], { environment: { CELL_OWNER: String(owner.pid) } })
  t.teardown(() => outputOf(script, ["down", directory]).then(() => undefined))
  const holder = Number(readFileSync(join(directory, "run", "holder.pid"), "utf8"))
  t.true(isAlive(holder))
  await owner.stop("SIGKILL")
  while (existsSync(join(directory, "run", "holder.pid"))) await pause(20)
  t.false(isAlive(holder))
})

needsCell.serial("cell: going down ends programs that were started inside by hand", async (t) => {
  const directory = temporaryDirectory(t)
  await outputOf(script, ["up", directory, "-"])
  const inside = spawnProgram(t, script, ["exec", directory, "sleep", "1000"])
  while (readFileSync(`/proc/${inside.pid}/comm`, "utf8").trim() !== "sleep") await pause(10)
  await outputOf(script, ["down", directory])
  t.is((await inside.ended).signal, "SIGKILL")
})
