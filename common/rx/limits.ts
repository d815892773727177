/** Every bound and every waiting time of the transport by name, with the reason for its value. docs/rx.md lists them. */

/** Bounds on what peers can make an endpoint keep. */
export interface RxLimits {
  /** Server and client connections together; the ones not used for longest make room, those with calls do not. */
  readonly connections: number
  /**
   * Calls that run or wait. Each host may have as many as the others leave free, a lone one half of them; more are answered with
   * VBUSY without keeping anything.
   */
  readonly calls: number
  /** Calls of which only a part has come from peers that never answered us; the oldest ends for a new one. */
  readonly halfOpenCalls: number
  /** Finished calls whose reply is not acknowledged; the oldest reply is forgotten for a new one. */
  readonly heldReplies: number
  /** Received bytes that no application has read. Above it a call may keep one packet that is the next in order. */
  readonly unreadBytes: number
  /** Calls of one connection of ours that wait for one of its four channels. */
  readonly waitingCalls: number
  /** Packets that a call has queued for sending before its writer has to wait. */
  readonly sendQueue: number
  /** Packets kept for use again. */
  readonly sparePackets: number
}

/** 65,536 connections, each of a peer of its own, are 75 MB; the rest follows from 32 packets of 1444 bytes for each busy call. */
export const rxLimits: RxLimits = {
  connections: 65_536,
  calls: 8_192,
  halfOpenCalls: 2_048,
  heldReplies: 4_096,
  unreadBytes: 64 << 20,
  waitingCalls: 4_096,
  sendQueue: 64,
  sparePackets: 2_048,
}

/** The largest window of packets that a call may have on the way, in either direction; also OpenAFS's. */
export const windowMax = 32
/** What is assumed of a peer's window before its first ACK. */
export const windowInitial = 16
/** A new peer's congestion window: a burst that any path takes (RFC 3390). */
export const congestionWindowInitial = 4
/**
 * Packets on the way to all calls of one host. A default socket buffer of 208 KiB takes about 90, so growth is slow above
 * `safe`, and above three quarters of what was lost last.
 */
export const hostFlight = { initial: 32, min: 8, safe: 64, max: 256, slowness: 16 } as const
/** Packets per jumbogram towards an Ethernet peer that takes them. */
export const jumbogramMax = 4
/** A packet sent this many transmissions before one that arrived is taken for lost. */
export const reorderTolerance = 3
/** Connections looked at to find one that may go when there are too many. */
export const evictionSteps = 32

/** Waiting times in milliseconds. */
export interface RxTiming {
  /** Nothing heard of a call's peer for this long ends the call (OpenAFS 12 s; fileserver 30 s). At least 6 s. */
  readonly deadMs: number
  /** The peer answers pings but neither sends nor takes data (served calls only). */
  readonly idleMs: number
  /** A call of ours may last this long in all; Infinity for no bound. */
  readonly hardMs: number
  /** The delayed acknowledgement. Below a sender's shortest timer of 220 ms. */
  readonly ackDelayMs: number
  /** The round trip assumed of an unknown peer. */
  readonly initialRoundTripMs: number
  /** Longest retransmission timer. */
  readonly resendMaxMs: number
  /** Server connections without calls are forgotten after it. */
  readonly connectionIdleMs: number
  /** Peers without connections are forgotten after it; also how often is swept. */
  readonly sweepMs: number
  /** How long an answered reachability check is good for. */
  readonly reachMs: number
  /** Between two pings to a peer that has to prove itself. */
  readonly reachRepeatMs: number
  readonly challengeRepeatMs: number
  readonly challengeCount: number
  /** Before the ABORT that tells of failed authentication. */
  readonly securityAbortDelayMs: number
  /** Before each ABORT to a client that gets the same one again and again; 0 for no delay (OpenAFS's fileserver: 3 s). */
  readonly abortDelayMs: number
}

export const rxTiming: RxTiming = {
  deadMs: 12_000,
  idleMs: 60_000,
  hardMs: Number.POSITIVE_INFINITY,
  ackDelayMs: 100,
  initialRoundTripMs: 2_000,
  resendMaxMs: 60_000,
  connectionIdleMs: 700_000,
  sweepMs: 60_000,
  reachMs: 60_000,
  reachRepeatMs: 2_000,
  challengeRepeatMs: 2_000,
  challengeCount: 50,
  securityAbortDelayMs: 1_000,
  abortDelayMs: 0,
}

/**
 * ABORTs of one code in a row that a channel gets at once. An unknown opcode (`exempt`) does not count: that is how clients find
 * out what a server is able to do.
 */
export const abortsInARow = { free: 10, exempt: -455 } as const

/** Lower bound of `deadMs`. */
export const deadMsMin = 6_000
/** Room for a peer's delayed acknowledgement in every retransmission timer. */
export const ackAllowanceMs = 200
/** Smallest round trip that a retransmission timer reckons with. */
export const roundTripMinMs = 20
/** More patience of a client whose whole request is out: the reply is the acknowledgement. */
export const replyAllowanceMs = 400
/** A client that was told BUSY asks again after this, doubling. Servers of OpenAFS say it just before a call is over. */
export const busyWait = { firstMs: 5, maxMs: 2_000 } as const
