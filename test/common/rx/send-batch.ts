import { constants } from "node:os"
import test from "ava"
import { SendBatch } from "../../../common/rx/send-batch.ts"
import { FakeLibc, type Message, readMessage } from "../../support/fake-libc.ts"

const { EIO, EAGAIN, EINTR, EPERM } = constants.errno
const host = 0x0a63_0001

/** A kernel that takes `messages` or fails with what `refuse` says. */
function kernel(refuse: (message: Message, calls: number) => number = () => 0) {
  const taken: Message[] = []
  let calls = 0
  const sendmmsg = (_descriptor = 0, address = 0, count = 0): number => {
    calls++
    for (let index = 0; index < count; index++) {
      const message = readMessage(libc, address + 64 * index)
      libc.error = refuse(message, calls)
      if (libc.error !== 0) return index === 0 ? -1 : index
      taken.push(message)
    }
    return count
  }
  const libc = new FakeLibc({ sendmmsg })
  return { batch: new SendBatch(libc), taken, calls: () => calls }
}

const words = ({ port, data, segment }: Message): string => `${port}: ${data.length}${segment ? `/${segment}` : ""}`

function add(batch: SendBatch, ...sizes: readonly (readonly [port: number, size: number])[]): void {
  for (const [port, size] of sizes) batch.add(Buffer.alloc(size, size), size, host, port)
}

test("send batch: neighbours of one size to one peer are one message, up to a shorter one, and all go in one call", (t) => {
  const { batch, taken, calls } = kernel()
  add(batch, [1, 1444], [1, 1444], [1, 100], [1, 1444], [2, 1444], [1, 66], [1, 67], [1, 5692], [1, 5692])
  t.true(batch.send(9))
  t.is(calls(), 1)
  t.deepEqual(taken.map(words), ["1: 2988/1444", "1: 1444", "2: 1444", "1: 66", "1: 67", "1: 11384/5692"])
  t.true(taken.every((one) => one.host === host))
  t.true(batch.isEmpty)
})

test("send batch: a message stays below the bounds of the kernel", (t) => {
  const { batch, taken } = kernel()
  for (let count = 0; count < 100; count++) add(batch, [1, 1444])
  batch.send(9)
  for (let count = 0; count < 100; count++) add(batch, [1, 65])
  batch.send(9)
  t.deepEqual(taken.map(words), ["1: 64980/1444", "1: 64980/1444", "1: 14440/1444", "1: 4160/65", "1: 2340/65"])
})

test("send batch: what does not fit is not taken", (t) => {
  const { batch, taken } = kernel()
  let count = 0
  while (batch.add(Buffer.alloc(1444), 1444, host, 1)) count++
  t.is(count, 181)
  batch.send(9)
  t.is(
    taken.reduce((sum, { data }) => sum + data.length, 0),
    181 * 1444,
  )
  let messages = 0
  while (batch.add(Buffer.alloc(28), 28, host, 1 + (messages & 1))) messages++
  t.is(messages, 128)
})

test("send batch: where joined datagrams are refused they go one by one, from then on", (t) => {
  const { batch, taken } = kernel(({ segment }) => (segment === undefined ? 0 : EIO))
  add(batch, [1, 1444], [1, 1444], [1, 7], [2, 50])
  t.true(batch.send(9))
  add(batch, [1, 60], [1, 60])
  t.true(batch.send(9))
  t.deepEqual(taken.map(words), ["1: 1444", "1: 1444", "1: 7", "2: 50", "1: 60", "1: 60"])
  t.deepEqual([batch.joinMax, batch.failures], [0, 0])
})

test("send batch: where only large ones are refused joined, the others still are", (t) => {
  const { batch, taken } = kernel(({ segment = 0 }) => (segment > 1472 ? constants.errno.EINVAL : 0))
  add(batch, [1, 5692], [1, 5692])
  batch.send(9)
  add(batch, [1, 5692], [1, 5692], [1, 1444], [1, 1444])
  batch.send(9)
  t.deepEqual(taken.map(words), ["1: 5692", "1: 5692", "1: 5692", "1: 5692", "1: 2888/1444"])
})

test("send batch: a refused peer costs the others nothing", (t) => {
  const { batch, taken } = kernel(({ port }) => (port === 2 ? EPERM : 0))
  add(batch, [1, 50], [2, 50], [2, 50], [3, 50])
  t.true(batch.send(9))
  t.deepEqual(taken.map(words), ["1: 50", "3: 50"])
  t.is(batch.failures, 2)
  t.is(batch.joinMax, 1 << 14)
})

test("send batch: what a full socket does not take waits, and goes before what comes later", (t) => {
  let room = 1
  const { batch, taken } = kernel((_, calls) => (calls === 1 ? EINTR : room-- > 0 ? 0 : EAGAIN))
  add(batch, [1, 50], [2, 51])
  t.false(batch.send(9))
  t.false(batch.isEmpty)
  add(batch, [2, 52])
  room = 10
  t.true(batch.send(9))
  t.deepEqual(taken.map(words), ["1: 50", "2: 51", "2: 52"])
  room = 0
  add(batch, [1, 50], [1, 50])
  t.false(batch.send(9))
  batch.drop()
  t.true(batch.isEmpty)
  t.is(batch.failures, 2)
})
