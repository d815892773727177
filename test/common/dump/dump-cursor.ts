import test from "ava"
import { DumpCursor, windowBytesMin } from "../../../common/dump/dump-cursor.ts"
import { DumpWindow } from "../../../common/dump/dump-window.ts"
import { FormatError } from "../../../common/error.ts"
import { sourceOf } from "../../support/dump-samples.ts"

const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index & 0xff)

/** Over chunks that are pushed. */
function chunked() {
  const window = new DumpWindow()
  const notices: [string, number][] = []
  const cursor = new DumpCursor(window, { path: "home.ann", onNotice: (text, offset) => notices.push([text, offset]) })
  return { window, cursor, notices }
}

test("dump cursor: what is needed comes with the next chunk, or never: then the error names stream, place and wish", (t) => {
  const { window, cursor } = chunked()
  t.true(cursor.needs(4, "a mark"))
  window.push(counting(10))
  t.false(cursor.needs(4, "a mark"))
  window.advance(8)
  t.true(cursor.needs(4, "a mark"))
  window.finish()
  const error = t.throws(() => cursor.needs(4, "a mark"), { instanceOf: FormatError })
  t.deepEqual([error.path, error.offset], ["home.ann", 8])
  t.regex(error.message, /the end of the stream after 2 more bytes, wanted a mark \(4 bytes\)/)
})

test("dump cursor: bytes, the rest of a text, and data that nobody took are passed over, across chunks", (t) => {
  const { window, cursor } = chunked()
  cursor.skip(6)
  t.false(cursor.passOver())
  window.push(counting(4))
  t.false(cursor.passOver())
  window.push(counting(4))
  t.true(cursor.passOver())
  t.is(window.offset, 6)
  cursor.skipText()
  t.false(cursor.passOver())
  window.push(Buffer.from("end\0behind"))
  t.true(cursor.passOver())
  t.is(window.offset, 12)
  cursor.beginData(5)
  t.is(Buffer.from(cursor.piece(2) ?? []).toString(), "be")
  t.true(cursor.passOver())
  t.is(window.offset, 17)
  t.is(cursor.piece(9)?.length, 0)
})

test("dump cursor: a stream that ends in what is passed over is an error", (t) => {
  for (const begin of [(cursor: DumpCursor) => cursor.skip(3), (cursor: DumpCursor) => cursor.skipText()]) {
    const { window, cursor } = chunked()
    window.push(Uint8Array.of(1, 2))
    window.finish()
    begin(cursor)
    t.throws(() => cursor.passOver(), { instanceOf: FormatError, message: /the end of the stream/ })
  }
})

test("dump cursor: data is read in pieces, and large reads past an empty window", (t) => {
  const bytes = counting(3 * windowBytesMin)
  const window = new DumpWindow(sourceOf(bytes), windowBytesMin)
  const cursor = new DumpCursor(window, {})
  cursor.beginData(2 * windowBytesMin + 10)
  const into = new Uint8Array(2 * windowBytesMin)
  let read = cursor.read(into) ?? 0
  t.true(read >= windowBytesMin, "the window was empty")
  while (read < into.length) read += cursor.read(into.subarray(read)) ?? 0
  t.deepEqual(into, bytes.subarray(0, into.length))
  t.is(cursor.read(new Uint8Array(100)), 10)
  t.is(cursor.read(new Uint8Array(100)), 0)
  t.is(window.offset, 2 * windowBytesMin + 10)
})

test("dump cursor: of endless notices a hundred are told", (t) => {
  const { cursor, notices } = chunked()
  for (let count = 0; count < 1000; count++) cursor.notice("left out")
  t.is(notices.length, 101)
  t.deepEqual(notices.at(-1), ["further notices left out", 0])
})
