/**
 * Answers to VERSION and DEBUG packets, which need no connection: what `rxdebug` and monitors show. An answer is the
 * question's header with CLIENT_INITIATED cleared. Questions without that flag are the pings by which clients hold
 * address translations open, and get none.
 */
import {
  type DebugConnection,
  type DebugDetails,
  type DebugPeer,
  debugBadType,
  debugBasics,
  debugConnection,
  debugDetails,
  debugPeer,
  debugRequest,
  debugTypes,
  debugVersion,
  ethernetPacketSize,
  packetFlags,
  packetTypes,
  type RxHeader,
  rxHeader,
  versionBodySize,
} from "../protocol/rx-packet.ts"
import { callStateNumbers } from "./call-state.ts"
import type { Channel } from "./channel.ts"
import type { Connection } from "./connection.ts"
import type { Endpoint } from "./endpoint.ts"
import type { RxStatistics } from "./statistics.ts"

const endMark = 0xffff_ffff
const nothing = new Uint8Array(0)
const securityStatisticsSize = 76
const dallying = callStateNumbers.dally

/** Answers a VERSION or DEBUG packet if it is a question. */
export function answerDiagnostics(
  endpoint: Endpoint,
  header: RxHeader,
  bytes: Uint8Array,
  host: number,
  port: number,
): void {
  if ((header.flags & packetFlags.clientInitiated) === 0) return
  const answer = endpoint.pool.control()
  const size =
    header.type === packetTypes.version ? writeVersion(endpoint, answer) : writeDebug(endpoint, bytes, answer)
  if (size === 0) return
  header.flags &= ~packetFlags.clientInitiated
  rxHeader.write(header, answer)
  endpoint.transmitTo(host, port, answer, rxHeader.size + size, header.type)
}

function writeVersion(endpoint: Endpoint, answer: Uint8Array): number {
  const text = Buffer.from(endpoint.options.version ?? "dafs", "latin1").subarray(0, versionBodySize - 1)
  answer.fill(0, rxHeader.size, rxHeader.size + versionBodySize)
  answer.set(text, rxHeader.size)
  return versionBodySize
}

/** Gives the size of the answer's body; 0 for no answer to something too short. */
function writeDebug(endpoint: Endpoint, bytes: Uint8Array, answer: Uint8Array): number {
  const at = rxHeader.size
  if (bytes.length < at + debugRequest.size) return 0
  const { type, index } = debugRequest.read(bytes, at)
  switch (type) {
    case debugTypes.statistics:
      debugBasics.write(basics(endpoint), answer, at)
      return debugBasics.size
    case debugTypes.connections:
      debugConnection.write(describeConnection(findInteresting(endpoint, index)), answer, at)
      return debugConnection.size
    case debugTypes.allConnections:
      debugConnection.write(describeConnection(endpoint.connections[index]), answer, at)
      return debugConnection.size
    case debugTypes.details:
      debugDetails.write(details(endpoint), answer, at)
      return debugDetails.size
    case debugTypes.peers:
      debugPeer.write(describePeer(endpoint, index), answer, at)
      return debugPeer.size
    default:
      debugRequest.write({ type: debugBadType, index: debugBadType }, answer, at)
      return debugRequest.size
  }
}

function basics(endpoint: Endpoint) {
  return {
    freePackets: endpoint.pool.spare,
    packetReclaims: 0,
    callsExecuted: endpoint.statistics.callsExecuted,
    waitingForPackets: 0,
    usedDescriptors: 0,
    version: debugVersion,
    spare: 0,
    waiting: 0,
    idleThreads: 1,
    waited: endpoint.statistics.callsRefused,
    packets: endpoint.pool.spare + endpoint.pool.inUse,
    spares: nothing,
  }
}

/** The nth connection with calls. `rxdebug` asks for one after the other, and each question may cost one look at all. */
function findInteresting(endpoint: Endpoint, index: number): Connection | undefined {
  let left = index
  for (const connection of endpoint.connections) if (connection.hasCalls && left-- === 0) return connection
  return undefined
}

const eachChannel = (connection: Connection, figure: (channel: Channel) => number): number[] =>
  connection.channels.map((channel) => (channel === undefined ? 0 : figure(channel)))

function stateOf(channel: Channel): number {
  if (channel.call !== undefined) return callStateNumbers[channel.call.state]
  return channel.number === 0 ? 0 : dallying
}

const modeOf = ({ call, abortCode }: Channel): number => call?.mode ?? (abortCode === 0 ? 4 : 3)
const queuesOf = ({ call }: Channel): number => (call?.hasInput ? 1 : 0) | (call?.hasOutput ? 2 : 0)

