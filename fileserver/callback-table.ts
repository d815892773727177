/**
 * Callback promises: what clients were promised to be told, and telling them. Who waits for a break waits for hosts that are up;
 * one that is down is told before its next call. docs/serving.md; OpenAFS viced/callback.c.
 */
import { type Millis, secondsOf } from "../common/clock.ts"
import { type AFSCallBack, type AFSFid, callBackTypes } from "../common/protocol/afs-types.ts"
import type { CallbackBreaker } from "../common/volume/package-context.ts"
import { BreakTicket } from "./break-queue.ts"
import { type CallbackCounters, noCounters } from "./callback-counters.ts"
import type { Host } from "./host.ts"
import { endOf, isOver, lifetimeOf, toldSeconds, volumeLifetime } from "./promise-lifetime.ts"
import type { PromiseStore } from "./promise-store.ts"

/** What the table needs of hosts. */
export interface PromiseHosts {
  withIndex(index: number): Host | undefined
  /** The host that has not called for longest, of those that `counts` accepts. */
  oldest(counts: (host: Host) => boolean): Host | undefined
}

/** Takes breaks to hosts that are up. */
export interface BreakSender {
  add(host: Host, fid: AFSFid, ticket?: BreakTicket): void
}

export const noPromise: AFSCallBack = Object.freeze({
  CallBackVersion: 0,
  ExpirationTime: 0,
  CallBackType: callBackTypes.none,
})

/** Promises taken at a time from one host when the table is full. */
const reclaimCount = 1_024

export class CallbackTable implements CallbackBreaker {
  readonly store: PromiseStore
  readonly #hosts: PromiseHosts
  readonly #sender: BreakSender
  readonly #counters: CallbackCounters
  /** What was told last: mostly it is told again. */
  #told = noPromise

  constructor(store: PromiseStore, hosts: PromiseHosts, sender: BreakSender) {
    this.store = store
    this.#hosts = hosts
    this.#sender = sender
    this.#counters = noCounters(store.capacity)
  }

  counters(): CallbackCounters {
    return { ...this.#counters, files: this.store.fileCount, promises: this.store.count }
  }

  // Granting and giving up.

  /**
   * Promises a host to tell it of changes; gives what the client is told. On a volume that nobody writes to, the promise is
   * for the volume. The same object may be given again.
   */
  promise(host: Host, fid: AFSFid, isWritable: boolean, now: Millis, isBulk: boolean): AFSCallBack {
    if (host.isGone) return noPromise
    const { store } = this
    const seconds = secondsOf(now)
    const { Volume } = fid
    const vnode = isWritable ? fid.Vnode : 0
    const unique = isWritable ? fid.Unique : 0
    const file = store.findFile(Volume, vnode, unique)
    const lifetime = isWritable ? lifetimeOf(file === 0 ? 0 : store.countOf(file), isBulk) : volumeLifetime
    const end = endOf(seconds, lifetime)
    const known = file === 0 ? 0 : store.find(file, host.index)
    if (known !== 0) store.renew(known, end)
    else if (!this.#add(host, Volume, vnode, unique, end, seconds)) return noPromise
    return this.#tell(toldSeconds(end, seconds))
  }

  #add(host: Host, volume: number, vnode: number, unique: number, end: number, seconds: number): boolean {
    if (this.store.isFull) this.#makeRoom(host, seconds)
    if (this.store.add(volume, vnode, unique, host.index, end) === 0) return false
    this.#counters.addedPromises++
    return true
  }

  #tell(seconds: number): AFSCallBack {
    if (this.#told === noPromise || this.#told.ExpirationTime !== seconds)
      this.#told = Object.freeze({ CallBackVersion: 1, ExpirationTime: seconds, CallBackType: callBackTypes.shared })
    return this.#told
  }

  /** The host does not want to know any more. (volume, 0, 0) stands for the promise on a read-only volume. */
  giveUp(host: Host, fids: readonly AFSFid[]): void {
    for (const { Volume, Vnode, Unique } of fids) {
      const known = this.#find(host, Volume, Vnode, Unique)
      if (known !== 0) this.#remove(known)
    }
  }

  giveUpAll(host: Host): void {
    this.#counters.deletedAll++
    this.dropHost(host)
  }

  /** Drops everything that a host was promised, and what it was to be told. */
  dropHost(host: Host): void {
    for (const at of this.store.ofHost(host.index)) this.#remove(at)
  }

  #remove(at: number): void {
    this.store.remove(at)
    this.#counters.deletedPromises++
  }

  // Breaking.

