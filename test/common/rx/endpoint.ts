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

// Without a bound for the host, four windows of 32 overflow a small buffer, and each loss costs a timer of seconds.
for (const room of [80, 40, 24])
  test(`endpoint: four fetches at a time into a buffer of ${room} packets keep the link busy and never stall`, (t) => {
    const size = 3 << 20
    const service = answering((request) => Buffer.alloc(size, request))
    const { network, server, client } = pair([service], { link: { delayMs: 0.05, takesMs: 0.02, room } })
    network.records = false
    const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
    const begin = network.now
    const outcomes = [1, 2, 3, 4].map((fill) => collect(connection.newCall(), Uint8Array.of(fill)))
    let longest = 0
    let last = network.now
    let pieces = 0
    network.runUntil(() => {
      const count = outcomes.reduce((sum, outcome) => sum + outcome.pieces.length, 0)
      if (count > pieces) {
        longest = Math.max(longest, network.now - last)
        last = network.now
        pieces = count
      }
      return outcomes.every(({ ended }) => ended)
    })
    for (const [index, outcome] of outcomes.entries()) t.true(outcome.reply().equals(Buffer.alloc(size, index + 1)))
    const bestMs = pieces * 0.02
    const { dataPacketsResent } = server.statistics
    t.log({ ms: network.now - begin, bestMs, longest, dataPacketsResent, overflows: network.overflows })
    t.true(network.now - begin < 1.3 * bestMs)
    t.true(longest < 20)
    t.true(dataPacketsResent < pieces / 20)
  })

test("endpoint: a small call waits for no more than a few packets of its host's bulk data", (t) => {
  const service = answering((request) => (request.length === 1 ? Buffer.alloc(8 << 20) : request))
  const { network, client } = pair([service], { link: { delayMs: 0.05, takesMs: 0.02, room: 200 } })
  network.records = false
  const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
  const bulk = [1, 2, 3].map(() => collect(connection.newCall(), Uint8Array.of(1)))
  network.run(20)
  const begin = network.now
  const small = collect(connection.newCall(), Uint8Array.of(1, 2, 3))
  network.runUntil(() => small.ended)
  t.true(network.now - begin < 5)
  t.false(bulk.some(({ ended }) => ended))
})
