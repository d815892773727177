/** What an endpoint has counted since its start; `rxdebug -rxstats` shows it. Counters wrap at 2^53, on the wire at 2^32. */

export interface RxStatistics {
  packetsRead: number[]
  packetsSent: number[]
  bogusPackets: number
  duplicates: number
  spurious: number
  dataPacketsResent: number
  pingsSent: number
  busiesSent: number
  ignoredAcks: number
  roundTripSamples: number
  roundTripTotalMs: number
  roundTripMinMs: number
  roundTripMaxMs: number
  /** Calls that reached their service. */
  callsExecuted: number
  /** Calls refused because a limit was reached. */
  callsRefused: number
  /** Packets dropped because a limit was reached. */
  packetsRefused: number
  /** Connections, calls and replies given up to make room. */
  evicted: number
  sendFailures: number
}

/** Packet types are counted by type − 1. */
const typeCount = 13

export function newStatistics(): RxStatistics {
  const zeros = (): number[] => Array.from({ length: typeCount }, () => 0)
  return {
    packetsRead: zeros(),
    packetsSent: zeros(),
    bogusPackets: 0,
    duplicates: 0,
    spurious: 0,
    dataPacketsResent: 0,
    pingsSent: 0,
    busiesSent: 0,
    ignoredAcks: 0,
    roundTripSamples: 0,
    roundTripTotalMs: 0,
    roundTripMinMs: 0,
    roundTripMaxMs: 0,
    callsExecuted: 0,
    callsRefused: 0,
    packetsRefused: 0,
    evicted: 0,
    sendFailures: 0,
  }
}

/** Counts a packet of a type by one more; types that do not exist are not counted. */
export function countType(counts: number[], type: number): void {
  const count = counts[type - 1]
  if (count !== undefined) counts[type - 1] = count + 1
}

export function countRoundTrip(statistics: RxStatistics, ms: number): void {
  const isFirst = statistics.roundTripSamples++ === 0
  statistics.roundTripTotalMs += ms
  if (isFirst || ms < statistics.roundTripMinMs) statistics.roundTripMinMs = ms
  if (ms > statistics.roundTripMaxMs) statistics.roundTripMaxMs = ms
}
