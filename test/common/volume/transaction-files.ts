import { readdirSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { dataInode, sameInode } from "../../../common/partition/inode-number.ts"
import type { InodeStore } from "../../../common/partition/inode-store.ts"
import { createPartition, openPartition } from "../../../common/partition/partition.ts"
import { TransactionFiles } from "../../../common/volume/transaction-files.ts"
import { makeSampleVolume, type SampleFiles } from "../../support/sample-volume.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const openCount = (): number => readdirSync("/proc/self/fd").length

/** A volume with so many files. */
function storeOf(t: ExecutionContext, count: number): InodeStore {
  const path = `${temporaryDirectory(t)}/vicepa`
  createPartition(path, { development: process.geteuid?.() !== 0 })
  const files: SampleFiles = Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, `${index}`]))
  return makeSampleVolume(openPartition(path, nodeDisk), { files })
}

const inodeOf = (index: number) => dataInode(2 * index + 2, index + 2, 0)

test("transaction files: each is opened once, no more than 64 stay open, and none after the end", (t) => {
  const store = storeOf(t, 100)
  const before = openCount()
  const files = new TransactionFiles(store, () => undefined)
  t.is(files.file(inodeOf(0)), files.file(inodeOf(0)))
  for (let index = 0; index < 100; index++) files.file(inodeOf(index))
  t.is(openCount(), before + 64)
  const bytes = Buffer.alloc(2)
  t.is(files.file(inodeOf(0)).read(bytes, 0), 1, "what was closed is opened again")
  t.is(bytes.toString("latin1", 0, 1), "0")
  files.close()
  t.is(openCount(), before)
})

test("transaction files: one that is open already is used and left open, one that was made is closed unless it is kept", (t) => {
  const store = storeOf(t, 3)
  const before = openCount()
  const own = store.open(inodeOf(1), "write")
  const files = new TransactionFiles(store, (inode) => (sameInode(inode, inodeOf(1)) ? own : undefined))
  t.is(files.file(inodeOf(1)), own)
  const [made, kept] = [store.open(inodeOf(0), "write"), store.open(inodeOf(2), "write")]
  files.add(made)
  files.add(kept)
  t.is(files.keep(kept), kept)
  files.close()
  t.is(openCount(), before + 2)
  kept.close()
  own.close()
  t.is(openCount(), before)
})
