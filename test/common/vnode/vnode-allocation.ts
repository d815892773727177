import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { FormatError } from "../../../common/error.ts"
import { VnodeAllocation } from "../../../common/vnode/vnode-allocation.ts"
import { encodeRecord, newVnodeIndex } from "../../../common/vnode/vnode-index.ts"
import { newVnodeRecord, recordOffset, type VnodeClass, vnodeClasses } from "../../../common/vnode/vnode-record.ts"
import { fuzz } from "../../support/random.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

/** An index file in which these vnodes are used. */
function indexOf(t: ExecutionContext, cls: VnodeClass, used: readonly number[], uniquifier = 7) {
  const path = join(temporaryDirectory(t), "index")
  const { recordSize } = vnodeClasses[cls]
  const size = Math.max(0, ...used.map((vnode) => recordOffset(vnode) + recordSize))
  const bytes = new Uint8Array(Math.max(size, newVnodeIndex(cls).length))
  bytes.set(newVnodeIndex(cls))
  for (const vnode of used) {
    bytes.set(
      encodeRecord(cls, newVnodeRecord(cls, { type: cls === "large" ? 2 : 1, uniquifier })),
      recordOffset(vnode),
    )
  }
  writeFileSync(path, bytes)
  const file = nodeDisk.open(path, "read")
  t.teardown(() => file.close())
  return file
}

test("vnode allocation: the lowest free number is taken, in holes first, then behind the end of the index", (t) => {
  const slots = VnodeAllocation.read(indexOf(t, "small", [2, 4, 8, 14]), "small", 100)
  t.deepEqual([slots.take(), slots.take(), slots.take(), slots.take()], [6, 10, 12, 16])
  t.false(slots.isBeyond(14))
  t.true(slots.isBeyond(16))
  slots.free(4)
  t.is(slots.take(), 4)
  t.is(slots.take(), 18)
})

test("vnode allocation: an index that is only a stamp gives its class's first number", (t) => {
  t.is(VnodeAllocation.read(indexOf(t, "small", []), "small", 1).take(), 2)
  t.is(VnodeAllocation.read(indexOf(t, "large", [1]), "large", 100).take(), 3)
})

test("vnode allocation: a record with a uniquifier that is yet to be given out is damage", (t) => {
  const file = indexOf(t, "small", [2], 100)
  t.throws(() => VnodeAllocation.read(file, "small", 100), { instanceOf: FormatError, message: /uniquifier 100/ })
  t.notThrows(() => VnodeAllocation.read(file, "small", 101))
})

test("vnode allocation: random taking and freeing always gives the lowest free number", (t) => {
  const empty = indexOf(t, "small", [])
  fuzz(t, (random) => {
    const slots = VnodeAllocation.read(empty, "small", 1)
    const used = new Set<number>()
    for (let step = 0; step < 300; step++) {
      if (random.below(3) > 0) {
        let lowest = 2
        while (used.has(lowest)) lowest += 2
        t.is(slots.take(), lowest)
        used.add(lowest)
      } else if (used.size > 0) {
        const gone = random.pick([...used])
        slots.free(gone)
        used.delete(gone)
      }
    }
  })
})
