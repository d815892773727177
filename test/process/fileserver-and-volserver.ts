/** A fileserver as a process, and the volserver's own operations on its volumes: what clients see before, during and after. */
import { mkdirSync, readdirSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { openPartition } from "../../common/partition/partition.ts"
import { responses } from "../../fssync/message.ts"
import { withVolume } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../../volserver/context.ts"
import { backupVolume } from "../../volserver/operations/backup.ts"
import { createVolume } from "../../volserver/operations/create.ts"
import { removeVolume } from "../../volserver/operations/remove.ts"
import { putOnline, takeOffline } from "../../volserver/operations/service.ts"
import { type FileserverProcess, holdVolume, startFileserver } from "../support/fileserver-process.ts"
import { unpackFixture } from "../support/fixture.ts"
import { anyLocker, holdForeign, needsLocker } from "../support/foreign-lock.ts"
import { until } from "../support/raw-peer.ts"
import { clones, fixturePartition, infoOnDisk, patchInfo } from "../support/served-volumes.ts"
import { runDafs, spawnDafs } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { standaloneContext } from "../support/volume-builder.ts"

/** A volserver that works for this fileserver. */
function volserverOf(server: FileserverProcess, more: Partial<VolserverContext> = {}): VolserverContext {
  const claimant = { program: "volumeServer", fileserver: server.client("volumeServer") } as const
  return { ...standaloneContext(server.partitions), claimant, ...more }
}

test("a volume that is created is served at once, and one that is removed is gone, until its id is used again", async (t) => {
  const partition = fixturePartition(t)
  const server = await startFileserver(t, [partition])
  const context = volserverOf(server)
  const { id } = await createVolume(context, { partition, name: "new" })
  t.is(await server.access(id), "ok")
  await removeVolume(context, { partition, id })
  t.is(await server.access(id), "VNOVOL")
  t.is(await server.state(id), "DELETED")
  await createVolume(context, { partition, name: "again", id })
  t.is(await server.access(id), "ok")
})

test("a volume that is taken out of service says so, also after a restart, and is served when it is put back", async (t) => {
  const partition = fixturePartition(t)
  const server = await startFileserver(t, [partition])
  const place = { partition, id: clones.rw }
  t.is(await server.access(clones.rw), "ok")
  await takeOffline(volserverOf(server), place)
  t.is(await server.access(clones.rw), "VOFFLINE")
  await server.stop()
  await server.start()
  t.is(await server.access(clones.rw), "VOFFLINE")
  await putOnline(volserverOf(server), place)
  t.is(await server.access(clones.rw), "ok")
})

test("a backup that is made while clients use volume and old backup: both are served before and after, the group is known", async (t) => {
  const partition = fixturePartition(t)
  const server = await startFileserver(t, [partition])
  for (const volume of [clones.rw, clones.bk]) t.is(await server.access(volume), "ok")
  const client = server.client()
  await client.groupQuery(clones.rw, "/vicepa")
  const { id } = await backupVolume(volserverOf(server), { partition, id: clones.rw })
  t.is(id, clones.bk)
  for (const volume of [clones.rw, clones.bk]) t.is(await server.access(volume), "ok")
  const { payload } = await client.groupQuery(clones.bk, "/vicepa")
  t.deepEqual([...(payload?.members ?? [])].sort(), [clones.rw, clones.ro, clones.bk])
})

test("a volume moved between two partitions of a server is served from the new one without a break in its id", async (t) => {
  const directory = temporaryDirectory(t)
  const paths = ["vicepa", "vicepb"].map((name) => join(directory, name))
  for (const path of paths) mkdirSync(path)
  unpackFixture("clones", paths[0] ?? "")
  unpackFixture("empty", paths[1] ?? "")
  const [from, to] = paths.map((path) => openPartition(path))
  if (from === undefined || to === undefined) return t.fail()
  const server = await startFileserver(t, [from, to])
  const volserver = server.client("volumeServer")
  t.is((await volserver.needVolume(clones.otherRw, "/vicepa", "VOLUPD")).response, responses.OK)
  t.is(await server.access(clones.otherRw), "VOFFLINE")
  t.is((await volserver.volumeOn(clones.otherRw, "/vicepb")).response, responses.OK)
  const done = await volserver.done(clones.otherRw, "/vicepa")
  t.deepEqual([done.response, done.reason], [responses.OK, 65546])
  t.is((await server.client().queryVolume(clones.otherRw)).payload?.partition, "/vicepb")
})

needsLocker(
  "readers share a backup volume: two foreign programs, a dump and the fileserver have it at the same time",
  async (t) => {
    const partition = fixturePartition(t)
    const server = await startFileserver(t, [partition])
    const lock = { type: "read", first: clones.bk } as const
    for (let count = 0; count < 2; count++)
      await holdForeign(t, anyLocker(), join(partition.path, ".volume.lock"), lock)
    t.is(await server.access(clones.bk), "ok")
    const { claimant } = volserverOf(server)
    await withVolume(claimant, partition, clones.bk, "CLONE", async ({ checkout }) => {
      t.is(checkout.lockType, "read")
      t.is(await server.access(clones.bk), "ok")
      t.is((await server.client().queryVolumeOperation(clones.bk)).payload?.state, 2)
    })
    t.is(await server.access(clones.bk), "ok")
  },
)

/** True once a process has the file open. */
function hasOpen(pid: number, path: string): boolean {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).some((name) => {
    try {
      return readlinkSync(join(folder, name)) === path
    } catch {
      return false // closed meanwhile
    }
  })
}

