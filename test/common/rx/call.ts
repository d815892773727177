import test from "ava"
import { ackReasons, jumboBodySize, packetFlags, packetTypes } from "../../../common/protocol/rx-packet.ts"
import type { Call } from "../../../common/rx/call.ts"
import type { EndpointOptions, Service } from "../../../common/rx/endpoint.ts"
import {
  answering,
  clientAddress,
  collect,
  pair,
  RxNetwork,
  serverAddress,
  serviceId,
  writeAll,
} from "../../support/rx-network.ts"
import { RawPeer } from "../../support/rx-raw.ts"

const last = packetFlags.lastPacket
const asked = packetFlags.requestAck

function server(service: Service, options: Partial<EndpointOptions> = {}) {
  const network = new RxNetwork()
  const endpoint = network.endpoint(serverAddress, { services: [service], ...options })
  return { network, endpoint, raw: new RawPeer(network) }
}

function idle(): { service: Service; calls: Call[]; ends: (number | undefined)[] } {
  const calls: Call[] = []
  const ends: (number | undefined)[] = []
  const onCall = (call: Call): void => {
    calls.push(call)
    call.onEnd = (_, error) => ends.push(error?.code)
  }
  return { service: { id: serviceId, onCall }, calls, ends }
}

function only(calls: readonly Call[]): Call {
  const [call] = calls
  if (call === undefined || calls.length > 1) throw new Error(`${calls.length} calls`)
  return call
}

const length = answering((request) => Buffer.from(String(request.length)))

test("call: packets out of order are acknowledged with their holes and put in order", (t) => {
  const { raw } = server(length)
  const serial = raw.data(2, "world", last)
  t.deepEqual(raw.words(), [`ACK OUT_OF_SEQUENCE 1/2/${serial} [-+]`])
  raw.data(1, "hello", 0)
  t.deepEqual(raw.words(), ["DATA 1 LAST 2"])
})

test("call: what nobody reads is acknowledged softly, and what is beyond the window not at all", (t) => {
  const { service, calls } = idle()
  const { raw, endpoint } = server(service)
  for (let seq = 1; seq <= 32; seq++) raw.data(seq, Buffer.alloc(1000, seq), 0)
  const words = raw.words()
  t.is(words.length, 16)
  t.is(words.at(-1), `ACK IDLE 1/32/${raw.serial} [${"+".repeat(32)}]`)
  const beyond = raw.data(33, "too far", 0)
  t.deepEqual(raw.words(), [`ACK EXCEEDS_WINDOW 1/32/${beyond} [${"+".repeat(32)}]`])
  t.is(endpoint.unreadBytes, 32_000)
  const call = only(calls)
  t.is(call.available, 32_000)
  const target = Buffer.alloc(2500)
  t.is(call.readInto(target, 0, 2500), 2500)
  t.is(target[2499], 3)
  t.is(call.available, 29_500)
  t.is(call.readInto(target, 0, 600), 600)
  t.is(endpoint.unreadBytes, 28_900)
  t.deepEqual(raw.words(), [`ACK DELAY 4/32/0 [${"+".repeat(29)}]`])
})

test("call: every second packet is acknowledged, a single one after 100 ms, and one that asks at once", (t) => {
  const { service, calls } = idle()
  const { raw } = server(service)
  raw.data(1, "a", 0)
  t.deepEqual(raw.words(95), [])
  t.deepEqual(raw.words(10), ["ACK DELAY 1/1/0 [+]"])
  raw.data(2, "b", 0)
  const second = raw.data(3, "c", 0)
  t.deepEqual(raw.words(), [`ACK IDLE 1/3/${second} [+++]`])
  const asking = raw.data(4, "d", asked)
  t.deepEqual(raw.words(), [`ACK REQUESTED 1/4/${asking} [++++]`])
  const again = raw.data(4, "d", asked)
  t.deepEqual(raw.words(), [`ACK DUPLICATE 1/4/${again} [++++]`])
  t.is(only(calls).available, 4)
})

