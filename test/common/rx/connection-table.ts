import test from "ava"
import { emptyHeader, type RxHeader } from "../../../common/protocol/rx-packet.ts"
import { Connection } from "../../../common/rx/connection.ts"
import { ConnectionTable } from "../../../common/rx/connection-table.ts"
import { rxTiming } from "../../../common/rx/limits.ts"
import { HostFlight, Peer } from "../../../common/rx/peer.ts"
import { nullSecurity } from "../../../common/rx/security/null.ts"
import { randomOf, seededRandom } from "../../support/random.ts"
import { clientAddress, RxNetwork } from "../../support/rx-network.ts"
import { idle } from "../../support/rx-raw-rig.ts"

const anywhere = 0x9000_0000
const here = 0x1000_0000
const endpoint = new RxNetwork().endpoint(clientAddress)
const table = (): ConnectionTable => {
  const random = randomOf(5)
  return new ConnectionTable(() => random.below(2 ** 32))
}
const header = (epoch: number, cid: number): RxHeader => ({ ...emptyHeader(), epoch, cid })

function connection(epoch: number, cid: number, host = 1, isClient = false): Connection {
  const peer = new Peer(host, 7001, new HostFlight(host), 2000)
  const names = { epoch, cid, serviceId: 1 }
  return new Connection(endpoint, peer, names, nullSecurity, rxTiming, isClient ? undefined : idle().service)
}

test("connection table: the epoch's top bit stands for the client at any address, without it the address counts", (t) => {
  const connections = table()
  const roaming = connection(anywhere, 0x100)
  const one = connection(here, 0x100, 1)
  const two = connection(here, 0x100, 2)
  for (const each of [roaming, one, two]) connections.add(each)
  t.is(connections.findServer(header(anywhere, 0x102), 9, 9), roaming, "channels are one connection's")
  t.is(connections.findServer(header(here, 0x103), 1, 7001), one)
  t.is(connections.findServer(header(here, 0x100), 2, 7001), two)
  t.is(connections.findServer(header(here, 0x100), 2, 7002), undefined)
  t.is(connections.findServer(header(anywhere, 0x104), 1, 7001), undefined)
  t.deepEqual([connections.servers, connections.all.length], [3, 3])
})

test("connection table: ours are found by their cid, from the port that was called, at whatever address answers", (t) => {
  const connections = table()
  const ours = connection(endpoint.epoch, connections.freeCid(), 1, true)
  connections.add(ours)
  t.is(connections.findClient(header(endpoint.epoch, ours.cid | 3), 7001), ours)
  t.is(connections.findClient(header(endpoint.epoch, ours.cid), 7002), undefined)
  t.is(connections.findClient(header(here, ours.cid), 7001), undefined)
  t.is(connections.servers, 0)
  const next = connections.freeCid()
  t.is(next, (ours.cid + 4) >>> 0)
  t.true(connections.remove(ours))
  t.false(connections.remove(ours))
  t.is(connections.findClient(header(endpoint.epoch, ours.cid), 7001), undefined)
})

test("connection table: whatever is added and removed, each is found and nothing else", (t) => {
  const random = seededRandom(t)
  const connections = table()
  const model = new Map<number, Connection>()
  for (let step = 0; step < 3000; step++) {
    const cid = random.below(200) * 4
    const known = model.get(cid)
    if (known === undefined) {
      const made = connection(here, cid)
      connections.add(made)
      model.set(cid, made)
    } else {
      connections.remove(known)
      model.delete(cid)
    }
    const asked = random.below(200) * 4
    if (connections.findServer(header(here, asked), 1, 7001) !== model.get(asked)) t.fail(`${asked} at step ${step}`)
  }
  t.is(connections.all.length, model.size)
  t.true(connections.all.every((one) => model.get(one.cid) === one))
  t.true(connections.all.every((one, place) => one.place === place))
})

test("connection table: what goes for others is a server's, without calls, and not used since the last search", (t) => {
  const connections = table()
  const ours = connection(endpoint.epoch, 0, 1, true)
  const [one, two] = [connection(here, 4), connection(here, 8)]
  for (const each of [ours, one, two]) connections.add(each)
  one.isFresh = false
  t.is(connections.findUnused(), one)
  connections.remove(one)
  t.is(connections.findUnused(), two, "if all were used, one of them goes all the same")
  connections.remove(two)
  t.is(connections.findUnused(), undefined)
})
