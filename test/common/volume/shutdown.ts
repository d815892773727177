import { join } from "node:path"
import test from "ava"
import { makeVolumes } from "../../../bench/volumes.ts"
import { DiskError, type DiskFile } from "../../../common/disk/disk.ts"
import { detachAll } from "../../../common/volume/shutdown.ts"
import { clones, fixturePartition, infoOnDisk, serve } from "../../support/served-volumes.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition } from "../../support/volume-builder.ts"

const eio = (path: string): DiskError => new DiskError("fsync", path, Object.assign(new Error(), { code: "EIO" }))

test("shutdown: the information of every attached volume is synced after it was written, and nothing else", async (t) => {
  const partition = fixturePartition(t)
  const calls: string[] = []
  const open: typeof partition.disk.open = (path, mode, permissions) => {
    const file = partition.disk.open(path, mode, permissions)
    if (mode !== "write") return file
    const note = <K extends "write" | "syncLater">(name: K): void => {
      const plain = file[name].bind(file) as (...words: unknown[]) => unknown
      const noted = (...words: unknown[]): unknown => {
        calls.push(`${name} ${path.split("/").at(-1)}`)
        return plain(...words)
      }
      Object.assign(file, { [name]: noted })
    }
    note("write")
    note("syncLater")
    return file
  }
  const served = serve(t, { partitions: [{ ...partition, disk: { ...partition.disk, open } }] })
  for (const id of [clones.rw, clones.bk]) await served.access(id)
  const use = await served.volumes.acquire(clones.otherRw)
  calls.length = 0
  const closing = served.volumes.close()
  use.release()
  t.deepEqual(await closing, { detached: 3, failed: 0 })
  const files = [...new Set(calls.map((call) => call.split(" ")[1]))]
  t.is(files.length, 3)
  for (const file of files) {
    const mine = calls.filter((call) => call.endsWith(` ${file}`)).map((call) => call.split(" ")[0])
    t.deepEqual(mine, ["write", "syncLater"])
  }
})

test("shutdown: a sync that fails is logged and harms no other volume", async (t) => {
  const partition = fixturePartition(t)
  const open: typeof partition.disk.open = (path, mode, permissions): DiskFile => {
    const file = partition.disk.open(path, mode, permissions)
    if (mode === "write") file.syncLater = () => Promise.reject(eio(path))
    return file
  }
  const served = serve(t, { partitions: [{ ...partition, disk: { ...partition.disk, open } }] })
  for (const id of Object.values(clones)) await served.access(id)
  t.deepEqual(await served.volumes.close(), { detached: 5, failed: 0 })
  t.is(served.log.lines.filter(({ message }) => message.includes("cannot be synced")).length, 5)
  t.is(infoOnDisk(partition, clones.rw).inUse, 0)
})

test("shutdown: a volume whose information cannot be written counts as failed; the others are detached", async (t) => {
  const partition = fixturePartition(t)
  let broken = false
  const open: typeof partition.disk.open = (path, mode, permissions) => {
    if (broken && mode === "write" && path.includes("AFSIDat/4/")) throw eio(path)
    return partition.disk.open(path, mode, permissions)
  }
  const served = serve(t, { partitions: [{ ...partition, disk: { ...partition.disk, open } }] })
  for (const id of Object.values(clones)) await served.access(id)
  broken = true
  const report = await served.volumes.close()
  t.deepEqual([report.detached, report.failed], [2, 3])
  t.is(infoOnDisk(partition, clones.rw).inUse, 1)
  t.is(infoOnDisk(partition, clones.otherRw).inUse, 0)
})

test("shutdown: volumes that are not attached have nothing to write, and are served no more", async (t) => {
  const served = serve(t)
  const operator = served.asker("debugUtility")
  void operator.ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: 65536 })
  void operator.ask("VOL_DONE", { volume: clones.ro })
  const report = await detachAll(served.volumes.context, served.volumes.volumes(), undefined)
  t.deepEqual(report, { detached: 0, failed: 0 })
  t.deepEqual(Object.values(clones).map(served.state), [
    "UNATTACHED",
    "DELETED",
    "UNATTACHED",
    "UNATTACHED",
    "UNATTACHED",
  ])
})

test("shutdown: hundreds of volumes are detached and synced with their file system, or one by one where that cannot be", async (t) => {
  const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
  const ids = await makeVolumes(partition, 210)
  const whole = serve(t, { partitions: [partition] })
  for (const id of ids) t.is(await whole.access(id), "ok")
  t.deepEqual(await whole.volumes.close(), { detached: 210, failed: 0 })
  for (const id of ids) t.is(infoOnDisk(partition, id).inUse, 0)

  let syncs = 0
  const open: typeof partition.disk.open = (path, mode, permissions) => {
    const file = partition.disk.open(path, mode, permissions)
    file.syncLater = async () => void syncs++
    return file
  }
  const single = serve(t, { partitions: [{ ...partition, disk: { ...partition.disk, open } }] })
  for (const id of ids) await single.access(id)
  t.deepEqual(await single.volumes.close(), { detached: 210, failed: 0 })
  t.is(syncs, 210)
})
