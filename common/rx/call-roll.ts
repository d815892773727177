/**
 * The calls of an endpoint, within limits: how many run, which of them are *half-open* (only a part of the request has come), and
 * whose reply is *held* for the client to acknowledge. Too many of the latter two cost the oldest its life.
 */
import { RecencyList } from "../recency-list.ts"
import type { Call } from "./call.ts"
import { rxCodes } from "./codes.ts"
import type { RxLimits } from "./limits.ts"
import type { Peer } from "./peer.ts"
import type { RxStatistics } from "./statistics.ts"

export class CallRoll {
  readonly #limits: RxLimits
  readonly #statistics: RxStatistics
  /** Lists through the calls themselves: a Set that comes and goes with each call leaves tables behind that keep calls from being collected. */
  readonly #halfOpen = new RecencyList<Call>()
  readonly #held = new RecencyList<Call>()
  #running = 0
  #refusal = 0

  constructor(limits: RxLimits, statistics: RxStatistics) {
    this.#limits = limits
    this.#statistics = statistics
  }

  /** Calls that are not finished, on both sides. */
  get running(): number {
    return this.#running
  }

  /** New calls of clients are answered with this code from now on; 0 takes them again. */
  refuse(code: number): void {
    this.#refusal = code
  }

  /**
   * The code for a peer's new call that cannot be taken, 0 if it can. A host may have as many calls as are free: so whatever some
   * hosts do, there is room for the next one.
   */
  refusal({ flight }: Peer): number {
    if (this.#refusal !== 0) return this.#refusal
    return flight.calls >= this.#limits.calls - this.#running ? rxCodes.busy : 0
  }

  begin({ flight }: Peer): void {
    this.#running++
    flight.calls++
  }

  /** It is finished, or has failed. */
  finish({ flight }: Peer): void {
    this.#running--
    flight.calls--
  }

  /** A call of which only a part has come. */
  addHalfOpen(call: Call): void {
    this.#enroll(call, this.#halfOpen, this.#limits.halfOpenCalls)
  }

  /** A reply that is not acknowledged. */
  hold(call: Call): void {
    this.#enroll(call, this.#held, this.#limits.heldReplies)
  }

  /** The call is whole, or its reply acknowledged, or it is over: it is neither half-open nor held. */
  release(call: Call): void {
    call.listed?.remove(call)
    call.listed = undefined
  }

  #enroll(call: Call, calls: RecencyList<Call>, most: number): void {
    calls.add(call)
    call.listed = calls
    const { oldest } = calls
    if (calls.weight <= most || oldest === undefined) return
    this.#statistics.evicted++
    oldest.end(rxCodes.callDead, "too many calls")
  }
}
