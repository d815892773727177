import test from "ava"
import { FormatError } from "../../common/error.ts"
import { FrameReader, packFrame, requestBytesMax } from "../../fssync/frame.ts"
import { decodeAnswer, decodeCall, encodeAnswer, encodeCall, isPartitionName } from "../../fssync/message-codec.ts"
import { sampleRequest } from "../support/sync-samples.ts"

const mark = 0x46

function bodyOf(frame: Buffer): Buffer {
  const reader = new FrameReader(mark, 1 << 20)
  reader.push(frame)
  const body = reader.next()
  if (body === undefined) throw new Error("no whole frame")
  return body
}

const numbers = [
  "id",
  "command",
  "reason",
  "programType",
  "pid",
  "thread",
  "volume",
  "parent",
  "vnode",
  "unique",
] as const
const call = { ...sampleRequest({ parent: 7, vnode: 8, unique: 9, reason: 10, thread: 11 }), id: 12 }
const row: readonly unknown[] = [12, 65543, 10, 5, 4711, 11, 536870912, "/vicepa", 7, 8, 9]

test("requests: travel as a row in the documented order", (t) => {
  t.deepEqual(bodyOf(encodeCall(mark, call)), bodyOf(packFrame(mark, row)))
  t.deepEqual(decodeCall(bodyOf(encodeCall(mark, call))), call)
})

test("requests: the largest fits into what a server takes", (t) => {
  const largest = { ...call, partition: "/".repeat(15) }
  for (const name of numbers) largest[name] = 0xffff_ffff
  const body = bodyOf(encodeCall(mark, largest))
  t.true(body.length <= requestBytesMax)
  t.deepEqual(decodeCall(body), largest)
})

for (const name of numbers) {
  test(`requests: ${name} is checked for type and range at both ends`, (t) => {
    for (const wrong of [-1, 2 ** 32, 1.5, Number.NaN]) {
      t.throws(() => encodeCall(mark, { ...call, [name]: wrong }), { instanceOf: TypeError, message: new RegExp(name) })
    }
    const index = row.indexOf(call[name])
    t.true(index >= 0)
    for (const wrong of [-1, 2 ** 32, 1.5, "1", null, true, [1], Buffer.of(1)]) {
      const body = bodyOf(packFrame(mark, row.with(index, wrong)))
      t.throws(() => decodeCall(body), { instanceOf: FormatError, message: new RegExp(`request\\.${name}`) })
    }
  })
}

test("requests: a partition that is no text, a row too short or too long, and no row at all are refused", (t) => {
  for (const wrong of [row.with(7, 5), row.with(7, null), row.slice(1), [...row, 0], [], 5, "request", null]) {
    t.throws(() => decodeCall(bodyOf(packFrame(mark, wrong))), { instanceOf: FormatError })
  }
})

test("answers: with and without a payload, and with a negative error code", (t) => {
  const answers = [
    { id: 1, response: 0, reason: 0, payload: [1, "two"] },
    { id: 2, response: 4, reason: 65541 },
    { id: 3, response: 1, reason: -100 },
  ]
  for (const answer of answers) t.deepEqual(decodeAnswer(bodyOf(encodeAnswer(mark, answer))), answer)
})

test("answers: anything but a row of an id, two codes and a payload is refused", (t) => {
  const wrong = [
    [1, 0, 0],
    [1, 0, 0, null, null],
    [-1, 0, 0, null],
    [1, "OK", 0, null],
    [1, 0, 1.5, null],
    [1, 0, 2 ** 32, null],
    [1, 0, -(2 ** 31) - 1, null],
    "x",
    null,
  ]
  for (const value of wrong) t.throws(() => decodeAnswer(bodyOf(packFrame(mark, value))), { instanceOf: FormatError })
})

test("partition names: what OpenAFS's 16 bytes hold, in plain characters", (t) => {
  for (const name of ["", "/vicepa", "/vicepiv", "/vicep123456789"]) t.true(isPartitionName(name), name)
  for (const name of ["/vicep1234567890", "/vice pa", "/vicep\0", "/vicepä", "/vicep\n"])
    t.false(isPartitionName(name), name)
})
