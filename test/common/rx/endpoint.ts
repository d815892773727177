import test from "ava"
import { randomOf, seededRandom } from "../../support/random.ts"
import { answering, collect, pair, serverAddress, serviceId } from "../../support/rx-network.ts"

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total * 31 + byte) >>> 0, 7)
const reversed = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes).reverse()

test("endpoint: a small call takes two packets, and the last ACK comes 100 ms later", (t) => {
  const { network, client } = pair([answering(reversed)])
  const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
  const outcome = collect(connection.newCall(), Uint8Array.of(1, 2, 3))
  network.runUntil(() => outcome.ended)
  t.is(outcome.code, 0)
  t.deepEqual([...outcome.reply()], [3, 2, 1])
  t.is(network.sent.length, 2)
  network.run(200)
  t.is(network.sent.length, 3)
})

test("endpoint: bytes arrive whole in both directions over a link that loses, repeats and mixes up", (t) => {
  const random = seededRandom(t)
  for (const lossPerMille of [0, 5, 30, 150]) {
    const { network, server, client } = pair([answering(reversed)], {
      random,
      link: { lossPerMille, duplicatePerMille: 20, reorderPerMille: 50, delayMs: 2 },
    })
    network.records = false
    const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
    const requests = [0, 1, 1416, 1417, 200_000, 77_777].map((size) => random.bytes(size))
    const outcomes = requests.map((request) => collect(connection.newCall(), request))
    network.runUntil(() => outcomes.every((outcome) => outcome.ended))
    for (const [index, outcome] of outcomes.entries()) {
      t.is(outcome.code, 0)
      t.is(sum(outcome.reply()), sum(reversed(requests[index] ?? new Uint8Array(0))))
    }
    network.run(100_000)
    t.deepEqual([server.calls, client.calls, server.unreadBytes, client.unreadBytes], [0, 0, 0, 0])
    t.deepEqual([server.pool.inUse, client.pool.inUse], [0, 0])
    t.deepEqual(
      server.peers.map((peer) => peer.flight.inFlight),
      [0],
    )
  }
})

test("endpoint: 4 MB without loss need no packet twice", (t) => {
  const { network, client, server } = pair([answering(reversed)], { link: { delayMs: 0.5 } })
  network.records = false
  const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
  const outcome = collect(connection.newCall(), randomOf(3).bytes(4 << 20))
  network.runUntil(() => outcome.ended)
  t.is(outcome.reply().length, 4 << 20)
  t.is(client.statistics.dataPacketsResent + server.statistics.dataPacketsResent, 0)
  t.log(network.now - 1000, network.delivered)
})
