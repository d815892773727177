import { renameSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import test from "ava"
import type { LockType } from "../../../common/lock/record-lock.ts"
import { lockVolume } from "../../../common/lock/volume-lock.ts"
import type { Inode } from "../../../common/partition/inode-number.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { headerPath, type Partition } from "../../../common/partition/partition.ts"
import { type AttachOutcome, attachVolume, peekReadWrite } from "../../../common/volume/attach.ts"
import { requireHeader } from "../../../common/volume/volume.ts"
import {
  infoInode,
  largeIndexInode,
  linkTableInode,
  smallIndexInode,
  type VolumeHeader,
} from "../../../common/volume/volume-header.ts"
import { anyLocker, holdForeign, needsLocker } from "../../support/foreign-lock.ts"
import { clones, fixturePartition, infoOnDisk, patchInfo } from "../../support/served-volumes.ts"

const quiet = (): void => undefined
const attach = (partition: Partition, id: number): ReturnType<typeof attachVolume> => attachVolume(partition, id, quiet)

function pathOf(partition: Partition, id: number, inode: (header: VolumeHeader) => Inode): string {
  const header = requireHeader(partition, id)
  return new InodeStore(partition, header.parent).path(inode(header))
}

test("attach: a sound volume is marked in use on disk, with 200 uniquifiers in reserve, and left unlocked", (t) => {
  const partition = fixturePartition(t)
  for (const id of [clones.rw, clones.ro, clones.bk]) {
    const before = infoOnDisk(partition, id)
    const outcome = attach(partition, id)
    t.is(outcome.kind, "attached")
    const after = infoOnDisk(partition, id)
    t.is(after.inUse, 1)
    t.is(after.uniquifier, before.uniquifier + 200)
    t.is(after.offlineMessage, "")
    t.deepEqual(
      { ...after, inUse: before.inUse, uniquifier: before.uniquifier, offlineMessage: before.offlineMessage },
      before,
    )
    t.is(outcome.kind === "attached" ? outcome.attachment.nextUnique : 0, before.uniquifier)
    t.is(outcome.kind === "attached" ? outcome.attachment.readWrite : undefined, id === clones.rw)
    lockVolume(partition, id, "write").release()
  }
})

test("attach: a volume without a header is missing, and so is one whose header is short or not one", (t) => {
  const partition = fixturePartition(t)
  t.is(attach(partition, 4711).kind, "missing")
  truncateSync(headerPath(partition, clones.bk), 75)
  t.is(attach(partition, clones.bk).kind, "missing")
  writeFileSync(headerPath(partition, clones.ro), Buffer.alloc(76, 1))
  t.is(attach(partition, clones.ro).kind, "missing")
})

const parts = [
  ["information", infoInode],
  ["small index", smallIndexInode],
  ["large index", largeIndexInode],
  ["link table", linkTableInode],
] as const

for (const [name, inode] of parts) {
  test(`attach: a volume whose ${name} is gone, short or has a bad magic is damaged, and nothing is written`, (t) => {
    const partition = fixturePartition(t)
    const path = pathOf(partition, clones.rw, inode)
    const stamp = Buffer.alloc(8, 0xee)
    for (const harm of [
      () => rmSync(path),
      () => writeFileSync(path, stamp),
      () => writeFileSync(path, stamp.subarray(3)),
    ]) {
      harm()
      const outcome = attach(partition, clones.rw)
      t.is(outcome.kind, "damaged")
      t.is(outcome.kind === "damaged" ? outcome.reason : "", "ERROR")
      lockVolume(partition, clones.rw, "write").release()
    }
    if (name !== "information") t.is(infoOnDisk(partition, clones.rw).inUse, 0)
  })
}

test("attach: VolumeInfo of another volume is damage", (t) => {
  const partition = fixturePartition(t)
  patchInfo(partition, clones.rw, (info) => {
    info.id = 99
  })
  const outcome = attach(partition, clones.rw)
  t.is(outcome.kind, "damaged")
  t.regex(outcome.kind === "damaged" ? outcome.error.message : "", /volume id 99/)
})

test("attach: a volume marked for a salvage needs it, of any type", (t) => {
  const partition = fixturePartition(t)
  for (const id of [clones.rw, clones.bk]) {
    patchInfo(partition, id, (info) => {
      info.needsSalvaged = 1
    })
    const outcome = attach(partition, id)
    t.is(outcome.kind === "damaged" ? outcome.reason : outcome.kind, "NEEDED")
  }
})

test("attach: a read-write volume found in use is marked for a salvage, and its uniquifiers jump", (t) => {
  for (const inUse of [1, 4, 6, 7]) {
    const partition = fixturePartition(t)
    patchInfo(partition, clones.rw, (info) => {
      info.inUse = inUse
    })
    const before = infoOnDisk(partition, clones.rw)
    const outcome = attach(partition, clones.rw)
    t.is(outcome.kind === "damaged" ? outcome.reason : outcome.kind, "NEEDED")
    const after = infoOnDisk(partition, clones.rw)
    t.deepEqual([after.needsSalvaged, after.inUse, after.uniquifier], [1, inUse, before.uniquifier + 200])
  }
})

test("attach: a read-only or backup volume found in use attaches", (t) => {
  const partition = fixturePartition(t)
  for (const id of [clones.ro, clones.bk]) {
    patchInfo(partition, id, (info) => {
      info.inUse = 1
    })
    t.is(attach(partition, id).kind, "attached")
  }
})

test("attach: an unfinished volume is doomed, before anybody asks whether it is blessed or in service", (t) => {
  const partition = fixturePartition(t)
  patchInfo(partition, clones.rw, (info) => {
    info.destroyMe = 0xd3
    info.blessed = 0
    info.inService = 0
  })
  t.is(attach(partition, clones.rw).kind, "doomed")
})

test("attach: a volume that is not blessed or not in service is told apart and not marked in use", (t) => {
  const partition = fixturePartition(t)
  patchInfo(partition, clones.rw, (info) => {
    info.inService = 0
  })
  t.is(attach(partition, clones.rw).kind, "notInService")
  patchInfo(partition, clones.rw, (info) => {
    info.blessed = 0
  })
  t.is(attach(partition, clones.rw).kind, "notBlessed")
  t.is(infoOnDisk(partition, clones.rw).inUse, 0)
})

test("attach: needsCallback breaks callbacks and is cleared on disk, also where the volume stays offline", (t) => {
  const partition = fixturePartition(t)
  const broken: number[] = []
  for (const inService of [1, 0]) {
    patchInfo(partition, clones.bk, (info) => {
      info.needsCallback = 1
      info.inService = inService
      info.inUse = 0
    })
    attachVolume(partition, clones.bk, (id) => void broken.push(id))
    t.is(infoOnDisk(partition, clones.bk).needsCallback, 0)
  }
  t.deepEqual(broken, [clones.bk, clones.bk])
})

test("attach: the statistics of a volume that never was attached begin at zero", (t) => {
  const partition = fixturePartition(t)
  patchInfo(partition, clones.rw, (info) => {
    info.statInitialized = 0
    info.statReads = [9, 9, 9, 9]
    info.statDirDiffAuthor = [9, 9, 9, 9, 9, 9]
  })
  t.is(attach(partition, clones.rw).kind, "attached")
  const after = infoOnDisk(partition, clones.rw)
  t.deepEqual([after.statInitialized, after.statReads, after.statDirDiffAuthor], [1, [0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
})

test("attach: uniquifiers that would wrap go on from 2, since 1 is the root directory's", (t) => {
  const partition = fixturePartition(t)
  patchInfo(partition, clones.rw, (info) => {
    info.uniquifier = 0xffff_ffff - 100
  })
  t.is(attach(partition, clones.rw).kind, "attached")
  t.is(infoOnDisk(partition, clones.rw).uniquifier, 202)
})

test("attach: the type is known without a lock", (t) => {
  const partition = fixturePartition(t)
  t.is(peekReadWrite(partition, clones.rw), true)
  t.is(peekReadWrite(partition, clones.bk), false)
  const missing = peekReadWrite(partition, 4711)
  t.is(typeof missing === "object" ? missing.kind : "", "missing")
  renameSync(pathOf(partition, clones.rw, infoInode), `${partition.path}/away`)
  const damaged = peekReadWrite(partition, clones.rw)
  t.is(typeof damaged === "object" ? damaged.kind : "", "damaged")
})

/** Rows: the lock that another program holds, and whether the volume attaches beside it. */
const conflicts: [lock: LockType, rw: AttachOutcome["kind"], other: AttachOutcome["kind"]][] = [
  ["write", "busy", "busy"],
  ["read", "busy", "attached"],
]

for (const [lock, rw, other] of conflicts) {
  for (const kind of ["record", "description"] as const) {
    needsLocker(
      `attach: beside a foreign ${lock} lock (${kind}) a read-write volume is ${rw}, a backup ${other}, at once`,
      async (t) => {
        const partition = fixturePartition(t)
        const path = `${partition.path}/.volume.lock`
        const locks = [clones.rw, clones.bk].map((first) => ({ type: lock, first, kind }))
        const holder = await holdForeign(t, anyLocker(), path, ...locks)
        const before = infoOnDisk(partition, clones.rw)
        t.is(attach(partition, clones.rw).kind, rw)
        t.is(attach(partition, clones.bk).kind, other)
        t.deepEqual(infoOnDisk(partition, clones.rw), before, "the volume of the other program is untouched")
        const outcome = attach(partition, clones.rw)
        if (outcome.kind === "busy")
          t.regex(outcome.error.message, kind === "record" ? new RegExp(`pid ${holder.pid}`) : /description/)
        await holder.stop("SIGKILL")
        t.is(attach(partition, clones.rw).kind, "attached", "the lock went with its owner")
      },
    )
  }
}

test("attach: another attach of this very process does not get in between", (t) => {
  const partition = fixturePartition(t)
  using _held = lockVolume(partition, clones.rw, "read", "a dump")
  const outcome = attach(partition, clones.rw)
  t.is(outcome.kind, "busy")
  t.regex(outcome.kind === "busy" ? outcome.error.message : "", /a dump/)
})
