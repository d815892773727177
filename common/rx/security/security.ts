/**
 * What a security class does for a connection: it may put bytes before and behind the user data of each DATA packet, fill
 * the checksum, refuse packets, and demand that the client proves who it is. Index 0 (null.ts) does none of it.
 *
 *     client                          server
 *     DATA ─────────────────────────► not authenticated: the call waits
 *     ◄───────────────────── CHALLENGE `challenge()`
 *     `respond()` RESPONSE ─────────► `verify()`: waiting calls go on, their packets are opened now
 */

/** Of a DATA packet: which it is. */
export interface PacketIdentity {
  readonly epoch: number
  readonly cid: number
  readonly callNumber: number
  readonly seq: number
  readonly securityIndex: number
}

/** Where user data lies in a packet, and its checksum; changed in place by `open`. */
export interface PacketBody {
  bytes: Uint8Array
  start: number
  end: number
  checksum: number
}

/** Who a client is, in the words of Kerberos. */
export interface ProvedUser {
  readonly name: string
  readonly instance: string
  readonly cell: string
  /** Unix time in seconds. */
  readonly expires: number
}

/** A connection's security. Whatever throws an RxError fails the connection with its code. */
export interface Security {
  /** 0 none, 2 rxkad, 4 rxgk. */
  readonly index: number
  /** Of the class in DEBUG answers: 1 null, 3 rxkad. */
  readonly debugType: number
  /** Bytes of each DATA packet before user data. */
  readonly headerSize: number
  /** The most bytes behind it (padding, checksums). */
  readonly trailerSize: number
  /** Packets pass as they are: `seal` and `open` are not called. */
  readonly isTransparent: boolean
  /** At a server: calls run. True from the start if the class demands nothing; always true at a client. */
  readonly isAuthenticated: boolean
  /** Server: what a RESPONSE has proved; absent if nothing. */
  readonly user?: ProvedUser | undefined
  /** Server: the body of a CHALLENGE. `hasChecksum` tells clients of the newer kind by their first DATA packet. */
  challenge(hasChecksum: boolean): Uint8Array
  /** Server: judges a RESPONSE. @throws RxError if it proves nothing */
  verify(response: Uint8Array): void
  /** Client: the body of the RESPONSE. @throws RxError if it cannot answer */
  respond(challenge: Uint8Array): Uint8Array
  /** Before the first transmission: user data lies between `start` and `end`, `headerSize` free bytes before it. */
  seal(packet: PacketIdentity, body: PacketBody): void
  /** Before the application gets it: moves `start` and `end` to user data. @throws RxError if the packet is not the client's */
  open(packet: PacketIdentity, body: PacketBody): void
}