test("call: a request that is answered within 100 ms gets no ACK, one that is not gets one", (t) => {
  const { service, calls } = idle()
  const { raw, network } = server(service)
  raw.data(1, "hello", last)
  network.run(60)
  const call = only(calls)
  t.true(call.isComplete)
  call.read()
  call.write(Buffer.from("ok"))
  call.finish()
  t.deepEqual(raw.words(1000), ["DATA 1 LAST 2"])
  raw.data(1, "hello", last, { callNumber: 2 })
  network.run(1)
  calls[1]?.read()
  t.deepEqual(raw.words(1500), ["ACK DELAY 2/1/0 []"])
})

test("call: a reply that is not acknowledged is sent again after 2.2 s, 4.4 s more, and so on until the client is dead", (t) => {
  const { service, calls, ends } = idle()
  const { raw, network, endpoint } = server(service)
  raw.data(1, "hello", last)
  network.run(1)
  const begin = network.now
  only(calls).write(Buffer.from("ok"))
  only(calls).finish()
  const seen = raw.take(30_000)
  t.deepEqual(
    seen.map(({ at }) => Math.round((at - begin) / 100) / 10),
    [0, 2.2, 6.6],
  )
  t.deepEqual(
    seen.map(({ header }) => [header.seq, header.serial, header.flags & asked]),
    [
      [1, 1, 0],
      [1, 2, asked],
      [1, 3, asked],
    ],
  )
  t.deepEqual(ends, [-1])
  t.deepEqual([endpoint.pool.inUse, endpoint.calls], [0, 0])
})

test("call: a soft acknowledgement of the whole reply, an ACKALL or an ABORT ends its repetition", (t) => {
  const ways: ((raw: RawPeer) => void)[] = [
    (raw) => raw.ack({ first: 1, previous: 1, array: [1], reason: ackReasons.requested, serial: 1 }),
    (raw) => raw.send({ type: packetTypes.ackAll }),
    (raw) => raw.send({ type: packetTypes.abort }, Buffer.from([255, 255, 255, 250])),
  ]
  for (const way of ways) {
    const { raw } = server(length)
    raw.data(1, "hello", last)
    t.deepEqual(raw.words(), ["DATA 1 LAST 1"])
    way(raw)
    t.deepEqual(raw.words(100_000), [])
  }
})

test("call: the error of a failed call is told to every packet that still comes for it, but not to an ABORT", (t) => {
  const { raw } = server(answering(() => -455))
  raw.data(1, "what?", last)
  t.deepEqual(raw.words(), ["ABORT -455"])
  raw.data(1, "what?", last)
  raw.ack({ first: 1, reason: ackReasons.ping }, {}, asked)
  t.deepEqual(raw.words(), ["ABORT -455", "ABORT -455"])
  raw.send({ type: packetTypes.abort }, Buffer.alloc(4, 1))
  t.deepEqual(raw.words(), [])
  for (let callNumber = 2; callNumber < 22; callNumber++) raw.data(1, "what?", last, { callNumber })
  t.is(raw.words().length, 20)
})

test("call: the call is over before its ABORT is sent, so that the next one never meets BUSY", (t) => {
  const states: string[] = []
  const service: Service = {
    id: serviceId,
    onCall(call) {
      call.abort(7)
      states.push(call.state)
    },
  }
  const { raw, endpoint } = server(service)
  raw.data(1, "one", last)
  raw.data(1, "two", last, { callNumber: 2 })
  t.deepEqual(raw.words(), ["ABORT 7", "ABORT 7"])
  t.deepEqual(states, ["reset", "reset"])
  t.is(endpoint.statistics.busiesSent, 0)
})

test("call: jumbograms are taken, whoever advertises what", (t) => {
  for (const count of [2, 4]) {
    const { raw } = server(length)
    const parts = Array.from({ length: count }, (_, index) => {
      const isEnd = index === count - 1
      const body = Buffer.alloc(isEnd ? 636 : jumboBodySize, index)
      const flags = 1 | (index + 1 < count - 1 ? packetFlags.jumbo : last)
      return isEnd ? body : Buffer.concat([body, Buffer.from([flags, 0, 0, 0])])
    })
    raw.data(1, Buffer.concat(parts), packetFlags.jumbo)
    const size = String((count - 1) * jumboBodySize + 636)
    const [reply] = raw.take().filter(({ header }) => header.type === packetTypes.data)
    t.is(reply?.body.toString(), size)
  }
})

