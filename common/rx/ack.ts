/**
 * When a receiver acknowledges (rules of OpenAFS rx/rx.c, rxi_ReceiveDataPacket and rx/rx_rdwr.c):
 *
 *     asked for (REQUEST_ACK), duplicate, gap, beyond the window     now
 *     the second packet since the last ACK                           now, reason IDLE
 *     one packet                                                     after 100 ms, unless anything is sent before
 *     the reader has freed more than two packets since the last ACK  now, reason DELAY
 */
import { type AckReason, ackReasons } from "../protocol/rx-packet.ts"
import type { Arrival } from "./receive-window.ts"

/** What one direction of a call owes its sender. */
export class AckDebt {
  /** Packets that have come since the last ACK. */
  #arrived = 0
  /** `first` at the last ACK. */
  #toldFirst = 1
  /** A packet waits to be acknowledged within the delay. */
  isOwed = false

  reset(): void {
    this.#arrived = 0
    this.#toldFirst = 1
    this.isOwed = false
  }

  /** A packet came. The reason of the ACK to be sent at once, or undefined: then one is owed. */
  arrived(arrival: Arrival, isAsked: boolean): AckReason | undefined {
    if (arrival === "beyond") return ackReasons.exceedsWindow
    if (arrival === "duplicate") return ackReasons.duplicate
    this.#arrived++
    if (isAsked) return ackReasons.requested
    if (arrival === "gap") return ackReasons.outOfSequence
    if (this.#arrived >= 2) return ackReasons.idle
    this.isOwed = true
    return undefined
  }

  /** The reader has come to `first`; true if the sender should know at once. */
  consumed(first: number): boolean {
    if (first === this.#toldFirst) return false
    this.isOwed = true
    return first - this.#toldFirst > 2
  }

  /** An ACK with this `first` went out. */
  acked(first: number): void {
    this.#arrived = 0
    this.#toldFirst = first
    this.isOwed = false
  }

  /** DATA of the other direction went out: it says that the request came. */
  answered(): void {
    this.isOwed = false
  }
}
