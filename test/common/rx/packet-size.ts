import test from "ava"
import { packetTypes, rxHeader } from "../../../common/protocol/rx-packet.ts"
import type { EndpointOptions } from "../../../common/rx/endpoint.ts"
import { PacketSize } from "../../../common/rx/packet-size.ts"
import { answering, collect, type Link, pair, serverAddress, serviceId } from "../../support/rx-network.ts"

/** Searches over a path that passes `mtu` bytes; the sizes that were tried. */
function search(sizes: PacketSize, mtu: number, from = 0): number[] {
  const tried: number[] = []
  for (let now = from; now < from + 500_000; now += 250) {
    const size = sizes.wanted(now)
    if (size === undefined) continue
    tried.push(size)
    sizes.sent(tried.length, now)
    if (size <= mtu) sizes.answered(tried.length)
  }
  return tried
}

test("packet size: Ethernet's needs no proof, less is taken at once, more is not", (t) => {
  const sizes = new PacketSize()
  t.is(sizes.size, 1444)
  sizes.agree(700)
  t.is(sizes.size, 700)
  sizes.agree(1444)
  t.is(sizes.size, 1444)
  t.is(sizes.wanted(0), undefined)
  sizes.agree(8944)
  t.is(sizes.size, 1444)
  t.is(sizes.wanted(0), 8944)
  sizes.agree(3)
  t.is(sizes.size, 520)
})

test("packet size: what an answered ping had is used; an answer to another ping proves nothing", (t) => {
  const sizes = new PacketSize()
  sizes.agree(8944)
  t.is(sizes.wanted(0), 8944)
  sizes.sent(7, 0)
  sizes.answered(6)
  t.is(sizes.size, 1444)
  t.is(sizes.wanted(10), undefined, "one at a time")
  sizes.answered(7)
  t.is(sizes.size, 8944)
  sizes.answered(7)
  t.is(sizes.wanted(2_000), undefined)
})

test("packet size: the search comes near what passes, loses each size three times, and rests for ten minutes", (t) => {
  const sizes = new PacketSize()
  sizes.agree(16_384)
  const tried = search(sizes, 5_000)
  t.true(sizes.size <= 5_000 && sizes.size > 5_000 - 64, `${sizes.size}`)
  t.deepEqual(tried.slice(0, 4), [16_384, 16_384, 16_384, 8_914])
  t.true(tried.length < 30)
  t.is(sizes.wanted(590_000), undefined)
  t.is(sizes.wanted(1_200_000), 16_384)
})

test("packet size: packets that never arrive make the next ones small, and these grow again as far as they pass", (t) => {
  const sizes = new PacketSize()
  sizes.tooLarge(1_444)
  t.is(sizes.size, 1_024)
  search(sizes, 1_300)
  t.true(sizes.size <= 1_300 && sizes.size > 1_300 - 64, `${sizes.size}`)
  sizes.agree(1_444)
  sizes.tooLarge(900)
  t.true(sizes.size > 1_200, "small packets are lost for other reasons")
})

const bytes = Buffer.alloc(6 << 20, "dafs")

function joined(link: Link, server: Partial<EndpointOptions>, client: Partial<EndpointOptions>) {
  const both = pair([answering(() => bytes)], { link: { delayMs: 2, ...link }, server, client })
  const connection = both.client.connect(serverAddress.host, serverAddress.port, serviceId)
  const fetch = () => {
    const outcome = collect(connection.newCall(), Uint8Array.of(1))
    both.network.runUntil(() => outcome.ended)
    return outcome
  }
  const longest = (): number =>
    both.network.sent
      .filter((sent) => sent.bytes[rxHeader.offsets.type] === packetTypes.data)
      .reduce((most, sent) => Math.max(most, sent.bytes.length), 0)
  return { ...both, fetch, longest }
}

const large = { packetSizeMax: 8_944 }

test("packet size: where both sides take more than Ethernet and it passes, it is used", (t) => {
  const { fetch, longest, server } = joined({}, large, large)
  t.true(fetch().reply().equals(bytes))
  t.is(longest(), 8_944)
  t.is(server.statistics.dataPacketsResent, 0)
})

test("packet size: where one side does not, or the path does not, nobody loses anything by it", (t) => {
  for (const [server, client] of [
    [large, {}],
    [{}, large],
  ] as const) {
    const one = joined({}, server, client)
    t.true(one.fetch().reply().equals(bytes))
    t.is(one.longest(), 1444)
  }
  const narrow = joined({ mtu: 1_472 }, large, large)
  t.true(narrow.fetch().reply().equals(bytes))
  t.is(narrow.server.statistics.dataPacketsResent, 0)
  t.true(narrow.longest() <= 1_472)
})

test("packet size: with jumbograms on too, large packets go alone", (t) => {
  const { fetch, longest } = joined({}, { ...large, jumbograms: 4 }, { ...large, jumbograms: 4 })
  t.true(fetch().reply().equals(bytes))
  t.is(longest(), 8_944)
})

test("packet size: over a path that swallows full packets the first call fails and the next ones pass", (t) => {
  const { fetch, network } = joined({ mtu: 1_200 }, {}, {})
  t.not(fetch().code, 0)
  network.run(70_000)
  const second = fetch()
  t.is(second.code, 0)
  t.true(second.reply().equals(bytes))
})