test("call: a jumbogram that ends inside a member is dropped from there on", (t) => {
  const { service, calls } = idle()
  const { raw } = server(service)
  raw.data(1, Buffer.alloc(jumboBodySize + 3), packetFlags.jumbo)
  t.deepEqual(raw.words(200), [])
  t.is(calls.length, 0)
})

test("call: jumbograms go to peers that take them, and bytes stay as they are", (t) => {
  const {
    network,
    server: at,
    client,
  } = pair([answering((request) => request)], {
    server: { jumbograms: 4 },
    client: { jumbograms: 4 },
  })
  const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
  const request = network.random.bytes(600_000)
  const outcome = collect(connection.newCall(), request)
  network.runUntil(() => outcome.ended)
  t.true(Buffer.from(request).equals(outcome.reply()))
  t.is(Math.max(...network.sent.map(({ bytes }) => bytes.length)), 5688)
  t.is(at.statistics.dataPacketsResent, 0)
})

test("call: a peer with a small MTU gets small packets", (t) => {
  const { service, calls } = idle()
  const { raw, network } = server(service)
  raw.data(1, "hello", 0)
  raw.ack({ first: 1, trailer: [576, 576, 32, 1] })
  raw.data(2, "", last)
  raw.words()
  writeAll(only(calls), Buffer.alloc(5000))
  network.run(1)
  t.true(raw.seen.every(({ body }) => body.length <= 576 - 28))
  t.is(raw.seen[0]?.body.length, 548)
})

test("call: a client that falls silent is pinged, given up after the dead time in silence, and told -1 when it comes back", (t) => {
  const { service, ends } = idle()
  const { raw, network } = server({ ...service, timing: { deadMs: 30_000 } })
  raw.data(1, "part", 0)
  network.run(1)
  const begin = network.now
  const seen = raw.take(44_000).filter(({ header }) => (header.flags & asked) !== 0)
  t.deepEqual(
    seen.map(({ at }) => Math.round((at - begin) / 1000)),
    [10, 20, 30],
  )
  t.deepEqual(ends, [-1])
  raw.data(2, "more", 0)
  t.deepEqual(raw.words(), ["ABORT -1"])
  raw.data(1, "next", last, { callNumber: 2 })
  t.deepEqual(raw.words(), [])
})

test("call: a client that answers pings but sends nothing is given up with -3 after 60 s, and not after 20 s", (t) => {
  const { service, ends, calls } = idle()
  const { raw, network } = server({ ...service, timing: { deadMs: 30_000 } })
  const answerPings = (ms: number): void => {
    for (const end = network.now + ms; network.now < end; )
      for (const { header } of raw.take(1000))
        if ((header.flags & asked) !== 0) raw.ack({ first: 1, reason: ackReasons.pingResponse, serial: header.serial })
  }
  raw.data(1, "part", 0)
  network.run(1)
  const call = only(calls)
  call.onData = () => call.read()
  call.read()
  answerPings(20_000)
  raw.data(2, "more", 0)
  answerPings(58_000)
  t.deepEqual(ends, [])
  answerPings(10_000)
  t.deepEqual(ends, [-3])
  raw.data(3, "late", 0)
  t.deepEqual(raw.words(), ["ABORT -3"])
})

test("call: a server that takes its time is not dead to its client, and the client's hard limit still holds", (t) => {
  const { service, calls } = idle()
  const { network, client } = pair([service])
  const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
  const outcome = collect(connection.newCall(), Buffer.from("slow"))
  network.run(600_000)
  t.false(outcome.ended)
  only(calls).finish()
  network.run(100)
  t.deepEqual([outcome.ended, outcome.code], [true, 0])
  const hurried = client.connect(serverAddress.host, serverAddress.port, serviceId, { timing: { hardMs: 20_000 } })
  const late = collect(hurried.newCall(), Buffer.from("slow"))
  network.run(19_000)
  t.false(late.ended)
  network.run(2_000)
  t.deepEqual([late.ended, late.code], [true, -3])
})

test("call: a request nobody answers is sent again at 2.6, 7.4 s, and fails with -1 after the dead time", (t) => {
  const network = new RxNetwork()
  const client = network.endpoint(clientAddress)
  const begin = network.now
  const outcome = collect(client.connect(serverAddress.host, serverAddress.port, serviceId).newCall(), Buffer.from("?"))
  network.run(20_000)
  const sent = network.sent.filter(({ bytes }) => bytes[20] === packetTypes.data)
  t.deepEqual(
    sent.map(({ at }) => Math.round((at - begin) / 100) / 10),
    [0, 2.6, 7.4],
  )
  t.deepEqual([outcome.ended, outcome.code], [true, -1])
  t.is(client.calls, 0)
})

