import test from "ava"
import { isAfsError } from "../../../common/error.ts"
import {
  dataInode,
  inodeParts,
  inodeText,
  isNoInode,
  noInode,
  sameInode,
  specialInode,
  specialTypes,
  tagCount,
  vnodeMask,
} from "../../../common/partition/inode-number.ts"

test("inode number: a data file's is vnode, tag and uniquifier", (t) => {
  t.deepEqual(dataInode(2, 2, 0), { high: 2, low: 2 })
  t.deepEqual(dataInode(2, 2, 2), { high: 2, low: 0x0800_0002 })
  t.deepEqual(dataInode(4, 15, 1), { high: 15, low: 0x0400_0004 })
  t.deepEqual(dataInode(4, 20, 2), { high: 20, low: 0x0800_0004 })
  t.deepEqual(dataInode(vnodeMask - 1, 0xffff_ffff, 4), { high: 0xffff_ffff, low: 0x13ff_fffe })
})

test("inode number: a special file's is volume and type, with all vnode bits set", (t) => {
  const volume = 0x2000_0006
  t.deepEqual(specialInode(volume, "volumeInfo"), { high: volume, low: 0x07ff_ffff })
  t.deepEqual(specialInode(volume, "smallIndex"), { high: volume, low: 0x0bff_ffff })
  t.deepEqual(specialInode(volume, "largeIndex"), { high: volume, low: 0x0fff_ffff })
  t.deepEqual(specialInode(volume, "linkTable"), { high: volume, low: 0x1bff_ffff })
  t.deepEqual(specialInode(0xf000_0001, "volumeInfo"), { high: 0xf000_0001, low: 0x07ff_ffff })
})

test("inode number: taken apart it says what it was made of", (t) => {
  for (let tag = 0; tag < tagCount; tag++) {
    const parts = { special: false, vnode: 62, high: 0x8000_0062, tag, rest: 0 }
    t.deepEqual(inodeParts(dataInode(62, 0x8000_0062, tag)), parts)
  }
  for (const type of ["volumeInfo", "smallIndex", "largeIndex", "linkTable"] as const) {
    t.deepEqual(inodeParts(specialInode(4_026_531_841, type)), {
      special: true,
      vnode: vnodeMask,
      high: 4_026_531_841,
      tag: specialTypes[type],
      rest: 0,
    })
  }
  t.is(inodeParts({ high: 0, low: 0xe000_0001 }).rest, 7)
})

test("inode number: a vnode number beyond 26 bits is refused, so that it cannot become another vnode's file", (t) => {
  for (const vnode of [vnodeMask, 2 ** 26, 2 ** 26 + 2, 2 ** 32 - 2, -2, Number.NaN]) {
    const error = t.throws(() => dataInode(vnode, 1, 0))
    t.true(isAfsError(error, "EINVAL"), String(vnode))
  }
})

test("inode number: in decimal, as OpenAFS's tools print it", (t) => {
  t.is(inodeText(dataInode(2, 2, 2)), String(0x2_0800_0002))
  t.is(inodeText({ high: 0xffff_ffff, low: 0xffff_ffff }), "18446744073709551615")
})

test("inode number: none and the same", (t) => {
  t.true(isNoInode(noInode))
  t.false(isNoInode({ high: 1, low: 0 }))
  t.false(isNoInode({ high: 0, low: 1 }))
  t.true(sameInode(dataInode(4, 15, 1), { high: 15, low: 0x0400_0004 }))
  t.false(sameInode(dataInode(4, 15, 1), dataInode(4, 15, 2)))
  t.false(sameInode(dataInode(4, 15, 1), dataInode(4, 16, 1)))
})
