/**
 * What has come in one direction of a call: packets in order wait for the reader, those beyond a gap wait for the gap.
 *
 *     first ─── waits for the reader ─── next ─── gap and what came out of order ─── first + 32
 *
 * Everything below `first` has been read ("hard" acknowledged). Invariant: first ≤ next ≤ first + windowMax.
 */
import { windowMax } from "./limits.ts"

/** What an arriving packet was. */
export type Arrival = "next" | "gap" | "duplicate" | "beyond" | "malformed"

const slotMask = windowMax - 1
const nothing = new Uint8Array(0)

export class ReceiveWindow {
  /** Lowest sequence number the application has not read. */
  first = 1
  /** Lowest that has not come. */
  next = 1
  /** Highest that has come. */
  highest = 0
  /** Sequence number of the packet with LAST_PACKET, 0 until it has come. */
  last = 0
  /** Of unread packets, their datagrams counted: what they keep in memory. */
  unreadBytes = 0
  readonly #bytes: Uint8Array[] = []
  readonly #starts = new Int32Array(windowMax)
  readonly #ends = new Int32Array(windowMax)
  readonly #checksums = new Int32Array(windowMax)
  readonly #isThere = new Uint8Array(windowMax)
  /** Sequence number of a packet whose bytes are only lent for now; 0 for none. */
  #lent = 0

  constructor() {
    for (let slot = 0; slot < windowMax; slot++) this.#bytes.push(nothing)
  }

  /** As new, and without hold on any datagram. */
  reset(): void {
    if (this.highest > 0)
      for (let slot = 0; slot < windowMax; slot++) {
        if (this.#isThere[slot] === 1) this.#bytes[slot] = nothing
        this.#isThere[slot] = 0
      }
    this.first = 1
    this.next = 1
    this.highest = 0
    this.last = 0
    this.unreadBytes = 0
    this.#lent = 0
  }

  /** Every byte that will come is here (and may be unread). */
  get isComplete(): boolean {
    return this.last !== 0 && this.next > this.last
  }

  /** Everything has been read. */
  get isRead(): boolean {
    return this.last !== 0 && this.first > this.last
  }

  /** Packets in order that wait for the reader. */
  get unread(): number {
    return this.next - this.first
  }

  /** What `place` would say, without taking the packet. */
  judge(seq: number, isLast: boolean): Arrival {
    if (seq < this.first) return "duplicate"
    if (seq >= this.first + windowMax) return "beyond"
    if (this.last !== 0 && (seq > this.last || (isLast && seq !== this.last))) return "malformed"
    if (isLast && seq < this.highest) return "malformed"
    if (this.#isThere[seq & slotMask] === 1) return "duplicate"
    return seq === this.next ? "next" : "gap"
  }

  /** Takes a packet's body between `start` and `end`, and keeps `bytes` until it is read. */
  place(seq: number, isLast: boolean, bytes: Uint8Array, start: number, end: number, checksum: number): Arrival {
    const arrival = this.judge(seq, isLast)
    if (arrival !== "next" && arrival !== "gap") return arrival
    const slot = seq & slotMask
    this.#bytes[slot] = bytes
    this.#starts[slot] = start
    this.#ends[slot] = end
    this.#checksums[slot] = checksum
    this.#isThere[slot] = 1
    this.unreadBytes += end - start
    if (isLast) this.last = seq
    if (seq > this.highest) this.highest = seq
    while (this.next < this.first + windowMax && this.#isThere[this.next & slotMask] === 1) this.next++
    return arrival
  }

  /** Of the packet at `first`, which must be there. */
  get bytes(): Uint8Array {
    return this.#bytes[this.first & slotMask] ?? nothing
  }
  get start(): number {
    return this.#starts[this.first & slotMask] ?? 0
  }
  get end(): number {
    return this.#ends[this.first & slotMask] ?? 0
  }
  get checksum(): number {
    return this.#checksums[this.first & slotMask] ?? 0
  }

  /** The bytes of the packet at `first` are only lent. */
  get isLent(): boolean {
    return this.#lent === this.first
  }

  /** The packet's bytes are gone after `keep`, which copies them if they are still unread. */
  lend(seq: number): void {
    this.#lent = seq
  }

  keep(): void {
    const slot = this.#lent & slotMask
    const isUnread = this.#lent >= this.first && this.#isThere[slot] === 1
    this.#lent = 0
    if (!isUnread) return
    const start = this.#starts[slot] ?? 0
    const end = this.#ends[slot] ?? 0
    // A copy of its own, so that a packet that is kept for long keeps nothing else.
    this.#bytes[slot] = new Uint8Array(this.#bytes[slot]?.subarray(start, end) ?? nothing)
    this.#starts[slot] = 0
    this.#ends[slot] = end - start
  }

  /** Cuts the packet at `first` to what is still unread of it. */
  trim(start: number, end: number): void {
    this.unreadBytes -= this.end - this.start - (end - start)
    this.#starts[this.first & slotMask] = start
    this.#ends[this.first & slotMask] = end
  }

  /** The packet at `first` is read. */
  shift(): void {
    const slot = this.first & slotMask
    this.unreadBytes -= this.end - this.start
    this.#bytes[slot] = nothing
    this.#isThere[slot] = 0
    this.first++
  }

  /** Writes the array of an ACK, from `first` to the highest that came; gives its length. */
  writeArray(bytes: Uint8Array, at: number): number {
    const count = Math.max(0, this.highest - this.first + 1)
    for (let index = 0; index < count; index++) bytes[at + index] = this.#isThere[(this.first + index) & slotMask] ?? 0
    return count
  }
}
