import { constants } from "node:os"
import test from "ava"
import { ErrorQueue, isReported } from "../../../common/rx/error-queue.ts"
import { FakeLibc } from "../../support/fake-libc.ts"

const { ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, EAGAIN, EINVAL } = constants.errno

test("error queue: peers where nobody listens are told of, with the rest of the queue taken too", (t) => {
  const waiting: (readonly [errno: number, port: number])[] = Array.from({ length: 20 }, (_, index) => [
    [ECONNREFUSED, EHOSTUNREACH, EMSGSIZE][index % 3] ?? 0,
    7000 + index,
  ])
  const flags = new Set<number>()
  const recvmmsg = (_descriptor = 0, address = 0, count = 0, flag = 0): number => {
    flags.add(flag)
    let index = 0
    for (; index < count; index++) {
      const next = waiting.shift()
      if (next === undefined) break
      const header = libc.at(address + 64 * index, 64)
      const name = libc.at(Number(header.readBigUInt64LE(0)), 16)
      name.writeUInt16BE(next[1], 2)
      name.writeUInt32BE(0x0a63_0001, 4)
      const room = header.readUInt32LE(40)
      const control = libc.at(Number(header.readBigUInt64LE(32)), room)
      control.writeBigUInt64LE(48n, 0)
      control.writeInt32LE(0, 8)
      control.writeInt32LE(11, 12)
      control.writeUInt32LE(next[0], 16)
      header.writeUInt32LE(48, 40)
    }
    return index === 0 ? -1 : index
  }
  const libc = new FakeLibc({ recvmmsg })
  const told: number[] = []
  new ErrorQueue(libc).drain(9, (host, port) => {
    t.is(host, 0x0a63_0001)
    told.push(port - 7000)
  })
  t.deepEqual(
    told,
    Array.from({ length: 20 }, (_, index) => index).filter((index) => index % 3 !== 2),
  )
  t.deepEqual([...flags], [0x2000])
})

test("error queue: errors of earlier datagrams are known from those of the call", (t) => {
  t.true(isReported(ECONNREFUSED))
  t.false(isReported(EAGAIN))
  t.false(isReported(EINVAL))
})
