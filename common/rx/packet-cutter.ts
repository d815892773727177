/**
 * Cuts what a call writes into packets. A full packet is queued when more follows, so that the last one can be told from the
 * others; as soon as the queue is full the writer has to wait.
 */
import { ethernetPacketSize, jumboBodySize, rxHeader } from "../protocol/rx-packet.ts"
import type { Packet } from "./packet-pool.ts"
import type { SendPath } from "./send-path.ts"
import type { SendQueue } from "./send-queue.ts"

/** Where user data ends in a full packet. */
function capacity({ peer, endpoint, security }: SendPath): number {
  const body = peer.packetSize - rxHeader.size
  // A packet that is larger than Ethernet's goes alone.
  const isJoined = endpoint.jumbograms > 1 && peer.packetSize <= ethernetPacketSize
  const limit = isJoined ? Math.min(body, jumboBodySize) : body
  return rxHeader.size + limit - security.trailerSize
}

export class PacketCutter {
  #filling: Packet | undefined
  #nextSeq = 1

  /** Begins with packet 1; what was not queued is thrown away. */
  reset({ endpoint }: SendPath): void {
    if (this.#filling !== undefined) endpoint.pool.release(this.#filling)
    this.#filling = undefined
    this.#nextSeq = 1
  }

  /** Sequence number of the packet that will be queued next. */
  get seq(): number {
    return this.#filling?.seq ?? this.#nextSeq
  }

  /** Takes as much as there is room for; gives how many bytes that was. */
  write(bytes: Uint8Array, from: number, to: number, path: SendPath, queue: SendQueue): number {
    let at = from
    while (at < to) {
      const packet = this.#packetWithRoom(path, queue)
      if (packet === undefined) break
      const count = Math.min(to - at, capacity(path) - packet.end)
      packet.bytes.set(at === 0 && count === bytes.length ? bytes : bytes.subarray(at, at + count), packet.end)
      packet.end += count
      at += count
    }
    return at - from
  }

  /** Queues the last packet, if need be an empty one. */
  finish(path: SendPath, queue: SendQueue): void {
    const packet = this.#filling ?? this.#newPacket(path)
    packet.isLast = true
    this.#filling = undefined
    queue.push(packet)
  }

  #packetWithRoom(path: SendPath, queue: SendQueue): Packet | undefined {
    const { sendQueue } = path.endpoint.limits
    const packet = this.#filling
    if (packet !== undefined) {
      if (packet.end < capacity(path)) return packet
      if (queue.length >= sendQueue) return undefined
      queue.push(packet)
      this.#filling = undefined
    }
    if (queue.length >= sendQueue) return undefined
    this.#filling = this.#newPacket(path)
    return this.#filling
  }

  #newPacket({ endpoint, security }: SendPath): Packet {
    return endpoint.pool.acquire(this.#nextSeq++, rxHeader.size + security.headerSize)
  }
}
