import test from "ava"
import { HostFlight, Peer } from "../../../common/rx/peer.ts"
import { Reachability } from "../../../common/rx/reachability.ts"
import { RxNetwork, serverAddress } from "../../support/rx-network.ts"
import { idle, server } from "../../support/rx-raw-rig.ts"

const peer = (): Peer => new Peer(1, 7001, new HostFlight(1), 2000)

test("reachability: an answered ping is good for its time, and where nobody has to show anything everybody is reached", (t) => {
  const one = peer()
  t.true(new Reachability(undefined).isReached(one, 0))
  const reach = new Reachability(60_000)
  t.false(reach.isReached(one, 0))
  reach.reached(one, 100)
  t.true(reach.isReached(one, 60_099))
  t.false(reach.isReached(one, 60_100))
})

test("reachability: an answer lets in the calls of all connections of that peer, of no other's, and of none that was dropped", (t) => {
  const { service, calls } = idle()
  const { raw, endpoint } = server([service], { checkReach: true })
  for (const cid of [0x100, 0x200, 0x300]) raw.data(1, "part", 0, { cid })
  raw.words(1)
  t.is(calls.length, 0)
  const [first] = endpoint.connections
  if (first === undefined) return t.fail()
  endpoint.reach.reached(new RxNetwork().endpoint(serverAddress).connect(1, 2, 3).peer, endpoint.time)
  t.is(calls.length, 0)
  endpoint.reach.drop(first)
  endpoint.reach.reached(first.peer, endpoint.time)
  t.deepEqual(calls.map(({ connection }) => connection.cid).sort(), [0x200, 0x300])
})
