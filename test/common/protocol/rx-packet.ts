import test from "ava"
import { wordAt } from "../../../common/codec/network-order.ts"
import {
  ackBodySize,
  debugBasics,
  debugConnection,
  debugDetails,
  debugPeer,
  emptyAck,
  emptyHeader,
  jumboSubHeader,
  readAck,
  readHeader,
  rxHeader,
  writeAck,
} from "../../../common/protocol/rx-packet.ts"
import { seededRandom } from "../../support/random.ts"

test("rx packet: the header of a real FetchStatus reads and writes as it was captured", (t) => {
  const bytes = Buffer.from("99fe3a1d16fc5ce80000000200000001000000040105000000000001", "hex")
  const header = emptyHeader()
  readHeader(bytes, header)
  t.deepEqual(header, {
    epoch: 0x99fe3a1d,
    cid: 0x16fc5ce8,
    callNumber: 2,
    seq: 1,
    serial: 4,
    type: 1,
    flags: 5,
    userStatus: 0,
    securityIndex: 0,
    checksum: 0,
    serviceId: 1,
  })
  t.deepEqual(Buffer.from(rxHeader.encode(header)), bytes)
})

test("rx packet: reading in place and by the table agree for any bytes", (t) => {
  const random = seededRandom(t)
  const header = emptyHeader()
  for (let round = 0; round < 200; round++) {
    const bytes = random.bytes(28)
    readHeader(bytes, header)
    t.deepEqual(header, rxHeader.read(bytes))
  }
})

test("rx packet: an ACK without array has 37 bytes, and reads as it was written", (t) => {
  t.is(ackBodySize(0), 37)
  const ack = {
    ...emptyAck(),
    firstPacket: 6,
    previousPacket: 5,
    serial: 138,
    reason: 9,
    count: 3,
    maxMtu: 5692,
    interfaceMtu: 1444,
    receiveWindow: 32,
    packetsPerDatagram: 4,
  }
  const bytes = Buffer.alloc(100, 0xee)
  bytes.set([1, 0, 1], 28 + 18)
  const end = writeAck(ack, bytes, 28)
  t.is(end, 28 + ackBodySize(3))
  const words = ["00000000", "00000006", "00000005", "0000008a", "0903", "010001", "000000"]
  const trailer = ["0000163c", "000005a4", "00000020", "00000004"]
  t.is(bytes.subarray(28, end).toString("hex"), [...words, ...trailer].join(""))
  const read = emptyAck()
  t.true(readAck(bytes, 28, end, read))
  t.deepEqual(read, { ...ack, arrayAt: 46 })
})

test("rx packet: an ACK may end anywhere behind its array, or go on behind its trailer, but not end before", (t) => {
  const bytes = Buffer.alloc(600)
  writeAck(
    { ...emptyAck(), firstPacket: 1, count: 2, maxMtu: 5692, receiveWindow: 16, packetsPerDatagram: 4 },
    bytes,
    0,
  )
  const read = emptyAck()
  t.false(readAck(bytes, 0, 17, read))
  t.false(readAck(bytes, 0, 19, read))
  t.true(readAck(bytes, 0, 20, read))
  t.deepEqual([read.maxMtu, read.receiveWindow], [0, 0])
  t.true(readAck(bytes, 0, 28, read))
  t.deepEqual([read.maxMtu, read.receiveWindow, read.packetsPerDatagram], [5692, 0, 0])
  t.true(readAck(bytes, 0, 600, read))
  t.deepEqual([read.maxMtu, read.receiveWindow, read.packetsPerDatagram], [5692, 16, 4])
})

test("rx packet: a word behind the end counts as 0", (t) => {
  t.is(wordAt(Uint8Array.of(255, 255), 0), 0xffff_0000)
  t.is(wordAt(Uint8Array.of(255, 255, 255, 255), 0), 0xffff_ffff)
})

test("rx packet: the places rxdebug looks at are where it looks", (t) => {
  t.is(jumboSubHeader.size, 4)
  t.is(debugBasics.offsets.version, 14)
  const { host, port, callStates, securityStatistics, epoch, natMtu } = debugConnection.offsets
  t.deepEqual([host, port, callStates, securityStatistics, epoch, natMtu], [0, 32, 40, 56, 132, 136])
  t.is(debugPeer.offsets.roundTrip, 24)
  t.is(debugDetails.offsets.packetsRead, 44)
})
