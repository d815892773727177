import test from "ava"
import { DumpWindow } from "../../../common/dump/dump-window.ts"
import { sourceOf } from "../../support/dump-samples.ts"

const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index & 0xff)

test("dump window: a source is read ahead, and every offset is the stream's", (t) => {
  const window = new DumpWindow(
    sourceOf(counting(100), () => 7),
    16,
  )
  t.true(window.ensure(10))
  t.deepEqual([window.offset, window.u8(0), window.u16(1), window.u32(4)], [0, 0, 0x0102, 0x04050607])
  window.advance(9)
  t.true(window.ensure(16))
  t.deepEqual([window.offset, window.u8(0), window.u8(15), window.available >= 16], [9, 9, 24, true])
  t.deepEqual([...window.peek(1, 3)], [10, 11, 12])
  t.is(window.indexOfNul(0, 16), -1)
})

test("dump window: the end of a source is known only when more was asked for", (t) => {
  const window = new DumpWindow(sourceOf(counting(10)), 16)
  t.true(window.ensure(10))
  t.false(window.ended)
  t.false(window.ensure(11))
  t.deepEqual([window.ended, window.available, window.offset], [true, 10, 0])
  t.is(window.indexOfNul(0, 5), 0)
})

test("dump window: an empty window can be read past, and goes on behind", (t) => {
  const window = new DumpWindow(sourceOf(counting(100)), 16)
  t.true(window.ensure(16))
  window.advance(16)
  const into = new Uint8Array(50)
  t.is(window.readThrough(into), 50)
  t.deepEqual([into[0], into[49], window.offset], [16, 65, 66])
  t.true(window.ensure(1))
  t.is(window.u8(0), 66)
})

test("dump window: chunks follow one another without a gap, and what is left of one is kept", (t) => {
  const window = new DumpWindow()
  t.false(window.ensure(1))
  t.false(window.ended)
  const first = counting(10)
  window.push(first)
  window.advance(8)
  t.false(window.ensure(3))
  window.release()
  first.fill(0xee)
  window.push(Uint8Array.of(10, 11, 12))
  t.true(window.ensure(5))
  t.deepEqual([[...window.peek(0, 5)], window.offset], [[8, 9, 10, 11, 12], 8])
  window.advance(5)
  window.push(new Uint8Array(0))
  t.deepEqual([window.available, window.offset, window.readThrough(new Uint8Array(9)), window.ended], [0, 13, 0, false])
  window.finish()
  t.false(window.ensure(1))
  t.true(window.ended)
})
