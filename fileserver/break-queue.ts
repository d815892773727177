/**
 * Callback breaks on their way. Each host has a few calls at a time, at most 50 fids in each; what comes meanwhile goes into the
 * next one. A host that does not answer holds nobody up but those who wait for it: it is down after its dead time, and what it
 * should have heard is handed back.
 *
 * Over all hosts, so many calls begin at once that a directory which everybody has costs no burst that a network loses; a call
 * that is not answered soon no longer counts.
 */
import type { Clock } from "../common/clock.ts"
import { type AFSFid, afsLimits } from "../common/protocol/afs-types.ts"
import type { ClientCalls } from "./client-calls.ts"
import type { Host } from "./host.ts"
import type { HostReach } from "./host-reach.ts"

/** Calls to one host at a time: a connection has four channels. */
const callsPerHost = 4
/** Calls that may begin before one of them is answered or is old. */
const freshCallsMax = 256
const freshMs = 250
/** A host with so many breaks on the way is told to forget everything instead. */
const waitingMax = 4_096

/** Resolves when so many breaks have ended. */
export class BreakTicket {
  #left = 0
  #resolve: (() => void) | undefined
  readonly done: Promise<void>

  constructor() {
    this.done = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  add(): void {
    this.#left++
  }
  end(): void {
    if (--this.#left === 0) this.#resolve?.()
  }
}

interface Break {
  readonly fid: AFSFid
  readonly ticket: BreakTicket | undefined
}

interface Outbox {
  readonly host: Host
  readonly waiting: Break[]
  readonly running: Set<readonly Break[]>
}

export interface BreakQueueOptions {
  readonly calls: ClientCalls
  readonly reach: Pick<HostReach, "tell">
  readonly clock: Clock
  /** The host could not be told these; called in the turn in which it is found out. */
  readonly onUntold: (host: Host, fids: readonly AFSFid[]) => void
  /** More waits for the host than it is worth to tell one by one: has it forget everything. Never rejects. */
  readonly onOverflow: (host: Host) => Promise<void>
}

export class BreakQueue {
  readonly #options: BreakQueueOptions
  readonly #outboxes = new Map<Host, Outbox>()
  /** Those that wait for their turn to begin a call, in order. */
  readonly #stalled = new Set<Outbox>()
  #fresh = 0
  #generation = 0
  #isTicking = false

  constructor(options: BreakQueueOptions) {
    this.#options = options
  }

  /** Hosts that are being told. */
  get hosts(): number {
    return this.#outboxes.size
  }

  /** Tells a host of a break. */
  add(host: Host, fid: AFSFid, ticket?: BreakTicket): void {
    const outbox = this.#outboxes.get(host) ?? { host, waiting: [], running: new Set() }
    this.#outboxes.set(host, outbox)
    ticket?.add()
    outbox.waiting.push({ fid, ticket })
    if (outbox.waiting.length > waitingMax) void this.#overflow(outbox)
    else this.#pump(outbox)
  }

  /** Takes back everything that is not known to have arrived. Those who wait for it wait no more. */
  takeAll(): { host: Host; fids: AFSFid[] }[] {
    const left = [...this.#outboxes.values()].map(({ host, waiting, running }) => {
      const breaks = [...[...running].flat(), ...waiting]
      for (const { ticket } of waiting.splice(0)) ticket?.end()
      return { host, fids: breaks.map(({ fid }) => fid) }
    })
    this.#stalled.clear()
    return left
  }

  async #overflow(outbox: Outbox): Promise<void> {
    const breaks = outbox.waiting.splice(0)
    await this.#options.onOverflow(outbox.host)
    endAll(breaks)
  }

  #pump(outbox: Outbox): void {
    while (outbox.waiting.length > 0 && outbox.running.size < callsPerHost) {
      if (this.#fresh >= freshCallsMax) {
        this.#stalled.add(outbox)
        return this.#tickLater()
      }
      void this.#send(outbox, outbox.waiting.splice(0, afsLimits.fids))
    }
    if (outbox.waiting.length === 0 && outbox.running.size === 0) this.#outboxes.delete(outbox.host)
  }

  /** Never rejects. */
  async #send(outbox: Outbox, breaks: readonly Break[]): Promise<void> {
    const { calls, reach, onUntold } = this.#options
    const generation = this.#generation
    const { host } = outbox
    const fids = breaks.map(({ fid }) => fid)
    this.#fresh++
    outbox.running.add(breaks)
    const isTold = await reach.tell(host, (at) => calls.callBack(at, fids, []))
    outbox.running.delete(breaks)
    if (!isTold) {
      const untold = [...breaks, ...outbox.waiting.splice(0)]
      onUntold(
        host,
        untold.map(({ fid }) => fid),
      )
      endAll(untold)
    } else endAll(breaks)
    if (generation === this.#generation) this.#fresh--
    this.#pump(outbox)
    this.#pumpStalled()
  }

  #pumpStalled(): void {
    for (const outbox of this.#stalled) {
      if (this.#fresh >= freshCallsMax) return this.#tickLater()
      this.#stalled.delete(outbox)
      this.#pump(outbox)
    }
  }

  /** Calls that are old by then make room for others. */
  #tickLater(): void {
    if (this.#isTicking) return
    this.#isTicking = true
    this.#options.clock.after(freshMs, () => {
      this.#isTicking = false
      this.#generation++
      this.#fresh = 0
      this.#pumpStalled()
    })
  }
}

function endAll(breaks: readonly Break[]): void {
  for (const { ticket } of breaks) ticket?.end()
}
