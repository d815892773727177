/** The hooks, proved with a class that hides bytes badly but uses every one of them. */
import test from "ava"
import { packetTypes, rxHeader } from "../../../../common/protocol/rx-packet.ts"
import type { Call } from "../../../../common/rx/call.ts"
import { RxError } from "../../../../common/rx/codes.ts"
import { nullSecurity } from "../../../../common/rx/security/null.ts"
import type { PacketBody, PacketIdentity, Security } from "../../../../common/rx/security/security.ts"
import { answering, collect, pair, type RxNetwork, serverAddress, serviceId } from "../../../support/rx-network.ts"

const badSeal = 19_270_410
const badTicket = 19_270_407

function turn(bytes: Uint8Array, start: number, end: number, key: number): void {
  for (let at = start; at < end; at++) bytes[at] = (bytes[at] ?? 0) ^ key
}

/** 4 bytes in front (key and length), up to 8 behind; the key is turned by the sequence number. */
function toy(isServer: boolean, key: number): Security {
  let isAuthenticated = !isServer
  const keyOf = ({ seq, callNumber }: PacketIdentity): number => (key + seq + callNumber) & 0xff
  return {
    index: 2,
    debugType: 3,
    headerSize: 4,
    trailerSize: 8,
    isTransparent: false,
    get isAuthenticated() {
      return isAuthenticated
    },
    challenge: (hasChecksum) => Uint8Array.of(hasChecksum ? 2 : 1, 42),
    get user() {
      return isServer && isAuthenticated
        ? { name: "ann", instance: "", cell: "test.cell", expires: 2 ** 31 }
        : undefined
    },
    verify(response) {
      if (response[0] !== (42 ^ key)) throw new RxError(badTicket, "connection failed", "verify")
      isAuthenticated = true
    },
    respond: (challenge) => Uint8Array.of((challenge[1] ?? 0) ^ key),
    seal(packet: PacketIdentity, body: PacketBody) {
      const view = new DataView(body.bytes.buffer, body.bytes.byteOffset)
      view.setUint32(body.start - 4, 0xabcd_0000 + body.end - body.start)
      body.end += 8 - ((body.end - body.start) % 8)
      turn(body.bytes, body.start - 4, body.end, keyOf(packet))
      body.checksum = (packet.seq * 7 + 1) & 0xffff
    },
    open(packet: PacketIdentity, body: PacketBody) {
      turn(body.bytes, body.start, body.end, keyOf(packet))
      const word = new DataView(body.bytes.buffer, body.bytes.byteOffset).getUint32(body.start)
      if (word >>> 16 !== 0xabcd || body.checksum !== ((packet.seq * 7 + 1) & 0xffff))
        throw new RxError(badSeal, "protocol error", "open")
      body.start += 4
      body.end = body.start + (word & 0xffff)
    },
  }
}

const hello = Buffer.from("hello, this is in the clear")

function joined(serverKey: number, clientKey: number) {
  const echo = answering((request) => request)
  const users: (string | undefined)[] = []
  const service = {
    ...echo,
    securities: { 0: () => nullSecurity, 2: () => toy(true, serverKey) },
    onCall(call: Call) {
      users.push(call.connection.user?.name)
      echo.onCall(call)
    },
  }
  const both = pair([service], { link: { lossPerMille: 20, reorderPerMille: 50 } })
  const connection = both.client.connect(serverAddress.host, serverAddress.port, serviceId, {
    security: toy(false, clientKey),
  })
  return { ...both, connection, users }
}

const count = (network: RxNetwork, type: number): number =>
  network.sent.filter(({ bytes }) => bytes[rxHeader.offsets.type] === type).length

test("security: calls wait for the challenge to be answered, then every byte passes through the class", (t) => {
  const { network, connection } = joined(0x5a, 0x5a)
  const request = Buffer.alloc(200_000, hello)
  const outcomes = [collect(connection.newCall(), hello), collect(connection.newCall(), request)]
  network.runUntil(() => outcomes.every(({ ended }) => ended))
  t.true(outcomes[0]?.reply().equals(hello))
  t.true(outcomes[1]?.reply().equals(request))
  t.false(network.sent.some(({ bytes }) => Buffer.from(bytes).includes("in the clear")))
  t.true(count(network, packetTypes.challenge) > 0)
  t.true(network.sent.every(({ bytes }) => bytes.length <= 1444))
})

test("security: a service sees whom the class has proved, and nobody where nothing was", (t) => {
  const { network, connection, client, users } = joined(0x5a, 0x5a)
  const anonymous = client.connect(serverAddress.host, serverAddress.port, serviceId)
  t.is(connection.user, undefined, "a client proves itself, not the server")
  for (const one of [connection, anonymous]) {
    const outcome = collect(one.newCall(), hello)
    network.runUntil(() => outcome.ended)
    t.is(outcome.code, 0)
  }
  t.deepEqual(users, ["ann", undefined])
})

test("security: a client that cannot answer gets the class's code, a second later", (t) => {
  const { network, connection } = joined(0x5a, 0x11)
  const begin = network.now
  const outcome = collect(connection.newCall(), hello)
  network.runUntil(() => outcome.ended)
  t.is(outcome.code, badTicket)
  t.true(network.now - begin >= 1000)
  t.throws(() => connection.newCall(), { message: /connection failed/ })
})

test("security: a packet that does not open ends the connection with the class's code", (t) => {
  const { network, connection, client } = joined(0x5a, 0x5a)
  const first = collect(connection.newCall(), hello)
  network.runUntil(() => first.ended)
  const forged = Buffer.alloc(28 + 32)
  rxHeader.write(
    {
      epoch: client.epoch,
      cid: connection.cid,
      callNumber: 9,
      seq: 1,
      serial: 99,
      type: packetTypes.data,
      flags: 5,
      userStatus: 0,
      securityIndex: 2,
      checksum: 1,
      serviceId,
    },
    forged,
  )
  network.link = {}
  network.send(forged, { host: 1, port: 2 }, serverAddress)
  const second = collect(connection.newCall(), hello)
  network.runUntil(() => second.ended)
  t.is(second.code, badSeal)
})

test("security: a client that never answers is challenged 50 times, each 2 s, and forgotten", (t) => {
  const { network, connection, server, client } = joined(0x5a, 0x5a)
  network.link = {}
  collect(connection.newCall(), hello)
  while (count(network, packetTypes.data) === 0) network.step()
  network.step()
  network.detach({ host: 0x0a63_0002, port: 7001 })
  network.run(200_000)
  t.true(count(network, packetTypes.challenge) > 2)
  t.is(server.calls, 0)
  t.is(client.calls, 0)
})
