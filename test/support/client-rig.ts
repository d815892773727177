/**
 * A fileserver's clients without a fileserver: hosts and promises over Rx endpoints joined in memory, on a clock that moves from
 * event to event, with scripted cache managers. The server knows a few calls of RXAFS, with nothing behind them.
 */
import type { Clock } from "../../common/clock.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { type AFSFetchStatus, RXAFS } from "../../common/protocol/afsint.ts"
import { rpcClient, type Stubs } from "../../common/rpc/client.ts"
import { rpcService } from "../../common/rpc/service.ts"
import type { Connection } from "../../common/rx/connection.ts"
import type { Endpoint } from "../../common/rx/endpoint.ts"
import { rxClientCalls } from "../../fileserver/client-calls.ts"
import { Clients } from "../../fileserver/clients.ts"
import type { Caller } from "../../fileserver/host-table.ts"
import type { Protection, UserIdentity } from "../../fileserver/protection.ts"
import { CacheManager, type CacheManagerScript } from "./cache-manager.ts"
import { type Address, RxNetwork, serverAddress } from "./rx-network.ts"

const epochStart = Date.UTC(2026, 0, 1)
export const serverUuid = "0096b658-4fba-1b01-b2-d2-0100007faa77"
/** Fids of volumes from here on are of volumes that nobody writes to. */
export const firstReadOnlyVolume = 1000

const sync = { spare1: 0, spare2: 0, spare3: 0, spare4: 0, spare5: 0, spare6: 0 }
const status: AFSFetchStatus = {
  ...{ InterfaceVersion: 1, FileType: 1, LinkCount: 1, Length: 0, DataVersion: 1, Author: 0, Owner: 0 },
  ...{ CallerAccess: 0, AnonymousAccess: 0, UnixModeBits: 0o644, ParentVnode: 1, ParentUnique: 1, ResidencyMask: 1 },
  ...{ ClientModTime: 0, ServerModTime: 0, Group: 0, SyncCounter: 0, dataVersionHigh: 0, lockCount: 0 },
  ...{ Length_hi: 0, errorCode: 0 },
}
const anonymous: UserIdentity = { id: 32_766, cps: [-101, 32_766], isAdministrator: false, isSuperuser: false }

interface Alarm {
  readonly at: number
  readonly action: () => void
}

export interface RigOptions {
  readonly promisesMax?: number
  readonly hostsMax?: number
  readonly protection?: Partial<Protection>
}

/** A cache manager in the network. */
export interface RigClient {
  readonly manager: CacheManager
  readonly endpoint: Endpoint
  readonly address: Address
  /** The server's calls over this client's first connection. */
  readonly calls: Stubs<(typeof RXAFS)["operations"]>
  /** The same over a new connection. */
  connect(): Stubs<(typeof RXAFS)["operations"]>
  /** It hears nothing from now on, or again. */
  setSilent(isSilent: boolean): void
}

export class ClientRig {
  readonly network = new RxNetwork()
  readonly clock: Clock
  readonly endpoint: Endpoint
  clients: Clients
  /** Who called, in order. */
  readonly callers: Caller[] = []
  /** Groups of addresses that were asked for. */
  readonly groupsAsked: number[] = []
  readonly #alarms = new Set<Alarm>()

