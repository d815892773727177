/**
 * The time of a call: its four timers, what they are set by, and what they decide. When one fires the call acts.
 *
 *     resend      what is on the way is taken for lost, or the peer that said BUSY is asked again
 *     ack         an ACK that nothing sent since has made superfluous
 *     keepAlive   six times in the dead time: is a ping due?
 *     deadline    has the call waited for too long (deadline.ts)?
 */
import type { Millis } from "../clock.ts"
import { type CallTimes, deadMs, nextDeadline, type Overdue, overdue } from "./deadline.ts"
import { busyWait, type RxTiming } from "./limits.ts"
import type { Peer } from "./peer.ts"
import { TimerSlots, type Timers } from "./timers.ts"

export const callTimers = { resend: 0, ack: 1, keepAlive: 2, deadline: 3 } as const

/** A connection and its endpoint, as far as they have to do with time. */
export interface TimedPath {
  readonly peer: Pick<Peer, "roundTrip" | "unreachableAt">
  readonly timing: RxTiming
  readonly endpoint: {
    readonly time: Millis
    readonly timing: Pick<RxTiming, "ackDelayMs">
    readonly timers: Timers
    currentTime(): Millis
  }
}

export class CallClock implements CallTimes {
  readonly isClient: boolean
  readonly startedAt: Millis
  lastReceived: Millis
  lastProgress: Millis
  #lastSent: Millis
  readonly #path: TimedPath
  readonly #slots: TimerSlots
  /** How often the peer has said BUSY, and whether the resend timer runs for that. */
  #refusals = 0
  #isRefused = false

  constructor(path: TimedPath, isClient: boolean, expire: (slot: number, now: Millis) => void) {
    const now = path.endpoint.currentTime()
    this.isClient = isClient
    this.startedAt = now
    this.lastReceived = now
    this.lastProgress = now
    this.#lastSent = now
    this.#path = path
    this.#slots = new TimerSlots(expire)
  }

  /** A packet came from the peer. */
  heard(): void {
    this.lastReceived = this.#path.endpoint.time
  }

  /** A packet goes to the peer. */
  sent(now: Millis): void {
    this.#lastSent = now
  }

  /** Data came, went, or was asked for. */
  progressed(): void {
    this.lastProgress = this.#path.endpoint.currentTime()
  }

  /** The peer was heard of lately: what does not arrive there is lost for another reason than its death. */
  get isPeerAlive(): boolean {
    return this.#path.endpoint.time - this.lastReceived < deadMs(this.#path.timing) / 2
  }

  /** Since anything came from the peer the system has said that nobody listens there. */
  get isUnreachable(): boolean {
    return this.#path.peer.unreachableAt > this.lastReceived
  }

  armResend(at: Millis | undefined): void {
    if (at === undefined) this.#clear(callTimers.resend)
    else this.#set(callTimers.resend, at)
  }

  /** The peer says BUSY: it is to be asked again, a little later each time. */
  refused(): void {
    if (this.#isRefused) return
    this.#isRefused = true
    const wait = Math.min(busyWait.firstMs * 2 ** this.#refusals++, busyWait.maxMs)
    this.#set(callTimers.resend, this.#path.endpoint.time + wait)
  }

  /** The resend timer has fired: true if it ran because the peer had said BUSY. */
  takeRefusal(): boolean {
    const wasRefused = this.#isRefused
    this.#isRefused = false
    return wasRefused
  }

  /** An ACK has to go within the delay. */
  armAck(): void {
    if (this.#slots.isSet(callTimers.ack)) return
    const { endpoint } = this.#path
    this.#set(callTimers.ack, endpoint.currentTime() + endpoint.timing.ackDelayMs)
  }

  clearAck(): void {
    this.#clear(callTimers.ack)
  }

  /** Watches over a call that does not end at once, from now on; one that only waits for its last ACK is not kept alive. */
  watch(keepsAlive: boolean): void {
    const now = this.#path.endpoint.currentTime()
    this.lastReceived = Math.max(this.lastReceived, now)
    if (keepsAlive) this.#set(callTimers.keepAlive, now + this.#keepAliveMs)
    this.#setDeadline()
  }

  unwatch(): void {
    this.#clear(callTimers.keepAlive)
    this.#clear(callTimers.deadline)
  }

  /** The keep-alive timer has fired: true if nothing was sent since it was set. It is set again. */
  isSilent(now: Millis): boolean {
    const interval = this.#keepAliveMs
    this.#set(callTimers.keepAlive, now + interval)
    return now - this.#lastSent > interval
  }

  /** The deadline timer has fired: why the call has to end, if it has to; else it is set again. */
  overdue(now: Millis, isWaitingForPeer: boolean): Overdue | undefined {
    const { timing, peer } = this.#path
    const end = overdue(this, timing, peer.roundTrip, now, isWaitingForPeer)
    if (end === undefined) this.#setDeadline()
    return end
  }

  /** The call is over. */
  stop(): void {
    this.#path.endpoint.timers.drop(this.#slots)
  }

  get #keepAliveMs(): Millis {
    return deadMs(this.#path.timing) / 6
  }

  #setDeadline(): void {
    const { endpoint, timing, peer } = this.#path
    this.#set(callTimers.deadline, nextDeadline(this, timing, peer.roundTrip, endpoint.time))
  }

  #set(slot: number, at: Millis): void {
    this.#path.endpoint.timers.set(this.#slots, slot, at)
  }

  #clear(slot: number): void {
    this.#path.endpoint.timers.clear(this.#slots, slot)
  }
}
