/**
 * The server side of an interface: from opcode to procedure and back. This is the only place where an error becomes a code
 * on the wire.
 *
 * A call whose arguments came in one packet, and whose procedure answers at once, runs to its end within `onCall`: nothing
 * is waited for and nothing but arguments and results is allocated. Arguments are decoded as soon as they are complete;
 * what follows them is ignored.
 */
import { wordAt } from "../codec/network-order.ts"
import type { XdrOutcome } from "../codec/xdr-bytes.ts"
import { AfsError } from "../error.ts"
import { codes } from "../protocol/codes.ts"
import type { Operation, RpcInterface } from "../protocol/rpc-interface.ts"
import { type BulkSink, type BulkSource, bulkSink, bulkSource, type CheckedSink, writeAll } from "./bulk-stream.ts"
import { CallStream, type RpcCall, RpcError, stubCodes } from "./rpc-call.ts"

/** What a procedure may give: its results, now or later; procedures without results give nothing. */
type Answer<Reply> = keyof Reply extends never ? void | Promise<void> : Reply | Promise<Reply>

/**
 * A procedure. What it throws ends the call: an AfsError with its number (translated if the service does so), an RpcError
 * with its code as it is, anything else as VIO.
 * One that sends bulk data calls `bulk.begin` (where the length is announced) and `bulk.write` before it gives results.
 */
export type Procedure<O> =
  O extends Operation<infer Ask, infer Reply, infer Moves>
    ? [Moves] extends ["client"]
      ? (ask: Ask, call: RpcCall, bulk: BulkSource) => Answer<Reply>
      : [Moves] extends ["server"]
        ? (ask: Ask, call: RpcCall, bulk: BulkSink) => Answer<Reply>
        : (ask: Ask, call: RpcCall) => Answer<Reply>
    : never

/** Procedures by name. Those left out are answered like opcodes that nobody knows. */
export type Procedures<Operations> = { readonly [Name in keyof Operations]?: Procedure<Operations[Name]> }

export interface ServiceOptions {
  /** Gets one line for each call that failed with what no procedure foresaw. */
  readonly log: { error(facts: object, message: string): void }
  /** What goes on the wire for the number of an AfsError, for callers that want errors translated. */
  readonly translate?: (code: number, call: RpcCall) => number
  /** The most bytes that arguments may take where their declaration allows more. */
  readonly requestBytesMax?: number
}

/** What the transport needs of a service. */
export interface Service {
  /** Rx service id. */
  readonly id: number
  readonly name: string
  /** Takes a call of which the first bytes have come. Never throws. */
  onCall(call: RpcCall): void
}

type AnyProcedure = (ask: unknown, call: RpcCall, bulk?: BulkSource | BulkSink) => unknown

interface Row {
  readonly operation: Operation
  readonly procedure: AnyProcedure
}

/** What of a service its calls use. */
interface Dispatch {
  readonly rows: ReadonlyMap<number, Row>
  readonly isContiguous: boolean
  readonly options: ServiceOptions
}

const opcodeBytes = 4
const requestBytesMax = 1 << 20
/** The first bytes of a request, one packet's mostly: decoded values hold none of them. */
const requestScratch = new Uint8Array(1 << 11)
const replyScratch = new Uint8Array(1 << 16)
/** One for all: a decoding is over before the next begins, and a reply is on its way or copied before the next is made. */
const outcome: XdrOutcome = { at: 0, wanted: 0, fault: undefined }
const encoded: { bytes: Uint8Array; length: number } = { bytes: replyScratch, length: 0 }

function rowsOf(table: RpcInterface, procedures: Readonly<Record<string, unknown>>): Map<number, Row> {
  const rows = new Map<number, Row>()
  for (const [name, operation] of Object.entries(table.operations)) {
    const procedure = procedures[name]
    // The table is what gave the procedure its type.
    if (procedure !== undefined) rows.set(operation.opcode, { operation, procedure: procedure as AnyProcedure })
  }
  return rows
}

/** Joins an interface with its procedures. */
export function rpcService<Operations extends Readonly<Record<string, Operation>>>(
  table: RpcInterface<Operations>,
  procedures: Procedures<Operations>,
  options: ServiceOptions,
): Service {
  const dispatch: Dispatch = { rows: rowsOf(table, procedures), isContiguous: table.isContiguous, options }
  return { id: table.service, name: table.name, onCall: (call) => serve(dispatch, call) }
}

function serve(dispatch: Dispatch, call: RpcCall): void {
  const length = call.readInto(requestScratch, 0, requestScratch.length)
  const needed = begin(dispatch, call, requestScratch, length)
  if (needed > 0) void gather(dispatch, call, requestScratch.slice(0, length), needed)
}

/**
 * Runs the call if its arguments are complete in the first `end` bytes, or ends it if they never will be; else the number of
 * bytes that it needs.
 */
function begin(dispatch: Dispatch, call: RpcCall, bytes: Uint8Array, end: number, stream?: CallStream): number {
  if (end < opcodeBytes) return opcodeBytes
  const row = dispatch.rows.get(wordAt(bytes, 0))
  if (row === undefined) {
    call.abort(stubCodes.unknownOpcode)
    return 0
  }
  const ask = row.operation.request.decode(bytes, opcodeBytes, end, outcome)
  if (outcome.fault !== undefined || outcome.wanted > (dispatch.options.requestBytesMax ?? requestBytesMax))
    call.abort(stubCodes.serverUnmarshal)
  else if (outcome.wanted !== 0) return outcome.wanted
  else if (row.operation.bulk === undefined) run(dispatch, row, call, ask)
  else runBulk(dispatch, row, call, ask, bytes.slice(outcome.at, end), stream ?? new CallStream(call))
  return 0
}

