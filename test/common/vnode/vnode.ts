import test from "ava"
import { Vnode } from "../../../common/vnode/vnode.ts"
import { newVnodeRecord, vnodeTypes } from "../../../common/vnode/vnode-record.ts"

const home = { forgotten: () => {} }

test("vnode: what it is follows from its record, and changes with it", (t) => {
  const record = newVnodeRecord("small", {
    type: vnodeTypes.file,
    uniquifier: 9,
    lengthLow: 5,
    lengthHigh: 2,
    inodeLow: 4,
    inodeHigh: 9,
  })
  const vnode = new Vnode(77, 4, home, record, undefined)
  t.like(vnode, { volume: 77, number: 4, unique: 9, length: 2 * 2 ** 32 + 5, isFile: true, isDirectory: false })
  t.true(vnode.hasData)
  vnode.recordChanged({ ...record, type: vnodeTypes.symlink, inodeLow: 0, inodeHigh: 0, lengthHigh: 0 })
  t.like(vnode, { isSymlink: true, isFile: false, hasData: false, length: 5 })
})

test("vnode: asking whether it is locked makes no lock; one that is held is seen", (t) => {
  const vnode = new Vnode(77, 4, home, newVnodeRecord("small", {}), undefined)
  t.false(vnode.isLocked)
  const hold = vnode.lock.tryRead()
  t.true(vnode.isLocked)
  hold?.[Symbol.dispose]()
  t.false(vnode.isLocked)
  vnode.gone()
  t.true(vnode.isGone)
})
