/** The whole suite as `npm start` runs it: three daemons on one partition, driven by commands. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import test, { type ExecutionContext } from "ava"
import { certificatesVariable } from "../../cli/node-switches.ts"
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { openPartition } from "../../common/partition/partition.ts"
import { openVolume } from "../../common/volume/volume.ts"
import { isAlive, runDafs, type Spawned, spawnDafs } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

interface Suite {
  readonly directory: string
  readonly partition: string
  readonly process: Spawned
  /** Process ids of the daemons, as printed. */
  readonly pids: number[]
  /** Runs a command against the suite and gives what it printed. */
  run(...words: string[]): Promise<{ status: number | null; stdout: string; stderr: string }>
}

async function startSuite(t: ExecutionContext, directory = temporaryDirectory(t)): Promise<Suite> {
  const process = spawnDafs(t, ["start", "--dir", directory])
  await process.line(/Ctrl-C stops all/)
  const pids = [...process.stdout().matchAll(/ pid (\d+)/g)].map((match) => Number(match[1]))
  const partition = join(directory, "vicepa")
  const state = ["--state-dir", join(directory, "state")]
  return { directory, partition, process, pids, run: (...words) => runDafs([...words, ...state]) }
}

const firstVolume = 536870912

function inUse(partition: string): number {
  using volume = openVolume(openPartition(partition), firstVolume, "read")
  return volume.info.inUse
}

test("the suite makes its partition and first volume, runs three daemons, and stops all of them cleanly on Ctrl-C", async (t) => {
  const suite = await startSuite(t)
  t.is(suite.pids.length, 3)
  const examined = await suite.run("vos", "examine", "first", "--partition", suite.partition)
  t.regex(examined.stdout, /first +536870912 RW .*On-line/)
  t.is((await suite.run("fssync", "attach", "--volumeid", `${firstVolume}`, "--partition", "/vicepa")).status, 0)
  t.is(inUse(suite.partition), 1, "the fileserver has it")
  const end = await suite.process.stop("SIGINT")
  t.is(end.status, 0)
  t.is(inUse(suite.partition), 0)
  t.deepEqual(suite.pids.filter(isAlive), [])
  for (const socket of ["fssync", "salvsync", "volser"])
    t.false(existsSync(join(suite.directory, "state", `${socket}.sock`)))
})

// A socket's path has 107 bytes: a checkout that lay deep could not be started.
test("the suite starts below a folder of any length", async (t) => {
  const directory = join(temporaryDirectory(t), "d".repeat(100))
  mkdirSync(directory)
  const suite = spawnDafs(t, ["start", "--dir", "run"], { directory })
  await suite.line(/Ctrl-C stops all/)
  const listed = await runDafs(["fssync", "listvolumes", "--state-dir", "run/state"], { directory })
  t.regex(listed.stdout, new RegExp(`${firstVolume}`))
  t.is((await suite.stop("SIGINT")).status, 0)
})

test("the daemons of the suite do not parse the certificates that its environment names", async (t) => {
  const directory = temporaryDirectory(t)
  const environment = { [certificatesVariable]: "/nowhere" }
  const suite = spawnDafs(t, ["start", "--dir", directory], { environment })
  await suite.line(/Ctrl-C stops all/)
  await suite.stop("SIGINT")
  const complaint = /extra certs/
  t.regex(suite.stderr(), complaint, "Node.js complains where it looks for them")
  const logs = readdirSync(join(directory, "log"))
  t.is(logs.length, 3)
  for (const log of logs) t.notRegex(readFileSync(join(directory, "log", log), "utf8"), complaint)
})

test("what the suite prints about files works as it is printed", async (t) => {
  const suite = await startSuite(t)
  const file = join(suite.directory, "README.md")
  writeFileSync(file, "read me\n")
  const hints = [...suite.process.stdout().matchAll(/npx dafs (fs .*)/g)].map((match) => (match[1] ?? "").split(" "))
  t.is(hints.length, 3)
  const printed: string[] = []
  for (const words of hints) {
    const { status, stdout, stderr } = await runDafs(words, { directory: suite.directory })
    t.is(status, 0, stderr)
    printed.push(stdout)
  }
  t.regex(printed[1] ?? "", / 8 .* README\.md\n/)
  t.is(printed[2], "read me\n")
})

test("a second start finds partition and volumes again, and a second suite on the same folder is refused", async (t) => {
  const first = await startSuite(t)
  await first.run("vos", "create", "--name", "home.ann", "--partition", first.partition)
  await first.process.stop("SIGINT")
  const second = await startSuite(t, first.directory)
  t.regex(second.process.stdout(), /2 volumes/)
  const third = spawnDafs(t, ["start", "--dir", first.directory])
  const end = await third.ended
  t.is(end.status, 11)
  t.regex(end.stderr, /another salvageserver is running/)
  t.is((await second.run("vos", "examine", "home.ann", "--partition", second.partition)).status, 0)
})

test("the daemons end cleanly when the program that started them is killed", async (t) => {
  const suite = await startSuite(t)
  await suite.run("fssync", "attach", "--volumeid", `${firstVolume}`, "--partition", "/vicepa")
  process.kill(suite.process.pid, "SIGKILL")
  const end = Date.now() + 20_000
  while (suite.pids.some(isAlive) && Date.now() < end) await delay(20)
  t.deepEqual(suite.pids.filter(isAlive), [])
  t.is(inUse(suite.partition), 0)
})

test("damage on disk is met by the next access, salvaged without an operator, and the volume comes back", async (t) => {
  const suite = await startSuite(t)
  const store = new InodeStore(openPartition(suite.partition), firstVolume)
  const index = store.path(specialInode(firstVolume, "smallIndex"))
  const bytes = readFileSync(index)
  bytes.fill(0x58, 0, 4)
  writeFileSync(index, bytes)
  const get = ["fssync", "get", "--volumeid", `${firstVolume}`, "--partition", "/vicepa"]
  const refused = await suite.run(...get)
  t.regex(refused.stderr, /VBUSY/)
  let status = refused.status
  for (const end = Date.now() + 30_000; status !== 0 && Date.now() < end; await delay(100)) {
    status = (await suite.run(...get)).status
  }
  t.is(status, 0)
  const asked = await suite.run("salvage", "query", "--volumeid", `${firstVolume}`, "--partition", "a", "--json")
  t.like(JSON.parse(asked.stdout), { known: true, state: "done" })
})
