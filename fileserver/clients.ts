/**
 * The clients of a fileserver put together: hosts, promises, and the calls that go to them.
 *
 *     who calls                     host-table.ts, handshake.ts, host-register.ts
 *     what they were promised       callback-table.ts, promise-store.ts, promise-lifetime.ts
 *     telling them                  break-queue.ts, host-return.ts, host-reach.ts, client-calls.ts
 *     from time to time             host-sweep.ts
 *     over a restart                saved-clients.ts
 */
import type { Clock } from "../common/clock.ts"
import type { Disk } from "../common/disk/disk.ts"
import { FormatError } from "../common/error.ts"
import type { AFSFid } from "../common/protocol/afs-types.ts"
import type { PackageLog } from "../common/volume/package-context.ts"
import { BreakQueue } from "./break-queue.ts"
import type { CallbackCounters } from "./callback-counters.ts"
import { CallbackTable } from "./callback-table.ts"
import type { ClientCalls } from "./client-calls.ts"
import { Handshake } from "./handshake.ts"
import type { Host } from "./host.ts"
import { HostReach } from "./host-reach.ts"
import { HostRegister } from "./host-register.ts"
import { HostReturn } from "./host-return.ts"
import { sweepHosts, sweepTimes } from "./host-sweep.ts"
import { HostTable } from "./host-table.ts"
import { PromiseStore, promisesDefault } from "./promise-store.ts"
import type { Protection } from "./protection.ts"
import { restoreClients, type SavedFacts, saveClients, takeSavedClients } from "./saved-clients.ts"

/** Hosts that are known at a time; more than that many caches are served in turns. */
const hostsMax = 65_535
export interface ClientsOptions {
  readonly calls: ClientCalls
  readonly protection: Pick<Protection, "userOf" | "hostGroups">
  readonly clock: Clock
  /** Room for so many promises; promisesDefault if absent. */
  readonly promisesMax?: number | undefined
  readonly hostsMax?: number | undefined
}

export class Clients implements Disposable {
  readonly hosts: HostTable
  readonly callbacks: CallbackTable
  readonly register: HostRegister
  readonly #queue: BreakQueue
  readonly #clock: Clock
  readonly #sweep: () => Promise<void>
  #cancelSweep: (() => void) | undefined
  #isSweeping = false

  constructor(options: ClientsOptions) {
    const { calls, protection, clock } = options
    const register = new HostRegister(options.hostsMax ?? hostsMax)
    const store = new PromiseStore(options.promisesMax ?? promisesDefault, register.capacity)
    const reach = new HostReach(calls, register)
    const callbacks: CallbackTable = new CallbackTable(store, register, {
      add: (host, fid, ticket) => queue.add(host, fid, ticket),
    })
    const returns = new HostReturn({ calls, reach, register, callbacks })
    const queue = new BreakQueue({
      calls,
      reach,
      clock,
      onUntold: (host, fids) => callbacks.keepUntold(host, fids, clock.now()),
      onOverflow: (host) => returns.reset(host),
    })
    const handshake = new Handshake({ calls, register, returns, protection, clock })
    this.register = register
    this.callbacks = callbacks
    this.hosts = new HostTable({ register, handshake, returns, protection, clock })
    this.#queue = queue
    this.#clock = clock
    this.#sweep = () => sweepHosts({ register, reach, returns, callbacks }, clock.now())
    this.#sweepLater()
  }

  /** Collection 3 of RXAFS_GetXStats. */
  counters(): CallbackCounters {
    return { ...this.callbacks.counters(), breakers: this.#queue.hosts }
  }

  /**
   * No more calls will be made: what is on its way to hosts, or was to be, becomes what they have to be told before they are
   * served again. For a shutdown, when calls have ended and before the state is saved.
   */
  settle(): void {
    this.#cancelSweep?.()
    const untold: { host: Host; fids: readonly AFSFid[] }[] = this.#queue.takeAll()
    for (const { host, fids } of untold) this.callbacks.keepUntold(host, fids, this.#clock.now())
  }

  /**
   * Writes what the next start may believe to the state directory; call `settle` before. Does not throw: clients then begin
   * anew, as after a crash.
   */
  save(stateDirectory: string, disk: Disk, facts: Omit<SavedFacts, "now">, log: PackageLog): void {
    try {
      const tables = { register: this.register, store: this.callbacks.store }
      const path = saveClients(tables, stateDirectory, disk, { ...facts, now: this.#clock.now() })
      log.info({ path, hosts: this.register.size, promises: this.callbacks.store.count }, "client state saved")
    } catch (err) {
      log.error({ err }, "client state cannot be saved: clients will fetch anew what they have")
    }
  }

  /**
   * Takes what the server before this one has saved, if it may be believed. Promises on volumes that were touched since are
   * broken. @throws DiskError if the file cannot be removed
   */
  restore(stateDirectory: string, disk: Disk, facts: Omit<SavedFacts, "now">, log: PackageLog): void {
    const saved = takeSavedClients(stateDirectory, disk)
    if (saved === undefined) return
    const { path, bytes } = saved
    try {
      const tables = { register: this.register, store: this.callbacks.store }
      const restored = restoreClients(tables, bytes, path, { ...facts, now: this.#clock.now() })
      for (const volume of restored.stale) this.callbacks.breakVolume(volume)
      log.info({ path, ...restored }, "client state restored")
    } catch (err) {
      if (!(err instanceof FormatError)) throw err
      log.warn({ path, err }, "client state is not restored: clients will fetch anew what they have")
    }
  }

  [Symbol.dispose](): void {
    this.#cancelSweep?.()
  }

  /** Looks at all hosts every five minutes, unless the last look lasts still. */
  #sweepLater(): void {
    this.#cancelSweep = this.#clock.after(sweepTimes.everyMs, () => {
      this.#sweepLater()
      if (this.#isSweeping) return
      this.#isSweeping = true
      void this.#sweep().finally(() => {
        this.#isSweeping = false
      })
    })
  }
}
