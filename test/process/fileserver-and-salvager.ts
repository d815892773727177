/** A fileserver as a process, and `dafs salvager` on its volumes: what becomes of the checkout, however the salvage ends. */
import test, { type ExecutionContext } from "ava"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { fssyncReasons, responses } from "../../fssync/message.ts"
import { type FileserverProcess, startFileserver } from "../support/fileserver-process.ts"
import { clones, fixturePartition, infoOnDisk, patchInfo } from "../support/served-volumes.ts"
import { isAlive, runDafs, type Spawned, spawnDafs } from "../support/spawned.ts"

const serveClones = (t: ExecutionContext): Promise<FileserverProcess> =>
  startFileserver(t, [fixturePartition(t, "clones", "vicepa", "development")])

function wordsFor(server: FileserverProcess, volume: number): string[] {
  const partition = server.partitions[0]?.path ?? ""
  return ["salvager", "--partition", partition, "--volumeid", String(volume), "--state-dir", server.stateDirectory]
}

const salvage = (t: ExecutionContext, server: FileserverProcess, volume: number): Spawned =>
  spawnDafs(t, wordsFor(server, volume))

async function operationOf(server: FileserverProcess, volume: number): Promise<number | undefined> {
  const { payload } = await server.client().queryVolumeOperation(volume)
  return payload?.request.programType
}

/** OpenAFS 1.8.9 keeps the checkout of a salvager that gave up: the volume is then out of service until an operator comes. */
test("a salvager that finds the volume locked names the holder, ends at once and gives the volume back", async (t) => {
  const server = await serveClones(t)
  const [partition] = server.partitions
  if (partition === undefined) return t.fail()
  t.is(await server.access(clones.rw), "ok")
  const held = lockVolume(partition, clones.rw, "read", "somebody's dump")
  const end = await runDafs(wordsFor(server, clones.rw))
  t.is(end.status, 11, end.stderr)
  t.regex(end.stderr, new RegExp(`volume ${clones.rw}.*pid ${process.pid}`))
  for (const volume of [clones.rw, clones.ro, clones.bk]) t.is(await operationOf(server, volume), undefined)
  t.is(await server.access(clones.bk), "ok")
  held.release()
  t.is((await server.client("volumeServer").volumeOn(clones.rw, partition.name)).response, responses.OK)
  t.is(await server.access(clones.rw), "ok")
})

test("a salvage takes a damaged volume and its clones from service and brings all of them back", async (t) => {
  const server = await serveClones(t)
  const [partition] = server.partitions
  if (partition === undefined) return t.fail()
  patchInfo(partition, clones.rw, (info) => {
    info.needsSalvaged = 1
  })
  t.is(await server.access(clones.rw), "VBUSY")
  const end = await runDafs(wordsFor(server, clones.rw))
  t.is(end.status, 0, end.stderr)
  t.is(infoOnDisk(partition, clones.rw).needsSalvaged, 0)
  for (const volume of [clones.rw, clones.ro, clones.bk]) {
    t.is(await operationOf(server, volume), undefined)
    t.is(await server.access(volume), "ok", `${volume}`)
  }
})

test("a fileserver that is killed while a salvager waits for a volume, and started again, is asked again", async (t) => {
  const server = await serveClones(t)
  const user = server.client()
  t.is((await user.get(clones.rw)).response, responses.OK)
  const salvager = salvage(t, server, clones.rw)
  while ((await server.state(clones.rw)) !== "GOING_OFFLINE") t.true(isAlive(salvager.pid))
  await user.close()
  await server.kill()
  await server.start()
  const end = await salvager.ended
  t.is(end.status, 0, end.stderr)
  t.is(await operationOf(server, clones.rw), undefined)
  t.is(await server.access(clones.rw), "ok")
})

test("a salvage of a group goes on where the fileserver knows of a member that has no header", async (t) => {
  const server = await serveClones(t)
  const asker = server.client()
  const name = server.partitions[0]?.name ?? ""
  while ((await asker.groupQuery(clones.rw, name)).reason === fssyncReasons.PART_SCANNING);
  t.is((await asker.groupAdd(clones.rw, 4711, name)).response, responses.OK)
  const end = await runDafs(wordsFor(server, clones.rw))
  t.is(end.status, 0, end.stderr)
  for (const volume of [clones.rw, clones.ro, clones.bk]) t.is(await server.access(volume), "ok", `${volume}`)
})

test("a salvage of a volume that does not exist leaves nothing behind", async (t) => {
  const server = await serveClones(t)
  const end = await runDafs(wordsFor(server, 4711))
  t.is(end.status, 10, end.stderr)
  t.is(await server.state(4711), undefined)
  t.is(await server.access(clones.rw), "ok")
})
