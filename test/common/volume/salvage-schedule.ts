import test from "ava"
import { salvagesMax } from "../../../common/volume/salvage-schedule.ts"
import { fssyncReasons } from "../../../fssync/message.ts"
import { clones, infoOnDisk, patchInfo, type Served, serve, testSalvager } from "../../support/served-volumes.ts"

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function damage(served: Served, volume: number): void {
  patchInfo(served.partition, volume, (info) => {
    info.needsSalvaged = 1
  })
}

/** What a salvage worker does, as far as the fileserver sees it. */
function salvaged(served: Served, volume: number, repair = true): void {
  const worker = served.asker("salvageServer")
  void worker.ask("VOL_OFF", { volume, reason: fssyncReasons.SALVAGE })
  patchInfo(served.partition, volume, (info) => {
    info.needsSalvaged = repair ? 0 : 1
    info.inUse = 0
  })
  void worker.ask("VOL_ON", { volume, reason: fssyncReasons.WHATEVER })
}

test("salvage: damage found at attach is told to the salvage server, and the volume served after VOL_ON", async (t) => {
  const served = serve(t)
  damage(served, clones.rw)
  t.is(await served.access(clones.rw), "VBUSY")
  t.is(served.state(clones.rw), "SALVSYNC_REQ")
  await settled()
  t.is(served.state(clones.rw), "SALVAGING")
  t.deepEqual(served.salvager.jobs, [
    { command: "SALVAGE", volume: clones.rw, partition: "/vicepa", reason: "NEEDED", priority: 0 },
  ])
  salvaged(served, clones.rw)
  t.is(await served.access(clones.rw), "ok")
  t.is(served.volumes.find(clones.rw)?.statistics.salvages, 1)
})

test("salvage: one asked for by request takes the volume from its users, marks it on disk, and has its own reason", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  const answer = served
    .asker("volumeServer")
    .ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: fssyncReasons.SALVAGE })
  t.is((await answer).response, 0, "answered at once, the users are waited for in the background")
  t.is(served.state(clones.rw), "SALVAGE_REQ")
  t.is(infoOnDisk(served.partition, clones.rw).needsSalvaged, 1)
  t.is(await served.access(clones.rw), "VBUSY")
  t.deepEqual(served.salvager.jobs, [])
  use.release()
  await settled()
  t.is(served.state(clones.rw), "SALVAGING")
  t.is(served.salvager.jobs[0]?.reason, "ERROR")
})

test("salvage: users of a volume that waits for its salvage are interrupted in time", async (t) => {
  const served = serve(t, { offlineTimeoutMs: 5_000 })
  const use = await served.volumes.acquire(clones.rw)
  void served.asker("volumeServer").ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: fssyncReasons.SALVAGE })
  served.clock.advance(5_000)
  t.is(use.abortCode, "VBUSY")
  use.release()
  await settled()
  t.is(served.state(clones.rw), "SALVAGING")
})

test("salvage: every state that nobody owns can be sent to a salvage", async (t) => {
  const served = serve(t)
  const operator = served.asker("debugUtility")
  void operator.ask("VOL_LEAVE_OFF", { volume: clones.ro })
  void operator.ask("VOL_FORCE_ERROR", { volume: clones.bk, reason: fssyncReasons.WHATEVER })
  void operator.ask("VOL_DONE", { volume: clones.otherBk })
  for (const volume of [clones.rw, clones.ro, clones.bk, clones.otherBk]) {
    void operator.ask("VOL_FORCE_ERROR", { volume, reason: fssyncReasons.SALVAGE })
    await settled()
    t.is(served.state(volume), "SALVAGING")
  }
  t.is(served.salvager.jobs.length, 4)
  void operator.ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: fssyncReasons.SALVAGE })
  t.is(served.salvager.jobs.length, 4, "a salvage that is wanted already is not wanted twice")
})

test("salvage: accesses make it more urgent, told at most every 3 seconds with the sum", async (t) => {
  const served = serve(t)
  damage(served, clones.rw)
  await served.access(clones.rw)
  await settled()
  for (let second = 0; second < 10; second++) {
    await served.access(clones.rw)
    served.clock.advance(1_000)
  }
  const raised = served.salvager.jobs.filter((job) => job.command === "RAISEPRIO").map((job) => job.priority)
  t.deepEqual(raised, [5, 9])
})

test("salvage: a volserver that is refused for it makes it more urgent, too", async (t) => {
  const served = serve(t)
  damage(served, clones.rw)
  await served.access(clones.rw)
  await settled()
  served.clock.advance(3_001)
  const answer = await served.asker("volumeServer").ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: 2 })
  t.deepEqual(answer, { response: 1, reason: fssyncReasons.SALVAGE })
  t.deepEqual(
    served.salvager.jobs.map((job) => `${job.command} ${job.priority}`),
    ["SALVAGE 0", "RAISEPRIO 1"],
  )
})

/** A volume once waited for a salvage that a restarted salvage server knew nothing of. */
test("salvage: what a salvage server took that has ended since is offered again, until another one takes it", async (t) => {
  const served = serve(t)
  damage(served, clones.rw)
  await served.access(clones.rw)
  await settled()
  t.is(served.volumes.salvages.waiting, 0)
  served.salvager.answer = new Error("ECONNREFUSED")
  served.clock.advance(3_001)
  await served.access(clones.rw)
  await settled()
  t.is(served.volumes.salvages.waiting, 1)
  served.salvager.answer = true
  served.clock.advance(10_000)
  await settled()
  t.is(served.volumes.salvages.waiting, 0)
  t.deepEqual(
    served.salvager.jobs.map((job) => job.command),
    ["SALVAGE", "RAISEPRIO", "SALVAGE"],
  )
})

