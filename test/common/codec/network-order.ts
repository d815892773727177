import test from "ava"
import { byteAt, halfAt, wordAt } from "../../../common/codec/network-order.ts"

test("network order: numbers are unsigned, their highest byte first", (t) => {
  const bytes = Uint8Array.of(0, 0xff, 0xfe, 0xfd, 0xfc)
  t.is(byteAt(bytes, 1), 0xff)
  t.is(halfAt(bytes, 1), 0xfffe)
  t.is(wordAt(bytes, 1), 0xfffe_fdfc)
  t.is(wordAt(bytes, 0), 0x00ff_fefd)
})

test("network order: bytes behind the end count as 0", (t) => {
  const bytes = Uint8Array.of(0x81, 0x82)
  t.is(byteAt(bytes, 2), 0)
  t.is(halfAt(bytes, 1), 0x8200)
  t.is(wordAt(bytes, 0), 0x8182_0000)
})
