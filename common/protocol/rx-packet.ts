/**
 * What travels in an Rx datagram: header, flags, packet types, acknowledgements, jumbogram sub-headers, diagnostic
 * bodies. Each layout is declared once; what is done for every packet reads and writes in place, without an object per packet.
 * Network order throughout. OpenAFS rx/rx_packet.h, rx/rx.h.
 */
import { byteAt, halfAt, wordAt } from "../codec/network-order.ts"
import { array, i32, type Of, raw, struct, u8, u16, u32 } from "../codec/struct.ts"

/** The header of every Rx packet. `seq` is 0 but in DATA; `checksum` belongs to the security class and is garbage but in DATA. */
export const rxHeader = struct("RxHeader", 28, {
  epoch: u32,
  cid: u32,
  callNumber: u32,
  seq: u32,
  serial: u32,
  type: u8,
  flags: u8,
  userStatus: u8,
  securityIndex: u8,
  checksum: u16,
  serviceId: u16,
})
export type RxHeader = Of<typeof rxHeader>

export const packetTypes = {
  data: 1,
  ack: 2,
  busy: 3,
  abort: 4,
  ackAll: 5,
  challenge: 6,
  response: 7,
  debug: 8,
  params: 9,
  paramsTwo: 10,
  paramsThree: 11,
  version: 13,
} as const

/** CLIENT_INITIATED and LAST_PACKET belong to a packet; the others are worked out for each transmission. */
export const packetFlags = {
  clientInitiated: 1,
  requestAck: 2,
  lastPacket: 4,
  morePackets: 8,
  /** On DATA: another packet of the jumbogram follows. */
  jumbo: 32,
  /** On ACK. */
  slowStartOk: 32,
} as const

export const ackReasons = {
  requested: 1,
  duplicate: 2,
  outOfSequence: 3,
  exceedsWindow: 4,
  noSpace: 5,
  ping: 6,
  pingResponse: 7,
  delay: 8,
  idle: 9,
} as const
export type AckReason = (typeof ackReasons)[keyof typeof ackReasons]

/** The channel is the low two bits of a cid. */
export const channelMask = 3
export const channelCount = 4

/** What an ACK begins with; `count` bytes follow, of which bit 0 says that the packet arrived. */
export const rxAck = struct("RxAck", 18, {
  bufferSpace: u16,
  maxSkew: u16,
  firstPacket: u32,
  previousPacket: u32,
  serial: u32,
  reason: u8,
  count: u8,
})

/** Zeros between the array of an ACK and its trailer. */
const ackPadding = 3

/** What an ACK ends with; old peers send a part of it or nothing. */
const rxAckTrailer = struct("RxAckTrailer", 16, {
  maxMtu: u32,
  interfaceMtu: u32,
  receiveWindow: u32,
  packetsPerDatagram: u32,
})
type RxAckTrailer = Of<typeof rxAckTrailer>

/** Stands before each further packet of a jumbogram; the flags are that packet's. */
export const jumboSubHeader = struct("RxJumboSubHeader", 4, { flags: u8, spare: u8, checksum: u16 })

/** Bytes of every member of a jumbogram but the last: part of the format. */
export const jumboBodySize = 1412
/** Bytes between two jumbogram bodies. */
export const jumboStep = jumboBodySize + jumboSubHeader.size
/** Rx packet of a 1500-byte interface: 56 bytes go to the headers below. */
export const ethernetPacketSize = 1444
/** Largest packet that Rx sends. */
export const packetSizeLimit = 16_384
/** Smallest packet every peer takes: 576 − 56. */
export const packetSizeMin = 520

export function emptyHeader(): RxHeader {
  return rxHeader.read(new Uint8Array(rxHeader.size))
}

const place = rxHeader.offsets

