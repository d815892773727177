import test from "ava"
import { packetFlags } from "../../../common/protocol/rx-packet.ts"
import type { Call } from "../../../common/rx/call.ts"
import type { RxLimits } from "../../../common/rx/limits.ts"
import { answering, RxNetwork, serverAddress, serviceId } from "../../support/rx-network.ts"
import { RawPeer } from "../../support/rx-raw.ts"

const last = packetFlags.lastPacket
const echo = answering((request) => request)

function flooded(limits: Partial<RxLimits>, onCall = echo.onCall) {
  const network = new RxNetwork()
  network.records = false
  const endpoint = network.endpoint(serverAddress, { services: [{ id: serviceId, onCall }], limits })
  return { network, endpoint, raw: new RawPeer(network) }
}

test("limits: half-open calls by the ten thousand keep no more than their limit, and others are served", (t) => {
  const { endpoint, raw } = flooded({ halfOpenCalls: 100, connections: 1000 })
  const handled = endpoint.receive.bind(endpoint)
  for (let index = 0; index < 20_000; index++) {
    const bytes = Buffer.alloc(1400)
    bytes.writeUInt32BE(0x8000_0000 + index, 0)
    bytes.writeUInt32BE(1, 8)
    bytes.writeUInt32BE(2, 12)
    bytes.set([1, packetFlags.clientInitiated], 20)
    bytes.writeUInt16BE(serviceId, 26)
    handled(bytes, 0x0a00_0000 + index, 7001, 2000)
  }
  endpoint.flushed(true)
  t.is(endpoint.calls, 100)
  t.true(endpoint.connections.length <= 1000)
  t.true(endpoint.peers.length <= 1100)
  t.true(endpoint.unreadBytes <= 100 * 1400)
  raw.data(1, "hello", last)
  t.deepEqual(raw.words(1), ["DATA 1 LAST 5"])
})

test("limits: replies to senders who do not exist are held up to a limit", (t) => {
  const { endpoint } = flooded({ heldReplies: 50, connections: 500 })
  for (let index = 0; index < 5_000; index++) {
    const bytes = Buffer.alloc(32)
    bytes.writeUInt32BE(0x8000_0000 + index, 0)
    bytes.writeUInt32BE(1, 8)
    bytes.writeUInt32BE(1, 12)
    bytes.set([1, packetFlags.clientInitiated | last], 20)
    bytes.writeUInt16BE(serviceId, 26)
    endpoint.receive(bytes, 0x0a00_0000 + index, 7001, 2000)
    endpoint.flushed(true)
  }
  t.is(endpoint.pool.inUse, 50)
  t.is(endpoint.calls, 0)
  t.true(endpoint.connections.length <= 500)
  t.true(endpoint.timers.size <= 51)
})

test("limits: calls above the limit get 110 and leave nothing", (t) => {
  const calls: Call[] = []
  const { endpoint, raw } = flooded({ calls: 4 }, (call) => calls.push(call))
  for (const channel of [0, 1, 2]) raw.data(1, "x", 0, { cid: 0x1000 + channel })
  t.deepEqual(raw.words(1), ["ABORT 110"])
  t.is(endpoint.statistics.callsRefused, 1)
  calls[0]?.finish()
  raw.words(1)
  raw.data(1, "x", 0, { cid: 0x1002 })
  raw.words(1)
  t.is(calls.length, 3)
})

test("limits: a host that holds all the calls it can get leaves room for every other", (t) => {
  const calls: Call[] = []
  const limits = { calls: 16 }
  const { network, endpoint, raw } = flooded(limits, (call) => calls.push(call))
  const hostile = (index: number) => raw.data(1, "x", 0, { cid: 0x1000 + 4 * index })
  for (let index = 0; index < 100; index++) hostile(index)
  raw.words(1)
  t.is(endpoint.calls, 8)
  const others = [1, 2, 3].map((index) => new RawPeer(network, { host: 0x0a00_0100 + index, port: 7001 }))
  for (const other of others) {
    for (let index = 0; index < 100; index++) other.data(1, "x", 0, { epoch: other.address.host, cid: 4 * index })
    other.words(1)
  }
  t.deepEqual(
    others.map(({ address }) => calls.filter(({ connection }) => connection.peer.host === address.host).length),
    [4, 2, 1],
  )
  for (const call of calls.slice(0, 8)) call.abort(5)
  hostile(200)
  raw.words(1)
  t.is(calls.length, 16, "what ends is free again")
  for (const call of calls) call.abort(5)
  t.is(endpoint.calls, 0)
  t.true(endpoint.peers.every(({ flight }) => flight.calls === 0))
})

test("limits: unread bytes are bounded, and a call that is read goes on whatever the others hold", (t) => {
  const calls: Call[] = []
  const { endpoint, raw } = flooded({ unreadBytes: 10_000 }, (call) => calls.push(call))
  for (let seq = 1; seq <= 20; seq++) raw.data(seq, Buffer.alloc(1000), 0)
  t.true(raw.words(1).some((word) => word.startsWith("ACK NOSPACE")))
  t.true(endpoint.unreadBytes <= 10_000)
  const reader = { cid: 0x1001 }
  let read = 0
  raw.data(1, Buffer.alloc(1000), 0, reader)
  raw.words(1)
  const call = calls[1]
  if (call === undefined) throw new Error("no call")
  call.onData = () => {
    for (let piece = call.read(); piece !== undefined; piece = call.read()) read += piece.length
  }
  call.onData(call)
  for (let seq = 2; seq <= 40; seq++) raw.data(seq, Buffer.alloc(1000), 0, reader)
  raw.words(1)
  t.is(read, 40_000)
})

test("limits: of too many connections the unused go first, those with calls stay", (t) => {
  const calls: Call[] = []
  const { endpoint, raw } = flooded({ connections: 4 }, (call) => {
    if (calls.push(call) > 1) call.finish()
  })
  raw.data(1, "kept", 0)
  raw.words(1)
  for (let index = 1; index < 50; index++) {
    raw.data(1, "gone", last, { cid: 0x1000 + 4 * index })
    raw.words(1)
    raw.ack({ first: 2, previous: 1 }, { cid: 0x1000 + 4 * index })
    raw.words(1)
  }
  t.is(endpoint.connections.length, 4)
  t.is(calls.length, 50)
  t.false(calls[0]?.isOver)
  t.is(endpoint.statistics.evicted, 46)
})