function describeConnection(connection: Connection | undefined): DebugConnection {
  const isThere = connection !== undefined
  return {
    host: connection?.peer.host ?? endMark,
    cid: connection?.cid ?? endMark,
    serial: connection?.serial ?? 0,
    callNumbers: isThere ? eachChannel(connection, ({ number }) => number) : [],
    error: connection?.error ?? 0,
    port: connection?.peer.port ?? 0,
    flags: 0,
    type: isThere && !connection.isClient ? 1 : 0,
    securityIndex: connection?.security.index ?? 0,
    spare: nothing,
    callStates: isThere ? eachChannel(connection, stateOf) : [],
    callModes: isThere ? eachChannel(connection, modeOf) : [],
    callFlags: [],
    callOther: isThere ? eachChannel(connection, queuesOf) : [],
    securityStatistics: securityStatistics(connection),
    epoch: connection?.epoch ?? 0,
    natMtu: connection?.peer.packetSize ?? ethernetPacketSize,
    spares: nothing,
  }
}

function securityStatistics(connection: Connection | undefined): Uint8Array {
  const bytes = new Uint8Array(securityStatisticsSize)
  bytes[0] = connection?.security.debugType ?? 0
  return bytes
}

const high = (count: number): number => Math.floor(count / 2 ** 32)

function describePeer(endpoint: Endpoint, index: number): DebugPeer {
  const peer = endpoint.peers[index]
  const timeoutMs = peer?.roundTrip.timeoutMs ?? 0
  return {
    host: peer?.host ?? endMark,
    port: peer?.port ?? 0,
    interfaceMtu: ethernetPacketSize,
    idleWhen: 0,
    references: Math.min(peer?.connections ?? 0, 0xffff),
    burstSize: 0,
    burst: 0,
    burstWait: [],
    roundTrip: Math.round((peer?.roundTrip.smoothed ?? 0) / 8),
    roundTripDeviation: Math.round((peer?.roundTrip.deviation ?? 0) / 4),
    timeout: [Math.floor(timeoutMs / 1000), Math.round((timeoutMs % 1000) * 1000)],
    sent: peer?.packetsSent ?? 0,
    resent: peer?.packetsResent ?? 0,
    inPacketSkew: 0,
    outPacketSkew: 0,
    rateFlag: 0,
    natMtu: peer?.packetSize ?? 0,
    maxMtu: Math.min(peer?.datagramSize ?? 0, 0xffff),
    maxPacketsPerDatagram: peer?.packetsPerDatagramMax ?? 0,
    interfacePacketsPerDatagram: endpoint.jumbograms,
    mtu: peer?.packetSize ?? 0,
    congestionWindow: peer?.congestionWindow ?? 0,
    packetsPerDatagram: peer?.packetsPerDatagram ?? 0,
    congestionSequence: 0,
    bytesSentHigh: high(peer?.bytesSent ?? 0),
    bytesSentLow: peer?.bytesSent ?? 0,
    bytesReceivedHigh: high(peer?.bytesReceived ?? 0),
    bytesReceivedLow: peer?.bytesReceived ?? 0,
    spares: nothing,
  }
}

/** A duration as seconds and microseconds. */
const clock = (ms: number): number[] => [Math.floor(ms / 1000), Math.round((ms % 1000) * 1000)]

const typeCount = ({ packetsSent }: RxStatistics, type: number): number => packetsSent[type - 1] ?? 0

function details(endpoint: Endpoint): DebugDetails {
  const { statistics } = endpoint
  return {
    packetRequests: statistics.packetsSent.reduce((sum, count) => sum + count, 0),
    receiveAllocationFailures: statistics.packetsRefused,
    sendAllocationFailures: 0,
    specialAllocationFailures: 0,
    socketGreedy: 0,
    bogusPacketOnRead: statistics.bogusPackets,
    bogusHost: 0,
    noPacketOnRead: 0,
    noPacketBuffersOnRead: 0,
    selects: 0,
    sendSelects: 0,
    packetsRead: statistics.packetsRead,
    dataPacketsRead: statistics.packetsRead[packetTypes.data - 1] ?? 0,
    ackPacketsRead: statistics.packetsRead[packetTypes.ack - 1] ?? 0,
    duplicatePacketsRead: statistics.duplicates,
    spuriousPacketsRead: statistics.spurious,
    packetsSent: statistics.packetsSent,
    ackPacketsSent: typeCount(statistics, packetTypes.ack),
    pingPacketsSent: statistics.pingsSent,
    abortPacketsSent: typeCount(statistics, packetTypes.abort),
    busyPacketsSent: typeCount(statistics, packetTypes.busy),
    dataPacketsSent: typeCount(statistics, packetTypes.data) - statistics.dataPacketsResent,
    dataPacketsResent: statistics.dataPacketsResent,
    dataPacketsPushed: 0,
    ignoredAcks: statistics.ignoredAcks,
    totalRoundTrip: clock(statistics.roundTripTotalMs),
    minRoundTrip: clock(statistics.roundTripMinMs),
    maxRoundTrip: clock(statistics.roundTripMaxMs),
    roundTripSamples: statistics.roundTripSamples,
    serverConnections: endpoint.serverConnections,
    clientConnections: endpoint.connections.length - endpoint.serverConnections,
    peers: endpoint.peers.length,
    calls: endpoint.calls,
    freeCalls: 0,
    sendFailures: statistics.sendFailures,
    fatalErrors: 0,
    ignoredInDally: 0,
    receiveBufferFailures: 0,
    sendBufferFailures: 0,
    busies: statistics.busiesSent,
    spares: [],
  }
}
