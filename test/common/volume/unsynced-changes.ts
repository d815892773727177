import { mkdirSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { type Disk, DiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { dataInode, type Inode, specialInode } from "../../../common/partition/inode-number.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { createPartition, openPartition } from "../../../common/partition/partition.ts"
import type { MetadataWrite } from "../../../common/volume/metadata-write.ts"
import { UnsyncedChanges } from "../../../common/volume/unsynced-changes.ts"
import { makeSampleVolume, sampleId } from "../../support/sample-volume.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

/** What is synced after these changes, paths relative to the partition. */
function syncedAfter(
  t: ExecutionContext,
  writes: readonly MetadataWrite[],
  before: (store: InodeStore) => void = () => undefined,
): string[] {
  const path = join(temporaryDirectory(t), "vicepa")
  createPartition(path, { development: process.geteuid?.() !== 0 })
  const calls: string[] = []
  const note = (name: string): void => void calls.push(name === path ? "." : name.slice(path.length + 1))
  const disk: Disk = {
    ...nodeDisk,
    syncDirectory(folder) {
      note(`${folder}`)
      nodeDisk.syncDirectory(folder)
    },
  }
  makeSampleVolume(openPartition(path), { files: { a: "x" } })
  const store = new InodeStore(openPartition(path, disk), sampleId)
  before(store)
  const changes = new UnsyncedChanges(store)
  for (const write of writes) changes.add(write)
  const syncFile = (inode: Inode): void => note(store.path(inode))
  changes.sync(syncFile)
  const first = calls.length
  changes.sync(syncFile)
  t.is(calls.length, first, "what is synced is forgotten")
  return calls
}

const root = "AFSIDat/4/4+++U"
const links = `${root}/special/zzzzPM++++0`
const file = dataInode(2, 2, 0)

test("unsynced changes: bytes of a file, once however often it was written", (t) => {
  const write: MetadataWrite = { kind: "write", inode: file, offset: 0, bytes: new Uint8Array(1) }
  t.deepEqual(syncedAfter(t, [write, write, { kind: "truncate", inode: file, size: 1 }]), [`${root}/+/+/0++++6`])
})

test("unsynced changes: a new file's bytes and its name", (t) => {
  const synced = syncedAfter(t, [{ kind: "create", inode: file, parameter: 1 }])
  t.deepEqual(synced, [`${root}/+/+/0++++6`, `${root}/+/+`])
})

test("unsynced changes: where folders were made for a new file, their names too", (t) => {
  const far = dataInode(2 ** 20, 2, 0)
  const make = (store: InodeStore): void => store.create(far, 1).close()
  const [first, ...folders] = syncedAfter(t, [{ kind: "create", inode: far, parameter: 1 }], make)
  t.is(first, `${root}/+=/+/+++2+6`)
  t.deepEqual(folders, [`${root}/+=/+`, ".", "AFSIDat", "AFSIDat/4", root, `${root}/+=`])
})

test("unsynced changes: counts are the link table's bytes, a released file also its folder's names", (t) => {
  t.deepEqual(syncedAfter(t, [{ kind: "claim", vnode: 2, tag: 0, delta: 1 }]), [links])
  t.deepEqual(syncedAfter(t, [{ kind: "count", vnode: 2, tag: 0, count: 1 }]), [links])
  t.deepEqual(syncedAfter(t, [{ kind: "release", inode: file }]), [links, `${root}/+/+`])
})

test("unsynced changes: names that came or went", (t) => {
  const small = specialInode(sampleId, "smallIndex")
  t.deepEqual(syncedAfter(t, [{ kind: "unlink", inode: file }]), [`${root}/+/+`])
  t.deepEqual(syncedAfter(t, [{ kind: "link", from: file, to: small }]), [`${root}/special`])
  t.deepEqual(syncedAfter(t, [{ kind: "removeHeader", volume: 5 }]), ["."])
  t.deepEqual(syncedAfter(t, [{ kind: "header", volume: 5, bytes: new Uint8Array(76), replace: false }]), ["."])
})

test("unsynced changes: folders that went with their group need no sync; another failure is told", (t) => {
  const path = join(temporaryDirectory(t), "vicepa")
  mkdirSync(path)
  const gone = new UnsyncedChanges(new InodeStore(createPartition(path, { development: true }), sampleId))
  gone.add({ kind: "leaveGroup" })
  gone.sync(() => t.fail() as never)
  const broken: Disk = {
    ...nodeDisk,
    syncDirectory(folder) {
      throw new DiskError("fsync", folder, Object.assign(new Error(), { code: "EIO" }))
    },
  }
  const failing = new UnsyncedChanges(new InodeStore(openPartition(path, broken), sampleId))
  failing.add({ kind: "leaveGroup" })
  t.throws(() => failing.sync(() => t.fail() as never), { instanceOf: DiskError })
})
