/** Requests and answers as frames: rows of values, each checked for type and range where it comes in. */
import { FormatError } from "../common/error.ts"
import { frameOf, packFrame } from "./frame.ts"
import { partitionNameMax, type SyncAnswer, type SyncRequest } from "./message.ts"
import { unpackPlain } from "./plain-msgpack.ts"
import { briefly, i32, record, type Shape, text, u32 } from "./shape.ts"

/** A request with the number that its answer will carry. Numbers are the client's, 1 and up, unique among those in flight. */
export interface SyncCall extends SyncRequest {
  readonly id: number
}

/** Number of an answer that belongs to no request: the connection itself is refused. */
export const connectionId = 0

/** The fields of a request, in the order in which they go. */
export const requestFields = {
  command: u32,
  reason: u32,
  programType: u32,
  pid: u32,
  thread: u32,
  volume: u32,
  partition: text,
  parent: u32,
  vnode: u32,
  unique: u32,
} as const

const callShape: Shape<SyncCall> = record("request", { id: u32, ...requestFields })

/** @throws TypeError if a field of the request is out of range: the caller's mistake. */
export function encodeCall(protocolMark: number, call: SyncCall): Buffer {
  return packFrame(protocolMark, callShape.pack(call))
}

/** @throws TypeError if a field of the request is out of range. */
export function requireCall(call: SyncCall): void {
  callShape.pack(call)
}

/**
 * The same request in the longest form that it has, at least 61 bytes. A server of OpenAFS's tells a client that sends at
 * least the 40 bytes of its own head that it does not understand; at less it hangs up without a word. (msgpack lets a
 * small number be written as one of 32 bits.)
 */
export function encodeLongCall(protocolMark: number, call: SyncCall): Buffer {
  requireCall(call)
  const { id, command, reason, programType, pid, thread, volume, partition, parent, vnode, unique } = call
  const name = Buffer.from(partition)
  const body = Buffer.concat([
    Buffer.of(0x9b),
    ...[id, command, reason, programType, pid, thread, volume].map(longNumber),
    ...[Buffer.of(0xd9, name.length), name],
    ...[parent, vnode, unique].map(longNumber),
  ])
  return frameOf(protocolMark, body)
}

function longNumber(number: number): Buffer {
  const bytes = Buffer.of(0xce, 0, 0, 0, 0)
  bytes.writeUInt32BE(number, 1)
  return bytes
}

/** @throws FormatError if the body is not a request. */
export function decodeCall(body: Buffer): SyncCall {
  return callShape.unpack(unpackPlain(body), "request")
}

/** An answer as it travels; `payload` is still a plain value, or a structure in OpenAFS's form. */
export interface WireAnswer extends SyncAnswer {
  readonly id: number
  /** The server answered in OpenAFS's form: its bytes behind the head, and its flags. */
  readonly openafs?: { readonly bytes: Uint8Array; readonly flags: number }
}

export function encodeAnswer(protocolMark: number, answer: WireAnswer): Buffer {
  return packFrame(protocolMark, [answer.id, answer.response, answer.reason, answer.payload ?? null])
}

/** @throws FormatError if the body is not an answer. */
export function decodeAnswer(body: Buffer): WireAnswer {
  const row = unpackPlain(body)
  if (!Array.isArray(row) || row.length !== 4) throw new FormatError("answer", {}, briefly(row), "a row of 4")
  const id = u32.unpack(row[0], "answer.id")
  const response = u32.unpack(row[1], "answer.response")
  const reason = reasonIn(row[2])
  return row[3] === null ? { id, response, reason } : { id, response, reason, payload: row[3] }
}

/** Reasons are codes of this protocol, or error codes of the volume package, of which some are negative. */
function reasonIn(plain: unknown): number {
  return typeof plain === "number" && plain < 0
    ? i32.unpack(plain, "answer.reason")
    : u32.unpack(plain, "answer.reason")
}

/** True for a partition name as a frame may carry it; "" means any. Anything else is answered FAILED MALFORMED_PACKET. */
export function isPartitionName(name: string): boolean {
  return name.length <= partitionNameMax && /^[\x21-\x7e]*$/.test(name)
}