  constructor(options: RigOptions = {}) {
    this.network.records = false
    this.clock = {
      now: () => Math.floor(epochStart + this.network.now),
      after: (ms, action) => {
        const alarm = { at: this.network.now + ms, action }
        this.#alarms.add(alarm)
        return () => void this.#alarms.delete(alarm)
      },
    }
    this.endpoint = this.network.endpoint(serverAddress)
    this.clients = this.makeClients(options)
    this.endpoint.register(this.#service())
  }

  /** Hosts and promises as a server has them that has just been started. */
  makeClients({ promisesMax, hostsMax, protection }: RigOptions = {}): Clients {
    const { clock } = this
    return new Clients({
      calls: rxClientCalls(this.endpoint, serverUuid),
      protection: {
        userOf: () => anonymous,
        hostGroups: (address) => {
          this.groupsAsked.push(address)
          return []
        },
        ...protection,
      },
      clock,
      promisesMax,
      hostsMax,
    })
  }

  #service() {
    const now = (): number => this.clock.now()
    const isWritable = ({ Volume }: AFSFid): boolean => Volume < firstReadOnlyVolume
    const promise = ({ host }: Caller, fid: AFSFid, isBulk: boolean) =>
      this.clients.callbacks.promise(host, fid, isWritable(fid), now(), isBulk)
    const called = async (call: Parameters<Clients["hosts"]["callerOf"]>[0]): Promise<Caller> => {
      const caller = await this.clients.hosts.callerOf(call)
      this.callers.push(caller)
      return caller
    }
    const log = { error: (facts: object) => console.error("a call failed", facts) }
    return rpcService(
      RXAFS,
      {
        GetCapabilities: async (_, call) => {
          await called(call)
          return { capabilities: [7] }
        },
        FetchStatus: async ({ Fid }, call) => {
          const caller = await called(call)
          return { OutStatus: status, CallBack: promise(caller, Fid, false), Sync: sync }
        },
        InlineBulkStatus: async ({ FidsArray }, call) => {
          const caller = await called(call)
          const CBs = FidsArray.map((fid) => promise(caller, fid, true))
          return { StatArray: FidsArray.map(() => status), CBArray: CBs, Sync: sync }
        },
        StoreStatus: async ({ Fid }, call) => {
          const { host } = await called(call)
          await this.clients.callbacks.break(Fid, host)
          return { OutStatus: status, Sync: sync }
        },
        GiveUpCallBacks: async ({ Fids_Array }, call) => {
          this.clients.callbacks.giveUp((await called(call)).host, Fids_Array)
        },
        GiveUpAllCallBacks: async (_, call) => {
          this.clients.callbacks.giveUpAll((await called(call)).host)
        },
      },
      { log },
    )
  }

  /** A cache manager at an address. */
  client(address: Address, script: Partial<CacheManagerScript> = {}): RigClient {
    const manager = new CacheManager(script)
    const endpoint = this.network.endpoint(address, { services: [manager.service] })
    const connect = () => rpcClient(RXAFS, this.#connection(endpoint))
    const receive = (bytes: Uint8Array, from: Address, now: number): void =>
      endpoint.receive(bytes, from.host, from.port, now)
    return {
      manager,
      endpoint,
      address,
      calls: connect(),
      connect,
      setSilent: (isSilent) => {
        if (isSilent) this.network.detach(address)
        else this.network.attach(address, receive)
      },
    }
  }

  #connection(endpoint: Endpoint): Connection {
    return endpoint.connect(serverAddress.host, serverAddress.port, RXAFS.service, { timing: { deadMs: 300_000 } })
  }

  /** Lets things happen until the promise is settled. @throws what it rejects with, or Error if nothing is left to happen */
  async until<T>(promise: Promise<T>, withinMs = 3_600_000): Promise<T> {
    let isDone = false
    const settled = promise.finally(() => {
      isDone = true
    })
    settled.catch(() => undefined)
    const end = this.network.now + withinMs
    for (;;) {
      await turn()
      if (isDone) return await settled
      if (!this.#step(end)) throw new Error(`not within ${withinMs} ms of the network's time`)
    }
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    const end = this.network.now + ms
    do await turn()
    while (this.#step(end))
    this.network.now = end
  }

  /** How long something takes, in the network's time. */
  async timed(promise: Promise<unknown>): Promise<number> {
    const begin = this.network.now
    await this.until(promise)
    return this.network.now - begin
  }

  #step(end: number): boolean {
    let next: Alarm | undefined
    for (const alarm of this.#alarms) if (next === undefined || alarm.at < next.at) next = alarm
    if (this.network.step(Math.min(end, next?.at ?? end))) return true
    if (next === undefined || next.at > end) return false
    this.network.now = Math.max(this.network.now, next.at)
    this.#alarms.delete(next)
    next.action()
    return true
  }
}

/** What follows from what happened, all promises included. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The nth cache manager's address and UUID. */
export const addressOf = (nth: number, port = 7001): Address => ({ host: 0x0a63_0100 + nth, port })
export const uuidOf = (nth: number): string => `0000${(0x1000 + nth).toString(16)}-0000-0000-00-00-000000000001`
