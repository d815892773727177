import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { isDiskError } from "../../common/disk/disk.ts"
import { dataInode } from "../../common/partition/inode-number.ts"
import type { InodeStore } from "../../common/partition/inode-store.ts"
import { VolumeTransaction } from "../../common/volume/volume-transaction.ts"
import { FileMaker } from "../../volserver/file-maker.ts"
import { InodeList } from "../../volserver/inode-list.ts"
import { makeSampleVolume } from "../support/sample-volume.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition } from "../support/volume-builder.ts"

const firstVnode = 1000

interface Sample {
  readonly store: InodeStore
  readonly made: InodeList
  readonly maker: FileMaker
}

function sample(t: ExecutionContext): Sample {
  const store = makeSampleVolume(newPartition(join(temporaryDirectory(t), "vicepa")), { files: { a: "one" } })
  const made = new InodeList()
  const maker = new FileMaker(store, made)
  t.teardown(() => maker.end())
  return { store, made, maker }
}

const contentOf = (vnode: number): string => `the contents of ${vnode}`
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** Gives the thread `count` files from vnode number `first` on, once it has room for them. */
async function post({ store, maker }: Sample, first: number, count: number): Promise<void> {
  for (;;) {
    const batch = maker.free()
    if (batch === undefined) {
      await nextTurn()
      continue
    }
    const vnodes = Array.from({ length: count }, (_, index) => first + 2 * index)
    const transaction = new VolumeTransaction(store)
    const tags = transaction.allocate(vnodes)
    let at = 0
    for (const [index, vnode] of vnodes.entries()) {
      const start = at
      at += Buffer.from(batch.bytes.buffer).write(contentOf(vnode), at)
      batch.set(index, { vnode, unique: vnode + 1, tag: tags[index] ?? 0, dataVersion: 7, start, end: at })
    }
    maker.post(batch, count, transaction)
    return
  }
}

function countOf(store: InodeStore, vnode: number): number {
  const links = store.linkTable("read")
  using _file = links.file
  return links.count(vnode, 0)
}

test("file maker: files of many batches have their contents, owners and counts", async (t) => {
  const one = sample(t)
  for (let batch = 0; batch < 7; batch++) await post(one, firstVnode + 200 * batch, 100)
  await one.maker.finish()
  t.is(one.made.count, 700)
  for (let vnode = firstVnode; vnode < firstVnode + 1400; vnode += 2) {
    const inode = dataInode(vnode, vnode + 1, 0)
    t.is(readFileSync(one.store.path(inode), "latin1"), contentOf(vnode))
    const stat = one.store.stat(inode)
    t.true(stat !== undefined && one.store.ownerMatches(stat, { parameter: 7, number: 0 }))
    t.is(countOf(one.store, vnode), 1)
  }
})

// A file in the place of one that was to be made is not ours: it must be there when the restore has failed.
test("file maker: a file that is there already is left alone, and what was made of its batch goes", async (t) => {
  const one = sample(t)
  const taken = one.store.path(dataInode(firstVnode + 100, firstVnode + 101, 0))
  one.store.prepareFolders(dataInode(firstVnode + 100, 1, 0))
  writeFileSync(taken, "somebody's")
  await post(one, firstVnode, 100)
  const error = await t.throwsAsync(one.maker.finish())
  t.true(isDiskError(error, "EEXIST"))
  t.true(isDiskError(error) && error.path === taken)
  t.is(readFileSync(taken, "latin1"), "somebody's")
  t.is(one.made.count, 0)
  t.false(existsSync(one.store.path(dataInode(firstVnode, firstVnode + 1, 0))))
  for (const vnode of [firstVnode, firstVnode + 100, firstVnode + 198]) t.is(countOf(one.store, vnode), 0)
})

test("file maker: its end waits for what it was given, and takes over what is made", async (t) => {
  const one = sample(t)
  await post(one, firstVnode, 256)
  await one.maker.end()
  t.is(one.made.count, 256)
  await one.maker.end()
})
