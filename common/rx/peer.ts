/**
 * Whom we talk to. A peer (address and port) remembers round trip, congestion window and sizes from call to call; a host
 * (address) has one bound for the packets on the way to all its calls, since they end in one socket buffer.
 */
import type { Millis } from "../clock.ts"
import { ethernetPacketSize, packetSizeMin } from "../protocol/rx-packet.ts"
import { congestionWindowInitial, hostFlight, jumbogramMax, windowMax } from "./limits.ts"
import { PacketSize } from "./packet-size.ts"
import { newRoundTrip, type RoundTrip } from "./rtt.ts"

/** Somebody who could not send because too much was on the way. */
export interface FlightWaiter {
  isWaitingForFlight: boolean
  /** Sends what it may; waits again if that was not all. */
  pump(): void
}

/**
 * Packets on the way to one host. Grows by one for each round of clean acknowledgements, more slowly where it may be too
 * much; halves on a loss.
 */
export class HostFlight {
  readonly host: number
  cap: number = hostFlight.initial
  inFlight = 0
  /** Peers of this host. */
  peers = 0
  /** Calls with this host that are not finished, on both sides. */
  calls = 0
  #progress = 0
  /** Above it growth is slow. */
  #ceiling: number = hostFlight.safe
  #waiters: FlightWaiter[] = []
  #isWaking = false

  constructor(host: number) {
    this.host = host
  }

  get hasRoom(): boolean {
    return this.inFlight < this.cap
  }

  sent(): void {
    this.inFlight++
  }

  /** Packets have left the flight: acknowledged (`isClean`), or given up. */
  landed(count: number, isClean: boolean): void {
    this.inFlight = Math.max(0, this.inFlight - count)
    if (!isClean) return
    this.#progress += count
    if (this.#progress < this.cap * (this.cap < this.#ceiling ? 1 : hostFlight.slowness)) return
    this.#progress = 0
    if (this.cap < hostFlight.max) this.cap++
  }

  /** Packets were lost; once for each time that a call notices. */
  lost(): void {
    this.#ceiling = Math.max(hostFlight.min, (this.cap * 3) >> 2)
    this.cap = Math.max(hostFlight.min, this.cap >> 1)
    this.#progress = 0
  }

  wait(waiter: FlightWaiter): void {
    if (waiter.isWaitingForFlight) return
    waiter.isWaitingForFlight = true
    this.#waiters.push(waiter)
  }

  /** Lets those who wait go on, in turn, while there is room. */
  wake(): void {
    if (this.#isWaking || this.#waiters.length === 0) return
    this.#isWaking = true
    for (let turns = this.#waiters.length; turns > 0 && this.hasRoom; turns--) {
      const waiter = this.#waiters.shift()
      if (waiter === undefined) break
      if (!waiter.isWaitingForFlight) continue
      waiter.isWaitingForFlight = false
      waiter.pump()
    }
    this.#isWaking = false
  }
}

/** What we take and send ourselves. */
export interface OwnSizes {
  readonly packetSizeMax: number
  /** Packets per datagram. */
  readonly jumbograms: number
}

export class Peer {
  /** IPv4 address as a number, network order read from left to right. */
  readonly host: number
  readonly port: number
  readonly flight: HostFlight
  readonly roundTrip: RoundTrip
  /** Connections of this peer. */
  connections = 0
  /** In the endpoint's list. */
  place = -1
  /** Since when it has none. */
  idleSince: Millis = 0
  /** Where its next call begins. */
  congestionWindow: number = congestionWindowInitial
  slowStartThreshold: number = windowMax
  /** How large single packets to it are. */
  readonly sizes = new PacketSize()
  /** Largest datagram it takes. */
  datagramSize: number = ethernetPacketSize
  /** What it takes in one jumbogram, and how many we put into one now. */
  packetsPerDatagramMax = 1
  packetsPerDatagram = 1
  #cleanAcks = 0
  /** When the system last said that nobody listens there. */
  unreachableAt: Millis = Number.NEGATIVE_INFINITY
  /** When it last proved that it receives what is sent to it. */
  reachedAt: Millis = Number.NEGATIVE_INFINITY
  packetsSent = 0
  packetsResent = 0
  bytesSent = 0
  bytesReceived = 0

  constructor(host: number, port: number, flight: HostFlight, initialRoundTripMs: Millis) {
    this.host = host
    this.port = port
    this.flight = flight
    this.roundTrip = newRoundTrip(initialRoundTripMs)
  }

  /** Largest single packet it takes as far as we know, Rx header included. */
  get packetSize(): number {
    return this.sizes.size
  }

  /** Takes the trailer of its ACK; zeros are parts that were not sent. */
  learn(maxMtu: number, interfaceMtu: number, packetsPerDatagram: number, own: OwnSizes): void {
    if (maxMtu !== 0) this.datagramSize = Math.max(packetSizeMin, maxMtu)
    if (interfaceMtu !== 0 || maxMtu !== 0)
      this.sizes.agree(Math.min(own.packetSizeMax, interfaceMtu || own.packetSizeMax, maxMtu || own.packetSizeMax))
    this.packetsPerDatagramMax = Math.max(1, Math.min(own.jumbograms, packetsPerDatagram, jumbogramMax))
    if (this.packetsPerDatagram > this.packetsPerDatagramMax) this.packetsPerDatagram = this.packetsPerDatagramMax
  }

  /** An ACK without trouble: more than four in a row raise the packets per datagram. */
  cleanAck(): void {
    if (++this.#cleanAcks <= 4) return
    this.#cleanAcks = 0
    if (this.packetsPerDatagram < this.packetsPerDatagramMax) this.packetsPerDatagram++
  }

  /** A loss seen by acknowledgements halves the packets per datagram, one seen by the timer makes it one. */
  trouble(isTimeout: boolean): void {
    this.#cleanAcks = 0
    this.packetsPerDatagram = isTimeout ? 1 : Math.max(1, this.packetsPerDatagram >> 1)
  }
}