/** Collects a request that came in pieces until its arguments are complete. Never rejects. */
async function gather(dispatch: Dispatch, call: RpcCall, first: Uint8Array, firstNeeded: number): Promise<void> {
  const stream = new CallStream(call)
  const parts = [first]
  let total = first.length
  let needed = firstNeeded
  try {
    while (needed > 0) {
      await stream.readable()
      const piece = stream.read()
      if (piece === undefined) return call.abort(total < opcodeBytes ? stubCodes.decode : stubCodes.serverUnmarshal)
      parts.push(piece)
      total += piece.length
      if (total >= needed) needed = begin(dispatch, call, joined(parts), total, stream)
    }
  } catch {
    // The call has failed: its client knows, or is gone.
  }
}

/** Puts all parts into the first. */
function joined(parts: Uint8Array[]): Uint8Array {
  const whole = Buffer.concat(parts)
  parts.splice(0, parts.length, whole)
  return whole
}

/** Calls a procedure that moves bytes; `rest` came behind its arguments. */
function runBulk(
  dispatch: Dispatch,
  row: Row,
  call: RpcCall,
  ask: unknown,
  rest: Uint8Array,
  stream: CallStream,
): void {
  const { name, bulk } = row.operation
  if (bulk?.from === "server") {
    const sink = bulkSink(stream, name, bulk.length)
    return run(dispatch, row, call, ask, sink, sink)
  }
  stream.putBack(rest)
  run(dispatch, row, call, ask, bulkSource(stream))
}

/** Calls the procedure, and answers when it has its results. */
function run(
  dispatch: Dispatch,
  { operation, procedure }: Row,
  call: RpcCall,
  ask: unknown,
  bulk?: BulkSource | BulkSink,
  sink?: CheckedSink,
): void {
  try {
    const result = procedure(ask, call, bulk)
    if (result instanceof Promise) void answerLater(dispatch, operation, call, result, sink)
    else answer(dispatch, operation, call, result, sink)
  } catch (error) {
    fail(dispatch, operation, call, error)
  }
}

async function answerLater(
  dispatch: Dispatch,
  operation: Operation,
  call: RpcCall,
  result: Promise<unknown>,
  sink: CheckedSink | undefined,
): Promise<void> {
  try {
    answer(dispatch, operation, call, await result, sink)
  } catch (error) {
    fail(dispatch, operation, call, error)
  }
}

/** Sends the results. Those that do not fit into the queue go out as it empties. */
function answer(
  dispatch: Dispatch,
  operation: Operation,
  call: RpcCall,
  result: unknown,
  sink: CheckedSink | undefined,
): void {
  sink?.check()
  encodeReply(operation, result)
  const { bytes, length } = encoded
  const taken = call.write(bytes, 0, length)
  if (taken === length) call.finish()
  // The scratch serves the next call: what is left is copied.
  else if (!call.isOver) void answerOn(dispatch, operation, call, bytes.slice(taken, length))
}

async function answerOn(dispatch: Dispatch, operation: Operation, call: RpcCall, rest: Uint8Array): Promise<void> {
  try {
    const wait = writeAll(new CallStream(call), rest)
    if (wait !== undefined) await wait
    call.finish()
  } catch (error) {
    fail(dispatch, operation, call, error)
  }
}

const noResults = {}

/** Puts a reply into `encoded`. @throws RpcError if the results break a bound of their declaration */
function encodeReply({ reply, name }: Operation, result: unknown): void {
  const value = reply.sizeMax === 0 ? noResults : result
  try {
    encoded.bytes = reply.sizeMax > replyScratch.length ? reply.encode(value) : replyScratch
    encoded.length = encoded.bytes === replyScratch ? reply.write(value, replyScratch) : encoded.bytes.length
  } catch (cause) {
    throw new RpcError(stubCodes.serverMarshal, name, { cause })
  }
}

function fail(dispatch: Dispatch, operation: Operation, call: RpcCall, error: unknown): void {
  if (call.isOver) return
  call.abort(wireCode(dispatch, operation, call, error))
}

/** Linux numbers that servers of contiguous packages send as AFS's own. */
const contiguousCodes: Readonly<Record<number, number>> = { 28: codes.VDISKFULL.number, 122: codes.VOVERQUOTA.number }

function wireCode(dispatch: Dispatch, operation: Operation, call: RpcCall, error: unknown): number {
  const { log, translate } = dispatch.options
  const known = codeOf(error)
  const isFault = known === undefined || known === 0 || known === stubCodes.serverMarshal
  if (isFault) log.error({ err: error, op: operation.name, host: call.connection.peer.host }, "call failed unforeseen")
  const code = known === undefined || known === 0 ? codes.VIO.number : known
  const mapped = dispatch.isContiguous ? (contiguousCodes[code] ?? code) : code
  return translate === undefined || error instanceof RpcError ? mapped : translate(mapped, call)
}

function codeOf(error: unknown): number | undefined {
  if (error instanceof AfsError) return codes[error.code].number
  return error instanceof RpcError ? error.code : undefined
}
