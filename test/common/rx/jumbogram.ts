import test from "ava"
import {
  emptyHeader,
  jumboBodySize,
  jumboStep,
  packetFlags,
  readHeader,
  rxHeader,
} from "../../../common/protocol/rx-packet.ts"
import { hasNextMember, joinPackets, nextMember } from "../../../common/rx/jumbogram.ts"
import { jumbogramSize, type Packet, PacketPool } from "../../../common/rx/packet-pool.ts"

const { jumbo, lastPacket, clientInitiated } = packetFlags

/** Packets with bodies of these sizes, filled with their numbers. */
function packetsOf(sizes: readonly number[]): Packet[] {
  const pool = new PacketPool(10)
  return sizes.map((size, index) => {
    const packet = pool.acquire(index + 7, rxHeader.size)
    packet.end = rxHeader.size + size
    packet.bytes.fill(index + 1, rxHeader.size, packet.end)
    packet.checksum = 0x100 + index
    const flags = index === sizes.length - 1 ? lastPacket : jumbo
    const header = { ...emptyHeader(), seq: packet.seq, serial: 0xffff_ffff, flags: flags | clientInitiated }
    rxHeader.write({ ...header, checksum: packet.checksum }, packet.bytes)
    return packet
  })
}

test("jumbogram: what is joined comes apart as it was, with numbers, serials, flags and checksums", (t) => {
  const bytes = new Uint8Array(jumbogramSize)
  const length = joinPackets(packetsOf([jumboBodySize, jumboBodySize, 5]), bytes)
  t.is(length, rxHeader.size + 2 * jumboStep + 5)
  const whole = bytes.subarray(0, length)
  const header = emptyHeader()
  readHeader(whole, header)
  let at: number = rxHeader.size
  t.deepEqual([header.seq, header.checksum, header.flags], [7, 0x100, jumbo | clientInitiated])
  t.is(whole[at], 1)
  t.true(hasNextMember(whole, at))
  at = nextMember(header, whole, at)
  t.deepEqual([header.seq, header.serial, header.checksum, header.flags], [8, 0, 0x101, jumbo | clientInitiated])
  t.is(whole[at], 2)
  at = nextMember(header, whole, at)
  t.deepEqual([header.seq, header.serial, header.checksum, header.flags], [9, 1, 0x102, lastPacket | clientInitiated])
  t.deepEqual([...whole.subarray(at)], [3, 3, 3, 3, 3])
  t.false(hasNextMember(whole, at))
})

test("jumbogram: a member says nothing of who began the call", (t) => {
  const bytes = new Uint8Array(jumbogramSize)
  const packets = packetsOf([jumboBodySize, 5])
  joinPackets(packets, bytes)
  const header = { ...emptyHeader(), flags: jumbo }
  nextMember(header, Uint8Array.from(bytes), rxHeader.size)
  t.is(header.flags & lastPacket, lastPacket)
  bytes[rxHeader.size + jumboBodySize] = 0
  nextMember(header, bytes, rxHeader.size)
  t.is(header.flags & lastPacket, 0)
})
