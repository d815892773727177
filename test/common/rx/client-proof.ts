import test from "ava"
import { ackReasons, packetFlags, packetTypes } from "../../../common/protocol/rx-packet.ts"
import type { Call } from "../../../common/rx/call.ts"
import { RxError } from "../../../common/rx/codes.ts"
import { nullSecurity } from "../../../common/rx/security/null.ts"
import type { Security } from "../../../common/rx/security/security.ts"
import { serviceId } from "../../support/rx-network.ts"
import { echo, server } from "../../support/rx-raw-rig.ts"

const last = packetFlags.lastPacket

/** A class that wants to hear the byte 7 and adds nothing to packets. */
function asking(): Security {
  let isAuthenticated = false
  return {
    ...nullSecurity,
    index: 2,
    get isAuthenticated() {
      return isAuthenticated
    },
    challenge: (hasChecksum) => Uint8Array.of(hasChecksum ? 2 : 1),
    verify(response) {
      if (response[0] !== 7) throw new RxError(19_270_407, "connection failed", "verify")
      isAuthenticated = true
    },
  }
}

function askingServer(onCall: (call: Call) => void = echo.onCall, checkReach = false) {
  const rig = server([{ id: serviceId, securities: { 2: asking }, onCall }], { checkReach })
  rig.raw.base = { ...rig.raw.base, securityIndex: 2 }
  const respond = (byte: number): void => {
    rig.raw.send({ type: packetTypes.response, callNumber: 0 }, Buffer.of(byte))
  }
  const challenges = (ms: number): number =>
    rig.raw.take(ms).filter(({ header }) => header.type === packetTypes.challenge).length
  return { ...rig, respond, challenges }
}

test("client proof: where peers must be reachable, the first call waits for an answered ping and later ones do not", (t) => {
  const { raw } = server([echo], { checkReach: true })
  raw.data(1, "hello", last)
  t.deepEqual(raw.words(), ["ACK PING 1/1/0 [+]"])
  t.deepEqual(raw.words(7_900), ["ACK PING 1/1/0 [+]", "ACK PING 1/1/0 [+]", "ACK PING 1/1/0 [+]"])
  raw.ack({ first: 1, reason: ackReasons.pingResponse, serial: 1 })
  t.deepEqual(raw.words(), ["DATA 1 LAST 5"])
  raw.data(1, "again!", last, { callNumber: 2 })
  t.deepEqual(raw.words(), ["DATA 1 LAST 6"])
  raw.ack({ first: 2, previous: 1 }, { callNumber: 2 })
  raw.words(70_000)
  raw.data(1, "later", last, { callNumber: 3 })
  t.deepEqual(raw.words(), ["ACK PING 1/1/0 [+]"])
})

test("client proof: calls wait for the answer to one challenge, which is repeated every 2 s", (t) => {
  const { raw, respond, challenges } = askingServer()
  raw.data(1, "hello", last)
  raw.data(1, "again!", last, { cid: raw.base.cid === undefined ? 1 : raw.base.cid + 1 })
  t.is(challenges(1), 1)
  t.is(challenges(6_500), 3)
  respond(7)
  t.deepEqual(
    raw.take(1).map(({ header, body }) => [header.type, body.toString()]),
    [
      [packetTypes.data, "hello"],
      [packetTypes.data, "again!"],
    ],
  )
  t.is(challenges(6_500), 0)
})

test("client proof: an answer that nobody has asked for is ignored, a wrong one ends the connection a second later", (t) => {
  const { raw, respond, endpoint } = askingServer()
  respond(7)
  t.is(endpoint.connections.length, 0)
  raw.data(1, "hello", last)
  raw.words(1)
  respond(8)
  t.deepEqual(raw.words(900), [])
  t.deepEqual(raw.words(200), ["ABORT 19270407"])
  respond(7)
  t.is(endpoint.calls, 0)
})

test("client proof: who has proved who it is must still show that it receives, where that is wanted", (t) => {
  const { raw, respond } = askingServer(echo.onCall, true)
  raw.data(1, "hello", last)
  raw.take(1)
  respond(7)
  t.deepEqual(raw.words(1), ["ACK PING 1/1/0 [+]"])
  raw.ack({ first: 1, reason: ackReasons.pingResponse, serial: 1 })
  t.deepEqual(raw.words(1), ["DATA 1 LAST 5"])
})

test("client proof: what a service throws is its own, and no word on the client", (t) => {
  const { raw, respond } = askingServer(() => {
    throw new RxError(5, "aborted here", "the service")
  })
  raw.data(1, "hello", last)
  raw.take(1)
  t.throws(
    () => {
      respond(7)
      raw.words(1)
    },
    { message: /the service/ },
  )
})
