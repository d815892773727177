import { renameSync, unlinkSync } from "node:fs"
import test from "ava"
import { type Disk, DiskError } from "../../../common/disk/disk.ts"
import { AfsError } from "../../../common/error.ts"
import { lockVolume } from "../../../common/lock/volume-lock.ts"
import { headerPath } from "../../../common/partition/partition.ts"
import { attachModes } from "../../../common/protocol/codes.ts"
import { fssyncReasons } from "../../../fssync/message.ts"
import { clones, fixturePartition, infoOnDisk, patchInfo, serve } from "../../support/served-volumes.ts"

const minute = 60_000

test("start: volumes are known by the names of their headers; none is opened", (t) => {
  const partition = fixturePartition(t)
  const opened: string[] = []
  const disk = {
    ...partition.disk,
    open: (...how: Parameters<typeof partition.disk.open>) => {
      opened.push(how[0])
      return partition.disk.open(...how)
    },
    readFile: (path: string) => {
      opened.push(path)
      return partition.disk.readFile(path)
    },
  }
  const served = serve(t, { partitions: [{ ...partition, disk }] })
  t.deepEqual(
    [...served.volumes.volumes()].map(({ id, state }) => `${id} ${state}`),
    Object.values(clones).map((id) => `${id} PREATTACHED`),
  )
  t.deepEqual(opened, [])
})

test("access: an unknown volume does not exist", async (t) => {
  const served = serve(t)
  t.is(await served.access(4711), "VNOVOL")
  const error = t.throws(() => served.volumes.acquire(4711), { instanceOf: AfsError })
  t.regex(error.message, /volume 4711/)
})

test("access: the first one attaches, later ones do not touch the disk", async (t) => {
  const served = serve(t)
  t.is(await served.access(clones.rw), "ok")
  t.is(served.state(clones.rw), "ATTACHED")
  renameSync(served.partition.path, `${served.partition.path}-away`)
  for (let round = 0; round < 3; round++) t.is(await served.access(clones.rw), "ok")
  renameSync(`${served.partition.path}-away`, served.partition.path)
  const { statistics } = served.volumes.find(clones.rw) ?? {}
  t.deepEqual([statistics?.attaches, statistics?.lookups, statistics?.headerGets], [1, 4, 4])
})

interface Row {
  readonly title: string
  readonly prepare: (served: ReturnType<typeof serve>) => void
  readonly volume: number
  readonly got: string
  readonly state: string | undefined
  readonly again: string
}

const marked = (change: Parameters<typeof patchInfo>[2], volume: number) => (served: ReturnType<typeof serve>) =>
  patchInfo(served.partition, volume, change)

const rows: Row[] = [
  {
    title: "whose header is gone",
    prepare: ({ partition }) => unlinkSync(headerPath(partition, clones.rw)),
    volume: clones.rw,
    got: "VNOVOL",
    state: "ERROR",
    again: "VNOVOL",
  },
  {
    title: "that needs a salvage",
    prepare: marked((info) => {
      info.needsSalvaged = 1
    }, clones.rw),
    volume: clones.rw,
    got: "VBUSY",
    state: "SALVAGING",
    again: "VBUSY",
  },
  {
    title: "that was in use by a server that crashed",
    prepare: marked((info) => {
      info.inUse = 1
    }, clones.rw),
    volume: clones.rw,
    got: "VBUSY",
    state: "SALVAGING",
    again: "VBUSY",
  },
  {
    title: "that is a backup and was in use",
    prepare: marked((info) => {
      info.inUse = 1
    }, clones.bk),
    volume: clones.bk,
    got: "ok",
    state: "ATTACHED",
    again: "ok",
  },
  {
    title: "that is not in service",
    prepare: marked((info) => {
      info.inService = 0
    }, clones.rw),
    volume: clones.rw,
    got: "VOFFLINE",
    state: "UNATTACHED",
    again: "VOFFLINE",
  },
  {
    title: "that is not blessed",
    prepare: marked((info) => {
      info.blessed = 0
    }, clones.rw),
    volume: clones.rw,
    got: "VNOVOL",
    state: "PREATTACHED",
    again: "VNOVOL",
  },
  {
    title: "that was left half-made",
    prepare: marked((info) => {
      info.destroyMe = 0xd3
    }, clones.rw),
    volume: clones.rw,
    got: "VNOVOL",
    state: undefined,
    again: "VNOVOL",
  },
  {
    title: "whose callbacks a salvager wants broken",
    prepare: marked((info) => {
      info.needsCallback = 1
    }, clones.rw),
    volume: clones.rw,
    got: "ok",
    state: "ATTACHED",
    again: "ok",
  },
]

