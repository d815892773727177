/**
 * The packets of one direction of a call that the peer has not taken for good, and what is known of each.
 *
 *     first ── sent: acknowledged softly, on the way, or lost ── sent end ── waits to be sent for the first time
 *
 * A packet counts as lost as soon as three transmitted after it have arrived, or when the sender gives up all that is on the way.
 */
import type { Millis } from "../clock.ts"
import { type AckView, ackReasons } from "../protocol/rx-packet.ts"
import { reorderTolerance } from "./limits.ts"
import type { Packet, PacketPool } from "./packet-pool.ts"

export class SendQueue {
  /** Sent and neither acknowledged nor lost. */
  outstanding = 0
  /** When the packet was sent that the last ACK answers, if that measures a round trip; −1 if not. */
  answeredAt: Millis = -1
  /** The first `#sent` have been sent once at least. */
  readonly #packets: Packet[] = []
  #sent = 0
  /** Acknowledged softly, and lost. */
  #acked = 0
  #lost = 0
  /** Transmissions so far. */
  #order = 0
  /** The latest transmission that is known to have arrived. */
  #arrivedOrder = 0

  /** Empty, and as new. */
  clear(pool: PacketPool): void {
    for (let packet = this.#packets.pop(); packet !== undefined; packet = this.#packets.pop()) pool.release(packet)
    this.outstanding = 0
    this.#sent = 0
    this.#acked = 0
    this.#lost = 0
    this.#order = 0
    this.#arrivedOrder = 0
  }

  push(packet: Packet): void {
    this.#packets.push(packet)
  }

  get length(): number {
    return this.#packets.length
  }

  /** The longest in the queue. */
  get first(): Packet | undefined {
    return this.#packets[0]
  }

  /** Packets of the front that have been sent. */
  get sent(): number {
    return this.#sent
  }

  /** Everything has been sent once at least. */
  get isSent(): boolean {
    return this.#sent === this.#packets.length
  }

  get isAcknowledged(): boolean {
    return this.#acked === this.#packets.length
  }

  /** Something is to be sent again. */
  get hasLost(): boolean {
    return this.#lost > 0
  }

  /** Sequence number behind the last packet that was sent; 1 before the first. */
  get sentEnd(): number {
    return (this.#packets[this.#sent - 1]?.seq ?? 0) + 1
  }

  /** What is to be sent next: lost ones first. */
  get next(): Packet | undefined {
    return this.#lost > 0 ? this.#firstLost() : this.#packets[this.#sent]
  }

  #firstLost(): Packet | undefined {
    for (let index = 0; index < this.#sent; index++) {
      const packet = this.#packets[index]
      if (packet?.isLost === true) return packet
    }
    return undefined
  }

  /** Of the packets that were never sent the one at `index`. */
  unsent(index: number): Packet | undefined {
    return this.#packets[this.#sent + index]
  }

  /** `next` goes out now. */
  leave(packet: Packet, now: Millis): void {
    if (packet.isLost) {
      packet.isLost = false
      this.#lost--
    } else this.#sent++
    packet.order = ++this.#order
    packet.sentAt = now
    this.outstanding++
  }

  /**
   * Takes an ACK: what lies below its first packet has arrived for good, what its array names has arrived so far. Gives how many
   * of those that were on the way or lost have arrived.
   */
  acknowledge(ack: AckView, bytes: Uint8Array, pool: PacketPool): number {
    this.answeredAt = -1
    return this.#takeOff(ack.firstPacket, ack, pool) + this.#markArray(ack, bytes)
  }

  /** Everything sent has arrived. */
  acknowledgeAll(pool: PacketPool): number {
    this.answeredAt = -1
    return this.#takeOff(Number.POSITIVE_INFINITY, undefined, pool)
  }

  /** Lets go what the peer has taken for good, below `first`. */
  #takeOff(first: number, ack: AckView | undefined, pool: PacketPool): number {
    let news = 0
    for (let packet = this.#packets[0]; packet !== undefined && this.#sent > 0 && packet.seq < first; ) {
      if (packet.isAcked) this.#acked--
      else {
        this.#arrive(packet, ack)
        news++
      }
      this.#packets.shift()
      this.#sent--
      pool.release(packet)
      packet = this.#packets[0]
    }
    return news
  }

  #markArray(ack: AckView, bytes: Uint8Array): number {
    let news = 0
    const count = Math.min(ack.count, this.#sent)
    for (let index = 0; index < count; index++) {
      const packet = this.#packets[index]
      if (packet === undefined) break
      const isThere = ((bytes[ack.arrayAt + index] ?? 0) & 1) === 1
      if (isThere && !packet.isAcked) {
        this.#arrive(packet, ack)
        news++
        packet.isAcked = true
        this.#acked++
      } else if (!isThere && packet.isAcked) this.#takeBack(packet)
    }
    return news
  }

  /** A peer may drop what it has acknowledged softly: then it wants it again. */
  #takeBack(packet: Packet): void {
    packet.isAcked = false
    this.#acked--
    packet.isLost = true
    this.#lost++
  }

  #arrive(packet: Packet, ack: AckView | undefined): void {
    if (packet.isLost) {
      packet.isLost = false
      this.#lost--
    } else this.outstanding--
    if (packet.order > this.#arrivedOrder) this.#arrivedOrder = packet.order
    // A delayed ACK measures the delay, and that of a packet sent twice may answer either.
    if (
      ack !== undefined &&
      packet.transmissions === 1 &&
      ack.serial === packet.serial &&
      ack.serial !== 0 &&
      ack.reason !== ackReasons.delay
    )
      this.answeredAt = packet.sentAt
  }

  /** Marks what later transmissions have overtaken; gives the highest sequence number among it, 0 if there is nothing. */
  findLost(): number {
    let highest = 0
    for (let index = 0; index < this.#sent; index++) {
      const packet = this.#packets[index]
      if (packet === undefined || packet.isAcked || packet.isLost) continue
      if (this.#arrivedOrder - packet.order < reorderTolerance) continue
      packet.isLost = true
      this.#lost++
      this.outstanding--
      highest = packet.seq
    }
    return highest
  }

  /** Nothing that is on the way will arrive. */
  giveUp(): void {
    for (let index = 0; index < this.#sent; index++) {
      const packet = this.#packets[index]
      if (packet === undefined || packet.isAcked || packet.isLost) continue
      packet.isLost = true
      this.#lost++
    }
    this.outstanding = 0
  }
}
