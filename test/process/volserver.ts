/** `dafs vos` beside a fileserver, by itself and by way of the volserver. */
import { existsSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import test from "ava"
import { type FileserverProcess, startFileserver } from "../support/fileserver-process.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { clones, fixturePartition, infoOnDisk } from "../support/served-volumes.ts"
import { runDafs, type Spawned, spawnDafs } from "../support/spawned.ts"

type Context = Parameters<typeof startFileserver>[0]

interface Servers {
  readonly fileserver: FileserverProcess
  readonly where: readonly string[]
  readonly path: string
}

async function started(t: Context): Promise<Servers> {
  const partition = fixturePartition(t)
  const fileserver = await startFileserver(t, [partition])
  return {
    fileserver,
    path: partition.path,
    where: ["--partition", partition.path, "--state-dir", fileserver.stateDirectory],
  }
}

async function startVolserver(t: Context, { where }: Pick<Servers, "where">, directory?: string): Promise<Spawned> {
  const volserver = spawnDafs(t, ["volserver", ...where], directory === undefined ? {} : { directory })
  await volserver.line(/volserver ready/)
  return volserver
}

const vos = (servers: Servers, ...words: string[]) => runDafs(["vos", ...words, ...servers.where])
async function vosJson(servers: Servers, ...words: string[]): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await vos(servers, ...words, "--json")
  if (status !== 0) throw new Error(`vos ${words.join(" ")}: ${status} ${stderr}`)
  return JSON.parse(stdout)
}

test("vos: beside a fileserver, volumes are served before and after each operation, and new ones at once", async (t) => {
  const servers = await started(t)
  const { fileserver, path } = servers
  t.is(await fileserver.access(clones.rw), "ok")
  await vosJson(servers, "backup", "v.cl")
  t.is(await fileserver.access(clones.rw), "ok")
  t.is(await fileserver.access(clones.bk), "ok")
  const { id } = await vosJson(servers, "create", "fresh")
  t.is(await fileserver.access(Number(id)), "ok")
  await vosJson(servers, "offline", "fresh")
  t.is(await fileserver.access(Number(id)), "VOFFLINE")
  t.like(await vosJson(servers, "examine", "fresh"), { condition: "offline", why: "out of service" })
  await vosJson(servers, "online", "fresh")
  t.is(await fileserver.access(Number(id)), "ok")
  t.like(await vosJson(servers, "examine", "fresh"), { condition: "online", source: "fileserver" })
  await vosJson(servers, "remove", "fresh")
  t.is(await fileserver.access(Number(id)), "VNOVOL")
  await fileserver.stop()
  t.deepEqual(partitionProblems(path), [])
})

test("vos: what is wrong is told by status and words: not found, usage, busy", async (t) => {
  const servers = await started(t)
  t.is((await vos(servers, "examine", "nobody")).status, 10)
  t.is((await vos(servers, "create")).status, 2)
  t.is((await vos(servers, "create", "x", "--maxquota", "much")).status, 2)
  t.is((await vos(servers, "frobnicate")).status, 2)
  const holder = spawnDafs(t, ["vos", "offline", "v.cl", "--sleep", "600", ...servers.where])
  await servers.fileserver.client().list()
  while (infoOnDisk({ ...fixture(servers) }, clones.rw).inUse !== 6)
    await new Promise((resolve) => setTimeout(resolve, 20))
  const busy = await vos(servers, "backup", "v.cl")
  t.is(busy.status, 11, busy.stderr)
  t.regex(busy.stderr, new RegExp(`pid ${holder.pid}`))
  const end = await holder.stop("SIGINT")
  t.is(end.status, 130, end.stderr)
  t.is(await servers.fileserver.access(clones.rw), "ok")
})

const fixture = ({ fileserver }: Servers) => {
  const [partition] = fileserver.partitions
  if (partition === undefined) throw new Error("no partition")
  return partition
}

test("vos: without a fileserver nothing is done unless it is told so, and nothing behind the back of one", async (t) => {
  const servers = await started(t)
  const refused = await vos(servers, "backup", "v.cl", "--offline")
  t.is(refused.status, 1)
  t.regex(refused.stderr, /leave out --offline/)
  await servers.fileserver.stop()
  const absent = await vos(servers, "backup", "v.cl")
  t.not(absent.status, 0)
  t.regex(absent.stderr, /--offline/)
  t.is((await vos(servers, "backup", "v.cl", "--offline")).status, 0)
})