needsLocker(
  "a volume that is created while somebody looks at all headers waits, other work goes on, and then it is made",
  async (t) => {
    const partition = fixturePartition(t)
    const server = await startFileserver(t, [partition])
    const lockFile = join(partition.path, ".volheaders.lock")
    const scanner = await holdForeign(t, anyLocker(), lockFile, { type: "write", first: 1 })
    const place = ["--partition", partition.path, "--state-dir", server.stateDirectory]
    const creating = spawnDafs(t, ["vos", "create", "--name", "new", ...place])
    let over = false
    void creating.ended.then(() => {
      over = true
    })
    await until(() => over || hasOpen(creating.pid, lockFile))
    t.is(await server.access(clones.rw), "ok")
    await takeOffline(volserverOf(server), { partition, id: clones.rw })
    await putOnline(volserverOf(server), { partition, id: clones.rw })
    const dumped = await runDafs([
      "vos",
      "dump",
      `${clones.rw}`,
      "--file",
      join(server.stateDirectory, "dump"),
      ...place,
    ])
    t.is(dumped.status, 0, dumped.stderr)
    t.false(over, "it waits for the header lock")
    await scanner.stop("SIGKILL")
    const { status, stdout, stderr } = await creating.ended
    t.is(status, 0, stderr)
    const id = Number(/\d{9,}/.exec(stdout)?.[0])
    t.is(await server.access(id), "ok")
  },
)

test("a volserver that finds a volume damaged asks for a salvage, waits for it and goes on", async (t) => {
  const partition = fixturePartition(t)
  const server = await startFileserver(t, [partition])
  patchInfo(partition, clones.rw, (info) => {
    info.needsSalvaged = 1
  })
  const { claimant } = volserverOf(server)
  const seen: string[] = []
  const report = async (): Promise<void> => {
    seen.push((await server.state(clones.rw)) ?? "")
    const worker = server.client("salvageServer")
    await worker.volumeOff(clones.rw, "/vicepa", 65537)
    patchInfo(partition, clones.rw, (info) => {
      info.needsSalvaged = 0
    })
    await worker.volumeOn(clones.rw, "/vicepa")
    await worker.close()
  }
  const salvages: Promise<void>[] = []
  const watching = {
    ...claimant,
    report: ({ type }: { type: string }) => {
      if (type === "salvaging" && salvages.length === 0) salvages.push(report())
    },
  }
  await withVolume(watching, partition, clones.rw, "CLONE", ({ volume }) => t.is(volume.info.inUse, 6), {
    waitMs: 100,
    attemptsMax: 50,
  })
  await Promise.all(salvages)
  t.true(["SALVAGING", "SALVSYNC_REQ"].includes(seen[0] ?? ""))
  t.is(await server.access(clones.rw), "ok")
})

test("a volserver is refused a volume that is being salvaged, and one that another program has", async (t) => {
  const partition = fixturePartition(t)
  const server = await startFileserver(t, [partition])
  const salvager = await holdVolume(t, server, clones.rw, {
    programType: "salvageServer",
    how: "SALVAGE",
    lock: "write",
  })
  const { claimant } = volserverOf(server)
  const patience = { waitMs: 1, attemptsMax: 1 }
  await t.throwsAsync(
    withVolume(claimant, partition, clones.rw, "CLONE", () => t.fail(), patience),
    { code: "VSALVAGE" },
  )
  salvager.signal("SIGTERM")
  await salvager.line(/given back: 0/)
  await withVolume(claimant, partition, clones.rw, "CLONE", () => t.pass(), patience)
  t.is(infoOnDisk(partition, clones.rw).inUse, 0)
  t.is(await server.access(clones.rw), "ok")
})