for (const row of rows) {
  test(`access: a volume ${row.title}: clients get ${row.got}, then ${row.again}; state ${row.state ?? "unknown"}`, async (t) => {
    const served = serve(t)
    row.prepare(served)
    t.is(await served.access(row.volume), row.got as "ok")
    await Promise.resolve()
    await Promise.resolve()
    t.is(served.state(row.volume), row.state as "ERROR")
    t.is(await served.access(row.volume), row.again as "ok")
  })
}

test("access: a volume that is not blessed is tried again at each access", async (t) => {
  const served = serve(t)
  patchInfo(served.partition, clones.rw, (info) => {
    info.blessed = 0
  })
  t.is(await served.access(clones.rw), "VNOVOL")
  patchInfo(served.partition, clones.rw, (info) => {
    info.blessed = 1
  })
  t.is(await served.access(clones.rw), "ok")
})

test("access: an error is left by VOL_ON once its cause is gone", async (t) => {
  const served = serve(t)
  const path = headerPath(served.partition, clones.rw)
  renameSync(path, `${path}.away`)
  t.is(await served.access(clones.rw), "VNOVOL")
  renameSync(`${path}.away`, path)
  t.is(await served.access(clones.rw), "VNOVOL")
  void served.asker("volumeServer").ask("VOL_ON", { volume: clones.rw })
  t.is(await served.access(clones.rw), "ok")
})

test("access: a volume left half-made is forgotten, and a salvage is asked for that removes it", async (t) => {
  const served = serve(t)
  patchInfo(served.partition, clones.rw, (info) => {
    info.destroyMe = 0xd3
  })
  t.is(await served.access(clones.rw), "VNOVOL")
  t.is(served.volumes.find(clones.rw), undefined)
  t.deepEqual(served.salvager.jobs, [
    { command: "SALVAGE", volume: clones.rw, partition: "/vicepa", reason: "ERROR", priority: 0 },
  ])
})

/** OpenAFS 1.8.9: 103 for every client and state ERROR, for good, though the other program ends a moment later. */
test("access: a held lock is no error: clients are told to come again, and the volume is served when it is free", async (t) => {
  const served = serve(t)
  const lock = lockVolume(served.partition, clones.rw, "write", "somebody")
  t.is(await served.access(clones.rw), "VBUSY")
  t.is(served.state(clones.rw), "PREATTACHED")
  lock.release()
  served.clock.advance(1_999)
  t.is(await served.access(clones.rw), "VBUSY", "not tried again before the hold-off is over")
  served.clock.advance(1)
  t.is(await served.access(clones.rw), "ok")
})

test("access: VOL_ON by who held the lock ends the hold-off", async (t) => {
  const served = serve(t)
  const lock = lockVolume(served.partition, clones.rw, "write", "somebody")
  t.is(await served.access(clones.rw), "VBUSY")
  lock.release()
  void served.asker("volumeServer").ask("VOL_ON", { volume: clones.rw })
  t.is(await served.access(clones.rw), "ok")
})

/** A full disk had no room for the lock file of a new partition: each volume that was accessed went into error for good. */
for (const [what, code, mode] of [
  ["descriptors", "EMFILE", "read"],
  ["space for the lock file", "ENOSPC", "lock"],
  ["quota for the lock file", "EDQUOT", "lock"],
] as const) {
  test(`access: a shortage of ${what} is no damage and no error of the volume`, async (t) => {
    const partition = fixturePartition(t)
    let short = true
    const open: Disk["open"] = (path, wanted, permissions) => {
      if (short && wanted === mode) throw new DiskError("open", path, Object.assign(new Error(), { code }))
      return partition.disk.open(path, wanted, permissions)
    }
    const served = serve(t, { partitions: [{ ...partition, disk: { ...partition.disk, open } }] })
    t.is(await served.access(clones.rw), "VBUSY")
    t.is(served.state(clones.rw), "PREATTACHED")
    short = false
    served.clock.advance(2_000)
    t.is(await served.access(clones.rw), "ok")
    t.is(served.salvager.jobs.length, 0)
  })
}

test("soft detach: an idle volume is written out of use, and its next access attaches it without a salvage", async (t) => {
  const served = serve(t, { lru: { thresholdMs: minute, intervalMs: 4_000, max: 3 } })
  served.clock.advance(20_000)
  const before = infoOnDisk(served.partition, clones.rw)
  t.is(await served.access(clones.rw), "ok")
  served.clock.advance(120_000)
  t.is(served.state(clones.rw), "PREATTACHED")
  t.is(served.volumes.find(clones.rw)?.generation, "none")
  const after = infoOnDisk(served.partition, clones.rw)
  t.deepEqual(
    [after.inUse, after.uniquifier, after.offlineMessage],
    [0, before.uniquifier, "volume has been soft detached"],
  )
  t.is(await served.access(clones.rw), "ok")
  t.is(served.salvager.jobs.length, 0)
  t.is(infoOnDisk(served.partition, clones.rw).offlineMessage, "")
  t.is(served.volumes.find(clones.rw)?.statistics.softDetaches, 1)
})

