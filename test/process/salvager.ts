/** `dafs salvager` beside a running fileserver. */
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import { type FileserverProcess, holdVolume, startFileserver } from "../support/fileserver-process.ts"
import { applyDamage, damagedFixture } from "../support/fixture.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { builtProgram } from "../support/project.ts"
import { needsMounts } from "../support/requirements.ts"
import { snapshot } from "../support/salvaged.ts"
import { fixturePartition } from "../support/served-volumes.ts"
import { runDafs, runProgram } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const ann = { rw: 536_870_915, ro: 536_870_916, bk: 536_870_917 } as const
const proj = { rw: 536_870_918, bk: 536_870_920 } as const
const docs = 536_870_921

/** The base partition, damaged as the fixtures say, with a fileserver on it. */
async function served(
  t: ExecutionContext,
  ...damages: string[]
): Promise<{ partition: Partition; fileserver: FileserverProcess }> {
  const { path } = fixturePartition(t, "base")
  for (const name of damages) applyDamage(path, damagedFixture(name).operations)
  const partition = openPartition(path)
  return { partition, fileserver: await startFileserver(t, [partition]) }
}

function salvage(fileserver: FileserverProcess, ...words: string[]): ReturnType<typeof runDafs> {
  const where = ["--partition", fileserver.partitions[0]?.path ?? "", "--state-dir", fileserver.stateDirectory]
  return runDafs(["salvager", ...where, ...words])
}

/** The printed objects of one type. */
function printed(stdout: string, type: string): Record<string, unknown>[] {
  const lines = stdout.trim().split("\n")
  const objects = lines.map((line) => JSON.parse(line) as Record<string, unknown>) // as `--json` documents them
  return objects.filter((object) => object["type"] === type)
}

test("salvager with a fileserver: volumes that are attached are taken, repaired and served again; nothing is left in use", async (t) => {
  const { partition, fileserver } = await served(t, "dir-bitmap-wrong", "header-missing-clone")
  t.is(await fileserver.access(ann.rw), "ok")
  t.is(await fileserver.access(docs), "ok")
  const { status, stdout, stderr } = await salvage(fileserver, "--force", "--json")
  t.deepEqual([status, stderr], [0, ""])
  const codes = printed(stdout, "finding").map(({ code }) => code)
  t.true(codes.includes("directory-damaged") && codes.includes("header-missing"))
  for (const id of [...Object.values(ann), ...Object.values(proj), docs])
    t.is(await fileserver.access(id), "ok", `${id}`)
  const { payload } = await fileserver.client().groupQuery(ann.rw, partition.name)
  t.deepEqual([...(payload?.members ?? [])].filter((id) => id !== 0).sort(), Object.values(ann))
  await fileserver.stop()
  t.deepEqual(partitionProblems(partition.path), [])
})

test("salvager with a fileserver: a group that a volserver has is busy, and named; the others are salvaged", async (t) => {
  const { partition, fileserver } = await served(t, "vnode-links-dir", "vnode-length-too-big")
  const holder = await holdVolume(t, fileserver, proj.rw, { programType: "volumeServer", how: "CLONE", lock: "write" })
  const { status, stdout, stderr } = await salvage(fileserver, "--force", "--json")
  t.is(status, 3)
  const groups = printed(stdout, "group").map((group) => `${String(group["group"])} ${String(group["status"])}`)
  t.true(groups.includes(`${proj.rw} busy`))
  t.true(groups.includes(`${docs} repaired`))
  t.regex(stderr, new RegExp(`pid ${holder.pid}`))
  t.is(await fileserver.access(proj.rw), "VBUSY", "the dump goes on")
  t.is(await fileserver.access(proj.bk), "ok")
  await holder.stop("SIGTERM")
  t.is(await fileserver.access(proj.rw), "ok")
  t.is((await salvage(fileserver, "--volumeid", String(proj.bk))).status, 0)
  await fileserver.stop()
  t.deepEqual(partitionProblems(partition.path), [])
})

test("salvager with a fileserver: a clone's id salvages its whole group", async (t) => {
  const { fileserver } = await served(t, "vnode-parent-wrong")
  const { status, stdout } = await salvage(fileserver, "--volumeid", String(proj.bk), "--json")
  t.is(status, 0)
  const [group] = printed(stdout, "group")
  t.is(group?.["group"], proj.rw)
  t.is(group?.["status"], "repaired")
})

test("salvager with a fileserver: --nowrite gives the volumes back as they were", async (t) => {
  const { fileserver } = await served(t, "vnode-links-dir")
  const { status } = await salvage(fileserver, "--force", "--nowrite")
  t.is(status, 4)
  t.is(await fileserver.access(proj.rw), "ok")
})

test("salvager with a fileserver: a volume of which nothing exists goes, and the fileserver forgets it", async (t) => {
  const { partition, fileserver } = await served(t)
  t.is(await fileserver.access(docs), "ok")
  await fileserver.stop()
  rmSync(join(partition.path, "AFSIDat", "7"), { recursive: true })
  await fileserver.start()
  t.is((await salvage(fileserver, "--volumeid", String(docs))).status, 0)
  t.is(await fileserver.access(docs), "VNOVOL")
  const { payload } = await fileserver.client().groupQuery(docs, partition.name)
  t.is(payload, undefined)
})

test("salvager without a fileserver: --offline is refused while one answers", async (t) => {
  const { fileserver } = await served(t)
  const { status, stderr } = await salvage(fileserver, "--offline")
  t.not(status, 0)
  t.regex(stderr, /a fileserver answers/)
})

test("two salvagers of a whole partition without a fileserver exclude one another; the second names the first", async (t) => {
  const partition = fixturePartition(t, "base")
  const { lockPartition } = await import("../../common/lock/partition-lock.ts")
  using _lock = lockPartition(partition)
  const { status, stderr } = await runDafs([
    "salvager",
    "--partition",
    partition.path,
    "--state-dir",
    partition.path,
    "--force",
  ])
  t.is(status, 11)
  t.regex(stderr, new RegExp(`pid ${process.pid}`))
})

/** A partition that is mounted read-only because its disk fails is the one that somebody wants to look at. */
needsMounts(
  "salvager --nowrite looks at a partition that is mounted read-only, and says that nothing keeps others away",
  async (t) => {
    const { path } = fixturePartition(t, "base")
    applyDamage(path, damagedFixture("vnode-links-dir").operations)
    const words = ["--partition", path, "--state-dir", temporaryDirectory(t), "--force", "--offline"]
    t.is((await runDafs(["salvager", ...words, "--nowrite"])).status, 4)
    writeFileSync(join(path, ".volume.lock"), "") // as any server leaves it
    const before = snapshot(path)
    const script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    const dafs = [process.execPath, builtProgram("cli/dafs.ts"), "salvager", ...words]
    const mounted = (...more: string[]) => runProgram("unshare", ["-m", "bash", "-c", script, path, ...dafs, ...more])
    const looked = await mounted("--nowrite", "--json")
    t.is(looked.status, 4, looked.stderr)
    t.regex(looked.stderr, /can be locked.*EROFS/)
    t.is(looked.stderr.trim().split("\n").length, 1, "once is enough")
    t.true(printed(looked.stdout, "finding").some(({ code }) => code === "vnode-links"))
    const refused = await mounted()
    t.not(refused.status, 0)
    t.regex(refused.stderr, /EROFS/)
    t.deepEqual(snapshot(path), before)
  },
)
