import test from "ava"
import {
  bigI64,
  bigU64,
  bool,
  char,
  charVector,
  i16,
  i32,
  i64,
  name,
  opaque,
  opaqueVector,
  paddedText,
  text,
  u16,
  u32,
  u64,
  uuid,
} from "../../../common/codec/xdr.ts"
import type { XdrOutcome } from "../../../common/codec/xdr-bytes.ts"
import { array, list, optional, struct, vector } from "../../../common/codec/xdr-composite.ts"
import type { Xdr } from "../../../common/codec/xdr-type.ts"
import { FormatError } from "../../../common/error.ts"
import { seededRandom } from "../../support/random.ts"
import { sampleOf } from "../../support/xdr-samples.ts"

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex")
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** Value and bytes of each type; they are one another's. */
const samples: readonly [Xdr<unknown>, unknown, string][] = [
  [u32, 0xfffefdfc, "fffefdfc"],
  [i32, -2, "fffffffe"],
  [i32, 0x7fffffff, "7fffffff"],
  [char, -78, "ffffffb2"],
  [char, 127, "0000007f"],
  [i16, -2, "fffffffe"],
  [u16, 0xfffe, "0000fffe"],
  [bool, true, "00000001"],
  [bool, false, "00000000"],
  [u64, 2 ** 53 - 1, "001fffff ffffffff"],
  [u64, 2 ** 32, "00000001 00000000"],
  [i64, -1, "ffffffff ffffffff"],
  [i64, -(2 ** 32) - 1, "fffffffe ffffffff"],
  [bigU64, 2n ** 64n - 2n, "ffffffff fffffffe"],
  [bigI64, -2n, "ffffffff fffffffe"],
  [text(5), "", "00000000"],
  [text(5), "abc\u00e9", "00000004 616263e9"],
  [text(5), "abcde", "00000005 61626364 65000000"],
  [name(5), bytesOf("61ff"), "00000002 61ff0000"],
  [opaque(5), bytesOf("00ff00"), "00000003 00ff0000"],
  [charVector(4), "a\u00e9", "00000061 ffffffe9 00000000 00000000"],
  [paddedText(6), "ab", "61620000 00000000"],
  [opaqueVector(5), bytesOf("0102030405"), "01020304 05000000"],
  [vector(i32, 2), [1, -1], "00000001 ffffffff"],
  [vector(text(4), 2), ["a", ""], "00000001 61000000 00000000"],
  [array(u32, 2), [], "00000000"],
  [array(u32, 2), [7, 8], "00000002 00000007 00000008"],
  [array(text(4), 2), ["a", "b"], "00000002 00000001 61000000 00000001 62000000"],
  [array(array(u32, 2)), [[1], []], "00000002 00000001 00000001 00000000"],
  [optional(u32), undefined, "00000000"],
  [optional(u32), 9, "00000001 00000009"],
  [list(struct("Entry", { a: u32 }), 2), [], "00000000"],
  [list(struct("Entry", { a: u32 }), 2), [{ a: 3 }, { a: 4 }], "00000001 00000003 00000001 00000004 00000000"],
  [
    struct("Mixed", { a: u32, b: text(8), c: struct("Inner", { d: u64, e: char }), f: array(u16, 3), g: i32 }),
    { a: 1, b: "xyz", c: { d: 5, e: -1 }, f: [1, 2], g: -7 },
    "00000001 00000003 78797a00 00000000 00000005 ffffffff 00000002 00000001 00000002 fffffff9",
  ],
  [struct("Empty", {}), {}, ""],
  [
    uuid,
    "0096b658-4fba-1b01-b2-d2-0100007faa77",
    "0096b658 00004fba 00001b01 ffffffb2 ffffffd2 00000001 00000000 00000000 0000007f ffffffaa 00000077",
  ],
]

test("xdr: every type writes exactly its bytes, and reads its value from them at any offset", (t) => {
  for (const [type, value, hex] of samples) {
    const bytes = bytesOf(hex)
    t.is(hexOf(type.encode(value)), hexOf(bytes), type.name)
    t.is(type.sizeOf(value), bytes.length, type.name)
    t.true(type.sizeMin <= bytes.length && bytes.length <= type.sizeMax, type.name)
    if (type.size !== undefined) t.is(type.size, bytes.length)
    t.deepEqual(type.read(Buffer.concat([bytesOf("ffffff"), bytes, bytesOf("ff")]), 3), value, type.name)
    const room = new Uint8Array(bytes.length + 2)
    t.is(type.write(value, room, 1), 1 + bytes.length)
    t.is(hexOf(room.subarray(1, -1)), hexOf(bytes), type.name)
  }
})

test("xdr: a value cut anywhere is an error that tells how many bytes it needs at least", (t) => {
  const outcome: XdrOutcome = { at: 0, wanted: 0, fault: undefined }
  for (const [type, , hex] of samples) {
    const bytes = bytesOf(hex)
    for (let end = 0; end < bytes.length; end++) {
      t.throws(() => type.read(bytes.subarray(0, end)), { instanceOf: FormatError, message: /or more$/ }, type.name)
      type.decode(bytes, 0, end, outcome)
      t.is(outcome.fault, undefined)
      t.true(outcome.wanted > end && outcome.wanted <= bytes.length, `${type.name}: ${outcome.wanted} at ${end}`)
    }
  }
})

test("xdr: chars, shorts and bools take only their part of a word, as OpenAFS's decoder does", (t) => {
  const high = bytesOf("12345681")
  t.is(char.read(high), -127)
  t.is(i16.read(high), 0x5681)
  t.is(u16.read(high), 0x5681)
  t.is(bool.read(high), true)
  t.is(charVector(2).read(bytesOf("12345661 ffffff00")), "a")
})