/** Reads the header at the front of a datagram of at least 28 bytes into an object the caller keeps. */
export function readHeader(bytes: Uint8Array, into: RxHeader): void {
  into.epoch = wordAt(bytes, place.epoch)
  into.cid = wordAt(bytes, place.cid)
  into.callNumber = wordAt(bytes, place.callNumber)
  into.seq = wordAt(bytes, place.seq)
  into.serial = wordAt(bytes, place.serial)
  into.type = byteAt(bytes, place.type)
  into.flags = byteAt(bytes, place.flags)
  into.userStatus = byteAt(bytes, place.userStatus)
  into.securityIndex = byteAt(bytes, place.securityIndex)
  into.checksum = halfAt(bytes, place.checksum)
  into.serviceId = halfAt(bytes, place.serviceId)
}

/** An ACK as it is looked at in place: the array stays in the datagram. Trailer values that were not sent are 0. */
export interface AckView extends RxAckTrailer {
  firstPacket: number
  previousPacket: number
  serial: number
  reason: number
  count: number
  /** Where the array begins in the datagram. */
  arrayAt: number
}

export function emptyAck(): AckView {
  return {
    firstPacket: 0,
    previousPacket: 0,
    serial: 0,
    reason: 0,
    count: 0,
    arrayAt: 0,
    maxMtu: 0,
    interfaceMtu: 0,
    receiveWindow: 0,
    packetsPerDatagram: 0,
  }
}

/** Reads the ACK between `at` and `end`; false if it ends before its array does. What follows the trailer is ignored. */
export function readAck(bytes: Uint8Array, at: number, end: number, into: AckView): boolean {
  if (end - at < rxAck.size) return false
  const fields = rxAck.offsets
  into.firstPacket = wordAt(bytes, at + fields.firstPacket)
  into.previousPacket = wordAt(bytes, at + fields.previousPacket)
  into.serial = wordAt(bytes, at + fields.serial)
  into.reason = byteAt(bytes, at + fields.reason)
  into.count = byteAt(bytes, at + fields.count)
  into.arrayAt = at + rxAck.size
  const trailer = into.arrayAt + into.count + ackPadding
  if (end < into.arrayAt + into.count) return false
  const parts = rxAckTrailer.offsets
  const part = (offset: number): number => (end >= trailer + offset + 4 ? wordAt(bytes, trailer + offset) : 0)
  into.maxMtu = part(parts.maxMtu)
  into.interfaceMtu = part(parts.interfaceMtu)
  into.receiveWindow = part(parts.receiveWindow)
  into.packetsPerDatagram = part(parts.packetsPerDatagram)
  return true
}

/** Bytes of an ACK body with an array of `count`. */
export const ackBodySize = (count: number): number => rxAck.size + count + ackPadding + rxAckTrailer.size

/** Writes everything of an ACK but its array, whose bytes lie at `arrayAt` already; gives where the body ends. */
export function writeAck(view: AckView, bytes: Uint8Array, at: number): number {
  rxAck.write(
    {
      bufferSpace: 0,
      maxSkew: 0,
      firstPacket: view.firstPacket,
      previousPacket: view.previousPacket,
      serial: view.serial,
      reason: view.reason,
      count: view.count,
    },
    bytes,
    at,
  )
  const padding = at + rxAck.size + view.count
  bytes.fill(0, padding, padding + ackPadding)
  rxAckTrailer.write(view, bytes, padding + ackPadding)
  return padding + ackPadding + rxAckTrailer.size
}

/** The body of a VERSION answer is a text of exactly this many bytes with NULs behind. */
export const versionBodySize = 65

export const debugTypes = { statistics: 1, connections: 2, allConnections: 3, details: 4, peers: 5 } as const

/** What a DEBUG packet asks for. */
export const debugRequest = struct("RxDebugRequest", 8, { type: i32, index: i32 })

/** The letter by which `rxdebug` knows what a server can tell: 'S' is everything of OpenAFS 1.8. */
export const debugVersion = 0x53
/** The code in the answer to an unknown DEBUG type. */
export const debugBadType = -8