  /**
   * Tells everybody who has a promise on the object, except one. Undefined: there was nobody to wait for; else resolves when
   * all were told or given up on. Never rejects.
   */
  break(fid: AFSFid, except?: Host): Promise<void> | undefined {
    const { store } = this
    this.#counters.breaks++
    const file = store.findFile(fid.Volume, fid.Vnode, fid.Unique)
    if (file === 0) return undefined
    let ticket: BreakTicket | undefined
    for (let at = store.firstOf(file); at !== 0; ) {
      const next = store.nextOf(at)
      const host = this.#hosts.withIndex(store.hostOf(at))
      if (host === undefined || host !== except) ticket = this.#breakOne(at, host, ticket)
      at = next
    }
    return ticket?.done
  }

  #breakOne(at: number, host: Host | undefined, ticket: BreakTicket | undefined): BreakTicket | undefined {
    const { store } = this
    if (host?.isDown === true) {
      store.delay(at)
      return ticket
    }
    const told = ticket ?? new BreakTicket()
    const fid = store.fidOf(at)
    this.#remove(at)
    if (host === undefined) return ticket
    this.#sender.add(host, fid, told)
    return told
  }

  /** The object is no more: its promises go without a message. */
  forget(fid: AFSFid): void {
    const { store } = this
    this.#counters.deletedFiles++
    const file = store.findFile(fid.Volume, fid.Vnode, fid.Unique)
    if (file === 0) return
    for (let at = store.firstOf(file); at !== 0; ) {
      const next = store.nextOf(at)
      this.#remove(at)
      at = next
    }
  }

  /** Tells everybody with a promise on anything in the volume, once; does not wait. */
  breakVolume(id: number): void {
    const { store } = this
    this.#counters.breaks++
    if (!store.hasVolume(id)) return
    const ends = new Map<number, number>()
    for (const at of store.ofVolume(id)) {
      const host = store.hostOf(at)
      ends.set(host, Math.max(ends.get(host) ?? 0, store.endOf(at)))
      this.#remove(at)
    }
    for (const [index, end] of ends) {
      const host = this.#hosts.withIndex(index)
      if (host?.isDown === true) store.delay(store.add(id, 0, 0, index, end))
      else if (host !== undefined) this.#sender.add(host, { Volume: id, Vnode: 0, Unique: 0 })
    }
  }

  // Hosts that are down.

  /** A host could not be told: it is down, and is told before its next call. */
  keepUntold(host: Host, fids: readonly AFSFid[], now: Millis): void {
    if (host.isGone || host.needsReset) return
    host.isDown = true
    const end = endOf(secondsOf(now), lifetimeOf(0, false))
    for (const { Volume, Vnode, Unique } of fids) {
      const known = this.#find(host, Volume, Vnode, Unique)
      const at = known === 0 ? this.store.add(Volume, Vnode, Unique, host.index, end) : known
      if (at === 0) return this.requireReset(host)
      this.store.delay(at)
    }
  }

  /** What a host has to be told before it is served. */
  untold(host: Host): AFSFid[] {
    const { store } = this
    const fids: AFSFid[] = []
    for (const at of store.ofHost(host.index)) if (store.isDelayed(at)) fids.push(store.fidOf(at))
    return fids
  }

  /** A host was told these. What it was promised anew meanwhile, by a call that had begun before, stays promised. */
  told(host: Host, fids: readonly AFSFid[]): void {
    for (const { Volume, Vnode, Unique } of fids) {
      const known = this.#find(host, Volume, Vnode, Unique)
      if (known !== 0 && this.store.isDelayed(known)) this.#remove(known)
    }
  }

  #find(host: Host, volume: number, vnode: number, unique: number): number {
    const file = this.store.findFile(volume, vnode, unique)
    return file === 0 ? 0 : this.store.find(file, host.index)
  }

  /** Keeping track of what the host has to hear is not possible any more: it forgets everything before its next call. */
  requireReset(host: Host): void {
    host.needsReset = true
    this.dropHost(host)
  }

  // Room.

  /** Removes what is over. Gives how many. */
  expire(now: Millis): number {
    const { store } = this
    const seconds = secondsOf(now)
    let count = 0
    for (const at of store.all()) {
      if (!isOver(store.endOf(at), seconds)) continue
      store.remove(at)
      count++
    }
    this.#counters.timedOut += count
    return count
  }

  /** Takes space: from what is over, else from the host that called last longest ago, at last from the one that asks. */
  #makeRoom(asking: Host, seconds: number): void {
    this.#counters.gotSpaces++
    if (this.expire(seconds * 1000) > 0) return
    const hasPromises = (host: Host): boolean => this.store.countOfHost(host.index) > 0
    const victim = this.#hosts.oldest((host) => host !== asking && hasPromises(host)) ?? asking
    this.#counters.reclaimed++
    if (victim.isDown) this.requireReset(victim)
    else this.#reclaim(victim)
  }

  /** Breaks the oldest promises of a host. */
  #reclaim(host: Host): void {
    let left = reclaimCount
    for (const at of this.store.ofHost(host.index)) {
      if (left-- === 0) return
      const fid = this.store.fidOf(at)
      this.#remove(at)
      this.#sender.add(host, fid)
    }
  }
}
