import { renameSync } from "node:fs"
import test from "ava"
import { isProcessAlive, LostCheckouts, systemProbes } from "../../../common/volume/lost-checkouts.ts"
import type { ServerVolume } from "../../../common/volume/server-volume.ts"
import { anyLocker, holdForeign, needsLocker } from "../../support/foreign-lock.ts"
import { clones, fixturePartition, serve } from "../../support/served-volumes.ts"
import { runProgram } from "../../support/spawned.ts"

test("lost checkouts: living processes are told from ended ones, whatever number is claimed", async (t) => {
  t.true(isProcessAlive(process.pid))
  t.true(isProcessAlive(1), "another user's")
  for (const pid of [0, -1, 2 ** 32 - 1, 2 ** 31, 1.5, Number.NaN]) t.false(isProcessAlive(pid), `${pid}`)
  const shell = await runProgram("/bin/sh", ["-c", "echo $$"])
  t.false(isProcessAlive(Number(shell.stdout)))
})

needsLocker("lost checkouts: a foreign lock on the volume is seen, of either type, and its end too", async (t) => {
  const partition = fixturePartition(t)
  for (const type of ["read", "write"] as const) {
    const holder = await holdForeign(t, anyLocker(), `${partition.path}/.volume.lock`, { type, first: clones.rw })
    t.true(systemProbes.isLocked(partition, clones.rw))
    t.false(systemProbes.isLocked(partition, clones.bk))
    await holder.stop("SIGKILL")
    t.false(systemProbes.isLocked(partition, clones.rw))
  }
})

test("lost checkouts: each is looked at again until it is settled, and nothing is looked at after that", (t) => {
  const probes = { isAlive: () => false, isLocked: () => locked }
  let locked = true
  const served = serve(t, { probes })
  const dropped: number[] = []
  const lost = new LostCheckouts(served.volumes.context, (volume: ServerVolume) => void dropped.push(volume.id), probes)
  const volserver = served.asker("volumeServer")
  for (const volume of [clones.rw, clones.otherRw]) {
    void volserver.ask("VOL_NEEDVOLUME", { volume, reason: 2 })
    const found = served.volumes.find(volume)
    if (found !== undefined) lost.add(found, false)
  }
  t.is(lost.count, 2)
  served.clock.advance(5_000)
  t.deepEqual(dropped, [])
  void volserver.ask("VOL_ON", { volume: clones.otherRw })
  locked = false
  served.clock.advance(500)
  t.deepEqual(dropped, [clones.rw], "the other one was given back")
  t.is(lost.count, 0)
})

test("lost checkouts: closing ends the looking", (t) => {
  const served = serve(t, { lru: false, probes: { isAlive: () => true, isLocked: () => true } })
  const lost = new LostCheckouts(served.volumes.context, () => t.fail(), { isAlive: () => true, isLocked: () => true })
  void served.asker("volumeServer").ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: 2 })
  const found = served.volumes.find(clones.rw)
  if (found !== undefined) lost.add(found, true)
  t.is(served.clock.pending, 1)
  lost.close()
  t.is(served.clock.pending, 0)
})

/**
 * A disk was pulled out while a volserver had a volume of it checked out, and the volserver died of it. The fileserver
 * could not open the lock file to see whether the volume was still worked on, and died, too: with the volumes of all its
 * other partitions in use, so that each of them was salvaged at the next start.
 */
test("lost checkouts: on a partition that has gone away none is dropped, the server goes on, and the log says so once", async (t) => {
  const served = serve(t, { probes: { ...systemProbes, isAlive: () => false } })
  const volserver = served.asker("volumeServer")
  void volserver.ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: 2 })
  const { path } = served.partition
  renameSync(path, `${path}.gone`)
  t.notThrows(() => volserver.channel.end())
  served.clock.advance(60_000)
  t.is(served.volumes.handover.lostCheckouts, 1)
  t.is(served.log.lines.filter(({ message }) => /cannot tell whether the volume's lock/.test(message)).length, 1)
  renameSync(`${path}.gone`, path)
  served.clock.advance(500)
  t.is(served.volumes.handover.lostCheckouts, 0)
  t.is(await served.access(clones.rw), "ok")
})
