import test from "ava"
import { decodeAccessList, encodeAccessList } from "../../common/vnode/access-list.ts"
import { hasSoundAccessList, mendedAccessList } from "../../salvager/access-list-repair.ts"

const list = {
  positive: [
    { id: -101, rights: 9 },
    { id: 1001, rights: 127 },
  ],
  negative: [{ id: 1002, rights: 2 }],
}
const head = { size: 0, version: 4, total: 8, positive: 12, negative: 16 }

/** The list with one number of its head changed. */
function spoilt(field: keyof typeof head, value: number): Uint8Array {
  const area = Buffer.from(encodeAccessList(list))
  area.writeInt32LE(value, head[field])
  return area
}

for (const field of ["size", "version", "total", "positive", "negative"] as const) {
  test(`access list: a wrong ${field} is told from the other numbers; nobody gets a right that he had not`, (t) => {
    for (const value of [0, 5, 20, 1000, -1, 0x7fff_ffff]) {
      const area = spoilt(field, value)
      t.false(hasSoundAccessList(area))
      const mended = mendedAccessList(area)
      if (mended === undefined) continue
      t.true(hasSoundAccessList(mended))
      t.true(decodeAccessList(mended).positive.length <= 2)
      if (field !== "positive") t.deepEqual(decodeAccessList(mended), list)
    }
  })
}

/** Read the other way, the entry that takes rights away would give them. */
test("access list: where either part may be the wrong one, the reading that gives fewer rights is taken", (t) => {
  const mended = mendedAccessList(spoilt("positive", 3))
  t.is(mended === undefined ? 2 : decodeAccessList(mended).positive.length, 2)
})

test("access list: nothing is made of garbage", (t) => {
  t.is(mendedAccessList(new Uint8Array(192).fill(0xa5)), undefined)
})