export const debugBasics = struct("RxDebugStats", 56, {
  freePackets: i32,
  packetReclaims: i32,
  callsExecuted: i32,
  waitingForPackets: u8,
  usedDescriptors: u8,
  version: u8,
  spare: u8,
  waiting: i32,
  idleThreads: i32,
  waited: i32,
  packets: i32,
  spares: raw(24),
})

/** One connection; `cid` 0xffffffff ends the list. Of `securityStatistics` the first byte is the class (1 null, 3 rxkad). */
export const debugConnection = struct("RxDebugConn", 176, {
  host: u32,
  cid: u32,
  serial: u32,
  callNumbers: array(i32, 4),
  error: i32,
  port: u16,
  flags: u8,
  type: u8,
  securityIndex: u8,
  spare: raw(3),
  callStates: array(u8, 4),
  callModes: array(u8, 4),
  callFlags: array(u8, 4),
  callOther: array(u8, 4),
  securityStatistics: raw(76),
  epoch: u32,
  natMtu: u32,
  spares: raw(36),
})
export type DebugConnection = Of<typeof debugConnection>

/** One peer; `host` 0xffffffff ends the list. Times in milliseconds but for the timeout (seconds, microseconds). */
export const debugPeer = struct("RxDebugPeer", 132, {
  host: u32,
  port: u16,
  interfaceMtu: u16,
  idleWhen: u32,
  references: u16,
  burstSize: u8,
  burst: u8,
  burstWait: array(u32, 2),
  roundTrip: i32,
  roundTripDeviation: i32,
  timeout: array(u32, 2),
  sent: i32,
  resent: i32,
  inPacketSkew: i32,
  outPacketSkew: i32,
  rateFlag: i32,
  natMtu: u16,
  maxMtu: u16,
  maxPacketsPerDatagram: u16,
  interfacePacketsPerDatagram: u16,
  mtu: u16,
  congestionWindow: u16,
  packetsPerDatagram: u16,
  congestionSequence: u16,
  bytesSentHigh: u32,
  bytesSentLow: u32,
  bytesReceivedHigh: u32,
  bytesReceivedLow: u32,
  spares: raw(40),
})
export type DebugPeer = Of<typeof debugPeer>

/** Detailed statistics. `packetsRead` and `packetsSent` are counted by packet type − 1. Times are seconds, microseconds. */
export const debugDetails = struct("RxStatistics", 284, {
  packetRequests: i32,
  receiveAllocationFailures: i32,
  sendAllocationFailures: i32,
  specialAllocationFailures: i32,
  socketGreedy: i32,
  bogusPacketOnRead: i32,
  bogusHost: i32,
  noPacketOnRead: i32,
  noPacketBuffersOnRead: i32,
  selects: i32,
  sendSelects: i32,
  packetsRead: array(i32, 13),
  dataPacketsRead: i32,
  ackPacketsRead: i32,
  duplicatePacketsRead: i32,
  spuriousPacketsRead: i32,
  packetsSent: array(i32, 13),
  ackPacketsSent: i32,
  pingPacketsSent: i32,
  abortPacketsSent: i32,
  busyPacketsSent: i32,
  dataPacketsSent: i32,
  dataPacketsResent: i32,
  dataPacketsPushed: i32,
  ignoredAcks: i32,
  totalRoundTrip: array(i32, 2),
  minRoundTrip: array(i32, 2),
  maxRoundTrip: array(i32, 2),
  roundTripSamples: i32,
  serverConnections: i32,
  clientConnections: i32,
  peers: i32,
  calls: i32,
  freeCalls: i32,
  sendFailures: i32,
  fatalErrors: i32,
  ignoredInDally: i32,
  receiveBufferFailures: i32,
  sendBufferFailures: i32,
  busies: i32,
  spares: array(i32, 4),
})
export type DebugDetails = Of<typeof debugDetails>