test("call: a call to where nobody listens ends when it would ask again; a word from there since makes that untrue", (t) => {
  const { network, client } = pair([])
  const connection = client.connect(serverAddress.host, serverAddress.port + 9, serviceId)
  const outcome = collect(connection.newCall(), Uint8Array.of(1))
  network.run(100)
  client.unreachable(serverAddress.host, serverAddress.port + 9, network.now)
  client.unreachable(serverAddress.host, 1, network.now)
  t.false(outcome.ended)
  network.run(3_000)
  t.true(outcome.ended)
  t.is(outcome.code, -1)
  const { service, calls } = idle()
  const other = server(service)
  other.raw.data(1, "part")
  other.network.run(1)
  other.endpoint.unreachable(other.raw.address.host, other.raw.address.port, other.network.now)
  other.network.run(10)
  other.raw.data(2, "more")
  other.network.run(11_000)
  t.false(only(calls).isOver)
})

test("call: a writer waits for room, and is told of it when half of the queue is free", (t) => {
  const { service, calls } = idle()
  const { raw, network } = server(service)
  raw.data(1, "fetch", last)
  network.run(1)
  const call = only(calls)
  let rooms = 0
  call.onRoom = () => rooms++
  const taken = call.write(Buffer.alloc(1 << 20))
  t.is(taken, 64 * 1416)
  t.is(call.write(Buffer.alloc(10)), 0)
  raw.words(1)
  for (let first = 3; first < 33; first += 2) {
    raw.ack({ first, previous: first - 1, trailer: [1444, 1444, 32, 1] })
    network.run(1)
    t.is(rooms, 0)
  }
  raw.ack({ first: 33, previous: 32, trailer: [1444, 1444, 32, 1] })
  network.run(1)
  t.is(rooms, 1)
  t.is(call.write(Buffer.alloc(1 << 20)), 32 * 1416)
})

test("call: what a client sends after the answer has begun is thrown away", (t) => {
  const { service, calls } = idle()
  const { raw, network, endpoint } = server(service)
  raw.data(1, "store", 0)
  network.run(1)
  const call = only(calls)
  call.write(Buffer.from("early"))
  raw.data(2, "surplus", 0)
  raw.data(3, "surplus", last)
  network.run(1)
  t.is(call.read(), undefined)
  t.is(endpoint.unreadBytes, 0)
  call.finish()
  t.deepEqual(
    raw.words(1).filter((word) => word.startsWith("DATA")),
    ["DATA 1 LAST 5"],
  )
})

test("call: an ABORT of the client ends the call for its service, with the code", (t) => {
  const { service, ends, calls } = idle()
  const { raw, network } = server(service)
  raw.data(1, "part", 0)
  network.run(1)
  raw.send({ type: packetTypes.abort }, Buffer.from([255, 255, 255, 250, 1, 2, 3]))
  network.run(1)
  t.deepEqual(ends, [-6])
  const call = only(calls)
  t.deepEqual([call.read(), call.write(Buffer.from("x")), call.available], [undefined, 0, 0])
  t.notThrows(() => call.finish())
  t.notThrows(() => call.abort(3))
})

test("call: contradictions about the last packet end the call with -5", (t) => {
  for (const contradict of [
    (raw: RawPeer) => raw.data(3, "after the end", 0),
    (raw: RawPeer) => raw.data(1, "another end", last),
  ]) {
    const { service } = idle()
    const { raw } = server(service)
    raw.data(2, "end", last)
    raw.words(1)
    contradict(raw)
    t.deepEqual(raw.words(1), ["ABORT -5"])
  }
})

test("call: the user status rides on everything sent after it is set", (t) => {
  const { service, calls } = idle()
  const { raw, network } = server(service)
  raw.data(1, "part", 0)
  network.run(1)
  only(calls).userStatus = 1
  raw.data(2, "part", asked)
  t.deepEqual(
    raw.take(1).map(({ header }) => header.userStatus),
    [1],
  )
})
