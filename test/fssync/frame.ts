import test from "ava"
import { FormatError } from "../../common/error.ts"
import {
  answerBytesMax,
  FrameReader,
  FrameVersionError,
  formOf,
  frameMark,
  packFrame,
  requestBytesMax,
} from "../../fssync/frame.ts"
import { unpackPlain } from "../../fssync/plain-msgpack.ts"
import { seededRandom } from "../support/random.ts"

const fssync = 0x46

function takeAll(reader: FrameReader): unknown[] {
  const values: unknown[] = []
  for (let body = reader.next(); body !== undefined; body = reader.next()) values.push(unpackPlain(body))
  return values
}

const newReader = (bytesMax = requestBytesMax): FrameReader => new FrameReader(fssync, bytesMax)

test("frame: what is packed is read, and starts with a mark that OpenAFS never sends", (t) => {
  const frame = packFrame(fssync, [1, "two"])
  t.is(frame[0], frameMark)
  t.not(frame[0], 3)
  const reader = newReader()
  reader.push(frame)
  t.deepEqual(takeAll(reader), [[1, "two"]])
  t.is(reader.pendingBytes, 0)
})

test("frame: one byte at a time gives the same frames", (t) => {
  const frames = [[1], ["x".repeat(200)], [2, 3]].map((value) => packFrame(fssync, value))
  const reader = newReader()
  const seen: unknown[] = []
  for (const byte of Buffer.concat(frames)) {
    reader.push(Buffer.of(byte))
    seen.push(...takeAll(reader))
  }
  t.deepEqual(seen, [[1], ["x".repeat(200)], [2, 3]])
})

test("frame: any cutting of a stream into chunks gives the same frames", (t) => {
  const random = seededRandom(t)
  const values = Array.from({ length: 300 }, (_, index) => [index, "v".repeat(random.below(3000))])
  const stream = Buffer.concat(values.map((value) => packFrame(fssync, value)))
  for (let round = 0; round < 30; round++) {
    const reader = newReader(5000)
    const seen: unknown[] = []
    for (let at = 0; at < stream.length; ) {
      const size = 1 + random.below(random.pick([3, 50, 5000, 70_000]))
      reader.push(stream.subarray(at, at + size))
      at += size
      if (random.below(3) > 0) seen.push(...takeAll(reader))
    }
    seen.push(...takeAll(reader))
    t.deepEqual(seen, values)
  }
})

test("frame: a reader that keeps what is left lets the chunk's memory be used again", (t) => {
  const stream = Buffer.concat([packFrame(fssync, ["first"]), packFrame(fssync, ["second"])])
  const memory = Buffer.alloc(40)
  const reader = newReader()
  const seen: unknown[] = []
  for (let at = 0; at < stream.length; at += 11) {
    const size = stream.copy(memory, 0, at, at + 11)
    reader.push(memory.subarray(0, size))
    seen.push(...takeAll(reader))
    reader.keep()
    memory.fill(0xff)
  }
  t.deepEqual(seen, [["first"], ["second"]])
})

test("frame: the longest allowed body is read and one byte more is refused from its head alone", (t) => {
  const head = Buffer.from([frameMark, 1, fssync, 0, 0, 0, 1, 0])
  const reader = newReader(256)
  reader.push(Buffer.concat([head, Buffer.alloc(256)]))
  t.is(reader.next()?.length, 256)
  const other = newReader(255)
  other.push(head)
  t.throws(() => other.next(), { instanceOf: FormatError, message: /a body of 256 bytes, wanted at most 255/ })
})

test("frame: a head that announces much takes no memory before the bytes come", (t) => {
  const head = Buffer.from([frameMark, 1, fssync, 0, 0, 0, 0, 0])
  head.writeUInt32BE(answerBytesMax, 4)
  const readers = Array.from({ length: 100 }, () => new FrameReader(fssync, answerBytesMax))
  const before = process.memoryUsage().arrayBuffers
  for (const reader of readers) {
    reader.push(head)
    t.is(reader.next(), undefined)
    reader.push(Buffer.alloc(100))
    t.is(reader.next(), undefined)
  }
  t.true(process.memoryUsage().arrayBuffers - before < 1 << 20)
})

test("frame: a long frame in many chunks is gathered in time proportional to its length", (t) => {
  const frame = packFrame(fssync, [Buffer.alloc(16 << 20, 5)])
  const reader = new FrameReader(fssync, answerBytesMax)
  let body: Buffer | undefined
  for (let at = 0; at < frame.length; at += 1000) {
    reader.push(frame.subarray(at, at + 1000))
    body ??= reader.next()
  }
  // copying everything again for each chunk would be 17,000 times 8 MB: longer than a test may take
  t.true(body?.equals(frame.subarray(8)))
})

const badHeads: Readonly<Record<string, readonly number[]>> = {
  "another first byte": [0xdb, 1, fssync, 0, 0, 0, 0, 1],
  "a first byte of OpenAFS's": [3, 0, 0, 0, 1, 0, 0, 0],
  "the other protocol": [frameMark, 1, 0x53, 0, 0, 0, 0, 1],
  "a reserved byte that is not 0": [frameMark, 1, fssync, 1, 0, 0, 0, 1],
  "a length of 2^32-1": [frameMark, 1, fssync, 0, 255, 255, 255, 255],
}

for (const [what, head] of Object.entries(badHeads)) {
  test(`frame: ${what} is refused with the offset in the stream`, (t) => {
    const reader = newReader()
    const good = packFrame(fssync, [1])
    reader.push(Buffer.concat([good, Buffer.from(head)]))
    t.is(reader.next()?.length, good.length - 8)
    const error = t.throws(() => reader.next(), { instanceOf: FormatError })
    t.is(error.offset, good.length)
    t.false(error instanceof FrameVersionError)
  })
}

test("frame: another version is told apart from nonsense", (t) => {
  const reader = newReader()
  reader.push(Buffer.from([frameMark, 2, fssync, 0, 0, 0, 0, 0]))
  t.throws(() => reader.next(), { instanceOf: FrameVersionError, message: /found version 2, wanted 1/ })
})

test("frame: a first byte that is not ours is refused before a whole head has come", (t) => {
  const reader = newReader()
  reader.push(Buffer.of(0x7f))
  t.throws(() => reader.next(), { instanceOf: FormatError })
})

test("frame: the form that a peer speaks shows in its first byte", (t) => {
  t.is(formOf(Buffer.of(frameMark)), "ours")
  for (const first of [3, 0, 0x47]) t.is(formOf(Buffer.of(first, 0, 0, 0)), "openafs")
})
