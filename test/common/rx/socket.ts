import test from "ava"
import { parseHost } from "../../../common/rx/datagram-port.ts"
import { exchange } from "../../../common/rx/exchange.ts"
import { openNodePort, openRxSocket, socketBackEnds } from "../../../common/rx/socket.ts"
import { libcAbsence, openLibc } from "../../../common/system/libc.ts"
import { testPort } from "../../support/port-contract.ts"
import { randomOf } from "../../support/random.ts"
import { answering, serviceId } from "../../support/rx-network.ts"

const loopback = "127.0.0.1"
const host = parseHost(loopback) ?? 0

testPort("node:dgram", openNodePort)

for (const [theirs, ours] of [
  ["node", "node"],
  ["node", "auto"],
  ["auto", "node"],
  ["auto", "auto"],
] as const)
  test(`socket: calls and bulk data pass in both directions, server on ${theirs}, client on ${ours}`, async (t) => {
    const service = answering((request) => Uint8Array.from(request).reverse())
    await using server = await openRxSocket({ address: loopback, services: [service], backEnd: theirs })
    await using client = await openRxSocket({ address: loopback, backEnd: ours })
    t.is(server.address, loopback)
    const connection = client.endpoint.connect(host, server.port, serviceId)
    t.deepEqual([...(await exchange(connection, Uint8Array.of(1, 2, 3)))], [3, 2, 1])
    const bulk = randomOf(5).bytes(700_000)
    const replies = await Promise.all([1, 2, 3, 4, 5, 6].map(() => exchange(connection, bulk)))
    for (const reply of replies) t.true(Buffer.from(reply).reverse().equals(bulk))
  })

test("socket: the faster back end is taken where it can be had, and else it says why not", async (t) => {
  for (const backEnd of socketBackEnds) {
    if (backEnd === "system" && openLibc() === undefined) {
      await t.throwsAsync(openRxSocket({ address: loopback, backEnd }), { message: libcAbsence() })
      continue
    }
    await using socket = await openRxSocket({ address: loopback, backEnd })
    const isFast = backEnd !== "node" && openLibc() !== undefined
    t.is(socket.backEnd, isFast ? "recvmmsg" : "node:dgram")
    t.is(socket.backEndNote, backEnd === "auto" ? libcAbsence() : "")
  }
})

test("socket: timers run, so that a server that is not there is found out", async (t) => {
  await using nobody = await openRxSocket({ address: loopback, services: [{ id: serviceId, onCall: () => undefined }] })
  await using client = await openRxSocket({ address: loopback })
  const connection = client.endpoint.connect(host, nobody.port, serviceId, { timing: { hardMs: 200 } })
  const error = await t.throwsAsync(exchange(connection, Uint8Array.of(1)))
  t.regex(error?.message ?? "", /over its time \(code -3\)/)
})

test("socket: a port that is taken is an error that says so", async (t) => {
  await using first = await openRxSocket({ address: loopback })
  await t.throwsAsync(openRxSocket({ address: loopback, port: first.port }), { code: "EADDRINUSE" })
})

test("socket: closing ends the calls that wait", async (t) => {
  await using server = await openRxSocket({ address: loopback, services: [{ id: serviceId, onCall: () => undefined }] })
  const client = await openRxSocket({ address: loopback })
  const reply = exchange(client.endpoint.connect(host, server.port, serviceId), Uint8Array.of(1))
  await client.close()
  await t.throwsAsync(reply, { message: /connection closed/ })
  await t.notThrowsAsync(client.close())
})
