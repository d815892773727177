import test from "ava"
import { windowMax } from "../../../common/rx/limits.ts"
import { type Arrival, ReceiveWindow } from "../../../common/rx/receive-window.ts"
import { seededRandom } from "../../support/random.ts"

const put = (window: ReceiveWindow, seq: number, isLast = false, size = 10): Arrival =>
  window.place(seq, isLast, Buffer.alloc(size + 28, seq), 28, 28 + size, seq)

test("receive window: packets are next, behind a gap, there already, or too far", (t) => {
  const window = new ReceiveWindow()
  t.is(put(window, 1), "next")
  t.is(put(window, 3), "gap")
  t.is(put(window, 3), "duplicate")
  t.is(put(window, windowMax), "gap")
  t.is(put(window, windowMax + 1), "beyond")
  t.deepEqual([window.first, window.next, window.highest, window.unread], [1, 2, windowMax, 1])
  const array = Buffer.alloc(64)
  t.is(window.writeArray(array, 2), windowMax)
  t.is(array.subarray(2, 6).toString("hex"), "01000100")
  window.shift()
  t.is(put(window, 1), "duplicate")
  t.is(put(window, windowMax + 1), "gap")
})

test("receive window: nothing comes behind the last packet, and there is one last packet", (t) => {
  const window = new ReceiveWindow()
  put(window, 3)
  t.is(put(window, 2, true), "malformed")
  t.is(put(window, 4, true), "gap")
  t.is(put(window, 5), "malformed")
  t.is(put(window, 2, true), "malformed")
  t.false(window.isComplete)
  put(window, 1)
  put(window, 2)
  t.true(window.isComplete)
  for (let count = 0; count < 4; count++) window.shift()
  t.true(window.isRead)
  t.is(window.unreadBytes, 0)
})

test("receive window: in any order, what is read is what was sent, and the bytes are counted", (t) => {
  const random = seededRandom(t)
  const window = new ReceiveWindow()
  for (let round = 0; round < 50; round++) {
    const count = 1 + random.below(200)
    const read: number[] = []
    while (!window.isRead) {
      const seq = window.first + random.below(windowMax + 4)
      if (seq <= count) put(window, seq, seq === count, random.below(20))
      let bytes = 0
      while (window.unread > 0 && random.below(3) > 0) {
        t.is(window.checksum, window.first)
        t.is(window.bytes[0], window.first & 0xff)
        bytes += window.end - window.start
        read.push(window.first)
        window.shift()
      }
      t.true(bytes >= 0 && window.unreadBytes >= 0)
    }
    t.deepEqual(
      read,
      Array.from({ length: count }, (_, index) => index + 1),
    )
    t.is(window.unreadBytes, 0)
    window.reset()
    t.deepEqual([window.first, window.next, window.highest, window.last], [1, 1, 0, 0])
  }
})
