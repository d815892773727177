import test from "ava"
import { type AckView, ackReasons, emptyAck } from "../../../common/protocol/rx-packet.ts"
import { PacketPool } from "../../../common/rx/packet-pool.ts"
import { SendQueue } from "../../../common/rx/send-queue.ts"

/** A queue of so many packets, the first `sent` of which were sent at the time of their number, under it as serial. */
function queueOf(count: number, sent: number) {
  const pool = new PacketPool(10)
  const queue = new SendQueue()
  for (let seq = 1; seq <= count; seq++) queue.push(pool.acquire(seq, 28))
  for (let seq = 1; seq <= sent; seq++) send(queue, seq, seq)
  return { queue, pool }
}

/** Sends the next packet; gives its number. */
function send(queue: SendQueue, now: number, serial: number): number {
  const packet = queue.next
  if (packet === undefined) return 0
  packet.serial = serial
  packet.transmissions++
  queue.leave(packet, now)
  return packet.seq
}

const view = (first: number, array: readonly number[], more: Partial<AckView> = {}): AckView => ({
  ...emptyAck(),
  firstPacket: first,
  count: array.length,
  reason: ackReasons.idle,
  ...more,
})

const take = (queue: SendQueue, pool: PacketPool, first: number, array: readonly number[], more?: Partial<AckView>) =>
  queue.acknowledge(view(first, array, more), Uint8Array.from(array), pool)

test("send queue: packets leave in order, and are let go when the peer has taken them for good", (t) => {
  const { queue, pool } = queueOf(4, 3)
  t.deepEqual([queue.sent, queue.sentEnd, queue.outstanding, queue.next?.seq], [3, 4, 3, 4])
  t.deepEqual([queue.unsent(0)?.seq, queue.unsent(1)], [4, undefined])
  t.is(take(queue, pool, 3, []), 2)
  t.deepEqual([queue.length, queue.first?.seq, queue.outstanding, pool.inUse], [2, 3, 1, 2])
  t.is(take(queue, pool, 3, [1]), 1)
  t.is(take(queue, pool, 4, []), 0, "what was acknowledged softly is no news")
  t.false(queue.isSent)
  t.false(queue.isAcknowledged)
  t.is(send(queue, 4, 4), 4)
  t.is(queue.acknowledgeAll(pool), 1)
  t.deepEqual([queue.isAcknowledged, queue.isSent, queue.length, pool.inUse], [true, true, 0, 0])
})

test("send queue: what three later transmissions have overtaken is lost and goes first", (t) => {
  const { queue, pool } = queueOf(8, 6)
  t.is(take(queue, pool, 1, [0, 1, 1]), 2)
  t.is(queue.findLost(), 0)
  t.is(take(queue, pool, 1, [0, 1, 1, 0, 1]), 1)
  t.is(queue.findLost(), 1)
  t.deepEqual([queue.hasLost, queue.outstanding, queue.next?.seq], [true, 2, 1])
  t.is(send(queue, 9, 9), 1)
  t.deepEqual([queue.hasLost, queue.outstanding, queue.next?.seq], [false, 3, 7])
  t.is(queue.findLost(), 0, "its second transmission has not been overtaken")
})

test("send queue: what is given up is sent again from the front, and counts if it arrives after all", (t) => {
  const { queue, pool } = queueOf(3, 3)
  take(queue, pool, 1, [0, 1])
  queue.giveUp()
  t.deepEqual([queue.outstanding, queue.hasLost], [0, true])
  t.is(take(queue, pool, 2, [1]), 1)
  t.is(send(queue, 9, 9), 3)
  t.deepEqual([queue.outstanding, queue.hasLost], [1, false])
})

test("send queue: a soft acknowledgement that is taken back makes a loss", (t) => {
  const { queue, pool } = queueOf(2, 2)
  take(queue, pool, 1, [1, 1])
  t.true(queue.isAcknowledged)
  t.is(take(queue, pool, 1, [1, 0]), 0)
  t.deepEqual([queue.isAcknowledged, queue.hasLost, queue.next?.seq], [false, true, 2])
})

test("send queue: an ACK of a packet that was sent once tells when, a delayed one and those of others do not", (t) => {
  const { queue, pool } = queueOf(4, 4)
  take(queue, pool, 2, [], { serial: 1 })
  t.is(queue.answeredAt, 1)
  take(queue, pool, 3, [], { serial: 2, reason: ackReasons.delay })
  t.is(queue.answeredAt, -1)
  take(queue, pool, 3, [], { serial: 3 })
  t.is(queue.answeredAt, -1, "it has not arrived")
  queue.giveUp()
  send(queue, 9, 9)
  take(queue, pool, 4, [], { serial: 9 })
  t.is(queue.answeredAt, -1, "it was sent twice")
})

test("send queue: cleared, it gives its packets back and is as new", (t) => {
  const { queue, pool } = queueOf(5, 4)
  take(queue, pool, 1, [0, 1])
  queue.giveUp()
  queue.clear(pool)
  t.deepEqual([pool.inUse, queue.length, queue.outstanding, queue.hasLost], [0, 0, 0, false])
  t.deepEqual([queue.sent, queue.sentEnd, queue.isAcknowledged, queue.next], [0, 1, true, undefined])
})
