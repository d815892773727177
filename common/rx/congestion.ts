/**
 * How many packets of one direction of a call may be on the way at a time (OpenAFS rx/rx.c, after TCP's slow start and
 * congestion avoidance). Fast growth up to the threshold, one packet for each full window above it; a loss halves the window,
 * once for all packets that were on the way with it. It does not grow while the application, not the window, is the limit.
 */
import { windowMax } from "./limits.ts"
import type { Peer } from "./peer.ts"

export class Congestion {
  /** Packets. */
  window = 1
  /** Growth is fast below it. */
  threshold: number = windowMax
  /** Acknowledged since the window grew last, above the threshold. */
  #growth = 0
  /** A loss of packets below this sequence number has been paid for. */
  #recoverUpTo = 0
  /** Until all those have arrived; not after a timeout, which starts slowly anyway. */
  #isRecovering = false

  /** Begins as the peer's last call ended. */
  open(peer: Peer): void {
    this.window = peer.congestionWindow
    this.threshold = peer.slowStartThreshold
    this.#growth = 0
    this.#recoverUpTo = 0
    this.#isRecovering = false
  }

  /** Leaves to the peer's next call how this one went. */
  close(peer: Peer): void {
    peer.congestionWindow = this.window
    peer.slowStartThreshold = this.threshold
  }

  /** What later packets have overtaken is being sent again. */
  get isRecovering(): boolean {
    return this.#isRecovering
  }

  /** The loss of this packet has not been paid for. */
  isNews(seq: number): boolean {
    return seq >= this.#recoverUpTo
  }

  /** Packets have arrived, none of them late; `before` were on the way until then, `first` is what the peer wants next. */
  arrived(count: number, before: number, first: number): void {
    if (this.#isRecovering && first < this.#recoverUpTo) return
    if (before < this.window) return
    if (this.window < this.threshold) this.window += count
    else {
      this.#growth += count
      if (this.#growth >= this.window) {
        this.#growth = 0
        this.window++
      }
    }
    if (this.window > windowMax) this.window = windowMax
  }

  /** Later packets have overtaken some; all below `sentEnd` had been sent. */
  overtaken(peerWindow: number, sentEnd: number): void {
    this.#halve(peerWindow, sentEnd)
    this.#isRecovering = true
    this.window = this.threshold
  }

  /** Nothing has arrived for long. */
  timedOut(peerWindow: number, sentEnd: number): void {
    this.#halve(peerWindow, sentEnd)
    this.#isRecovering = false
    this.window = 1
  }

  #halve(peerWindow: number, sentEnd: number): void {
    this.threshold = Math.max(4, Math.min(this.window, peerWindow)) >> 1
    this.#growth = 0
    this.#recoverUpTo = sentEnd
  }
}
