import test from "ava"
import { type AckView, ackReasons, emptyAck, packetFlags } from "../../../common/protocol/rx-packet.ts"
import { hostFlight, rxLimits, rxTiming } from "../../../common/rx/limits.ts"
import { type Packet, PacketPool } from "../../../common/rx/packet-pool.ts"
import { HostFlight, Peer } from "../../../common/rx/peer.ts"
import { nullSecurity } from "../../../common/rx/security/null.ts"
import { type Carrier, SendWindow } from "../../../common/rx/send-window.ts"
import { newStatistics } from "../../../common/rx/statistics.ts"

/** A window whose packets go into a list. */
function open(windowOf = 32, cwind = 4) {
  const flight = new HostFlight(1)
  const peer = new Peer(1, 7001, flight, 2000)
  peer.congestionWindow = cwind
  const state = { now: 0, serial: 0, pings: 0, resendAt: undefined as number | undefined }
  const sent: { seq: number; serial: number; flags: number }[] = []
  const pool = new PacketPool(100)
  const send = (packet: Packet, flags: number): void => {
    packet.serial = ++state.serial
    packet.transmissions++
    sent.push({ seq: packet.seq, serial: packet.serial, flags })
  }
  const statistics = newStatistics()
  const endpoint = { pool, limits: rxLimits, timing: rxTiming, jumbograms: 1, statistics, currentTime: () => state.now }
  const carrier: Carrier = {
    connection: { peer, isClient: false, security: nullSecurity, endpoint },
    isPeerAlive: true,
    transmit: send,
    transmitJumbogram: (packets, flags) => {
      for (const packet of packets) send(packet, flags)
    },
    armResend: (at) => {
      state.resendAt = at
    },
    ping: () => state.pings++,
  }
  const window = new SendWindow().open(carrier, windowOf)
  return { window, sent, state, peer, flight, pool, statistics }
}

const packets = (count: number): Uint8Array => new Uint8Array(1416 * count)
const seqs = (sent: { seq: number }[]): number[] => sent.splice(0).map(({ seq }) => seq)

function ack(window: SendWindow, first: number, array: readonly number[] = [], more: Partial<AckView> = {}): boolean {
  const previousPacket = first + array.length - 1
  const view = {
    ...emptyAck(),
    firstPacket: first,
    previousPacket,
    count: array.length,
    reason: ackReasons.idle,
    ...more,
  }
  return window.acknowledge(view, Uint8Array.from(array))
}

test("send window: a packet leaves when it is full and more follows, the last one with the end", (t) => {
  const { window, sent } = open()
  t.is(window.write(packets(1), 0, 1416), 1416)
  t.deepEqual(seqs(sent), [])
  window.write(packets(1), 0, 1)
  t.deepEqual(seqs(sent), [1])
  window.finish()
  t.deepEqual(seqs(sent), [2])
  t.is(window.write(packets(1), 0, 1), 0)
})

test("send window: no more is on the way than the congestion window and the peer's window allow", (t) => {
  const small = open(32, 4)
  small.window.write(packets(20), 0, 1416 * 20)
  t.deepEqual(seqs(small.sent), [1, 2, 3, 4])
  const narrow = open(3, 32)
  narrow.window.write(packets(20), 0, 1416 * 20)
  t.deepEqual(seqs(narrow.sent), [1, 2, 3])
  ack(narrow.window, 1, [1, 1, 1])
  t.deepEqual(seqs(narrow.sent), [])
  ack(narrow.window, 3, [1], { receiveWindow: 5 })
  t.deepEqual(seqs(narrow.sent), [4, 5, 6, 7])
})

test("send window: acknowledgements let the congestion window grow, and the peer remembers it", (t) => {
  const { window, peer } = open(32, 4)
  window.write(packets(60), 0, 1416 * 60)
  ack(window, 5)
  t.is(window.congestionWindow, 8)
  window.close()
  t.is(peer.congestionWindow, 8)
})

