import test from "ava"
import { emptyHeader, packetFlags } from "../../../common/protocol/rx-packet.ts"
import { CallInput, type ReceiveMemory, type Unsealer } from "../../../common/rx/call-input.ts"
import { RxError } from "../../../common/rx/codes.ts"

function input(unreadBytes = 10_000) {
  const memory: ReceiveMemory = { unreadBytes: 0, limits: { unreadBytes }, packetSizeMax: 1444 }
  const subject = new CallInput(memory)
  const place = (seq: number, text: string, flags = 0, isLent = false) => {
    const bytes = Buffer.from(`..${text}`)
    return { bytes, arrival: subject.place({ ...emptyHeader(), seq, flags }, bytes, 2, bytes.length, isLent) }
  }
  return { memory, subject, place }
}

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString()

test("call input: bytes are read in the order of their packets, in pieces as the reader likes", (t) => {
  const { memory, subject, place } = input()
  t.is(place(2, "world", packetFlags.lastPacket).arrival, "gap")
  t.deepEqual([subject.hasBytes(), subject.available, subject.read()], [false, 0, undefined])
  t.is(place(1, "hello").arrival, "next")
  t.deepEqual([subject.available, memory.unreadBytes, subject.unread], [10, 10, 2])
  const target = Buffer.alloc(8)
  t.is(subject.readInto(target, 1, 3), 3)
  t.is(subject.readInto(target, 4, 4), 4)
  t.is(target.toString(), "\0hellowo")
  t.is(memory.unreadBytes, 3)
  t.is(text(subject.read()), "rld")
  t.true(subject.window.isRead)
  t.is(memory.unreadBytes, 0)
})

test("call input: empty packets are passed over, and what is skipped is gone", (t) => {
  const { memory, subject, place } = input()
  place(1, "")
  place(2, "")
  t.false(subject.hasBytes())
  t.is(subject.unread, 0)
  place(3, "abc")
  place(4, "def")
  subject.skip()
  t.deepEqual([subject.read(), memory.unreadBytes], [undefined, 0])
})

test("call input: bytes that are only lent are copied when they are read, and when they are kept", (t) => {
  const { subject, place } = input()
  const one = place(1, "abc", 0, true)
  const read = subject.read()
  one.bytes.fill(0)
  t.is(text(read), "abc")
  const two = place(2, "def", 0, true)
  subject.window.keep()
  two.bytes.fill(0)
  t.is(text(subject.read()), "def")
})

test("call input: when memory is short a call may keep the one packet that is next, and say what it has twice", (t) => {
  const { memory, subject, place } = input(10)
  memory.unreadBytes = 9
  t.true(subject.hasMemoryFor(1, 1))
  t.true(subject.hasMemoryFor(1, 1400))
  t.false(subject.hasMemoryFor(2, 2))
  t.false(subject.hasMemoryFor(1, 2000), "it is larger than packets are")
  place(1, "ab")
  t.true(subject.hasMemoryFor(1, 2), "a duplicate is not kept")
  t.false(subject.hasMemoryFor(2, 2))
  subject.read()
  t.true(subject.hasMemoryFor(2, 2))
})

/** Takes the first byte away, which has to be a dot. */
const dotted: Unsealer = {
  unseal(seq, body) {
    if (body.bytes[body.start++] !== 0x2e) throw new RxError(19_270_400 + seq, "connection failed", "test")
  },
}

test("call input: the security class opens each packet once, before anything of it is read", (t) => {
  const { memory, subject, place } = input()
  subject.openBy(dotted)
  place(1, ".abc")
  place(2, ".de")
  t.is(subject.available, 7)
  const target = Buffer.alloc(2)
  subject.readInto(target, 0, 2)
  t.is(target.toString(), "ab")
  t.is(text(subject.read()), "c")
  t.is(text(subject.read()), "de")
  t.deepEqual([subject.refusal, memory.unreadBytes], [0, 0])
})

test("call input: a packet that is refused gives its code, and nothing of it or behind it", (t) => {
  const { memory, subject, place } = input()
  subject.openBy(dotted)
  place(1, ".abc")
  place(2, "forged")
  place(3, ".late")
  const target = Buffer.alloc(20)
  t.is(subject.readInto(target, 0, 20), 3)
  t.is(subject.refusal, 19_270_402)
  t.is(subject.read(), undefined)
  subject.reset()
  t.deepEqual([subject.refusal, memory.unreadBytes, subject.unread], [0, 0, 0])
  place(1, "plain")
  t.is(text(subject.read()), "plain", "the next call begins without the class")
})

test("call input: an error that is the class's own is a protocol error", (t) => {
  const { subject, place } = input()
  subject.openBy({
    unseal() {
      throw new TypeError("length")
    },
  })
  place(1, "abc")
  t.false(subject.hasBytes())
  t.is(subject.refusal, -5)
})
