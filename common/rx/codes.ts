/** Codes by which calls and connections end on the wire, and the error a caller of an RPC sees. OpenAFS rx/rx.h. */

export const rxCodes = {
  /** No sign of life from the peer, or it has given the call up. */
  callDead: -1,
  /** No such service or security class here. */
  invalidOperation: -2,
  /** Idle or hard timeout. */
  callTimeout: -3,
  protocolError: -5,
  userAbort: -6,
  /** The server starts or ends: try again. */
  restarting: -100,
  clientUnmarshal: -451,
  serverUnmarshal: -453,
  /** Not even an opcode. */
  decode: -454,
  unknownOpcode: -455,
  /** Also the answer of a server that has too many calls. */
  busy: 110,
} as const

/** Why a call ended, for the log; the code is what the other side sees. */
export type EndReason =
  | "finished"
  | "aborted by the peer"
  | "aborted here"
  | "no sign of life"
  | "idle for too long"
  | "over its time"
  | "given up by the client"
  | "connection failed"
  | "connection closed"
  | "protocol error"
  | "nobody listens"
  | "too many calls"
  | "too many connections"
  | "restarting"

/** A call or a connection that ended otherwise than with a reply. */
export class RxError extends Error {
  override readonly name = "RxError"
  /** As on the wire: Rx's own are negative, others belong to the service. */
  readonly code: number
  readonly reason: EndReason

  constructor(code: number, reason: EndReason, what: string) {
    super(`${what}: ${reason} (code ${code})`)
    this.code = code
    this.reason = reason
  }
}
