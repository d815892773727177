/** What every back end of the socket promises (common/rx/datagram-port.ts), as tests over the loopback interface. */
import test, { type ExecutionContext } from "ava"
import { type DatagramPort, type OpenPort, parseHost } from "../../common/rx/datagram-port.ts"
import { type Random, seededRandom } from "./random.ts"

const loopback = "127.0.0.1"
const host = parseHost(loopback) ?? 0

interface Got {
  readonly bytes: Buffer
  readonly host: number
  readonly port: number
}

/** A port that collects what comes; its bytes are copied, since they may be lent. */
interface Listener {
  readonly port: DatagramPort
  readonly got: Got[]
  batches: number
  /** When so many datagrams are here. */
  has(count: number): Promise<void>
}

async function listen(t: ExecutionContext, open: OpenPort): Promise<Listener> {
  const got: Got[] = []
  let wanted = Number.POSITIVE_INFINITY
  let wake: () => void = () => undefined
  const events = {
    unreachable: () => undefined,
    receive(bytes: Uint8Array, from: number, port: number) {
      got.push({ bytes: Buffer.from(bytes), host: from, port })
    },
    batchEnd() {
      listener.batches++
      if (got.length >= wanted) wake()
    },
  }
  const port = await open(loopback, 0, events)
  t.teardown(() => port.close())
  const has = (count: number): Promise<void> =>
    new Promise((resolve) => {
      wanted = count
      wake = resolve
      if (got.length >= count) resolve()
    })
  const listener: Listener = { port, got, batches: 0, has }
  return listener
}

/** Sends everything at once. */
function sendAll(from: DatagramPort, to: DatagramPort, datagrams: readonly Uint8Array[]): void {
  for (const one of datagrams) from.send(one, one.length, host, to.port)
  from.flush()
}

const same = (t: ExecutionContext, got: readonly Got[], sent: readonly Uint8Array[]): void => {
  t.deepEqual(
    got.map(({ bytes }) => bytes.length),
    sent.map(({ length }) => length),
  )
  t.true(Buffer.concat(got.map(({ bytes }) => bytes)).equals(Buffer.concat(sent)))
}

const sizes: Readonly<Record<string, (random: Random) => number[]>> = {
  "of one size": () => Array.from({ length: 100 }, () => 1444),
  "of one size with a short one at the end": () => [...Array.from({ length: 50 }, () => 1444), 77],
  "with short ones in between": () => Array.from({ length: 120 }, (_, index) => (index % 7 === 3 ? 66 : 1444)),
  "of any size": (random) => Array.from({ length: 60 }, () => 28 + random.below(1417)),
  "as large as jumbograms": () => [5692, 5692, 5692, 1444, 5692, 16_384, 16_384, 28],
}

type Promised = readonly [promise: string, check: (t: ExecutionContext, open: OpenPort) => Promise<void>]