test("soft detach: volumes in use, checked out, or accessed lately stay attached", async (t) => {
  const served = serve(t, { lru: { thresholdMs: minute, intervalMs: 4_000, max: 8 } })
  served.clock.advance(20_000)
  const use = await served.volumes.acquire(clones.rw)
  await served.access(clones.bk)
  void served.asker("volumeServer").ask("VOL_NEEDVOLUME", { volume: clones.bk, reason: attachModes.CLONE })
  await served.access(clones.ro)
  for (let round = 0; round < 30; round++) {
    served.clock.advance(10_000)
    await served.access(clones.otherRw)
  }
  t.deepEqual([clones.rw, clones.bk, clones.ro, clones.otherRw].map(served.state), [
    "ATTACHED",
    "ATTACHED",
    "PREATTACHED",
    "ATTACHED",
  ])
  use.release()
  served.clock.advance(10 * minute)
  t.is(served.state(clones.rw), "PREATTACHED", "once it is idle")
})

test("soft detach: can be switched off", async (t) => {
  const served = serve(t, { lru: false })
  await served.access(clones.rw)
  served.clock.advance(10_000 * minute)
  t.is(served.state(clones.rw), "ATTACHED")
  t.is(served.clock.pending, 0)
})

test("idle volumes: one that has not changed for 10 minutes is marked as sound when it falls back a generation", async (t) => {
  const served = serve(t, { lru: { thresholdMs: minute, intervalMs: 4_000, max: 1 } })
  const use = await served.volumes.acquire(clones.rw)
  served.volumes.find(clones.rw)?.attachment?.edit((info) => {
    info.dontSalvage = 0
    info.updateDate = 1_000_000_000
  })
  served.clock.advance(30 * minute)
  use.release()
  t.is(infoOnDisk(served.partition, clones.rw).dontSalvage, 0xe5)
  t.is(infoOnDisk(served.partition, clones.rw).inUse, 1)
})

test("idle volumes: one that changed lately is not marked", async (t) => {
  const served = serve(t, { lru: { thresholdMs: minute, intervalMs: 4_000, max: 1 } })
  const use = await served.volumes.acquire(clones.rw)
  served.volumes.find(clones.rw)?.attachment?.edit((info) => {
    info.dontSalvage = 0
    info.updateDate = 4_000_000_000
  })
  served.clock.advance(30 * minute)
  t.is(infoOnDisk(served.partition, clones.rw).dontSalvage, 0)
  use.release()
})

test("shutdown: every attached volume is out of use on disk, with its exact uniquifier", async (t) => {
  const served = serve(t)
  const before = Object.values(clones).map((id) => infoOnDisk(served.partition, id).uniquifier)
  for (const id of Object.values(clones)) await served.access(id)
  t.deepEqual(await served.volumes.close(), { detached: 5, failed: 0 })
  for (const [index, id] of Object.values(clones).entries()) {
    const info = infoOnDisk(served.partition, id)
    t.deepEqual([info.inUse, info.uniquifier, info.offlineMessage], [0, before[index], "File server was shut down"])
  }
  t.is(await served.access(clones.rw), "VOFFLINE", "nothing is attached any more")
})

test("shutdown: a volume with users is waited for, interrupted in time, and detached like the others", async (t) => {
  const served = serve(t, { offlineShutdownTimeoutMs: 3_000, offlineTimeoutMs: 100_000 })
  const use = await served.volumes.acquire(clones.rw)
  await served.access(clones.bk)
  use.onAbort = () => use.release()
  const closing = served.volumes.close()
  await new Promise((resolve) => setImmediate(resolve))
  t.is(infoOnDisk(served.partition, clones.bk).inUse, 0, "others do not wait for it")
  t.is(served.state(clones.rw), "GOING_OFFLINE")
  served.clock.advance(3_000)
  t.deepEqual(await closing, { detached: 2, failed: 0 })
  t.is(infoOnDisk(served.partition, clones.rw).inUse, 0)
})

test("shutdown: a salvage that is wanted stays wanted on disk", async (t) => {
  const served = serve(t)
  await served.access(clones.rw)
  void served.asker("debugUtility").ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: fssyncReasons.SALVAGE })
  await served.volumes.close()
  t.is(infoOnDisk(served.partition, clones.rw).needsSalvaged, 1)
})
