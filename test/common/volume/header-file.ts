import { readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import type { Disk, DiskFile } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { isAfsError } from "../../../common/error.ts"
import { listLocks } from "../../../common/lock/lock-holder.ts"
import { headerLockPath } from "../../../common/lock/lock-path.ts"
import {
  createPartition,
  headerName,
  headerPath,
  openPartition,
  type Partition,
} from "../../../common/partition/partition.ts"
import { removeHeaderFile, writeHeaderFile } from "../../../common/volume/header-file.ts"
import { newVolumeHeader, volumeHeaderLayout } from "../../../common/volume/volume-header.ts"
import { atEveryCut } from "../../support/cut-disk.ts"
import { needsProcLocks } from "../../support/requirements.ts"
import { sampleId } from "../../support/sample-volume.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

/** A partition of the kind that this user can have. */
function partitionIn(t: ExecutionContext, disk: Disk = nodeDisk): Partition {
  const path = join(temporaryDirectory(t), "vicepa")
  createPartition(path, { development: process.geteuid?.() !== 0 })
  return openPartition(path, disk)
}

const over = (partition: Partition, disk: Disk): Partition => ({ ...partition, disk })

for (const replace of [false, true]) {
  const what = replace ? "replaced" : "new"
  test(`header file: a ${what} one is seen whole or as before, wherever its writing ends`, async (t) => {
    const old = volumeHeaderLayout.encode(newVolumeHeader(sampleId, 77))
    const next = volumeHeaderLayout.encode(newVolumeHeader(sampleId, sampleId))
    let path = ""
    const seen = new Set<string>()
    const cuts = await atEveryCut(
      (disk) => {
        const plain = partitionIn(t)
        path = headerPath(plain, sampleId)
        if (replace) writeFileSync(path, old)
        writeHeaderFile(over(plain, disk), sampleId, next, { replace, sync: false })
      },
      (at, call) => {
        const found = Buffer.from(nodeDisk.readFile(path) ?? []).toString("hex")
        seen.add(found)
        const allowed = [replace ? Buffer.from(old).toString("hex") : "", Buffer.from(next).toString("hex")]
        t.true(allowed.includes(found), `${at}: ${call}: ${found}`)
      },
      { torn: true },
    )
    t.true(cuts >= 4)
    t.is(seen.size, 2, "the last cut is the removal of the draft, when all is done")
  })
}

test("header file: two that make the same at once do not both succeed, and leave no draft", (t) => {
  const partition = partitionIn(t)
  const bytes = volumeHeaderLayout.encode(newVolumeHeader(sampleId, sampleId))
  const ends = [0, 1].map(() => {
    try {
      writeHeaderFile(partition, sampleId, bytes, { replace: false, sync: false })
      return "made"
    } catch (error) {
      return isAfsError(error) ? error.code : error
    }
  })
  t.deepEqual(ends, ["made", "VVOLEXISTS"])
  t.deepEqual(
    readdirSync(join(partition.path, ".dafs")).filter((name) => name !== "development"),
    [],
  )
})

needsProcLocks("header file: the header lock is held for reading while one appears, and no longer", (t) => {
  const plain = partitionIn(t)
  const held: string[] = []
  const look = (): void => {
    const locks = listLocks(nodeDisk, headerLockPath(plain))
    held.push(locks.map(({ type, first, last, ours }) => `${type} ${first}-${last} ${ours}`).join())
  }
  const disk: Disk = {
    ...nodeDisk,
    link(existing, name) {
      look()
      nodeDisk.link(existing, name)
    },
    rename(from, to) {
      look()
      nodeDisk.rename(from, to)
    },
  }
  const bytes = volumeHeaderLayout.encode(newVolumeHeader(sampleId, sampleId))
  for (const replace of [false, true]) {
    writeHeaderFile(over(plain, disk), sampleId, bytes, { replace, sync: false })
    look()
  }
  t.deepEqual(held, ["read 1-1 true", "", "read 1-1 true", ""])
})

test("header file: everybody may read it whatever the umask, and it is synced before it has its name if that is asked", (t) => {
  const synced: string[] = []
  const plain = partitionIn(t)
  const open: Disk["open"] = (path, mode, permissions) => {
    const file = nodeDisk.open(path, mode, permissions)
    const sync = (): void => {
      synced.push(nodeDisk.stat(headerPath(plain, sampleId)) === undefined ? "before" : "after")
      file.sync()
    }
    return new Proxy(file, { get: (target, key) => (key === "sync" ? sync : bound(target, key)) })
  }
  const umask = process.umask(0o077)
  t.teardown(() => process.umask(umask))
  const bytes = volumeHeaderLayout.encode(newVolumeHeader(sampleId, sampleId))
  writeHeaderFile(over(plain, { ...nodeDisk, open }), sampleId, bytes, { replace: false, sync: true })
  t.deepEqual(synced, ["before"])
  t.is(statSync(headerPath(plain, sampleId)).mode & 0o777, 0o644)
  removeHeaderFile(plain, headerName(sampleId))
  t.is(nodeDisk.stat(headerPath(plain, sampleId)), undefined)
  t.notThrows(() => removeHeaderFile(plain, headerName(sampleId)))
})

/** A property of a file, methods with the file as their own. */
function bound(file: DiskFile, key: string | symbol): unknown {
  const value: unknown = Reflect.get(file, key, file)
  return typeof value === "function" ? value.bind(file) : value
}
