import test from "ava"
import { struct, u32le } from "../../common/codec/struct.ts"
import { FormatError } from "../../common/error.ts"
import {
  briefly,
  bytes,
  count,
  flag,
  i32,
  layout,
  list,
  optional,
  record,
  type Shape,
  text,
  u32,
} from "../../fssync/shape.ts"

const pointShape = record("Point", {
  x: u32,
  y: i32,
  name: text,
  inner: record("Inner", { seen: flag }),
  tail: list(u32),
})
const point = { x: 1, y: -2, name: "p", inner: { seen: true }, tail: [3, 4] }

test("shape: a record travels as a row of its values in the table's order", (t) => {
  t.deepEqual(pointShape.pack(point), [1, -2, "p", [true], [3, 4]])
  t.deepEqual(pointShape.unpack([1, -2, "p", [true], [3, 4]], "point"), point)
})

// Shape's methods accept narrower values, as methods do: any shape may stand for one of unknown values
const limits: readonly { name: string; shape: Shape<unknown>; good: readonly unknown[]; bad: readonly unknown[] }[] = [
  { name: "u32", shape: u32, good: [0, 1, 2 ** 32 - 1], bad: [-1, 2 ** 32, 0.5, NaN, "1", null, true, 1n, [1], {}] },
  { name: "i32", shape: i32, good: [0, -(2 ** 31), 2 ** 31 - 1], bad: [2 ** 31, -(2 ** 31) - 1, 0.5, "0", null, [0]] },
  { name: "count", shape: count, good: [0, 2 ** 53 - 1], bad: [-1, 2 ** 53, 0.5, Infinity, "0", null] },
  { name: "flag", shape: flag, good: [true, false], bad: [0, 1, "true", null] },
  { name: "text", shape: text, good: ["", "/vicepa"], bad: [1, null, ["a"]] },
  { name: "bytes", shape: bytes, good: [new Uint8Array(3)], bad: ["abc", [1, 2], null] },
]

for (const { name, shape, good, bad } of limits) {
  test(`shape: ${name} takes its whole range and nothing else, both ways`, (t) => {
    const row = record("Row", { it: shape })
    for (const value of good) {
      t.deepEqual(row.unpack([value], "row"), { it: value })
      t.deepEqual(row.pack({ it: value }), [value])
    }
    for (const value of bad) {
      t.throws(() => row.unpack([value], "row"), { instanceOf: FormatError, message: /^row\.it: found/ })
      t.throws(() => row.pack({ it: value }), { instanceOf: TypeError, message: /^Row\.it: found/ })
      t.throws(() => shape.unpack(value, "alone"), { instanceOf: FormatError })
    }
  })
}

test("shape: a malformed value is refused by the name of its field, however deep", (t) => {
  const deep =
    (row: unknown): (() => unknown) =>
    () =>
      pointShape.unpack(row, "point")
  t.throws(deep([1, -2, "p", [1], []]), { message: /^point\.inner\.seen: found 1, wanted true or false/ })
  t.throws(deep([1, -2, "p", [true], [0, "x"]]), { message: /^point\.tail\[1\]: found text of 1 characters/ })
  t.throws(deep([1, -2, "p", true, []]), { message: /^point\.inner: found true, wanted Inner, a row of 1/ })
  t.throws(deep([1, -2, "p", [true]]), { message: /^point: found array of 4, wanted Point, a row of 5/ })
  t.throws(deep({ x: 1 }), { message: /^point: found Object/ })
  t.throws(deep(null), { message: /^point: found null/ })
})

test("shape: what a handler forgot is found where it was made", (t) => {
  const { name: _, ...nameless } = point
  t.throws(() => (pointShape as Shape<unknown>).pack(nameless), {
    instanceOf: TypeError,
    message: /^Point\.name: found undefined/,
  })
  t.throws(() => (pointShape as Shape<unknown>).pack(undefined), {
    instanceOf: TypeError,
    message: /^Point: found undefined/,
  })
  t.throws(() => (list(u32) as Shape<unknown>).pack(7), { instanceOf: TypeError })
})

test("shape: an absent optional value is undefined on both ends", (t) => {
  const shape = record("Row", { maybe: optional(u32) })
  t.deepEqual(shape.pack({ maybe: undefined }), [null])
  t.deepEqual(shape.unpack([null], "row"), { maybe: undefined })
  t.deepEqual(shape.unpack(shape.pack({ maybe: 5 }), "row"), { maybe: 5 })
  t.throws(() => shape.unpack([undefined], "row"), { instanceOf: FormatError })
})

test("shape: a structure travels as its bytes, and only at its size", (t) => {
  const shape = layout(struct("Pair", 8, { a: u32le, b: u32le }))
  t.deepEqual(shape.pack({ a: 1, b: 2 }), Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0))
  t.deepEqual(shape.unpack(Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0), "pair"), { a: 1, b: 2 })
  t.throws(() => shape.unpack(new Uint8Array(7), "pair"), { instanceOf: FormatError, message: /8 bytes of Pair/ })
  t.throws(() => shape.unpack([1, 2], "pair"), { instanceOf: FormatError })
})

test("shape: complaints never repeat a long or hostile value", (t) => {
  t.is(briefly("x".repeat(1e6)), "text of 1000000 characters")
  t.is(briefly(Array.from({ length: 1000 })), "array of 1000")
  t.is(briefly(new Uint8Array(5)), "Uint8Array")
  t.is(briefly(Object.create(null)), "object")
})
