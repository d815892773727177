/**
 * What do callback promises cost? Memory for 100,000 of them on objects of their own, held by 100 clients: of this process's
 * resident memory against what dafileserver takes more with room for 100,000 more. And the time of the steps that every call
 * takes: knowing the caller, renewing a promise, making one, finding nobody to tell.
 */
import { readFileSync } from "node:fs"
import { systemClock } from "../common/clock.ts"
import type { RpcCall } from "../common/rpc/rpc-call.ts"
import type { ClientCalls } from "../fileserver/client-calls.ts"
import { Clients } from "../fileserver/clients.ts"
import type { Host } from "../fileserver/host.ts"
import type { UserIdentity } from "../fileserver/protection.ts"
import { type Answer, answer, inTemporaryDirectory, microseconds, report } from "./measure.ts"
import { canHaveCell, type PeerCell, startPeerCell } from "./peer-cell.ts"

const promises = 100_000
const hostCount = 100
const rounds = 3
const steps = 1_000_000

/** Clients that agree to everything at once. */
const calls: ClientCalls = {
  tellMeAboutYourself: async ({ port }) => ({
    addr: { numberOfInterfaces: 0, uuid: String(port), addr_in: [], subnetmask: [], mtu: [] },
    capabilities: [1],
  }),
  whoAreYou: async () => ({ numberOfInterfaces: 0, uuid: "", addr_in: [], subnetmask: [], mtu: [] }),
  initCallBackState: async () => {},
  probe: async () => true,
  callBack: async () => {},
  release: () => {},
}
const anonymous: UserIdentity = { id: 32_766, cps: [-101, 32_766], isAdministrator: false, isSuperuser: false }
const protection = { userOf: () => anonymous, hostGroups: (): readonly number[] => [] }

/** A call of which only its connection is looked at. */
const callFrom = (port: number): RpcCall => ({
  connection: { peer: { host: 0x0a63_0001, port } },
  userStatus: 0,
  isOver: false,
  isRead: false,
  onData: undefined,
  onRoom: undefined,
  onEnd: undefined,
  read: () => undefined,
  readInto: () => 0,
  write: () => 0,
  finish: () => {},
  abort: () => {},
})

interface Filled {
  readonly clients: Clients
  readonly hosts: readonly Host[]
  readonly call: RpcCall
}

async function known(promisesMax: number): Promise<Filled> {
  const clients = new Clients({ calls, protection, clock: systemClock, promisesMax })
  const hosts: Host[] = []
  const call = callFrom(7001)
  for (let nth = 0; nth < hostCount; nth++)
    hosts.push((await clients.hosts.callerOf(nth === 0 ? call : callFrom(7001 + nth))).host)
  return { clients, hosts, call }
}

const fidOf = (nth: number) => ({ Volume: 0x2000_0000 + (nth % 50), Vnode: 2 * (1 + nth), Unique: 1 + nth })

function fill({ clients, hosts }: Filled, count: number): void {
  const now = systemClock.now()
  for (let nth = 0; nth < count; nth++) {
    const host = hosts[nth % hostCount]
    if (host !== undefined) clients.callbacks.promise(host, fidOf(nth), true, now, false)
  }
}

function residentBytes(pid: number | "self"): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])
}

/** Kept, so that their memory is not used by the next round. */
const kept: Filled[] = []

/** Bytes for one promise, of what this process takes more when it has them. */
async function ourBytes(): Promise<number> {
  const filled = await known(promises)
  kept.push(filled)
  fill(filled, 1_000)
  const before = residentBytes("self")
  fill(filled, promises)
  return (residentBytes("self") - before) / (promises - 1_000)
}

/** A dafileserver with room for so many promises. It takes all of its table at the start. */
function peerWithRoom(directory: string, room: number): PeerCell {
  process.env["CELL_FS_OPTIONS"] = `-p 64 -busyat 600 -rxpck 5000 -s 10000 -l 2000 -b 240 -vc 500 -cb ${room}`
  return startPeerCell(`${directory}/${room}`, "vl", "pt", "sal", "fs")
}

/** Microseconds of each step. */
async function steppedAnswers(): Promise<Answer[]> {
  const filled = await known(2 * promises)
  fill(filled, promises)
  const { clients, hosts, call } = filled
  const { callbacks } = clients
  const now = systemClock.now()
  const host = hosts[1] as Host
  const fids = Array.from({ length: 1_024 }, (_, nth) => fidOf(100 * nth + 1))
  const fidAt = (nth: number) => fids[nth & 1_023] as (typeof fids)[number]
  const strange = { Volume: 9, Vnode: 2, Unique: 2 }
  const ask = (what: string, work: (nth: number) => void) =>
    answer({ what, unit: "µs", ours: { name: "dafs", round: () => microseconds(steps, work) } })
  return [
    await ask("who calls, connection known", () => void clients.hosts.callerOf(call)),
    await ask("promise renewed", (nth) => void callbacks.promise(host, fidAt(nth), true, now, false)),
    await ask("promise made and given up", () => {
      callbacks.promise(host, strange, true, now, false)
      callbacks.giveUp(host, [strange])
    }),
    await ask("change that concerns nobody", () => void callbacks.break(strange)),
    await ask("change that concerns the writer alone", (nth) => void callbacks.break(fidAt(nth), host)),
  ]
}

/** What dafileserver's memory grows by with room for one promise more; undefined where it cannot be run. */
function theirBytes(directory: string): number | undefined {
  if (!canHaveCell()) return undefined
  const residentWith = (room: number): number => {
    using peer = peerWithRoom(directory, room)
    return residentBytes(peer.pid("fs"))
  }
  return (residentWith(50_000 + promises) - residentWith(50_000)) / promises
}

await inTemporaryDirectory(async (directory) => {
  const theirs = theirBytes(directory)
  const memory = await answer({
    what: `memory of a promise, ${promises.toLocaleString("en")} of them`,
    unit: "bytes",
    rounds,
    ours: { name: "dafs", round: ourBytes },
    peer: theirs === undefined ? undefined : { name: "dafileserver", round: () => theirs },
    goal: { atMost: theirs === undefined ? 64 : 1 },
  })
  report([memory, ...(await steppedAnswers())])
})
