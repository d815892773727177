import test from "ava"
import { ReceiveBatch } from "../../../common/rx/receive-batch.ts"
import { FakeLibc } from "../../support/fake-libc.ts"

interface Incoming {
  readonly data: string
  readonly segment?: number
  readonly port: number
}

/** A kernel that has these datagrams, joined where a segment size is given. */
function kernel(waiting: Incoming[]): { batch: ReceiveBatch; take: () => { got: string[]; count: number } } {
  const recvmmsg = (_descriptor = 0, address = 0, count = 0): number => {
    let index = 0
    for (; index < count; index++) {
      const next = waiting.shift()
      if (next === undefined) break
      fill(libc, address + 64 * index, next)
    }
    return index === 0 ? -1 : index
  }
  const libc = new FakeLibc({ recvmmsg })
  const batch = new ReceiveBatch(libc)
  const take = () => {
    const got: string[] = []
    const count = batch.receive(9, (bytes, host, port) =>
      got.push(`${host.toString(16)}:${port} ${Buffer.from(bytes).toString("latin1")}`),
    )
    return { got, count }
  }
  return { batch, take }
}

function fill(libc: FakeLibc, address: number, { data, segment, port }: Incoming): void {
  const header = libc.at(address, 64)
  const pointer = (at: number): number => Number(header.readBigUInt64LE(at))
  const name = libc.at(pointer(0), header.readUInt32LE(8))
  name.writeUInt16BE(port, 2)
  name.writeUInt32BE(0x7f00_0001, 4)
  const iovec = libc.at(pointer(16), 16)
  libc.at(Number(iovec.readBigUInt64LE(0)), data.length).write(data, "latin1")
  header.writeUInt32LE(data.length, 56)
  const room = header.readUInt32LE(40)
  if (room < 24) throw new Error("no room for control messages")
  header.writeUInt32LE(segment === undefined ? 0 : 24, 40)
  if (segment === undefined) return
  const control = libc.at(pointer(32), 24)
  control.writeBigUInt64LE(20n, 0)
  control.writeInt32LE(17, 8)
  control.writeInt32LE(104, 12)
  control.writeInt32LE(segment, 16)
}

test("receive batch: what the kernel joined is taken apart again, the last piece shorter", (t) => {
  const { take } = kernel([
    { data: "one", port: 5 },
    { data: "aaaabbbbcc", segment: 4, port: 6 },
    { data: "two", port: 7 },
    { data: "", port: 8 },
    { data: "x", segment: 0, port: 9 },
  ])
  t.deepEqual(take(), {
    got: ["7f000001:5 one", "7f000001:6 aaaa", "7f000001:6 bbbb", "7f000001:6 cc", "7f000001:7 two", "7f000001:9 x"],
    count: 5,
  })
  t.deepEqual(take(), { got: [], count: 0 })
})

test("receive batch: more than there is room for comes with the next batches, in the same room", (t) => {
  const all = Array.from({ length: 70 }, (_, index) => ({
    data: `d${index}`,
    port: index + 1,
    segment: 2 + (index & 1),
  }))
  const { take } = kernel([...all])
  const got: string[] = []
  const counts: number[] = []
  for (let turn = take(); turn.count > 0; turn = take()) {
    got.push(...turn.got)
    counts.push(turn.count)
  }
  t.deepEqual(counts, [32, 32, 6])
  t.is(got.map((one) => one.split(" ")[1]).join(""), all.map(({ data }) => data).join(""))
})
