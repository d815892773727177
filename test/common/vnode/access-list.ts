import test from "ava"
import { AfsError, FormatError } from "../../../common/error.ts"
import {
  type AccessList,
  accessEntriesMax,
  accessRights,
  allRights,
  decodeAccessList,
  encodeAccessList,
  findAccessCheckFault,
  findAccessListFault,
  knownGroups,
  knownName,
  parseRights,
  rightsOfGroups,
  rightsText,
  rootAccessList,
  turnAccessList,
} from "../../../common/vnode/access-list.ts"
import { accessListSize } from "../../../common/vnode/vnode-record.ts"

/** 192 bytes that begin with these. */
function area(hex: string): Buffer {
  const bytes = Buffer.alloc(accessListSize)
  bytes.write(hex.replaceAll(/\s/g, ""), "hex")
  return bytes
}

/** A directory with a positive entry for all and negative ones for two users, as a fileserver stored it. */
const realList = area(`2c00 0000 0100 0000 0300 0000 0100 0000
  0200 0000 9bff ffff 7f00 0000 ea03 0000
  0200 0000 e903 0000 1400 0000 0000 0000`)
const realMeaning: AccessList = {
  positive: [{ id: -101, rights: 127 }],
  negative: [
    { id: 1001, rights: 20 },
    { id: 1002, rights: 2 },
  ],
}

test("access list: a real one with negative entries reads, and writes byte for byte", (t) => {
  t.deepEqual(decodeAccessList(realList), realMeaning)
  t.deepEqual(Buffer.from(encodeAccessList(realMeaning)), realList)
})

test("access list: the root of a new volume is open to administrators, and to everybody as far as is said", (t) => {
  const root = rootAccessList()
  t.is(root.length, accessListSize)
  t.is(Buffer.from(root.subarray(0, 28)).toString("hex"), "1c0000000100000001000000010000000000000034ffffff7f000000")
  t.true(root.subarray(28).every((byte) => byte === 0))
  t.deepEqual(decodeAccessList(rootAccessList(9)).positive, [
    { id: -204, rights: 127 },
    { id: -101, rights: 9 },
  ])
})

test("access list: entries are stored positive ascending, negative descending, and given ascending", (t) => {
  const entries = [5, -3, 2_000_000_000, -101, 0].map((id) => ({ id, rights: 1 }))
  const stored = Buffer.from(encodeAccessList({ positive: entries, negative: entries }))
  const ids = Array.from({ length: 10 }, (_, index) => stored.readInt32LE(20 + 8 * index))
  const ascending = [-101, -3, 0, 5, 2_000_000_000]
  t.deepEqual(ids, [...ascending, ...ascending.toReversed()])
  const list = decodeAccessList(stored)
  t.deepEqual([list.positive.map(({ id }) => id), list.negative.map(({ id }) => id)], [ascending, ascending])
})

test("access list: dumps have the same list in network order, and turning twice changes nothing", (t) => {
  const dumped = area("0000001c 00000001 00000001 00000001 00000000 ffffff34 0000007f")
  dumped.fill(0xab, 28)
  t.deepEqual(decodeAccessList(dumped, "dump"), { positive: [{ id: -204, rights: 127 }], negative: [] })
  t.deepEqual(Buffer.from(encodeAccessList(decodeAccessList(dumped, "dump"), "dump", dumped)), dumped)
  const turned = Buffer.from(dumped)
  turnAccessList(turned, "dump")
  t.is(turned.subarray(0, 28).toString("hex"), Buffer.from(rootAccessList().subarray(0, 28)).toString("hex"))
  t.true(turned.subarray(28).every((byte) => byte === 0xab))
  turnAccessList(turned, "disk")
  t.deepEqual(turned, dumped)
})

test("access list: bytes after the list mean nothing and are kept where asked", (t) => {
  const stale = Buffer.alloc(accessListSize, 0xcd)
  const list = { positive: [], negative: [] }
  t.true(
    encodeAccessList(list, "disk", stale)
      .subarray(20)
      .every((byte) => byte === 0xcd),
  )
  t.true(
    encodeAccessList(list)
      .subarray(20)
      .every((byte) => byte === 0),
  )
  t.true(stale.every((byte) => byte === 0xcd))
})

test("access list: twenty entries and none at all are legal, one more is not", (t) => {
  const entries = Array.from({ length: accessEntriesMax }, (_, index) => ({ id: index - 10, rights: -1 }))
  const full = encodeAccessList({ positive: entries.slice(0, 15), negative: entries.slice(15) })
  t.is(Buffer.from(full).readInt32LE(0), 180)
  t.deepEqual(decodeAccessList(full).positive, entries.slice(0, 15))
  const none = encodeAccessList({ positive: [], negative: [] })
  t.is(Buffer.from(none.subarray(0, 20)).toString("hex"), "1400000001000000000000000000000000000000")
  t.deepEqual(decodeAccessList(none), { positive: [], negative: [] })
  const over = { positive: [...entries, { id: 77, rights: 1 }], negative: [] }
  t.throws(() => encodeAccessList(over), { instanceOf: AfsError, message: /21 entries, at most 20/ })
})

