/**
 * Packets to be sent, and their use over again. A packet that is let go may still lie in the batch that the socket has not
 * sent, so it comes back into use only when the socket says that nothing of ours waits there.
 */
import type { Millis } from "../clock.ts"
import { ethernetPacketSize, jumboStep } from "../protocol/rx-packet.ts"
import { jumbogramMax } from "./limits.ts"

/** A DATA packet with room for its header in front; the body is `length` bytes at `start`. */
export class Packet {
  readonly bytes: Uint8Array
  /** First byte of user data: behind the Rx header and what the security class puts in front. */
  start = 0
  /** End of what has been written. */
  end = 0
  seq = 0
  /** Of the last transmission, like the two that follow. */
  serial = 0
  sentAt: Millis = 0
  /** Counts the transmissions of a call: what was sent before what. */
  order = 0
  transmissions = 0
  /** Checksum of the security class. */
  checksum = 0
  isLast = false
  /** Has arrived, says the peer. */
  isAcked = false
  /** To be sent again. */
  isLost = false

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }

  reset(seq: number, start: number): this {
    this.start = start
    this.end = start
    this.seq = seq
    this.serial = 0
    this.order = 0
    this.transmissions = 0
    this.checksum = 0
    this.isLast = false
    this.isAcked = false
    this.isLost = false
    return this
  }
}

/** Fits an ACK with 32 entries (97 bytes) and each diagnostic answer (312). */
const controlSize = 320

/** Fits the largest jumbogram we send. */
export const jumbogramSize = ethernetPacketSize + (jumbogramMax - 1) * jumboStep

/** What an endpoint sends from. */
export class PacketPool {
  readonly #free: Packet[] = []
  readonly #retired: Packet[] = []
  readonly #freeControl: Uint8Array[] = []
  readonly #retiredControl: Uint8Array[] = []
  readonly #freeLong: Uint8Array[] = []
  readonly #retiredLong: Uint8Array[] = []
  readonly #spareMax: number
  readonly #packetSize: number
  /** Data packets in use. */
  inUse = 0

  constructor(spareMax: number, packetSize: number = ethernetPacketSize) {
    this.#spareMax = spareMax
    this.#packetSize = packetSize
  }

  /** Data packets that lie ready. */
  get spare(): number {
    return this.#free.length
  }

  acquire(seq: number, start: number): Packet {
    this.inUse++
    return (this.#free.pop() ?? new Packet(this.#packetSize)).reset(seq, start)
  }

  release(packet: Packet): void {
    this.inUse--
    this.#retired.push(packet)
  }

  /** Bytes for one small packet of this batch. */
  control(): Uint8Array {
    const bytes = this.#freeControl.pop() ?? new Uint8Array(controlSize)
    this.#retiredControl.push(bytes)
    return bytes
  }

  /** Bytes for one jumbogram of this batch. */
  long(): Uint8Array {
    const bytes = this.#freeLong.pop() ?? new Uint8Array(jumbogramSize)
    this.#retiredLong.push(bytes)
    return bytes
  }

  /** The batch is sent. What a socket still holds (`isDrained` false) must not be overwritten and is left to the collector. */
  recycle(isDrained: boolean): void {
    move(this.#retired, this.#free, isDrained ? this.#spareMax : 0)
    move(this.#retiredControl, this.#freeControl, isDrained ? this.#spareMax : 0)
    move(this.#retiredLong, this.#freeLong, isDrained ? this.#spareMax >> 2 : 0)
  }
}

/** Empties `retired`; `free` takes up to `most`. One by one: setting an array's length costs more than a batch has packets. */
function move<T>(retired: T[], free: T[], most: number): void {
  for (let one = retired.pop(); one !== undefined; one = retired.pop()) if (free.length < most) free.push(one)
}
