import test from "ava"
import { packetFlags, packetTypes } from "../../../common/protocol/rx-packet.ts"
import { clientAddress, collect, RxNetwork, serverAddress, serviceId } from "../../support/rx-network.ts"
import { RawPeer } from "../../support/rx-raw.ts"
import { idle, server } from "../../support/rx-raw-rig.ts"

const last = packetFlags.lastPacket

test("connection: an unknown service or security index is answered with ABORT -2 of serial 0, and leaves nothing behind", (t) => {
  const { raw, endpoint } = server()
  raw.data(1, "hello", last, { serviceId: 999 })
  raw.data(1, "hello", last, { securityIndex: 7 })
  const answers = raw.take()
  t.deepEqual(
    answers.map(({ header, body }) => [
      header.type,
      header.serial,
      header.flags,
      header.callNumber,
      body.readInt32BE(0),
    ]),
    [
      [packetTypes.abort, 0, 0, 1, -2],
      [packetTypes.abort, 0, 0, 1, -2],
    ],
  )
  t.is(endpoint.connections.length, 0)
})

test("connection: packets that fit nothing are dropped in silence", (t) => {
  const { raw, endpoint } = server()
  raw.send({ type: packetTypes.abort, flags: 0 }, Buffer.alloc(4, 255))
  raw.ack({ first: 1 }, { flags: 0 })
  raw.base = { ...raw.base, flags: packetFlags.clientInitiated }
  raw.ack({ first: 1 })
  raw.data(40, "far", 0)
  raw.data(0, "none", 0)
  raw.network.send(Buffer.alloc(27), raw.address, serverAddress)
  t.deepEqual(raw.words(), [])
  t.is(endpoint.connections.length, 0)
})

test("connection: with the epoch's top bit, a second address gets its answers at the first; without it, it is somebody else", (t) => {
  const { raw, network, endpoint } = server()
  const other = new RawPeer(network, { host: clientAddress.host, port: 9999 })
  raw.data(1, "hello", last)
  other.data(1, "world!", last, { callNumber: 2 })
  t.deepEqual(raw.words(), ["DATA 1 LAST 5", "DATA 1 LAST 6"])
  t.deepEqual(other.words(), [])
  raw.base = { ...raw.base, epoch: 0x1123_4567, cid: 0x2000 }
  other.base = raw.base
  raw.data(1, "hello", last)
  other.data(1, "world!", last)
  t.deepEqual([raw.words(), other.words()], [["DATA 1 LAST 5"], ["DATA 1 LAST 6"]])
  t.is(endpoint.connections.length, 3)
})

test("connection: a wrong type at call number 0 ends the connection with -5 for good", (t) => {
  const { raw } = server()
  raw.data(1, "hello", last)
  raw.words()
  raw.send({ type: 77, callNumber: 0 })
  const [abort] = raw.take()
  t.deepEqual([abort?.header.type, abort?.header.callNumber, abort?.body.readInt32BE(0)], [packetTypes.abort, 0, -5])
  raw.data(1, "more", last, { callNumber: 2 })
  t.deepEqual(raw.words(), ["ABORT -5"])
  raw.send({ type: packetTypes.abort, callNumber: 2 }, Buffer.alloc(4, 1))
  raw.send({ type: packetTypes.params, callNumber: 0 })
  t.deepEqual(raw.words(), [])
})

test("connection: an unknown type for a running call ends it with -5, and the next call runs", (t) => {
  const { service, calls } = idle()
  const { raw } = server([service])
  raw.data(1, "part", 0)
  raw.words(1)
  raw.send({ type: 77 })
  t.deepEqual(raw.words(), ["ABORT -5"])
  t.true(calls[0]?.isOver)
  raw.data(1, "next", last, { callNumber: 2 })
  raw.words(1)
  t.is(calls.length, 2)
})

