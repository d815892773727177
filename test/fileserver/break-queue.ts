import test from "ava"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { BreakQueue, BreakTicket } from "../../fileserver/break-queue.ts"
import type { ClientCalls } from "../../fileserver/client-calls.ts"
import { Host } from "../../fileserver/host.ts"
import { fid, fidText } from "../support/cache-manager.ts"
import { addressOf, uuidOf } from "../support/client-rig.ts"
import { virtualClock } from "../support/virtual-clock.ts"

const hostAt = (nth: number): Host => new Host(nth, uuidOf(nth), addressOf(nth), 0)
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const fids = (count: number): AFSFid[] => Array.from({ length: count }, (_, nth) => fid(5, 2 * nth, 1))

/** A queue whose calls are answered when the test says so. */
function bench() {
  const clock = virtualClock()
  const begun: { host: number; fids: string[]; answer: (isHeard: boolean) => void }[] = []
  const untold: string[] = []
  const reset: { host: Host; done: () => void }[] = []
  const calls: ClientCalls = {
    tellMeAboutYourself: () => Promise.reject(new Error("not asked")),
    whoAreYou: () => Promise.reject(new Error("not asked")),
    initCallBackState: () => Promise.reject(new Error("not asked")),
    probe: () => Promise.resolve(false),
    callBack: ({ host }, told) =>
      new Promise((resolve, reject) => {
        const answer = (isHeard: boolean): void => (isHeard ? resolve() : reject(new Error("not heard")))
        begun.push({ host: host - addressOf(0).host, fids: told.map(fidText), answer })
      }),
    release() {},
  }
  const queue = new BreakQueue({
    calls,
    clock,
    reach: {
      async tell(host, call) {
        const [first] = host.addresses
        if (first === undefined) return false
        return await call(first).then(
          () => true,
          () => false,
        )
      },
    },
    onUntold: (host, told) => untold.push(`${host.index}: ${told.map(fidText).join(" ")}`),
    onOverflow: (host) => new Promise((resolve) => reset.push({ host, done: resolve })),
  })
  return { queue, clock, begun, untold, reset }
}

async function isDone(ticket: BreakTicket): Promise<boolean> {
  let done = false
  void ticket.done.then(() => {
    done = true
  })
  await turn()
  return done
}

test("break queue: a break goes out in the turn in which it is made", (t) => {
  const { queue, begun } = bench()
  queue.add(hostAt(1), fid(5, 2, 2))
  t.deepEqual(
    begun.map(({ host, fids: told }) => [host, told]),
    [[1, ["5.2.2"]]],
  )
})

test("break queue: four calls at a time for each host, and fifty fids in each of the next", async (t) => {
  const { queue, begun } = bench()
  const host = hostAt(1)
  for (const one of fids(120)) queue.add(host, one)
  t.deepEqual(
    begun.map(({ fids: told }) => told.length),
    [1, 1, 1, 1],
  )
  begun[2]?.answer(true)
  await turn()
  t.deepEqual(
    begun.map(({ fids: told }) => told.length),
    [1, 1, 1, 1, 50],
  )
  for (const { answer } of begun) answer(true)
  await turn()
  t.deepEqual(
    begun.map(({ fids: told }) => told.length),
    [1, 1, 1, 1, 50, 50, 16],
  )
  for (const { answer } of begun) answer(true)
  await turn()
  t.is(queue.hosts, 0)
  t.deepEqual(new Set(begun.flatMap(({ fids: told }) => told)).size, 120)
})

test("break queue: a ticket is done when all its hosts were told or given up on", async (t) => {
  const { queue, begun, untold } = bench()
  const ticket = new BreakTicket()
  for (const nth of [1, 2, 3]) queue.add(hostAt(nth), fid(5, 2, 2), ticket)
  begun[0]?.answer(true)
  begun[2]?.answer(false)
  t.false(await isDone(ticket))
  begun[1]?.answer(true)
  t.true(await isDone(ticket))
  t.deepEqual(untold, ["3: 5.2.2"])
})

test("break queue: what waits for a host that is not there is handed back with what failed", async (t) => {
  const { queue, begun, untold } = bench()
  const host = hostAt(1)
  const ticket = new BreakTicket()
  for (const one of fids(6)) queue.add(host, one, ticket)
  begun[0]?.answer(false)
  await turn()
  t.deepEqual(untold, ["1: 5.0.1 5.8.1 5.10.1"])
  t.is(begun.length, 4)
  for (const { answer } of begun) answer(false)
  t.true(await isDone(ticket))
  t.is(untold.length, 4)
  t.is(queue.hosts, 0)
})

test("break queue: hosts that do not answer hold up others for a quarter of a second, not for their dead time", async (t) => {
  const { queue, begun, clock } = bench()
  for (let nth = 1; nth <= 600; nth++) queue.add(hostAt(nth), fid(5, 2, 2))
  t.is(begun.length, 256)
  begun[7]?.answer(true)
  await turn()
  t.is(begun.length, 257)
  clock.advance(250)
  t.is(begun.length, 513)
  clock.advance(250)
  t.is(begun.length, 600)
  for (const { answer } of begun) answer(true)
  await turn()
  t.is(queue.hosts, 0)
  t.is(clock.pending, 0)
})

test("break queue: a host for which too much waits is reset instead, and those who wait for it wait for that", async (t) => {
  const { queue, reset, begun } = bench()
  const host = hostAt(1)
  const ticket = new BreakTicket()
  for (const one of fids(4_096 + 4 + 1)) queue.add(host, one, ticket)
  t.deepEqual(
    reset.map(({ host: of }) => of),
    [host],
  )
  for (const { answer } of begun) answer(true)
  t.false(await isDone(ticket))
  reset[0]?.done()
  t.true(await isDone(ticket))
})

test("break queue: at the end everything is taken back that is not known to have arrived", async (t) => {
  const { queue, begun } = bench()
  const host = hostAt(1)
  const ticket = new BreakTicket()
  for (const one of fids(7)) queue.add(host, one, ticket)
  begun[1]?.answer(true)
  await turn()
  const left = queue.takeAll()
  t.deepEqual(
    left.map(({ host: of, fids: told }) => [of, told.map(fidText).sort()]),
    [[host, ["5.0.1", "5.10.1", "5.12.1", "5.4.1", "5.6.1", "5.8.1"]]],
  )
})