test("salvage: who has the volume is not disturbed because the salvage server ended meanwhile", async (t) => {
  const served = serve(t)
  damage(served, clones.rw)
  await served.access(clones.rw)
  await settled()
  const worker = served.asker("salvageServer")
  void worker.ask("VOL_OFF", { volume: clones.rw, reason: fssyncReasons.SALVAGE })
  served.salvager.answer = new Error("ECONNREFUSED")
  served.clock.advance(3_001)
  await served.access(clones.rw)
  await settled()
  t.is(served.volumes.salvages.waiting, 0)
})

for (const [how, answer] of [
  ["refuses", false],
  ["is not there", new Error("ECONNREFUSED")],
] as const) {
  test(`salvage: a salvage server that ${how} is asked again at each access, and when it takes the job that is over`, async (t) => {
    const served = serve(t, { salvager: testSalvager(answer) })
    damage(served, clones.rw)
    for (let access = 1; access <= 3; access++) {
      t.is(await served.access(clones.rw), "VBUSY")
      await settled()
      t.is(served.state(clones.rw), "SALVAGING")
      t.is(served.salvager.jobs.length, access)
    }
    t.is(served.volumes.salvages.waiting, 1)
    served.salvager.answer = true
    await served.access(clones.rw)
    await settled()
    t.is(served.volumes.salvages.waiting, 0)
    t.is(served.salvager.jobs.length, 4)
    await served.access(clones.rw)
    t.is(served.salvager.jobs.length, 4)
  })
}

/** OpenAFS 1.8.9 does not start without a salvageserver, and asks again only when a client comes by. */
test("salvage: a salvage server that appears later gets what waits, also if nobody accesses the volumes", async (t) => {
  const served = serve(t, { salvager: testSalvager(new Error("ENOENT")) })
  damage(served, clones.rw)
  await served.access(clones.rw)
  patchInfo(served.partition, clones.otherRw, (info) => {
    info.destroyMe = 0xd3
  })
  await served.access(clones.otherRw)
  await settled()
  t.is(served.volumes.salvages.waiting, 2)
  served.salvager.answer = true
  served.clock.advance(10_000)
  await settled()
  t.is(served.volumes.salvages.waiting, 0)
  t.is(served.volumes.find(clones.rw)?.salvage?.scheduled, true)
  const before = served.salvager.jobs.length
  served.clock.advance(100_000)
  t.is(served.salvager.jobs.length, before)
  const complaints = served.log.lines.filter(({ message }) => message.startsWith("no salvage server"))
  t.is(complaints.length, 1, "said once, not at each try")
})

test("salvage: clients are told busy for 600 seconds, then to look elsewhere", async (t) => {
  const served = serve(t)
  damage(served, clones.rw)
  t.is(await served.access(clones.rw), "VBUSY")
  served.clock.advance(599_000)
  t.is(await served.access(clones.rw), "VBUSY")
  served.clock.advance(1_000)
  t.is(await served.access(clones.rw), "VRESTARTING")
})

test("salvage: after 16 salvages that did not help the volume goes to ERROR and the salvage server is left alone", async (t) => {
  const served = serve(t)
  damage(served, clones.rw)
  for (let round = 1; round <= salvagesMax; round++) {
    t.is(await served.access(clones.rw), "VBUSY", `round ${round}`)
    await settled()
    salvaged(served, clones.rw, false)
  }
  t.is(await served.access(clones.rw), "VNOVOL")
  t.is(served.state(clones.rw), "ERROR")
  t.is(served.salvager.jobs.length, salvagesMax)
  void served.asker("volumeServer").ask("VOL_ON", { volume: clones.rw })
  t.is(await served.access(clones.rw), "VNOVOL", "and again after VOL_ON")
})

test("salvage: a worker's failure puts the volume into ERROR and ends the wish for a salvage", async (t) => {
  const served = serve(t)
  damage(served, clones.rw)
  await served.access(clones.rw)
  await settled()
  void served.asker("salvageServer").ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: fssyncReasons.WHATEVER })
  t.is(served.state(clones.rw), "ERROR")
  t.is(await served.access(clones.rw), "VNOVOL")
  t.is(served.volumes.find(clones.rw)?.salvage, undefined)
})

test("salvage: a salvager that comes by itself takes the place of the one that was wanted", async (t) => {
  const served = serve(t, { salvager: testSalvager(false) })
  damage(served, clones.rw)
  await served.access(clones.rw)
  await settled()
  t.is(served.volumes.salvages.waiting, 1)
  void served.asker("volumeSalvager").ask("VOL_OFF", { volume: clones.rw, reason: fssyncReasons.SALVAGE })
  t.is(served.volumes.salvages.waiting, 0)
  served.clock.advance(60_000)
  t.is(served.salvager.jobs.length, 1)
})

test("salvage: nothing waits for a salvage server that does not answer, but who wants the volume itself", async (t) => {
  let answer: (taken: boolean) => void = () => undefined
  const served = serve(t, { salvager: testSalvager(new Promise((resolve) => (answer = resolve))) })
  damage(served, clones.rw)
  t.is(await served.access(clones.rw), "VBUSY")
  t.is(await served.access(clones.rw), "VBUSY", "a second client neither")
  t.is(await served.access(clones.bk), "ok")
  const operator = served.asker("debugUtility")
  t.is((await operator.ask("VOL_QUERY", { volume: clones.rw })).response, 0)
  const online = operator.ask("VOL_ON", { volume: clones.rw })
  t.true(online instanceof Promise)
  answer(true)
  t.is((await online).response, 0)
  t.is(served.state(clones.rw), "PREATTACHED")
})