test("xdr: a bound is kept at N and broken at N + 1, in both directions", (t) => {
  const bounded: readonly [Xdr<unknown>, (count: number) => unknown][] = [
    [text(5), (count) => "x".repeat(count)],
    [name(5), (count) => Buffer.alloc(count, "x")],
    [opaque(5), (count) => Buffer.alloc(count, "x")],
    [array(u32, 5), (count) => Array.from({ length: count }, (_, index) => index)],
    [array(text(1), 5), (count) => Array.from({ length: count }, () => "x")],
    [list(u32, 5), (count) => Array.from({ length: count }, (_, index) => index)],
  ]
  for (const [type, make] of bounded) {
    t.deepEqual(type.read(type.encode(make(5))), make(5), type.name)
    t.throws(() => type.encode(make(6)), { instanceOf: RangeError, message: /length 6 is above 5/ })
    const six = Buffer.alloc(64)
    six.writeUInt32BE(6)
    if (type.name.startsWith("list")) for (let at = 0; at < 64; at += 4) six.writeUInt32BE(1, at)
    t.throws(() => type.read(six), { instanceOf: FormatError, message: /wanted at most 5/ }, type.name)
  }
})

test("xdr: a count is refused before anything is allocated for it", (t) => {
  const outcome: XdrOutcome = { at: 0, wanted: 0, fault: undefined }
  const most = bytesOf("ffffffff 00000000")
  array(u32).decode(most, 0, 8, outcome)
  t.is(outcome.wanted, 4 + 4 * 0xffffffff)
  array(vector(u32, 100), 2 ** 32 - 1).decode(most, 0, 8, outcome)
  t.is(outcome.wanted, 4 + 400 * 0xffffffff)
  opaque(2 ** 30).decode(bytesOf("40000000"), 0, 4, outcome)
  t.is(outcome.wanted, 4 + 2 ** 30)
  t.throws(() => opaque(2 ** 31), { message: /bound/ })
  t.throws(() => array(struct("Empty", {})), { message: /elements without bytes/ })
})

test("xdr: a NUL inside a string is malformed; in an opaque it is data", (t) => {
  const bytes = bytesOf("00000003 61006200")
  for (const type of [text(8), name(8)])
    t.throws(() => type.read(bytes), { instanceOf: FormatError, message: /found a NUL/ })
  t.is(hexOf(opaque(8).read(bytes)), "610062")
  t.throws(() => text(8).encode("a\0b"), { instanceOf: RangeError })
  t.throws(() => name(8).encode(bytesOf("6100")), { instanceOf: RangeError })
  t.throws(() => charVector(8).encode("a\0b"), { instanceOf: RangeError })
})

test("xdr: text that is no bytes, or fills the place of its NUL, is refused and not changed", (t) => {
  t.throws(() => text(8).encode("\u20ac"), { instanceOf: RangeError, message: /8364/ })
  t.throws(() => charVector(4).encode("abcd"), { instanceOf: RangeError, message: /above 3/ })
  t.throws(() => paddedText(4).encode("abcd"), { instanceOf: RangeError })
  t.is(charVector(2).read(bytesOf("00000061 00000062")), "ab")
})

test("xdr: vectors take exactly their number of elements", (t) => {
  for (const count of [1, 3]) {
    t.throws(() => vector(u32, 2).encode(Array.from({ length: count }, () => 0)), { instanceOf: RangeError })
    t.throws(() => opaqueVector(2).encode(new Uint8Array(count)), { instanceOf: RangeError })
  }
})

test("xdr: the error names structure, field, offset, what was found and what was wanted", (t) => {
  const type = struct("Outer", { a: u32, b: struct("Inner", { c: text(4) }) })
  const error = t.throws(() => type.read(bytesOf("00000000 00000005")), { instanceOf: FormatError })
  t.is(error.message, "Outer.b.c in offset 4: found 5 bytes, wanted at most 4")
})

test("xdr: bytes that were read are copies; the packet they came in may change", (t) => {
  const bytes = bytesOf("00000002 6162 0000")
  const read = [name(4).read(bytes), opaque(4).read(bytes), opaqueVector(4).read(bytes)]
  const before = read.map(hexOf)
  bytes.fill(0)
  t.deepEqual(read.map(hexOf), before)
})

test("xdr: writing without room is an error and not a cut value", (t) => {
  t.throws(() => u32.write(1, new Uint8Array(3)), { instanceOf: RangeError, message: /no room/ })
  t.throws(() => text(9).write("abcde", new Uint8Array(11)), { instanceOf: RangeError, message: /no room/ })
  t.is(text(9).write("abcde", new Uint8Array(12)), 12)
})

test("xdr: random values of nested types survive writing and reading", (t) => {
  const random = seededRandom(t)
  const inner = struct("Inner", { id: uuid, name: charVector(7), flags: vector(char, 3), when: bigI64, at: u64 })
  const types: readonly Xdr<unknown>[] = [
    inner,
    array(inner, 4),
    list(inner, 4),
    struct("Deep", {
      a: array(struct("Row", { text: text(9), maybe: optional(array(i16, 3)), rest: opaque(6) }), 3),
      b: vector(struct("Pair", { x: u32, y: name(5) }), 2),
      c: list(array(bool, 2), 3),
      d: paddedText(5),
      e: optional(inner),
    }),
  ]
  for (let round = 0; round < 300; round++) {
    const type = random.pick(types)
    const value = sampleOf(type, random)
    const bytes = type.encode(value)
    t.is(bytes.length, type.sizeOf(value))
    t.deepEqual(type.read(bytes), value)
  }
})
