import test from "ava"
import { ackReasons, emptyHeader, packetTypes, readHeader, rxHeader } from "../../../common/protocol/rx-packet.ts"
import { abortCodeOf, ControlPackets } from "../../../common/rx/control-packets.ts"
import { PacketPool } from "../../../common/rx/packet-pool.ts"
import { HostFlight, Peer } from "../../../common/rx/peer.ts"
import { ReceiveWindow } from "../../../common/rx/receive-window.ts"

function control(jumbograms = 1, packetSizeMax = 1444) {
  const sent: { bytes: Uint8Array; type: number; to: number }[] = []
  const transmitTo = (host: number, _: number, bytes: Uint8Array, length: number, type: number): void => {
    sent.push({ bytes: bytes.slice(0, length), type, to: host })
  }
  const subject = new ControlPackets({
    pool: new PacketPool(10),
    jumbograms,
    packetSizeMax,
    transmitTo,
    transmit: ({ host, port }, bytes, length, type) => transmitTo(host, port, bytes, length, type),
  })
  return { subject, sent }
}

const peer = new Peer(5, 7001, new HostFlight(5), 2000)

test("control packets: an ACK says what is there, in order and beyond gaps, and what we take", (t) => {
  const { subject, sent } = control(4, 9000)
  const window = new ReceiveWindow()
  for (const seq of [1, 2, 4]) window.place(seq, false, new Uint8Array(1), 0, 1, 0)
  subject.sendAck(peer, { ...emptyHeader(), type: packetTypes.ack }, 1, 4, ackReasons.requested, 77, window)
  const [{ bytes, type, to } = { bytes: new Uint8Array(0), type: 0, to: 0 }] = sent
  t.deepEqual([type, to], [packetTypes.ack, 5])
  const ack = subject.readAck(bytes, bytes.length)
  if (ack === undefined) return t.fail()
  const { firstPacket, previousPacket, serial, reason, count, arrayAt } = ack
  t.deepEqual([firstPacket, previousPacket, serial, reason], [1, 4, 77, ackReasons.requested])
  t.deepEqual([...bytes.subarray(arrayAt, arrayAt + count)], [1, 1, 0, 1])
  t.deepEqual([ack.maxMtu, ack.interfaceMtu, ack.receiveWindow, ack.packetsPerDatagram], [9000, 9000, 32, 4])
})

test("control packets: an ACK is padded to the size that is to be tried", (t) => {
  const { subject, sent } = control()
  for (const padTo of [0, 1000])
    subject.sendAck(peer, { ...emptyHeader(), type: packetTypes.ack }, 1, 0, ackReasons.ping, 0, undefined, padTo)
  t.deepEqual(
    sent.map(({ bytes }) => bytes.length === 1000),
    [false, true],
  )
  t.is(subject.readAck(sent[1]?.bytes ?? new Uint8Array(0), 1000)?.reason, ackReasons.ping)
})

test("control packets: what is too short is no ACK, and an ABORT without a code is a protocol error", (t) => {
  const { subject, sent } = control()
  t.is(subject.readAck(new Uint8Array(rxHeader.size + 5), rxHeader.size + 5), undefined)
  subject.sendAbort(peer, emptyHeader(), -455)
  const { bytes = new Uint8Array(0) } = sent[0] ?? {}
  t.is(abortCodeOf(bytes, bytes.length), -455)
  t.is(abortCodeOf(bytes, bytes.length - 1), -5)
  t.is(abortCodeOf(new Uint8Array(rxHeader.size + 4), rxHeader.size + 4), -5)
})

test("control packets: a refusal answers the packet's names with serial 0, BUSY is a header alone", (t) => {
  const { subject, sent } = control()
  const asked = { ...emptyHeader(), epoch: 9, cid: 0x104, callNumber: 3, seq: 1, serial: 8, type: 1, flags: 5 }
  subject.refuse({ ...asked, checksum: 7, userStatus: 2 }, 6, 7001, 110)
  subject.sendBusy(peer, { ...asked, type: packetTypes.busy })
  const header = emptyHeader()
  const refusal = sent[0]?.bytes ?? new Uint8Array(rxHeader.size)
  readHeader(refusal, header)
  t.deepEqual([header.epoch, header.cid, header.callNumber, header.type], [9, 0x104, 3, packetTypes.abort])
  t.deepEqual([header.seq, header.serial, header.flags, header.checksum, header.userStatus], [0, 0, 0, 0, 0])
  t.is(abortCodeOf(refusal, refusal.length), 110)
  t.deepEqual(
    sent.map(({ bytes, type, to }) => [bytes.length, type, to]),
    [
      [rxHeader.size + 4, packetTypes.abort, 6],
      [rxHeader.size, packetTypes.busy, 5],
    ],
  )
})
