/**
 * Several DATA packets in one datagram (OpenAFS rx/rx_packet.c). Only the first has a whole header; all but the last have 1412
 * bytes, and behind these stand the flags and the checksum of the next one, whose number and serial are one higher.
 *
 *     header │ 1412 bytes │ flags, checksum │ 1412 bytes │ flags, checksum │ 1 to 1412 bytes
 */
import { jumboStep, jumboSubHeader, packetFlags, type RxHeader, rxHeader } from "../protocol/rx-packet.ts"
import type { Packet } from "./packet-pool.ts"

/** Writes packets, whose headers are ready, as one datagram; gives its length. */
export function joinPackets(packets: readonly Packet[], bytes: Uint8Array): number {
  let at = rxHeader.size
  for (const [index, packet] of packets.entries()) {
    if (index === 0) bytes.set(packet.bytes.subarray(0, rxHeader.size))
    else {
      const flags = packet.bytes[rxHeader.offsets.flags] ?? 0
      jumboSubHeader.write({ flags, spare: 0, checksum: packet.checksum }, bytes, at - jumboSubHeader.size)
    }
    bytes.set(packet.bytes.subarray(rxHeader.size, packet.end), at)
    at += index === packets.length - 1 ? packet.end - rxHeader.size : jumboStep
  }
  return at
}

/** The packet with its body at `at` is whole, and something stands behind it. */
export function hasNextMember(bytes: Uint8Array, at: number): boolean {
  return bytes.length - at >= jumboStep
}

/** Makes the header that of the packet behind the one with its body at `at`; gives where its body begins. */
export function nextMember(header: RxHeader, bytes: Uint8Array, at: number): number {
  const next = at + jumboStep
  const sub = jumboSubHeader.read(bytes, next - jumboSubHeader.size)
  header.flags = sub.flags | (header.flags & packetFlags.clientInitiated)
  header.checksum = sub.checksum
  header.seq++
  header.serial = (header.serial + 1) >>> 0
  return next
}