test("send window: three later arrivals make a loss, which is sent again at once and halves the window once", (t) => {
  const { window, sent, flight } = open(32, 16)
  window.write(packets(40), 0, 1416 * 40)
  seqs(sent)
  ack(window, 1, [0, 1, 1])
  t.false(sent.some(({ seq }) => seq === 1))
  seqs(sent)
  ack(window, 1, [0, 1, 1, 1])
  t.is(window.congestionWindow, 9)
  t.is(flight.cap, hostFlight.initial / 2)
  ack(window, 1, [0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1])
  const again = sent.filter(({ seq }) => seq === 1 || seq === 5)
  t.deepEqual(
    again.map(({ seq }) => seq),
    [1, 5],
  )
  t.true(again.every(({ flags }) => (flags & packetFlags.requestAck) !== 0))
  t.is(window.congestionWindow, 9)
})

test("send window: the timer sends everything again, slowly at first, and doubles", (t) => {
  const { window, sent, state, flight } = open(32, 8)
  window.write(packets(20), 0, 1416 * 20)
  t.is(seqs(sent).length, 8)
  t.is(state.resendAt, 2200)
  state.now = 2200
  window.expire()
  t.deepEqual(seqs(sent), [1])
  t.is(state.resendAt, 2200 + 4400)
  t.deepEqual([window.congestionWindow, flight.inFlight], [1, 1])
  ack(window, 2)
  t.deepEqual(seqs(sent), [2, 3])
  ack(window, 9)
  t.true(seqs(sent).every((seq) => seq > 8))
})

test("send window: round trips are measured by serial, of packets sent once, and not by delayed ACKs", (t) => {
  const { window, state, sent, statistics } = open()
  const measured = (): number[] => [statistics.roundTripSamples, statistics.roundTripTotalMs]
  window.write(packets(4), 0, 1416 * 4)
  window.finish()
  state.now = 30
  ack(window, 2, [], { serial: 1, reason: ackReasons.delay })
  t.deepEqual(measured(), [0, 0])
  ack(window, 3, [], { serial: 2, reason: ackReasons.idle })
  t.deepEqual(measured(), [1, 30])
  state.now = 3000
  window.expire()
  ack(window, 4, [], { serial: sent.at(-1)?.serial ?? 0, reason: ackReasons.requested })
  t.deepEqual(measured(), [1, 30])
})

test("send window: ACKs that are old or speak of what was never sent change nothing", (t) => {
  const { window, sent } = open()
  window.write(packets(30), 0, 1416 * 30)
  seqs(sent)
  t.false(ack(window, 6))
  t.true(ack(window, 3, [1, 1]))
  t.false(ack(window, 2, [1, 1, 1]))
  t.false(ack(window, 3, [1]))
  t.true(ack(window, 3, [1, 1], { previousPacket: 0x8000_0000 }))
})

test("send window: a peer that takes a soft acknowledgement back gets the packet again", (t) => {
  const { window, sent } = open()
  window.write(packets(3), 0, 1416 * 3)
  window.finish()
  ack(window, 1, [1, 1, 1])
  t.true(window.isDelivered)
  seqs(sent)
  ack(window, 1, [1, 0, 1], { previousPacket: 4 })
  t.deepEqual(seqs(sent), [2])
  t.false(window.isDelivered)
  ack(window, 4)
  t.true(window.isDelivered)
})

test("send window: a window that is shut is asked about, so that a lost ACK cannot stop the call", (t) => {
  const { window, state } = open(2, 32)
  window.write(packets(5), 0, 1416 * 5)
  ack(window, 1, [1, 1])
  t.not(state.resendAt, undefined)
  window.expire()
  t.is(state.pings, 1)
  t.not(state.resendAt, undefined)
})

test("send window: all calls of a host share its flight, and each may have one packet in it", (t) => {
  const { window, sent, flight } = open(32, 32)
  flight.inFlight = flight.cap
  window.write(packets(10), 0, 1416 * 10)
  t.deepEqual(seqs(sent), [1])
  t.true(window.isWaitingForFlight)
  flight.landed(3, true)
  flight.wake()
  t.deepEqual(seqs(sent), [2, 3])
})

test("send window: what is closed gives its packets and its flight back", (t) => {
  const { window, flight, pool } = open()
  window.write(packets(10), 0, 1416 * 10)
  t.is(pool.inUse, 10)
  window.close()
  t.deepEqual([pool.inUse, flight.inFlight], [0, 0])
})

test("send window: the queue takes 64 packets", (t) => {
  const { window } = open()
  t.is(window.write(packets(100), 0, 1416 * 100), 1416 * 64)
  t.false(window.hasRoomAgain)
  t.is(window.write(packets(1), 0, 1416), 0)
})
