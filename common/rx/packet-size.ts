/**
 * How large a packet to one peer may be. Both sides say in their ACKs what they take; above an Ethernet packet's size that is no
 * promise of the path between them, so a larger size is used when a ping of it was answered, and not before:
 *
 *     size ── proved ── probe (asked for now) ── limit (what both sides take)
 *
 * A path that takes less shows in packets that never arrive while small ones do; then the next calls begin small.
 */
import type { Millis } from "../clock.ts"
import { ethernetPacketSize, packetSizeMin } from "../protocol/rx-packet.ts"

/** A probe that was not answered for so long counts as lost. */
const probeMs = 1_000
/** Lost so often, a size is taken to be too large. */
const probeLosses = 3
/** The search ends when no more than this can be won. */
const worthBytes = 64
/** Paths change: what was too large is tried again after this time. */
const againMs = 600_000
/** Passes tunnels of every kind. */
const cautious = 1_024

export class PacketSize {
  /** Rx header included. */
  size: number = ethernetPacketSize
  /** What both sides take. */
  limit: number = ethernetPacketSize
  /** Smallest size that seems too large. */
  #ceiling = Number.POSITIVE_INFINITY
  #probe = 0
  #losses = 0
  #serial = -1
  #due: Millis = 0

  /** Both sides take packets of this size. What Ethernet takes needs no proof. */
  agree(size: number): void {
    if (size === this.limit) return
    this.limit = Math.max(packetSizeMin, size)
    const safe = this.#ceiling > ethernetPacketSize ? ethernetPacketSize : this.size
    this.size = Math.min(this.limit, Math.max(this.size, safe))
  }

  /** The size that a ping should have now; undefined for none. `sent` is to follow. */
  wanted(now: Millis): number | undefined {
    if (this.size >= this.limit || now < this.#due) return undefined
    if (this.#probe !== 0) this.#lost()
    if (this.#ceiling - this.size > worthBytes) {
      // All that both take first; then the middle of what passes and what does not.
      this.#probe = this.#ceiling > this.limit ? this.limit : (this.size + this.#ceiling) >> 1
      return this.#probe
    }
    this.#probe = 0
    this.#ceiling = Number.POSITIVE_INFINITY
    this.#due = now + againMs
    return undefined
  }

  #lost(): void {
    if (++this.#losses < probeLosses) return
    this.#losses = 0
    this.#ceiling = this.#probe
  }

  /** The ping went out with this serial. */
  sent(serial: number, now: Millis): void {
    this.#serial = serial
    this.#due = now + probeMs
  }

  /** A ping was answered. */
  answered(serial: number): void {
    if (serial !== this.#serial || this.#probe === 0) return
    this.#serial = -1
    this.size = Math.min(this.#probe, this.limit)
    this.#probe = 0
    this.#due = 0
    this.#losses = 0
  }

  /** Packets of this size are lost again and again, and small ones are not. */
  tooLarge(size: number): void {
    if (size <= cautious || size > this.size) return
    this.#ceiling = Math.min(this.#ceiling, size)
    this.size = Math.min(this.limit, cautious)
    this.#probe = 0
    this.#due = 0
  }
}