const head = (size: number, total: number, positive: number, negative: number): Buffer => {
  const bytes = Buffer.alloc(accessListSize)
  for (const [index, value] of [size, 1, total, positive, negative].entries()) bytes.writeInt32LE(value, 4 * index)
  return bytes
}

test("access list: what a restore refuses is refused with file and offset", (t) => {
  const refused: readonly (readonly [Buffer, number, RegExp])[] = [
    [head(20, -1, 0, 0), 8, /-1 entries/],
    [head(188, 21, 21, 0), 8, /21 entries, wanted 0 to 20/],
    [head(188, 0x7fff_ffff, 0, 0), 8, /2147483647 entries/],
    [head(28, 1, 1, 1), 12, /1 positive and 1 negative entries of 1/],
    [head(28, 1, 2, -1), 12, /2 positive and -1 negative/],
    [head(28, 1, -1, 2), 12, /-1 positive/],
    [head(27, 1, 1, 0), 0, /size 27, wanted at least 28/],
    [head(-5, 0, 0, 0), 0, /size -5/],
    [Buffer.alloc(191), 191, /191 bytes, wanted 192/],
  ]
  for (const [bytes, offset, message] of refused) {
    const error = t.throws(() => decodeAccessList(bytes, "disk", "/vicepa/index", 1000), {
      instanceOf: FormatError,
      message,
    })
    t.deepEqual([error?.path, error?.offset], ["/vicepa/index", 1000 + offset])
    t.is(findAccessListFault(bytes)?.offset, offset)
    t.throws(() => turnAccessList(bytes, "disk"), { instanceOf: FormatError })
  }
  t.is(findAccessListFault(head(100, 1, 1, 0)), undefined)
})

test("access list: a size beyond its area shuts everybody out, which a check finds and a restore does not", (t) => {
  t.is(findAccessListFault(head(193, 1, 1, 0)), undefined)
  t.regex(findAccessCheckFault(head(193, 1, 1, 0))?.found ?? "", /size 193/)
  t.is(findAccessCheckFault(head(192, 1, 1, 0)), undefined)
  t.is(findAccessCheckFault(head(28, 1, 0, 0))?.offset, 12)
})

test("access list: rights have letters in the order that fs listacl shows", (t) => {
  t.is(rightsText(127), "rlidwka")
  t.is(rightsText(9), "rl")
  t.is(rightsText(0), "")
  t.is(rightsText(0x8100_0001 | 0), "rAH")
  t.is(rightsText(0x0080_0080), "")
  t.is(parseRights("rlidwka"), 127)
  t.is(parseRights("adwk"), 64 + 16 + 2 + 32)
  t.is(parseRights("rH"), 0x8000_0001 | 0)
  t.throws(() => parseRights("rx"), { instanceOf: AfsError, message: /"x"/ })
  for (const letters of ["r", "l", "i", "d", "w", "k", "a", "A", "B", "C", "D", "E", "F", "G", "H"]) {
    t.is(rightsText(parseRights(letters)), letters)
  }
})

test("access list: the seven rights make all rights, each bit has one letter, groups have the ids of every cell", (t) => {
  const known = Object.values(accessRights).reduce((sum, bit) => sum | bit, 0)
  t.is(known & 0x00ff_ffff, allRights)
  t.is(known >>> 24, 0xff)
  t.is(new Set(Object.values(accessRights)).size, 15)
  t.deepEqual(Object.values(knownGroups).map(knownName), Object.keys(knownGroups))
  t.is(knownName(-205), "-205")
})

test("access list: rights of groups are those of matching positive entries less those of matching negative ones", (t) => {
  const area = encodeAccessList({
    positive: [
      { id: -204, rights: 127 },
      { id: -101, rights: 9 },
      { id: 1001, rights: 20 },
    ],
    negative: [
      { id: -102, rights: 8 },
      { id: 1002, rights: 1 },
    ],
  })
  t.is(rightsOfGroups(area, [-101]), 9)
  t.is(rightsOfGroups(area, [-102, -101, 1001]), 21)
  t.is(rightsOfGroups(area, [-101, 1002]), 8)
  t.is(rightsOfGroups(area, [1003]), 0)
  t.is(rightsOfGroups(area, []), 0)
  t.is(rightsOfGroups(area, [-204, -101]), 127)
})

test("access list: a damaged list gives nobody any right", (t) => {
  const area = encodeAccessList({ positive: [{ id: -101, rights: 127 }], negative: [] })
  area[12] = 2
  t.is(rightsOfGroups(area, [-101]), 0)
  t.is(rightsOfGroups(new Uint8Array(100), [-101]), 0)
})
