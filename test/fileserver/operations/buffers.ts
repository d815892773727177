import test from "ava"
import { CallBuffer } from "../../../fileserver/operations/buffers.ts"

test("buffers: as large as the call, at most 128 KiB, and used again", (t) => {
  using small = new CallBuffer(100)
  t.is(small.bytes.length, 4096)
  const large = new CallBuffer(2 ** 40)
  const { bytes } = large
  t.is(bytes.length, 128 << 10)
  large[Symbol.dispose]()
  large[Symbol.dispose]()
  using next = new CallBuffer(1 << 20)
  t.is(next.bytes, bytes)
  using other = new CallBuffer(1 << 20)
  t.not(other.bytes, bytes, "never two calls at a time")
  t.throws(() => large.bytes)
})

test("buffers: ten thousand calls together stay within a bound", (t) => {
  const open = Array.from({ length: 10_000 }, () => new CallBuffer(1 << 20))
  const total = open.reduce((sum, { bytes }) => sum + bytes.length, 0)
  t.true(total < 96 << 20, `${total} bytes`)
  for (const buffer of open) buffer[Symbol.dispose]()
  using again = new CallBuffer(1 << 20)
  t.is(again.bytes.length, 128 << 10)
})
