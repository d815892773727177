import test from "ava"
import { ackReasons, packetFlags, packetTypes } from "../../../common/protocol/rx-packet.ts"
import { answering, clientAddress, collect, RxNetwork, serverAddress, serviceId } from "../../support/rx-network.ts"
import { ackBody, RawPeer } from "../../support/rx-raw.ts"
import { echo, idle, server } from "../../support/rx-raw-rig.ts"

const last = packetFlags.lastPacket
const asked = packetFlags.requestAck

test("channel: a duplicate of a finished request is acknowledged as that and not run again", (t) => {
  let runs = 0
  const { raw } = server([
    answering((request) => {
      runs++
      return request
    }),
  ])
  raw.data(1, "once", last)
  t.deepEqual(raw.words(), ["DATA 1 LAST 4"])
  const serial = raw.data(1, "once", last)
  t.deepEqual(raw.words(), [`ACK DUPLICATE 2/1/${serial} []`])
  raw.ack({ first: 2, previous: 1 })
  const third = raw.data(1, "once", last)
  t.deepEqual(raw.words(), [`ACK DUPLICATE 2/1/${third} []`])
  t.is(runs, 1)
})

test("channel: a ping for a finished call is answered with its serial, padded or not", (t) => {
  const { raw } = server()
  raw.data(1, "hello", last)
  raw.words()
  raw.ack({ first: 2, previous: 1 })
  const serial = raw.ack({ first: 2, reason: ackReasons.ping }, {}, asked)
  t.deepEqual(raw.words(), [`ACK PING_RESPONSE 2/1/${serial} []`])
  const padded = Buffer.concat([
    ackBody({ first: 2, reason: ackReasons.ping, trailer: [1444, 1444, 32, 1] }),
    Buffer.alloc(511),
  ])
  const probe = raw.send({ type: packetTypes.ack, flags: 1 | asked }, padded)
  const [answer] = raw.take()
  t.is(answer?.body.readUInt32BE(12), probe)
  t.is(answer?.body.length, 37)
})

test("channel: a higher call number on a busy channel ends the call there with -1, gets BUSY, and runs when it comes again", (t) => {
  const { service, calls } = idle()
  const { raw } = server([service])
  const ends: number[] = []
  raw.data(1, "part", 0)
  raw.words(1)
  const [first] = calls
  if (first !== undefined) first.onEnd = (_, error) => ends.push(error?.code ?? 0)
  raw.data(1, "next", last, { callNumber: 2 })
  const [busy] = raw.take(1)
  t.is(busy?.header.type, packetTypes.busy)
  t.deepEqual([busy?.header.callNumber, busy?.header.seq, busy?.body.length], [2, 0, 0])
  t.deepEqual(ends, [-1])
  raw.data(1, "next", last, { callNumber: 2 })
  raw.words(1)
  t.is(calls[1]?.number, 2)
  t.deepEqual(Buffer.from(calls[1]?.read() ?? []).toString(), "next")
})

test("channel: the next call on a channel acknowledges the reply before it", (t) => {
  const { raw, endpoint } = server()
  raw.data(1, "hello", last)
  t.deepEqual(raw.words(), ["DATA 1 LAST 5"])
  raw.data(1, "again!", last, { callNumber: 5 })
  t.deepEqual(raw.words(), ["DATA 1 LAST 6"])
  raw.ack({ first: 2, previous: 1 }, { callNumber: 5 })
  t.deepEqual(raw.words(20_000), [])
  t.is(endpoint.pool.inUse, 0)
  raw.data(1, "older", last, { callNumber: 4 })
  t.deepEqual(raw.words(), [])
})

test("channel: from the eleventh ABORT of one code in a row on each comes 3 s late, on this channel only", (t) => {
  const { raw } = server(
    [answering((request) => (request.length === 1 ? 103 : request.length === 4 ? -455 : request))],
    {
      timing: { abortDelayMs: 3_000 },
    },
  )
  let call = 0
  const fail = (): number => raw.data(1, "x", last, { callNumber: ++call })
  for (let times = 0; times < 10; times++) {
    fail()
    t.deepEqual(raw.words(), ["ABORT 103"])
  }
  fail()
  t.deepEqual(raw.words(2_900), [])
  raw.data(1, "x", last, { callNumber: call })
  t.deepEqual(raw.words(50), [], "asking again does not make it come earlier")
  t.deepEqual(raw.words(100), ["ABORT 103"])
  raw.data(1, "x", last, { callNumber: call })
  t.deepEqual(raw.words(), ["ABORT 103"])
  raw.data(1, "x", last, { callNumber: 1, cid: 0x1001 })
  t.deepEqual(raw.words(), ["ABORT 103"], "another channel")
  fail()
  raw.data(1, "ok", last, { callNumber: ++call })
  t.deepEqual(raw.words(1_000), ["DATA 1 LAST 2"], "who goes on does not get the ABORT that was held back")
  raw.ack({ first: 2, previous: 1 }, { callNumber: call })
  t.deepEqual(raw.words(4_000), [])
  fail()
  t.deepEqual(raw.words(), ["ABORT 103"], "a success makes up for them all")
})

test("channel: unknown opcodes are answered at once, however many", (t) => {
  const { raw } = server([echo], { timing: { abortDelayMs: 3_000 } })
  for (let call = 1; call <= 30; call++) {
    raw.data(1, "fail", last, { callNumber: call })
    t.deepEqual(raw.words(), ["ABORT -455"])
  }
})

test("channel: a client that is told BUSY asks again soon, and less and less often", (t) => {
  const network = new RxNetwork()
  const client = network.endpoint(clientAddress)
  const raw = new RawPeer(network, serverAddress)
  const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
  const outcome = collect(connection.newCall(), Buffer.from("ask"))
  const base = { epoch: client.epoch, cid: connection.cid, flags: 0 }
  const times: number[] = []
  const begin = network.now
  while (times.length < 4) {
    network.runUntil(() => raw.seen.length > 0)
    times.push(Math.round(network.now - begin))
    t.is(raw.seen.splice(0).length, 1)
    raw.send({ ...base, type: packetTypes.busy, callNumber: 1 }, Buffer.alloc(0), clientAddress)
  }
  t.deepEqual(times, [0, 5, 16, 36])
  const [peer] = client.peers
  t.true((peer?.flight.cap ?? 0) >= 32)
  network.runUntil(() => raw.seen.length > 0)
  raw.send({ ...base, type: 1, seq: 1, callNumber: 1, flags: last }, Buffer.from("yes"), clientAddress)
  network.run(1)
  t.deepEqual([outcome.ended, outcome.reply().toString()], [true, "yes"])
  t.is(peer?.flight.inFlight, 0)
})
