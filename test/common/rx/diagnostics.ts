import test from "ava"
import {
  debugBasics,
  debugConnection,
  debugDetails,
  debugPeer,
  packetFlags,
  packetTypes,
} from "../../../common/protocol/rx-packet.ts"
import { answering, clientAddress, collect, RxNetwork, serverAddress, serviceId } from "../../support/rx-network.ts"
import { RawPeer } from "../../support/rx-raw.ts"

function server() {
  const network = new RxNetwork()
  const endpoint = network.endpoint(serverAddress, {
    services: [answering((request) => request), { id: 7, onCall: () => undefined }],
    version: `dafs 1 ${"x".repeat(100)}`,
  })
  return { network, endpoint, raw: new RawPeer(network) }
}

const debug = (type: number, index: number): Buffer => {
  const body = Buffer.alloc(8)
  body.writeInt32BE(type, 0)
  body.writeInt32BE(index, 4)
  return body
}

function ask(raw: RawPeer, type: number, index = 0) {
  raw.send({ type: packetTypes.debug, epoch: 999, cid: 0, callNumber: 5, flags: 5 }, debug(type, index))
  const [answer, ...more] = raw.take(1)
  if (answer === undefined || more.length > 0) throw new Error("not one answer")
  return answer
}

test("diagnostics: VERSION is answered with 65 bytes and the question's header; without CLIENT_INITIATED not at all", (t) => {
  const { raw } = server()
  raw.send({ type: packetTypes.version, callNumber: 77, flags: 5 }, Buffer.alloc(1))
  const [answer] = raw.take(1)
  t.is(answer?.body.length, 65)
  t.regex(answer?.body.toString("latin1") ?? "", /^dafs 1 x+\0$/)
  t.deepEqual([answer?.header.callNumber, answer?.header.flags], [77, packetFlags.lastPacket])
  raw.send({ type: packetTypes.version, flags: 0 }, Buffer.alloc(1))
  raw.send({ type: packetTypes.debug, flags: 0 }, debug(1, 0))
  raw.send({ type: packetTypes.debug }, Buffer.alloc(7))
  t.deepEqual(raw.words(1), [])
})

test("diagnostics: an unknown DEBUG type is answered with -8 twice", (t) => {
  const { raw } = server()
  t.is(ask(raw, 77).body.toString("hex"), "fffffff8fffffff8")
})

test("diagnostics: statistics say 'S' and count what was executed", (t) => {
  const { raw } = server()
  raw.data(1, "hello", packetFlags.lastPacket)
  raw.words(1)
  const { body } = ask(raw, 1)
  t.is(body.length, 56)
  const basics = debugBasics.read(body)
  t.deepEqual([basics.version, basics.callsExecuted], [0x53, 1])
  const details = debugDetails.read(ask(raw, 4).body)
  t.deepEqual([details.dataPacketsRead, details.dataPacketsSent, details.serverConnections], [1, 1, 1])
})

test("diagnostics: connections are listed one by one up to the end mark, with numbers, states and kinds", (t) => {
  const { raw, endpoint, network } = server()
  raw.data(1, "hello", packetFlags.lastPacket, { callNumber: 9 })
  raw.words(1)
  raw.ack({ first: 2, previous: 1 }, { callNumber: 9 })
  raw.data(1, "stays", 0, { cid: 0x2002, serviceId: 7 })
  raw.words(200)
  const silent = { host: clientAddress.host, port: 4444 }
  network.attach(silent, () => undefined)
  collect(endpoint.connect(silent.host, silent.port, 1).newCall(), Buffer.from("x"))
  raw.words(1)
  const [one, two, three] = [0, 1, 2].map((index) => debugConnection.read(ask(raw, 3, index).body))
  t.deepEqual([one?.type, one?.port, one?.callNumbers, one?.callStates], [1, 7001, [9, 0, 0, 0], [3, 0, 0, 0]])
  t.deepEqual(
    [two?.callStates, two?.callModes, two?.callOther],
    [
      [0, 0, 2, 0],
      [0, 0, 2, 0],
      [0, 0, 1, 0],
    ],
  )
  t.deepEqual([three?.type, three?.port, three?.callStates, three?.callModes], [0, 4444, [2, 0, 0, 0], [1, 0, 0, 0]])
  t.is(debugConnection.read(ask(raw, 3, 3).body).cid, 0xffff_ffff)
  t.is(debugConnection.read(ask(raw, 2, 0).body).cid, 0x2000)
  t.is(debugConnection.read(ask(raw, 2, 2).body).cid, 0xffff_ffff)
  t.is(debugConnection.read(ask(raw, 3, -1).body).cid, 0xffff_ffff)
})

test("diagnostics: peers are listed up to the end mark", (t) => {
  const { raw } = server()
  raw.data(1, "hello", packetFlags.lastPacket)
  raw.words(1)
  const peer = debugPeer.read(ask(raw, 5, 0).body)
  t.deepEqual([peer.host, peer.port, peer.sent, peer.references], [clientAddress.host, 7001, 1, 1])
  t.is(debugPeer.read(ask(raw, 5, 1).body).host, 0xffff_ffff)
  t.is(serviceId, 1)
})
