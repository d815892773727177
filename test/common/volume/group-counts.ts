import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { dataInode, type Inode, specialInode } from "../../../common/partition/inode-number.ts"
import type { InodeStore } from "../../../common/partition/inode-store.ts"
import { LinkTable } from "../../../common/partition/link-table.ts"
import { createPartition, openPartition } from "../../../common/partition/partition.ts"
import { GroupCounts, type Released } from "../../../common/volume/group-counts.ts"
import { TransactionFiles } from "../../../common/volume/transaction-files.ts"
import { makeSampleVolume } from "../../support/sample-volume.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

/** Files `a` and `b` of a volume: vnodes 2 and 4, tag 0. */
const a = dataInode(2, 2, 0)
const b = dataInode(4, 3, 0)

function counted(t: ExecutionContext): {
  store: InodeStore
  counts: GroupCounts
  done: Released
  count: (vnode: number, tag?: number) => number
} {
  const path = `${temporaryDirectory(t)}/vicepa`
  createPartition(path, { development: process.geteuid?.() !== 0 })
  const store = makeSampleVolume(openPartition(path, nodeDisk), { files: { a: "first", b: "second" } })
  const files = new TransactionFiles(store, () => undefined)
  t.teardown(() => files.close())
  const counts = new GroupCounts(store, files)
  const count = (vnode: number, tag = 0): number =>
    new LinkTable(files.file(specialInode(store.group, "linkTable"))).count(vnode, tag)
  return { store, counts, done: { unlinked: 0, lost: [] }, count }
}

const isThere = (store: InodeStore, inode: Inode): boolean => store.stat(inode) !== undefined

test("group counts: what was raised comes back, however it was raised", (t) => {
  const { counts, count } = counted(t)
  t.deepEqual(counts.allocate([2, 4]), [1, 1])
  t.is(counts.allocateOne(2), 2)
  counts.claim([{ vnode: 4, tag: 0, delta: 1 }])
  counts.claimAll(Uint32Array.of(2, 4))
  t.deepEqual([count(2), count(2, 1), count(2, 2), count(4), count(4, 1)], [2, 1, 1, 3, 1])
  counts.takeBack()
  t.deepEqual([count(2), count(2, 1), count(2, 2), count(4), count(4, 1)], [1, 0, 0, 1, 0])
})

test("group counts: a file goes with its last user and stays with others, released one by one or together", (t) => {
  const ways: ((counts: GroupCounts, done: Released) => void)[] = [
    (counts, done) => {
      counts.releaseOne(a, done)
      counts.releaseOne(b, done)
    },
    (counts, done) => counts.release([b, a], done),
    (counts, done) => counts.releaseAll(Uint32Array.of(a.low, b.low), Uint32Array.of(a.high, b.high), done),
  ]
  for (const release of ways) {
    const { store, counts, count, done } = counted(t)
    counts.claim([{ vnode: 4, tag: 0, delta: 1 }])
    release(counts, done)
    t.deepEqual([isThere(store, a), isThere(store, b), count(2), count(4)], [false, true, 0, 1])
    t.deepEqual(done, { unlinked: 1, lost: [] })
    counts.set([{ vnode: 4, tag: 0, count: 0 }])
    counts.releaseOne(b, done)
    t.deepEqual(done, { unlinked: 1, lost: [b] })
    t.true(isThere(store, b), "what nobody counts is not removed")
  }
})

test("group counts: the last volume takes the table along, and one that is counted too low finds the others", (t) => {
  const { store, counts, count } = counted(t)
  counts.set([{ vnode: 0, tag: 0, count: 2 }])
  counts.leaveGroup()
  t.is(count(0), 1)
  counts.leaveGroup()
  t.is(count(0), 1, "the volume's own special files are there")
  for (const kind of ["smallIndex", "largeIndex", "volumeInfo"] as const) store.unlink(specialInode(store.group, kind))
  counts.leaveGroup()
  t.false(isThere(store, specialInode(store.group, "linkTable")))
})
