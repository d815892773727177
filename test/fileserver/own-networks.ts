import test from "ava"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { networkOf, networksOf } from "../../fileserver/own-networks.ts"

const host = (text: string): number => parseHost(text) ?? 0

test("networks: an address belongs to its network by the old classes", (t) => {
  for (const [address, network] of [
    ["10.99.0.1", "10.0.0.0"],
    ["127.255.0.1", "127.0.0.0"],
    ["128.2.3.4", "128.2.0.0"],
    ["191.255.3.4", "191.255.0.0"],
    ["192.168.77.1", "192.168.77.0"],
    ["223.1.2.3", "223.1.2.0"],
  ] as const)
    t.is(networkOf(host(address)), host(network), address)
})

test("networks: a server is in those of all its addresses", (t) => {
  const own = networksOf([host("10.99.0.1"), host("192.168.77.1")])
  t.true(own.has(networkOf(host("10.5.0.1"))))
  t.true(own.has(networkOf(host("192.168.77.200"))))
  t.false(own.has(networkOf(host("192.168.78.1"))))
})
