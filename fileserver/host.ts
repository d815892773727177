/**
 * A host: one cache manager, known by its UUID and by every address that it was seen at. What it was promised is in the
 * callback table. OpenAFS viced/host.h.
 */
import type { Millis } from "../common/clock.ts"

/** Where a cache manager can be called: IPv4 address as a number, and UDP port. */
export interface HostAddress {
  readonly host: number
  readonly port: number
}

/** A host keeps so many addresses; the one seen first goes for a new one. As many as it can report. */
export const hostAddressesMax = 32

export class Host {
  /** Its number in the tables, from 1; given to another host when this one has gone. */
  readonly index: number
  /** Undefined: a client that has none, known by its address only. */
  readonly uuid: string | undefined
  /** Where it was seen; the first is called. Never empty while the host is known. Changed by the register only. */
  addresses: readonly HostAddress[]
  /** Addresses that it says it has; asked when no other answers. Nobody is known by them, since nothing proves them. */
  reported: readonly number[] = []
  /** It understands errors in OpenAFS's own error table. */
  translatesErrors = false
  /** Groups that contain its address, ascending. */
  cps: readonly number[] = []
  lastCall: Millis
  /** It does not answer: breaks are kept for its next call. */
  isDown = false
  /** It has to forget every promise before it is served again. */
  needsReset = false
  /** Not known any more; nothing may be promised to it. */
  isGone = false

  constructor(index: number, uuid: string | undefined, address: HostAddress, now: Millis) {
    this.index = index
    this.uuid = uuid
    this.addresses = [address]
    this.lastCall = now
  }

  /** Nothing has to be told to it before its next call. */
  get isReady(): boolean {
    return !(this.isDown || this.needsReset || this.isGone)
  }

  isAt(address: HostAddress): boolean {
    for (const known of this.addresses) if (known.host === address.host && known.port === address.port) return true
    return false
  }
}
