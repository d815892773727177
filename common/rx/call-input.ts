/**
 * What a call reads: the packets that the receive window has put in order become bytes, opened by the security class on their
 * way. What nobody has read counts in the memory of the endpoint.
 */
import { packetFlags, type RxHeader } from "../protocol/rx-packet.ts"
import { RxError, rxCodes } from "./codes.ts"
import type { RxLimits } from "./limits.ts"
import { type Arrival, ReceiveWindow } from "./receive-window.ts"
import type { PacketBody } from "./security/security.ts"

/** The memory that all calls of an endpoint share. */
export interface ReceiveMemory {
  /** Received bytes that wait for readers. */
  unreadBytes: number
  readonly limits: Pick<RxLimits, "unreadBytes">
  readonly packetSizeMax: number
}

/** What takes from packets what the security class has put around user data. */
export interface Unsealer {
  /** Moves start and end of the body of this packet. @throws RxError if it is not the peer's */
  unseal(seq: number, body: PacketBody): void
}

/** In the pool of buffers, since it is the application's and soon let go. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = Buffer.allocUnsafe(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}

export class CallInput {
  readonly window = new ReceiveWindow()
  /** The code of the first packet that was refused, and with it everything behind it; 0 for none. */
  refusal = 0
  readonly #memory: ReceiveMemory
  #unsealer: Unsealer | undefined
  /** The packet that has been opened. */
  #openedSeq = 0

  constructor(memory: ReceiveMemory) {
    this.#memory = memory
  }

  /** Packets are opened by this one from now on. Before, and with undefined, they are read as they come. */
  openBy(unsealer: Unsealer | undefined): void {
    this.#unsealer = unsealer
  }

  /** As new, and without hold on anything. */
  reset(): void {
    this.#memory.unreadBytes -= this.window.unreadBytes
    this.window.reset()
    this.refusal = 0
    this.#unsealer = undefined
    this.#openedSeq = 0
  }

  /** Packets in order that wait for the reader. */
  get unread(): number {
    return this.window.unread
  }

  /** Bytes that can be read now (with what the security class added, if it adds anything). */
  get available(): number {
    return this.window.unread === 0 ? 0 : this.window.unreadBytes
  }

  /** The memory has room for a packet. A call may always keep one packet that is the next in order. */
  hasMemoryFor(seq: number, size: number): boolean {
    const { unreadBytes, limits, packetSizeMax } = this.#memory
    if (unreadBytes + size <= limits.unreadBytes) return true
    const { next, highest, unread } = this.window
    if (seq < next) return true
    return seq === next && highest < seq && unread === 0 && size <= packetSizeMax
  }

  /** Takes a DATA packet, its body between `start` and `end`. `isLent`: its bytes are gone after `keep`. */
  place(header: RxHeader, bytes: Uint8Array, start: number, end: number, isLent: boolean): Arrival {
    const { window } = this
    const isLast = (header.flags & packetFlags.lastPacket) !== 0
    const before = window.unreadBytes
    const arrival = window.place(header.seq, isLast, bytes, start, end, header.checksum)
    this.#memory.unreadBytes += window.unreadBytes - before
    if (isLent && (arrival === "next" || arrival === "gap")) window.lend(header.seq)
    return arrival
  }

  /** There is a packet with bytes to read in front, opened by the security class; empty ones are passed over. */
  hasBytes(): boolean {
    const { window } = this
    while (window.unread > 0) {
      if (this.#unsealer !== undefined && !this.#open(this.#unsealer)) return false
      if (window.end > window.start) return true
      this.#shift()
    }
    return false
  }

  /** The next bytes in order, as they came in one packet; undefined if there are none. They are the caller's. */
  read(): Uint8Array | undefined {
    if (!this.hasBytes()) return undefined
    const { bytes, start, end, isLent } = this.window
    this.#shift()
    return isLent ? copyOf(bytes, start, end) : bytes.subarray(start, end)
  }

  /** Copies up to `length` bytes in order to `target`; gives how many. */
  readInto(target: Uint8Array, at: number, length: number): number {
    const { window } = this
    let done = 0
    while (done < length && this.hasBytes()) {
      const { bytes, start, end } = window
      const count = Math.min(length - done, end - start)
      target.set(bytes.subarray(start, start + count), at + done)
      done += count
      if (count < end - start) {
        this.#cut(start + count, end)
        break
      }
      this.#shift()
    }
    return done
  }

  /** Throws away what can be read. */
  skip(): void {
    while (this.window.unread > 0) this.#shift()
  }

  #open(unsealer: Unsealer): boolean {
    const { window } = this
    if (this.#openedSeq === window.first) return true
    const { bytes, start, end, checksum } = window
    const body: PacketBody = { bytes, start, end, checksum }
    try {
      unsealer.unseal(window.first, body)
    } catch (error) {
      this.refusal = error instanceof RxError ? error.code : rxCodes.protocolError
      return false
    }
    this.#openedSeq = window.first
    this.#cut(body.start, body.end)
    return true
  }

  #cut(start: number, end: number): void {
    const before = this.window.unreadBytes
    this.window.trim(start, end)
    this.#memory.unreadBytes += this.window.unreadBytes - before
  }

  #shift(): void {
    const before = this.window.unreadBytes
    this.window.shift()
    this.#memory.unreadBytes += this.window.unreadBytes - before
  }
}
