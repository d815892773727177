import test from "ava"
import { packetFlags, packetTypes, rxHeader } from "../../common/protocol/rx-packet.ts"
import { Endpoint } from "../../common/rx/endpoint.ts"
import { fuzz, type Random } from "../support/random.ts"
import { answering, collect, pair, RxNetwork, serverAddress, serviceId } from "../support/rx-network.ts"
import { ackBody } from "../support/rx-raw.ts"

const types = [
  ...Object.values(packetTypes),
  packetTypes.data,
  packetTypes.data,
  packetTypes.ack,
  packetTypes.ack,
  12,
  77,
]
const small = (random: Random): number => random.pick([0, 1, 1, 2, 3, 31, 32, 33, 40, 0xffff_ffff])

function bodyFor(random: Random, type: number): Uint8Array {
  if (type !== packetTypes.ack || random.below(8) === 0) return random.bytes(random.below(random.pick([4, 64, 3000])))
  const array = Array.from({ length: random.below(40) }, () => random.below(3))
  const trailer = [1444, 1444, 32, 1].slice(0, random.below(5)).map((value) => random.pick([value, 0, small(random)]))
  return ackBody({
    first: small(random),
    previous: small(random),
    serial: small(random),
    reason: random.below(12),
    array,
    trailer,
  })
}

/** A packet that is near enough to a right one to get far. */
function packet(random: Random, epoch: number, cid: number): Uint8Array {
  const type = random.pick(types)
  const header = {
    epoch: random.pick([epoch, epoch, epoch, 0, 0x8000_0000]),
    cid: (cid + random.below(random.pick([1, 4, 12]))) >>> 0,
    callNumber: random.pick([1, 1, 2, 3, small(random)]),
    seq: small(random),
    serial: random.below(100),
    type,
    flags: random.below(64) | (random.below(4) > 0 ? packetFlags.clientInitiated : 0),
    userStatus: random.below(256),
    securityIndex: random.pick([0, 0, 0, 0, 2]),
    checksum: random.below(65_536),
    serviceId: random.pick([serviceId, serviceId, serviceId, 7, 9]),
  }
  const whole = Buffer.concat([rxHeader.encode(header), bodyFor(random, type)])
  return random.below(10) === 0 ? whole.subarray(0, random.below(whole.length + 1)) : whole
}

test("fuzz: no packets make an endpoint throw, keep calls for ever or hold more than its limits", (t) => {
  fuzz(t, (random) => {
    let now = 0
    let longest = 0
    const endpoint = new Endpoint({
      now: () => now,
      random: () => random.below(2 ** 32),
      transmit: (_, length) => {
        longest = Math.max(longest, length)
      },
      services: [
        answering((request) => (request.length % 7 === 0 ? -455 : request)),
        { id: 7, onCall: () => undefined },
      ],
      limits: { connections: 20, calls: 30, halfOpenCalls: 5, heldReplies: 10, unreadBytes: 100_000 },
      checkReach: random.below(4) === 0,
      jumbograms: random.pick([1, 4]),
    })
    const connection = endpoint.connect(0x0a00_0001, 7001, serviceId)
    for (let count = 0; count < 300; count++) {
      const isReply = random.below(4) === 0
      const bytes = packet(random, isReply ? endpoint.epoch : 0x9000_0000, isReply ? connection.cid : 0x100)
      if (isReply && bytes.length > 21) bytes[21] = (bytes[21] ?? 0) & ~packetFlags.clientInitiated
      if (random.below(20) === 0 && connection.error === 0 && endpoint.calls < 10)
        collect(connection.newCall(), random.bytes(random.below(5000)))
      now += random.below(random.pick([2, 300]))
      endpoint.receive(bytes, 0x0a00_0001 + random.below(2), 7001, now)
      endpoint.timeout(now)
      endpoint.flushed(random.below(2) === 0)
    }
    if (endpoint.unreadBytes > 100_000 + 30 * 1444) t.fail(`${endpoint.unreadBytes} bytes unread`)
    if (endpoint.connections.length > 20) t.fail(`${endpoint.connections.length} connections`)
    if (longest > 5692) t.fail(`a datagram of ${longest} bytes`)
    for (let rounds = 0; endpoint.nextTimeout() !== undefined; rounds++) {
      now = endpoint.nextTimeout() ?? now
      endpoint.timeout(now)
      endpoint.flushed(true)
      if (rounds > 100_000) t.fail("timers without end")
      if (now > 10_000_000) break
    }
    const { calls, unreadBytes, serverConnections, pool } = endpoint
    if (calls !== 0 || unreadBytes !== 0 || serverConnections !== 0 || pool.inUse !== 0)
      t.fail(`left: ${JSON.stringify({ calls, unreadBytes, serverConnections, packets: pool.inUse })}`)
  })
  t.pass()
})

test("fuzz: whatever the link does, calls end with the right bytes", (t) => {
  fuzz(t, (random) => {
    const { network, client, server } = pair([answering((request) => Uint8Array.from(request).reverse())], {
      random,
      link: {
        lossPerMille: random.below(200),
        duplicatePerMille: random.below(200),
        reorderPerMille: random.below(500),
        delayMs: random.pick([0.01, 1, 50]),
      },
      server: { jumbograms: random.pick([1, 4]) },
      client: { jumbograms: random.pick([1, 4]) },
    })
    network.records = false
    const connection = client.connect(serverAddress.host, serverAddress.port, serviceId)
    const requests = Array.from({ length: 1 + random.below(6) }, () => random.bytes(random.below(30_000)))
    const outcomes = requests.map((request) => collect(connection.newCall(), request))
    network.runUntil(() => outcomes.every(({ ended }) => ended), 3_600_000)
    for (const [index, outcome] of outcomes.entries()) {
      const request = requests[index] ?? new Uint8Array(0)
      // A link this bad may fall silent for the dead time, which is an answer too.
      if (outcome.code === 0 && !outcome.reply().equals(Buffer.from(request).reverse())) t.fail("other bytes")
      if (outcome.code !== 0 && outcome.code !== -1) t.fail(`code ${outcome.code}`)
    }
    network.run(1_000_000)
    if (server.calls + client.calls + server.pool.inUse + client.pool.inUse !== 0) t.fail("something was left")
  })
  t.pass()
})

test("fuzz: random bytes are nothing", (t) => {
  fuzz(t, (random) => {
    const network = new RxNetwork(random)
    const endpoint = network.endpoint(serverAddress, { services: [answering((request) => request)] })
    for (let count = 0; count < 100; count++) endpoint.receive(random.bytes(random.below(100)), 1, 2, network.now)
    if (endpoint.calls > 0) t.fail("a call out of nothing")
  })
  t.pass()
})