test("vos: dump and restore by pipes, with the words on standard error", async (t) => {
  const servers = await started(t)
  const dumped = spawnDafs(t, ["vos", "dump", "v.cl", "--file", join(servers.path, "..", "dump"), ...servers.where])
  t.is((await dumped.ended).status, 0)
  const { size } = statSync(join(servers.path, "..", "dump"))
  t.is(Number((await vosJson(servers, "size", "v.cl"))["dumpSize"]), size)
  const { stdout, stderr, status } = await runDafs(["vos", "dump", "v.cl", ...servers.where])
  t.is(status, 0)
  t.true(stdout.length > 0)
  t.regex(stderr, /Dumped volume/)
})

test("volserver: runs operations for others, with the same results, errors and statuses", async (t) => {
  const servers = await started(t)
  const volserver = await startVolserver(t, servers)
  t.is(statSync(join(servers.fileserver.stateDirectory, "volser.sock")).mode & 0o777, 0o600)
  const { id } = await vosJson(servers, "create", "fresh", "--volserver")
  t.is(await servers.fileserver.access(Number(id)), "ok")
  const dump = join(servers.path, "..", "fresh.dump")
  t.like(await vosJson(servers, "dump", "fresh", "--file", dump, "--volserver"), { id, file: dump })
  t.like(await vosJson(servers, "restore", "copy", "--file", dump, "--volserver"), { name: "copy" })
  t.is((await vos(servers, "examine", "nobody", "--volserver")).status, 10)
  t.is((await vos(servers, "dump", "fresh", "--volserver")).status, 2)
  t.is((await volserver.stop()).status, 0)
  t.false(existsSync(join(servers.fileserver.stateDirectory, "volser.sock")))
  const gone = await vos(servers, "examine", "fresh", "--volserver")
  t.regex(gone.stderr, /no volserver answers/)
})

// A partition named from the client's folder was none of the volserver's: the job ran on no partition, and said so of none.
test("volserver: a partition is named by a path in the client's folder, or by its name; another one is refused", async (t) => {
  const servers = await started(t)
  const { stateDirectory } = servers.fileserver
  const where = ["--partition", servers.path, "--state-dir", basename(stateDirectory)]
  await startVolserver(t, { where }, dirname(stateDirectory))
  const [folder, name] = [dirname(servers.path), basename(servers.path)]
  const examine = (partition: string, directory = folder) => {
    const where = ["--partition", partition, "--state-dir", stateDirectory, "--volserver", "--json"]
    return runDafs(["vos", "examine", "v.cl", ...where], { directory })
  }
  for (const word of [name, `./${name}/`, servers.path, `/${name}`]) {
    const { status, stderr } = await examine(word)
    t.is(status, 0, `${word}: ${stderr}`)
  }
  t.is((await examine(".", servers.path)).status, 0)
  const refused = await examine("other")
  t.is(refused.status, 10)
  t.true(refused.stderr.includes(servers.path) && refused.stderr.includes("other"), refused.stderr)
})

test("volserver: one operation has a volume at a time; others run beside it; status tells, endtrans ends", async (t) => {
  const servers = await started(t)
  const volserver = await startVolserver(t, servers)
  const long = spawnDafs(t, ["vos", "offline", "v.cl", "--sleep", "600", "--volserver", ...servers.where])
  await volserver.line(/job started/)
  while (infoOnDisk(fixture(servers), clones.rw).inUse !== 6) await new Promise((resolve) => setTimeout(resolve, 20))
  const busy = await vos(servers, "remove", "v.cl", "--volserver")
  t.is(busy.status, 11)
  t.regex(busy.stderr, /VOLSERVOLBUSY/)
  t.is((await vos(servers, "backup", "v.same", "--volserver")).status, 0)
  const [job] = JSON.parse((await vos(servers, "status", "--json")).stdout)
  t.like(job, { command: "offline", volumes: [`${clones.rw} ${servers.path}`] })
  t.is((await vos(servers, "endtrans", String(job.job))).status, 0)
  t.is((await long.ended).status, 130)
  t.is((await vos(servers, "endtrans", "999")).status, 10)
  t.is(await servers.fileserver.access(clones.rw), "ok")
  t.deepEqual(JSON.parse((await vos(servers, "status", "--json")).stdout), [])
})