const promises: readonly Promised[] = [
  ...Object.entries(sizes).map(
    ([name, make]): Promised => [
      `datagrams ${name} that leave together arrive whole, in order, from the right sender`,
      async (t, open) => {
        const random = seededRandom(t)
        const [from, to] = [await listen(t, open), await listen(t, open)]
        const sent = make(random).map((size) => random.bytes(size))
        sendAll(from.port, to.port, sent)
        await to.has(sent.length)
        same(t, to.got, sent)
        t.true(to.got.every((one) => one.host === host && one.port === from.port.port))
        t.true(to.batches > 0 && to.batches <= sent.length)
      },
    ],
  ),
  [
    "datagrams to several peers in turns reach each its own",
    async (t, open) => {
      const from = await listen(t, open)
      const peers = [await listen(t, open), await listen(t, open), await listen(t, open)]
      for (let turn = 0; turn < 60; turn++) {
        const bytes = Buffer.alloc(100, turn)
        from.port.send(bytes, 100, host, peers[turn % 3]?.port.port ?? 0)
      }
      from.port.flush()
      for (const [index, peer] of peers.entries()) {
        await peer.has(20)
        t.deepEqual(
          peer.got.map(({ bytes }) => bytes[0]),
          Array.from({ length: 20 }, (_, turn) => 3 * turn + index),
        )
      }
    },
  ],
  [
    "only the length that was said is sent, and what is sent may change after the flush",
    async (t, open) => {
      const [from, to] = [await listen(t, open), await listen(t, open)]
      const bytes = Buffer.alloc(200, 1)
      from.port.send(bytes, 50, host, to.port.port)
      if (from.port.flush()) bytes.fill(2)
      await to.has(1)
      t.true(to.got[0]?.bytes.equals(Buffer.alloc(50, 1)))
    },
  ],
  [
    "more than any batch holds passes, if it is taken in turns",
    async (t, open) => {
      const [from, to] = [await listen(t, open), await listen(t, open)]
      for (let round = 1; round <= 10; round++) {
        sendAll(
          from.port,
          to.port,
          Array.from({ length: 300 }, () => Buffer.alloc(1444, round)),
        )
        await to.has(300 * round)
      }
      t.true(to.got.every(({ bytes }, index) => bytes[9] === 1 + Math.trunc(index / 300)))
    },
  ],
  [
    "what the system refuses holds nothing up",
    async (t, open) => {
      const [from, to] = [await listen(t, open), await listen(t, open)]
      from.port.send(Buffer.alloc(30, 1), 30, 0xffff_ffff, 7000)
      from.port.send(Buffer.alloc(30, 2), 30, host, to.port.port)
      from.port.send(Buffer.alloc(30, 3), 30, host, to.port.port)
      from.port.flush()
      await to.has(2)
      t.deepEqual(
        to.got.map(({ bytes }) => bytes[0]),
        [2, 3],
      )
    },
  ],
  [
    "a peer where nobody listens holds up none of the others, again and again",
    async (t, open) => {
      const [from, to, gone] = [await listen(t, open), await listen(t, open), await listen(t, open)]
      await gone.port.close()
      for (let round = 1; round <= 20; round++) {
        from.port.send(Buffer.alloc(30, round), 30, host, gone.port.port)
        from.port.send(Buffer.alloc(30, round), 30, host, to.port.port)
        from.port.flush()
        await to.has(round)
        to.port.send(Buffer.alloc(31, round), 31, host, from.port.port)
        to.port.flush()
        await from.has(round)
      }
      t.deepEqual(
        to.got.map(({ bytes }) => bytes[0]),
        Array.from({ length: 20 }, (_, index) => index + 1),
      )
    },
  ],
  [
    "promises that settle in the receiver go on without anything else to happen",
    async (t, open) => {
      const from = await listen(t, open)
      const arrived = new Promise<number>((resolve, reject) => {
        const receive = (bytes: Uint8Array): void => resolve(bytes.length)
        open(loopback, 0, { receive, batchEnd: () => undefined, unreachable: () => undefined }).then((port) => {
          t.teardown(() => port.close())
          sendAll(from.port, port, [Buffer.alloc(40)])
        }, reject)
      })
      t.is(await arrived, 40)
    },
  ],
  [
    "a port that is taken is an error that says so",
    async (t, open) => {
      const first = await listen(t, open)
      const events = { receive: () => undefined, batchEnd: () => undefined, unreachable: () => undefined }
      await t.throwsAsync(open(loopback, first.port.port, events), { code: "EADDRINUSE", message: /127\.0\.0\.1/ })
      await t.throwsAsync(open("203.0.113.1", 0, events), { code: "EADDRNOTAVAIL" })
    },
  ],
  [
    "closing twice is harmless, and a closed port sends nothing",
    async (t, open) => {
      const [from, to] = [await listen(t, open), await listen(t, open)]
      await from.port.close()
      await from.port.close()
      sendAll(from.port, to.port, [Buffer.alloc(40)])
      t.true(from.port.flush())
      t.deepEqual(to.got, [])
    },
  ],
]

/** Tries a back end. */
export function testPort(name: string, open: OpenPort): void {
  for (const [promise, check] of promises) test(`${name}: ${promise}`, (t) => check(t, open))
}
