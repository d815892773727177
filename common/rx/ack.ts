/**
 * When a receiver acknowledges (rules of OpenAFS rx/rx.c, rxi_ReceiveDataPacket and rx/rx_rdwr.c):
 *
 *     asked for (REQUEST_ACK), duplicate, gap, beyond the window     now
 *     the second packet since the last ACK                           now, reason IDLE
 *     one packet                                                     after 100 ms, unless anything is sent before
 *     the reader has freed more than two packets since the last ACK  now, reason DELAY
 *
 * What "now" says is held until the end of the batch if others may come together with it: one ACK then tells of several packets.
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
  /** The ACK that waits for the end of the batch, in answer to the packet of `heldSerial`. */
  held: AckReason | undefined
  heldSerial = 0

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

  /** Holds an ACK, in the place of one that is held already: then false. */
  hold(reason: AckReason, serial: number): boolean {
    const isFirst = this.held === undefined
    this.held = reason
    this.heldSerial = serial
    return isFirst
  }

  /** An ACK with this `first` went out. */
  acked(first: number): void {
    this.#arrived = 0
    this.#toldFirst = first
    this.answered()
  }

  /** DATA of the other direction went out: it says that the request came. */
  answered(): void {
    this.isOwed = false
    this.held = undefined
  }
}