// A worker that is killed leaves what a killed volserver of OpenAFS leaves, and its client must not wait for ever.
test("volserver: a worker that is killed fails its job, and the volume is free for the next", async (t) => {
  const servers = await started(t)
  const volserver = await startVolserver(t, servers)
  const lost = spawnDafs(t, ["vos", "offline", "v.same", "--sleep", "600", "--volserver", ...servers.where])
  await volserver.line(/job started/)
  while (infoOnDisk(fixture(servers), clones.otherRw).inUse !== 6)
    await new Promise((resolve) => setTimeout(resolve, 20))
  const [job] = JSON.parse((await vos(servers, "status", "--json")).stdout)
  process.kill(job.pid, "SIGKILL")
  const end = await lost.ended
  t.is(end.status, 1)
  t.regex(end.stderr, /SIGKILL/)
  t.deepEqual(JSON.parse((await vos(servers, "status", "--json")).stdout), [])
  t.is((await vos(servers, "backup", "v.cl", "--volserver")).status, 0)
})

test("volserver: told to end, it ends its operations first, and everything is given back", async (t) => {
  const servers = await started(t)
  const volserver = await startVolserver(t, servers)
  const long = spawnDafs(t, ["vos", "offline", "v.cl", "--sleep", "600", "--volserver", ...servers.where])
  await volserver.line(/job started/)
  while (infoOnDisk(fixture(servers), clones.rw).inUse !== 6) await new Promise((resolve) => setTimeout(resolve, 20))
  t.is((await volserver.stop()).status, 0)
  t.is((await long.ended).status, 130)
  t.is(infoOnDisk(fixture(servers), clones.rw).inUse, 0)
  t.is(await servers.fileserver.access(clones.rw), "ok")
})

// A fileserver that somebody had stopped: the command stood there without a word, and looked as if it hung itself.
test("vos and fssync: a stopped fileserver is named on standard error while it is waited for", async (t) => {
  const { fileserver, where } = await started(t)
  const named = new RegExp(
    `waiting for the answer to \\w+ from pid ${fileserver.process.pid} \\(dafs fileserver\\), which is stopped`,
  )
  fileserver.process.signal("SIGSTOP")
  const commands = [
    ["vos", "examine", "v.cl", ...where],
    ["fssync", "query", "--volumeid", String(clones.rw), "--state-dir", fileserver.stateDirectory],
  ].map((words) => spawnDafs(t, words))
  for (const command of commands) await command.line(named)
  fileserver.process.signal("SIGCONT")
  for (const command of commands) t.is((await command.ended).status, 0)
})

test("vos and fssync: with --timeout a server that does not answer is given up, with the exit status for busy", async (t) => {
  const servers = await started(t)
  const { fileserver, where } = servers
  const volserver = await startVolserver(t, servers)
  fileserver.process.signal("SIGSTOP")
  volserver.signal("SIGSTOP")
  const state = ["--state-dir", fileserver.stateDirectory]
  const commands: string[][] = [
    ["vos", "examine", "v.cl", "--timeout", "1", ...where],
    ["vos", "examine", "v.cl", "--timeout", "1", "--volserver", ...where],
    ["fssync", "query", "--volumeid", "1", "--timeout", "1", ...state],
  ]
  for (const [index, words] of commands.entries()) {
    const { status, stderr } = await runDafs(words)
    const pid = index === 1 ? volserver.pid : fileserver.process.pid
    t.is(status, 11, stderr)
    t.regex(stderr, new RegExp(`TIMEDOUT.*pid ${pid} .*, which is stopped did not answer within 1 s`))
  }
  for (const server of [fileserver.process, volserver]) server.signal("SIGCONT")
  t.is((await runDafs(["vos", "examine", "v.cl", "--timeout", "0", ...where])).status, 2)
  t.is((await vos(servers, "examine", "v.cl", "--timeout", "30")).status, 0)
})
