import test from "ava"
import type { Call } from "../../../common/rx/call.ts"
import { CallRoll } from "../../../common/rx/call-roll.ts"
import { rxLimits } from "../../../common/rx/limits.ts"
import { HostFlight, Peer } from "../../../common/rx/peer.ts"
import { newStatistics } from "../../../common/rx/statistics.ts"
import { clientAddress, RxNetwork } from "../../support/rx-network.ts"

const peer = (host: number): Peer => new Peer(host, 7001, new HostFlight(host), 2000)

function roll(limits: Partial<typeof rxLimits>) {
  const statistics = newStatistics()
  return { statistics, subject: new CallRoll({ ...rxLimits, ...limits }, statistics) }
}

/** Calls that wait for nobody, and whether each has ended. */
function calls(count: number): { call: Call; hasEnded: () => boolean }[] {
  const connection = new RxNetwork().endpoint(clientAddress).connect(1, 7000, 1)
  return Array.from({ length: count }, () => {
    const call = connection.newCall()
    return { call, hasEnded: () => call.isOver }
  })
}

test("call roll: a host gets half of the calls that are free, and what it ends is free again", (t) => {
  const { subject } = roll({ calls: 8 })
  const [greedy, modest] = [peer(1), peer(2)]
  const take = (one: Peer): number => {
    let count = 0
    for (; subject.refusal(one) === 0; count++) subject.begin(one)
    return count
  }
  t.deepEqual([take(greedy), take(modest), subject.running], [4, 2, 6])
  t.is(subject.refusal(greedy), 110)
  for (const one of [modest, modest, greedy]) subject.finish(one)
  t.is(subject.running, 3)
  t.is(take(greedy), 1)
})

test("call roll: what was said to new calls is said until it is taken back", (t) => {
  const { subject } = roll({})
  subject.refuse(-100)
  t.is(subject.refusal(peer(1)), -100)
  subject.refuse(0)
  t.is(subject.refusal(peer(1)), 0)
})

test("call roll: of too many half-open calls, and of too many held replies, the oldest ends", (t) => {
  for (const add of ["addHalfOpen", "hold"] as const) {
    const { subject, statistics } = roll({ halfOpenCalls: 2, heldReplies: 2 })
    const all = calls(4)
    const [one, two, three, four] = all
    if (one === undefined || two === undefined || three === undefined || four === undefined) return t.fail()
    subject[add](one.call)
    subject[add](two.call)
    subject.release(one.call)
    subject.release(one.call)
    subject[add](three.call)
    t.deepEqual(
      all.map(({ hasEnded }) => hasEnded()),
      [false, false, false, false],
    )
    subject[add](four.call)
    t.deepEqual(
      all.map(({ hasEnded }) => hasEnded()),
      [false, true, false, false],
    )
    t.is(statistics.evicted, 1)
  }
})