test("connection: four calls run beside one another, the fifth of ours waits for a channel", (t) => {
  const { service, calls } = idle()
  const { network, endpoint } = server([service])
  const client = network.endpoint({ host: clientAddress.host, port: 5000 })
  const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
  const outcomes = ["a", "b", "c", "d", "e"].map((text) => collect(connection.newCall(), Buffer.from(text)))
  network.run(10)
  t.deepEqual(
    calls.map((call) => Buffer.from(call.read() ?? []).toString()),
    ["a", "b", "c", "d"],
  )
  t.is(outcomes[4]?.call.state, "waiting")
  calls[2]?.finish()
  network.run(10)
  t.true(outcomes[2]?.ended)
  t.is(calls.length, 5)
  t.is(calls[4]?.number, 2)
  for (const call of calls) if (!call.isOver) call.abort(5)
  network.run(10)
  t.deepEqual(
    outcomes.map(({ ended, code }) => [ended, code]),
    [
      [true, 5],
      [true, 5],
      [true, 0],
      [true, 5],
      [true, 5],
    ],
  )
  t.is(endpoint.calls, 0)
})

test("connection: a call that waits for a channel can be given up", (t) => {
  const { service } = idle()
  const { network } = server([service])
  const client = network.endpoint({ host: clientAddress.host, port: 5000 }, { limits: { waitingCalls: 2 } })
  const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
  const outcomes = Array.from({ length: 6 }, () => collect(connection.newCall(), Buffer.from("x")))
  t.throws(() => connection.newCall(), { message: /too many calls/ })
  outcomes[4]?.call.abort(-6)
  t.is(outcomes[4]?.code, -6)
  t.notThrows(() => connection.newCall())
  connection.close()
  t.true(outcomes.every(({ ended }) => ended))
  t.deepEqual([client.calls, client.connections.length], [0, 0])
})

test("connection: a server forgets a connection after 700 s and its peer a minute later", (t) => {
  const { raw, endpoint, network } = server()
  raw.data(1, "hello", last)
  raw.words()
  raw.ack({ first: 2, previous: 1 })
  network.run(650_000)
  t.is(endpoint.connections.length, 1)
  network.run(130_000)
  t.is(endpoint.connections.length, 0)
  network.run(120_000)
  t.is(endpoint.peers.length, 0)
  t.is(endpoint.nextTimeout(), undefined)
  raw.data(1, "hello", last, { callNumber: 141 })
  t.deepEqual(raw.words(), ["DATA 1 LAST 5"])
})

test("connection: while the server ends, new calls get -100 and running ones finish", (t) => {
  const { service, calls } = idle()
  const { raw, endpoint } = server([service])
  raw.data(1, "hello", last)
  raw.words(1)
  endpoint.refuse(-100)
  raw.data(1, "other", last, { cid: 0x1001 })
  t.deepEqual(raw.words(), ["ABORT -100"])
  calls[0]?.write(Buffer.from("done"))
  calls[0]?.finish()
  t.deepEqual(raw.words(1), ["DATA 1 LAST 4"])
})

test("connection: a client drops what is not for its current call", (t) => {
  const network = new RxNetwork()
  const client = network.endpoint(clientAddress)
  const raw = new RawPeer(network, serverAddress)
  const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
  const outcome = collect(connection.newCall(), Buffer.from("ask"))
  const [request] = raw.take(1)
  t.is(request?.header.flags, packetFlags.clientInitiated | last)
  const base = { epoch: client.epoch, cid: connection.cid, flags: 0 }
  raw.send({ ...base, type: 1, seq: 1, callNumber: 2, flags: last }, Buffer.from("no"), clientAddress)
  raw.send({ ...base, type: 1, seq: 1, callNumber: 1, flags: last, epoch: 5 }, Buffer.from("no"), clientAddress)
  raw.send({ ...base, type: packetTypes.busy, callNumber: 1 }, Buffer.alloc(0), clientAddress)
  raw.words(1)
  t.false(outcome.ended)
  raw.send({ ...base, type: 1, seq: 1, callNumber: 1, flags: last }, Buffer.from("yes"), clientAddress)
  raw.words(1)
  t.is(outcome.reply().toString(), "yes")
})
