import test from "ava"
import {
  array,
  bits,
  i16le,
  i32,
  i32le,
  type Of,
  raw,
  struct,
  text,
  u8,
  u16,
  u16le,
  u32,
  u32le,
} from "../../../common/codec/struct.ts"
import { FormatError } from "../../../common/error.ts"
import { seededRandom } from "../../support/random.ts"

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"))

const every = struct("Every", 39, {
  one: u8,
  two: u16,
  four: u32,
  signed: i32,
  twoLe: u16le,
  signedTwoLe: i16le,
  fourLe: u32le,
  signedLe: i32le,
  rest: raw(3),
  name: text(5),
  row: array(u16le, 2),
  word: bits(u32le, { low: 3, flag: 1, middle: 12, high: -16 }),
})

const everyBytes = bytesOf("fe 0102 fffefdfc fffffffe 0102 feff fcfdfeff feffffff a1a2a3 6162006364 0100 ff80 4afedcff")

test("struct: each integer has the byte order, width and sign that its name says", (t) => {
  t.deepEqual(every.read(everyBytes), {
    one: 0xfe,
    two: 0x0102,
    four: 0xfffefdfc,
    signed: -2,
    twoLe: 0x0201,
    signedTwoLe: -2,
    fourLe: 0xfffefdfc,
    signedLe: -2,
    rest: bytesOf("a1a2a3"),
    name: "ab",
    row: [1, 0x80ff],
    low: 2,
    flag: 1,
    middle: 0xfe4,
    high: -36,
  })
})

test("struct: writing over the bytes that were read changes none of them, whatever they are", (t) => {
  const random = seededRandom(t)
  for (let round = 0; round < 5000; round++) {
    const bytes = random.bytes(every.size + 7)
    const before = bytes.slice()
    every.write(every.read(bytes, 4), bytes, 4)
    t.deepEqual(bytes, before)
  }
})

test("struct: encode gives zeros where nothing was said: after the NUL of a text and in short reserved areas", (t) => {
  const value: Of<typeof every> = { ...every.read(everyBytes), name: "x", rest: bytesOf("07") }
  const encoded = every.encode(value)
  t.deepEqual(encoded.subarray(23, 31), bytesOf("070000 7800000000"))
  t.is(encoded.length, every.size)
})

test("struct: the bytes after a text's NUL stay when a shorter text is written", (t) => {
  const layout = struct("Name", 8, { name: text(8) })
  const bytes = new Uint8Array(Buffer.from("abcdefg\0"))
  layout.write({ name: "xy" }, bytes)
  t.is(Buffer.from(bytes).toString("latin1"), "xy\0defg\0")
})

test("struct: a new text always ends in a NUL, but a damaged one without it is written back as it was", (t) => {
  const layout = struct("Name", 4, { name: text(4) })
  t.is(Buffer.from(layout.encode({ name: "abcd" })).toString("latin1"), "abc\0")
  t.is(Buffer.from(layout.encode({ name: "abcdefgh" })).toString("latin1"), "abc\0")
  const damaged = new Uint8Array(Buffer.from("wxyz"))
  const read = layout.read(damaged)
  t.is(read.name, "wxyz")
  layout.write(read, damaged)
  t.is(Buffer.from(damaged).toString("latin1"), "wxyz")
  layout.write({ name: "abcd" }, damaged)
  t.is(Buffer.from(damaged).toString("latin1"), "abc\0")
})

test("struct: a text holds any bytes; a character that is no byte becomes a question mark, not another byte", (t) => {
  const layout = struct("Name", 6, { name: text(6) })
  const bytes = bytesOf("ff80c3a97f00")
  t.deepEqual(layout.encode(layout.read(bytes)), bytes)
  t.is(layout.read(layout.encode({ name: "a\u0100b" })).name, "a?b")
})

test("struct: what a reserved area reads is a copy, also from a Buffer, so that a reused buffer does not change it", (t) => {
  const layout = struct("Reserved", 4, { rest: raw(4) })
  const buffer = Buffer.from("abcd")
  const { rest } = layout.read(buffer)
  buffer.fill(0)
  t.is(Buffer.from(rest).toString(), "abcd")
  t.is(rest.constructor, Uint8Array)
})

test("struct: bit fields are cut from the low end, signed ones where the width is negative", (t) => {
  const layout = struct("Bits", 4, { word: bits(u32le, { type: 3, cloned: 1, mode: 12, links: -16 }) })
  t.deepEqual(layout.read(bytesOf("411a0300")), { type: 1, cloned: 0, mode: 0o644, links: 3 })
  t.deepEqual(layout.read(bytesOf("ffffffff")), { type: 7, cloned: 1, mode: 0o7777, links: -1 })
  t.deepEqual(layout.encode({ type: 1, cloned: 0, mode: 0o644, links: 3 }), bytesOf("411a0300"))
  t.deepEqual(layout.encode({ type: 0, cloned: 1, mode: 0, links: -32768 }), bytesOf("08000080"))
})

test("struct: a bit field too large for its width does not spill into its neighbours", (t) => {
  const layout = struct("Bits", 2, { word: bits(u16le, { a: 3, b: 3, rest: 10 }) })
  t.deepEqual(layout.encode({ a: 9, b: 0, rest: 0 }), bytesOf("0100"))
})

test("struct: a single bit field of 32 bits is the whole word", (t) => {
  const layout = struct("Whole", 4, { word: bits(u32, { all: 32 }) })
  t.deepEqual(layout.read(bytesOf("ffffffff")), { all: 0xffff_ffff })
  t.deepEqual(layout.encode({ all: 0x8000_0001 }), bytesOf("80000001"))
})

test("struct: offsets tell where each field begins", (t) => {
  t.is(every.offsets.one, 0)
  t.is(every.offsets.four, 3)
  t.is(every.offsets.word, 35)
})

test("struct: a short buffer is an error that names layout, file, offset and what was there, never a shorter result", (t) => {
  const error = t.throws(() => every.read(everyBytes, 4, "/vicepa/x", 100), { instanceOf: FormatError })
  t.is(error.message, "Every in /vicepa/x offset 104: found 35 bytes, wanted 39")
  t.is(error.path, "/vicepa/x")
  t.is(error.offset, 104)
  t.throws(() => every.read(everyBytes, -1), { instanceOf: FormatError })
  t.throws(() => every.read(everyBytes, 1000), { instanceOf: FormatError, message: /found 0 bytes/ })
})

test("struct: writing without room, or more reserved bytes than there are, is refused", (t) => {
  const value = every.read(everyBytes)
  t.throws(() => every.write(value, new Uint8Array(every.size), 1), { instanceOf: RangeError })
  t.throws(() => every.write(value, new Uint8Array(every.size), -1), { instanceOf: RangeError })
  t.throws(() => every.encode({ ...value, rest: new Uint8Array(4) }), { instanceOf: RangeError })
})

test("struct: fields that do not add up to the size of the format are found when the layout is declared", (t) => {
  t.throws(() => struct("Wrong", 5, { a: u32 }), { message: "layout Wrong: fields take 4 bytes, the format says 5" })
  t.throws(() => bits(u32le, { a: 3, b: 12 }), { message: /15 bits do not fill 32/ })
})
