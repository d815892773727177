import test from "ava"
import {
  countIn,
  decodeRows,
  encodeRows,
  linkTableMagic,
  linkTableStamp,
  linkTableVersion,
  newLinkTable,
  rowOffset,
  withCount,
} from "../../../common/partition/link-table-format.ts"

test("link table format: a new one is a stamp and one volume", (t) => {
  const bytes = newLinkTable()
  t.deepEqual(linkTableStamp.read(bytes), { magic: linkTableMagic, version: linkTableVersion })
  t.deepEqual([...decodeRows(bytes.subarray(rowOffset(0)))], [1])
})

test("link table format: a row holds five counts of three bits, and bit 15 belongs to none", (t) => {
  t.is(rowOffset(0), 8)
  t.is(rowOffset(85), 178)
  let row = 0
  for (const [tag, count] of [1, 2, 3, 4, 7].entries()) row = withCount(row, tag, count)
  t.is(row, 1 | (2 << 3) | (3 << 6) | (4 << 9) | (7 << 12))
  t.deepEqual(
    [0, 1, 2, 3, 4].map((tag) => countIn(row, tag)),
    [1, 2, 3, 4, 7],
  )
  t.is(withCount(0xffff, 2, 0), 0xfe3f)
  t.is(withCount(0x8000, 4, 0), 0x8000)
})

test("link table format: rows of two bytes each, the low one first, an odd one at the end left out", (t) => {
  t.deepEqual([...decodeRows(Uint8Array.of(0x49, 0, 0x0a, 0x80, 7))], [0x49, 0x800a])
})

test("link table format: rows that were written are read, and those beyond the end are 0", (t) => {
  const rows = Uint16Array.of(1, 0x8000, 0xffff, 0x7fff)
  t.deepEqual(decodeRows(encodeRows(rows)), rows)
  t.deepEqual([...decodeRows(encodeRows(rows), 6)], [1, 0x8000, 0xffff, 0x7fff, 0, 0])
})
