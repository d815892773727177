import test from "ava"
import { Packr } from "msgpackr"
import { FormatError } from "../../common/error.ts"
import { nestingMax, packPlain, unpackPlain } from "../../fssync/plain-msgpack.ts"

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex")
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])

test("msgpack: plain values come back as they were", (t) => {
  const values = [
    null,
    true,
    false,
    0,
    127,
    128,
    255,
    65535,
    65536,
    2 ** 31,
    2 ** 32 - 1,
    -1,
    -32,
    -33,
    -129,
    -(2 ** 31),
    2 ** 53 - 1,
    1.5,
    "",
    "/vicepa",
    "x".repeat(40),
    "é".repeat(300),
    "y".repeat(70_000),
    Buffer.alloc(0),
    Buffer.alloc(300, 7),
    Buffer.alloc(70_000, 9),
    [],
    [1, [2, ["three"]]],
    Array.from({ length: 20 }, (_, index) => index),
    Array.from({ length: 70_000 }, () => 1),
  ]
  for (const value of values) t.deepEqual(unpackPlain(packPlain(value)), value)
  t.deepEqual(unpackPlain(packPlain(values)), values)
})

test("msgpack: space is left free in front, and later values leave earlier ones alone", (t) => {
  const first = packPlain([1, 2, 3], 8)
  first.fill(0xee, 0, 8)
  const copy = Buffer.from(first)
  for (let round = 0; round < 5000; round++) packPlain([round, "some text"], 8).fill(0xaa, 0, 8)
  t.deepEqual(first, copy)
  t.deepEqual(unpackPlain(first.subarray(8)), [1, 2, 3])
})

test("msgpack: a long value does not make the next short ones keep its memory", (t) => {
  t.is(packPlain(Buffer.alloc(5_000_000)).length, 5_000_005)
  t.true(packPlain([1]).buffer.byteLength < 100_000)
})

test("msgpack: bytes that come back do not keep the buffer they came in", (t) => {
  const received = packPlain(Buffer.from("abc"))
  const value = unpackPlain(received)
  received.fill(0)
  t.deepEqual(value, Buffer.from("abc"))
})

const refused: Readonly<Record<string, Buffer>> = {
  "no bytes": hex(""),
  "a map": hex("81 a1 61 01"),
  "a long map": hex("de 0001 a1 61 01"),
  "a very long map": hex("df 0000 0001 a1 61 01"),
  "the tag that is never used": hex("c1"),
  "a 64-bit integer": hex("cf 0000 0000 0000 0001"),
  "a signed 64-bit integer": hex("d3 0000 0000 0000 0001"),
  "a 32-bit float": hex("ca 3f800000"),
  "an extension": hex("d4 00 00"),
  "a record definition": hex("d4 72 40 91 a1 61 01"),
  "a date": hex("d6 ff 00000000"),
  "a long extension": hex("c7 01 05 00"),
  "a 16-byte extension": Buffer.concat([hex("d8 05"), Buffer.alloc(16)]),
  "two values": hex("01 02"),
  "a string without its end": hex("a5 61 62"),
  "a long string without its end": hex("db ffff ffff 61"),
  "a string's length cut": hex("da 00"),
  "bytes without their end": hex("c4 05 01"),
  "an array without its end": hex("93 01 02"),
  "an array of 2^32-1": hex("dd ffff ffff 01"),
  "an array of 65535": hex("dc ffff 01"),
  "an integer cut": hex("ce 00 00"),
  "a double cut": hex("cb 00"),
  "arrays too deep": packPlain(nested(nestingMax + 1)),
  "a million arrays in each other": Buffer.alloc(1_000_000, 0x91),
  "a class": new Packr({ moreTypes: true }).pack(new Set([1])),
  "a record": new Packr({ useRecords: true }).pack({ a: 1 }),
}

for (const [what, bytes] of Object.entries(refused)) {
  test(`msgpack: ${what} is refused with a place, not read`, (t) => {
    const before = process.memoryUsage().rss
    t.throws(() => unpackPlain(bytes), { instanceOf: FormatError, message: /msgpack in offset \d+: found/ })
    t.true(process.memoryUsage().rss - before < 64 << 20)
  })
}

test("msgpack: nesting up to the limit is read", (t) => {
  t.deepEqual(unpackPlain(packPlain(nested(nestingMax))), nested(nestingMax))
})
