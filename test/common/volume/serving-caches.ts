import { readdirSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { openPartition } from "../../../common/partition/partition.ts"
import { tellsDamage } from "../../../common/volume/attached-volume.ts"
import { defaultLimits } from "../../../common/volume/serving-caches.ts"
import { VolumePackage } from "../../../common/volume/volume-package.ts"
import { by, nameOf, newVnode, now, storeOf } from "../../support/attached.ts"
import { cutDisk } from "../../support/cut-disk.ts"
import { failureOf } from "../../support/failure-of.ts"
import { makeSampleVolume, sampleId } from "../../support/sample-volume.ts"
import { clones, fixturePartition, infoOnDisk, keptLog, serve } from "../../support/served-volumes.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { virtualClock } from "../../support/virtual-clock.ts"
import { newPartition } from "../../support/volume-builder.ts"

function openUnder(directory: string): number {
  const links = readdirSync("/proc/self/fd").map((fd) => `/proc/self/fd/${fd}`)
  return links.filter((link) => pointsInto(link, directory)).length
}

function pointsInto(link: string, directory: string): boolean {
  try {
    return readlinkSync(link).startsWith(directory)
  } catch {
    return false // the descriptor that listed them
  }
}

test("limits: files of volumes and data files share what the process may open, and leave some for others", (t) => {
  t.like(defaultLimits(1024), { volumeFiles: 384, dataFiles: 384 })
  t.like(defaultLimits(1_000_000), { volumeFiles: 8192, dataFiles: 8192 })
  t.like(defaultLimits(100), { volumeFiles: 0, dataFiles: 0 })
  t.true(defaultLimits().dataFiles > 0)
})

test("limits: 500 volumes that are served at the same time keep no more files open than allowed", async (t) => {
  t.timeout(180_000)
  const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
  const ids = Array.from({ length: 500 }, (_, index) => sampleId + index)
  for (const id of ids) makeSampleVolume(partition, { id })
  const limits = { volumeFiles: 100, dataFiles: 80, vnodes: 300, directoryBytes: 100_000 }
  const volumes = new VolumePackage([partition], {
    log: keptLog(),
    callbacks: { breakVolume: () => {} },
    clock: virtualClock(),
    lru: false,
    limits,
  })
  for (let round = 0; round < 2; round++) {
    for (const id of ids) {
      using use = await volumes.acquire(id)
      const { attached } = use
      const root = attached.vnode(1, 1)
      const file = attached.createFile(root, nameOf(`round ${round}`), newVnode())
      using store = await attached.beginStore(file, storeOf({ length: 5, fileLength: 5 }))
      store.write(nameOf("bytes"))
      store.end()
      t.is(attached.read(file, new Uint8Array(10), 0), 5)
      t.true(openUnder(partition.path) <= limits.volumeFiles + limits.dataFiles + 70)
    }
  }
  t.true(volumes.caches.vnodes.size <= limits.vnodes)
  t.true(volumes.caches.directories.size <= limits.directoryBytes)
  await volumes.close()
  t.is(openUnder(`${partition.path}/AFSIDat`), 0)
})

test("a volume that is given away has its files closed and its vnodes forgotten before the checkout is granted", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  const { attached } = use
  const root = attached.vnode(1, 1)
  attached.createFile(root, nameOf("new"), newVnode())
  use.release()
  const open = openUnder(served.partition.path) // lock files stay open for ever
  await served.asker("volumeServer").ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: 3 })
  t.true(openUnder(served.partition.path) <= open)
  await served.volumes.caches.closed() // what was changed is synced in the background
  t.is(openUnder(`${served.partition.path}/AFSIDat`), 0)
  t.true(root.isGone)
  t.is(infoOnDisk(served.partition, clones.rw).inUse, 0)
  t.throws(() => attached.vnode(1, 1), { code: "VOFFLINE" })
  t.throws(() => attached.createFile(root, nameOf("late"), newVnode()), { code: "VOFFLINE" })
  t.throws(() => use.attached, { code: "VOFFLINE" })
})

test("a read-only volume is read, and refuses every change", async (t) => {
  const served = serve(t)
  using use = await served.volumes.acquire(clones.ro)
  const { attached } = use
  const root = attached.vnode(1, 1)
  t.true(attached.read(root, new Uint8Array(2048), 0) === 2048)
  t.throws(() => attached.createFile(root, nameOf("new"), newVnode()), { code: "VREADONLY" })
  t.throws(() => attached.removeFile(root, nameOf("a"), by), { code: "VREADONLY" })
  t.throws(() => attached.setStatus(root, { mode: 0, now: by.now }), { code: "VREADONLY" })
  t.throws(() => attached.setLock(root, "read", by.now), { code: "VREADONLY" })
  for (let count = 0; count < 300; count++) attached.accessed(by.now)
  t.true(infoOnDisk(served.partition, clones.ro).dayUse >= 128)
})

test("a change that breaks off takes its volume out of service at once, and asks for a salvage", async (t) => {
  const healthy = fixturePartition(t)
  const disk = cutDisk({ at: 1_000, how: "EIO" })
  const served = serve(t, { partitions: [openPartition(healthy.path, disk)] })
  const use = await served.volumes.acquire(clones.rw)
  const { attached } = use
  const root = attached.vnode(1, 1)
  let failure: unknown
  for (let count = 0; failure === undefined; count++)
    failure = failureOf(() => attached.setStatus(root, { mode: count, now }))
  t.true(tellsDamage(failure))
  t.is(served.state(clones.rw), "SALVAGE_REQ")
  t.is(infoOnDisk(healthy, clones.rw).needsSalvaged, 1)
  t.throws(() => attached.vnode(1, 1), { code: "VSALVAGE" })
  use.release()
  await new Promise(setImmediate)
  t.is(served.salvager.jobs[0]?.volume, clones.rw)
  t.is(await served.access(clones.otherRw), "ok")
})
