import test from "ava"
import { rxLimits, rxTiming } from "../../../common/rx/limits.ts"
import { PacketCutter } from "../../../common/rx/packet-cutter.ts"
import { PacketPool } from "../../../common/rx/packet-pool.ts"
import { HostFlight, Peer } from "../../../common/rx/peer.ts"
import { SendQueue } from "../../../common/rx/send-queue.ts"
import { newStatistics } from "../../../common/rx/statistics.ts"

function cutter(jumbograms = 1, headerSize = 0, trailerSize = 0) {
  const pool = new PacketPool(10)
  const endpoint = {
    pool,
    limits: { ...rxLimits, sendQueue: 3 },
    timing: rxTiming,
    jumbograms,
    statistics: newStatistics(),
    currentTime: () => 0,
  }
  const security = { headerSize, trailerSize }
  const path = { peer: new Peer(1, 7001, new HostFlight(1), 2000), isClient: false, security, endpoint }
  const queue = new SendQueue()
  const subject = new PacketCutter()
  return {
    pool,
    queue,
    subject,
    reset: () => subject.reset(path),
    write: (bytes: Uint8Array, from = 0, to = bytes.length) => subject.write(bytes, from, to, path, queue),
    finish: () => subject.finish(path, queue),
  }
}

/** Takes the front packet out: where its body begins and ends, and whether it is the last. */
function front({ queue, pool }: ReturnType<typeof cutter>): [number, number, boolean] | undefined {
  const packet = queue.next
  if (packet === undefined) return undefined
  queue.leave(packet, 0)
  queue.acknowledgeAll(pool)
  return [packet.start, packet.end, packet.isLast]
}

test("packet cutter: a full packet is queued when more follows, the last one at the end, an empty one if need be", (t) => {
  const one = cutter()
  t.is(one.write(new Uint8Array(1416)), 1416)
  t.deepEqual([one.queue.length, one.subject.seq], [0, 1])
  t.is(one.write(new Uint8Array(1)), 1)
  t.deepEqual([one.queue.length, one.subject.seq], [1, 2])
  one.finish()
  t.deepEqual([front(one), front(one), front(one)], [[28, 1444, false], [28, 29, true], undefined])
  const empty = cutter()
  empty.finish()
  t.deepEqual(front(empty), [28, 28, true])
})

test("packet cutter: it takes what the queue has room for, and goes on where it stopped", (t) => {
  const one = cutter()
  const bytes = Uint8Array.from({ length: 5 * 1416 }, (_, index) => index % 251)
  t.is(one.write(bytes), 3 * 1416)
  t.is(one.write(bytes), 0)
  t.deepEqual(front(one), [28, 1444, false])
  t.is(one.write(bytes, 3 * 1416), 1416)
  const kept = one.queue.next
  t.deepEqual(kept?.bytes.subarray(28, 1444), bytes.subarray(1416, 2 * 1416))
})

test("packet cutter: the security class's bytes stay free, and packets for jumbograms are shorter", (t) => {
  const secure = cutter(1, 8, 4)
  t.is(secure.write(new Uint8Array(3000)), 3000)
  t.deepEqual(front(secure), [36, 1440, false])
  const joined = cutter(4)
  joined.write(new Uint8Array(3000))
  t.deepEqual(front(joined), [28, 1440, false])
})

test("packet cutter: reset, it lets go of what was not queued and begins with packet 1", (t) => {
  const one = cutter()
  one.write(new Uint8Array(10))
  t.is(one.pool.inUse, 1)
  one.reset()
  t.deepEqual([one.pool.inUse, one.subject.seq], [0, 1])
})
