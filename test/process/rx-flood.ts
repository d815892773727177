/** A fileserver that is flooded with packets of senders who do not exist serves the others, and keeps within its memory. */
import { createSocket } from "node:dgram"
import { readFileSync } from "node:fs"
import test from "ava"
import { packetFlags, rxHeader } from "../../common/protocol/rx-packet.ts"
import { startFileserver } from "../support/fileserver-process.ts"
import { randomOf } from "../support/random.ts"
import { fixturePartition } from "../support/served-volumes.ts"
import { wireClient } from "../support/wire-client.ts"

const host = "127.0.0.1"
const floods = 40
const perFlood = 1_000
const noHeader = { type: 1, userStatus: 0, securityIndex: 0, checksum: 0 }

/** The first part of a call that nobody will go on with, each from a client of its own. */
function halfOpenCall(index: number, body: Uint8Array): Buffer {
  const { clientInitiated } = packetFlags
  const names = { epoch: (0x8000_0000 + index) >>> 0, cid: 4 * index, callNumber: 1, seq: 1 + (index % 3), serial: 1 }
  const header = rxHeader.encode({
    ...noHeader,
    ...names,
    flags: clientInitiated,
    serviceId: index % 2 === 0 ? 1 : 409,
  })
  return Buffer.concat([header, body])
}

const residentMib = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

for (const backEnd of ["auto", "node"])
  test(`rx flood: half-open calls by the ten thousand and nonsense leave others served, on back end ${backEnd}`, async (t) => {
    const server = await startFileserver(t, [fixturePartition(t)], "--port", "0", "--socket-back-end", backEnd)
    const ready = await server.process.line(/"port":\d+.*fileserver ready/)
    const port = Number(/"port":(\d+)/.exec(ready)?.[1])
    const script = { uuid: "20000001-4fcf-1b01-8b-16-0a6300010aa9", addresses: [0x7f00_0001] }
    await using client = await wireClient({ host: 0x7f00_0001, port }, script)
    await client.calls.GetTime()
    const before = residentMib(server.process.pid)
    const senders = Array.from({ length: 20 }, () => createSocket("udp4"))
    const random = randomOf(7)
    for (let flood = 0; flood < floods; flood++) {
      for (let index = 0; index < perFlood; index++) {
        const nonsense = index % 5 === 0
        const bytes = nonsense
          ? random.bytes(28 + random.below(200))
          : halfOpenCall(flood * perFlood + index, random.bytes(1400))
        senders[index % senders.length]?.send(bytes, port, host)
      }
      // Whoever is known is served in between; this also gives the server its turn.
      t.true((await client.calls.GetTime()).Seconds > 0)
    }
    const grown = residentMib(server.process.pid) - before
    t.true(grown < 200, `${grown} MiB more`)
    for (const sender of senders) sender.close()
    const finished = await server.stop()
    t.is(finished.status, 0)
  })
