import test from "ava"
import { hostFlight } from "../../../common/rx/limits.ts"
import { HostFlight, Peer } from "../../../common/rx/peer.ts"

const peer = (): Peer => new Peer(1, 7001, new HostFlight(1), 2000)

test("peer: sizes follow its ACKs, within what Ethernet takes and Rx demands", (t) => {
  const one = peer()
  one.learn(5692, 1444, 4, { jumbograms: 4, packetSizeMax: 1444 })
  t.deepEqual([one.packetSize, one.datagramSize, one.packetsPerDatagramMax], [1444, 5692, 4])
  one.learn(0, 0, 0, { jumbograms: 4, packetSizeMax: 1444 })
  t.deepEqual([one.packetSize, one.packetsPerDatagramMax], [1444, 1])
  one.learn(9000, 9000, 250, { jumbograms: 9, packetSizeMax: 1444 })
  t.deepEqual([one.packetSize, one.packetsPerDatagramMax], [1444, 4])
  one.learn(3, 3, 1, { jumbograms: 1, packetSizeMax: 1444 })
  t.is(one.packetSize, 520)
})

test("peer: jumbograms grow by one with five clean ACKs, halve on a loss, end on a timeout", (t) => {
  const one = peer()
  one.learn(5692, 1444, 4, { jumbograms: 4, packetSizeMax: 1444 })
  for (let count = 0; count < 50; count++) one.cleanAck()
  t.is(one.packetsPerDatagram, 4)
  one.trouble(false)
  t.is(one.packetsPerDatagram, 2)
  one.trouble(true)
  t.is(one.packetsPerDatagram, 1)
})

test("host flight: grows by one for each clean round, halves on a loss, within bounds", (t) => {
  const flight = new HostFlight(1)
  flight.inFlight = 1000
  flight.landed(hostFlight.initial, true)
  t.is(flight.cap, hostFlight.initial + 1)
  flight.landed(hostFlight.initial, false)
  t.is(flight.cap, hostFlight.initial + 1)
  for (let count = 0; count < 10; count++) flight.lost()
  t.is(flight.cap, hostFlight.min)
  for (let count = 0; count < 1_000_000; count++) flight.landed(1, true)
  t.is(flight.cap, hostFlight.max)
  t.is(flight.inFlight, 0)
})

test("host flight: growth is quick up to three quarters of what was lost last, and slow above", (t) => {
  const flight = new HostFlight(1)
  const rounds = (): number => {
    const { cap } = flight
    for (let count = 1; ; count++) {
      flight.landed(cap, true)
      if (flight.cap > cap) return count
    }
  }
  while (flight.cap < hostFlight.safe) t.is(rounds(), 1)
  t.is(rounds(), hostFlight.slowness)
  flight.cap = 80
  flight.lost()
  t.is(flight.cap, 40)
  while (flight.cap < 60) t.is(rounds(), 1)
  t.is(rounds(), hostFlight.slowness)
})

test("host flight: those who wait go on in turn while there is room", (t) => {
  const flight = new HostFlight(1)
  const order: string[] = []
  const waiter = (name: string) => {
    const self = {
      isWaitingForFlight: false,
      pump() {
        order.push(name)
        flight.sent()
        if (order.length < 10) flight.wait(self)
      },
    }
    return self
  }
  flight.inFlight = flight.cap
  flight.wait(waiter("a"))
  flight.wait(waiter("b"))
  flight.wake()
  t.deepEqual(order, [])
  flight.landed(1, true)
  flight.wake()
  flight.landed(2, true)
  flight.wake()
  t.deepEqual(order, ["a", "b", "a"])
})
