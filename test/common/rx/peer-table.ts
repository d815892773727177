import test from "ava"
import { PeerTable } from "../../../common/rx/peer-table.ts"

test("peer table: one peer for each address and port, one flight for each host", (t) => {
  const peers = new PeerTable(2000)
  const one = peers.findOrAdd(1, 7001, 10)
  const other = peers.findOrAdd(1, 7002, 10)
  const elsewhere = peers.findOrAdd(2, 7001, 10)
  t.is(peers.findOrAdd(1, 7001, 20), one)
  t.is(peers.find(1, 7002), other)
  t.is(peers.find(3, 7001), undefined)
  t.is(one.flight, other.flight)
  t.not(one.flight, elsewhere.flight)
  t.deepEqual([one.flight.peers, one.idleSince, peers.all.length], [2, 10, 3])
})

test("peer table: a host is forgotten with its last peer, and the others keep their places", (t) => {
  const peers = new PeerTable(2000)
  const made = [1, 2, 3, 4].map((port) => peers.findOrAdd(9, port, 0))
  const { flight } = peers.findOrAdd(9, 1, 0)
  for (const index of [0, 3, 1]) {
    const peer = made[index]
    if (peer !== undefined) peers.remove(peer)
    t.true(peers.all.every((one, place) => one.place === place))
  }
  t.is(peers.findOrAdd(9, 3, 0).flight, flight)
  const last = made[2]
  if (last !== undefined) peers.remove(last)
  t.is(peers.all.length, 0)
  t.not(peers.findOrAdd(9, 3, 0).flight, flight)
})

test("peer table: a sweep takes those that had no connection for long", (t) => {
  const peers = new PeerTable(2000)
  const busy = peers.findOrAdd(1, 1, 0)
  busy.connections = 1
  peers.findOrAdd(2, 1, 0)
  const lately = peers.findOrAdd(3, 1, 50)
  peers.sweep(49)
  t.deepEqual(peers.all.map(({ host }) => host).sort(), [1, 3])
  lately.idleSince = 49
  peers.sweep(49)
  t.deepEqual(peers.all, [busy])
})
