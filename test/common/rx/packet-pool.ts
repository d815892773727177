import test from "ava"
import { PacketPool } from "../../../common/rx/packet-pool.ts"

test("packet pool: a packet comes back into use only when its batch is sent and the socket holds nothing", (t) => {
  const pool = new PacketPool(10)
  const first = pool.acquire(1, 28)
  pool.release(first)
  t.not(pool.acquire(2, 28), first)
  pool.recycle(true)
  const again = pool.acquire(7, 36)
  t.is(again, first)
  t.deepEqual([again.seq, again.start, again.end, again.isLast, again.transmissions], [7, 36, 36, false, 0])
  pool.release(again)
  pool.recycle(false)
  t.not(pool.acquire(3, 28), first)
  t.is(pool.inUse, 2)
})

test("packet pool: no more are kept than its limit, and control packets are not shared within a batch", (t) => {
  const pool = new PacketPool(2)
  const some = [1, 2, 3, 4].map((seq) => pool.acquire(seq, 28))
  for (const packet of some) pool.release(packet)
  pool.recycle(true)
  t.is(pool.spare, 2)
  const control = pool.control()
  t.not(pool.control(), control)
  t.not(pool.long(), pool.long())
  pool.recycle(true)
  t.true([pool.control(), pool.control()].includes(control))
})
