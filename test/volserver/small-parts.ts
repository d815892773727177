/** The small data structures of volume operations. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { recordOffset } from "../../common/vnode/vnode-record.ts"
import { InodeList } from "../../volserver/inode-list.ts"
import { RecordWriter } from "../../volserver/record-writer.ts"
import { VnodeSet } from "../../volserver/vnode-set.ts"
import { seededRandom } from "../support/random.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

test("vnode set: knows what was added, to the last of all numbers", (t) => {
  const set = new VnodeSet()
  const known = new Set<number>()
  const random = seededRandom(t)
  for (let round = 0; round < 20_000; round++) {
    const vnode = random.below(2) === 0 ? random.below(5000) : random.below(2 ** 26)
    t.is(set.has(vnode), known.has(vnode))
    if (set.add(vnode) === known.has(vnode)) t.fail(`vnode ${vnode}`)
    known.add(vnode)
  }
  t.true(set.add(2 ** 26))
  t.false(set.add(2 ** 26))
})

test("inode list: keeps both halves in order, however long it grows", (t) => {
  const list = new InodeList()
  const inodes = Array.from({ length: 5000 }, (_, index) => ({ high: 0xffff_ffff - index, low: index * 800_000 }))
  for (const inode of inodes) list.push(inode)
  t.is(list.count, 5000)
  t.deepEqual(list.at(4999), inodes[4999])
  const { lows, highs } = list.halves()
  t.deepEqual(
    [...lows],
    inodes.map(({ low }) => low),
  )
  t.deepEqual(
    [...highs],
    inodes.map(({ high }) => high),
  )
  list.clear()
  t.is(list.count, 0)
})

test("record writer: records land where their vnodes belong, whatever their order", (t) => {
  for (const cls of ["small", "large"] as const) {
    const path = join(temporaryDirectory(t), cls)
    using file = nodeDisk.open(path, "create", 0o600)
    const writer = new RecordWriter(file, cls)
    const first = cls === "small" ? 2 : 1
    const vnodes = [0, 1, 2, 3, 5000, 7, 6, 4999, 2500].map((index) => first + 2 * index)
    const size = cls === "small" ? 64 : 256
    for (const vnode of vnodes) writer.put(vnode, new Uint8Array(size).fill(1 + (vnode % 250)))
    writer.flush()
    const content = readFileSync(path)
    for (const vnode of vnodes) {
      const record = content.subarray(recordOffset(vnode), recordOffset(vnode) + size)
      t.true(
        record.every((byte) => byte === 1 + (vnode % 250)),
        `vnode ${vnode}`,
      )
    }
    t.is(content.length, recordOffset(first + 10_000) + size)
  }
})
