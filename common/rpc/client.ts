/**
 * The client side of an interface: one typed stub for each procedure of the table. What a server refuses with is thrown as
 * an RpcError with the code as it came.
 */
import type { XdrOutcome } from "../codec/xdr-bytes.ts"
import type { Operation, RpcInterface } from "../protocol/rpc-interface.ts"
import { type BulkSink, type BulkSource, bulkSource, uploadSink, writeAll } from "./bulk-stream.ts"
import { CallStream, type RpcCall, RpcError, stubCodes } from "./rpc-call.ts"

/** Where stubs get their calls: a connection of the transport. */
export interface CallSource {
  /** A new call, ready to be written to. @throws CallFailure if the connection is dead */
  newCall(): RpcCall
}

/** How a caller moves the bytes of a split procedure: takes what comes, gives what goes. */
type Mover<Moves> = [Moves] extends ["client"]
  ? (bulk: BulkSink) => Promise<void> | void
  : (bulk: BulkSource) => Promise<void> | void

/** Calls a procedure. @throws RpcError with the server's code, the transport's, or -450/-451 of the stub */
type Stub<O> =
  O extends Operation<infer Ask, infer Reply, infer Moves>
    ? [Moves] extends [undefined]
      ? keyof Ask extends never
        ? () => Promise<Reply>
        : (ask: Ask) => Promise<Reply>
      : (ask: Ask, move: Mover<Moves>) => Promise<Reply>
    : never

export type Stubs<Operations> = { readonly [Name in keyof Operations]: Stub<Operations[Name]> }

export interface ClientOptions {
  /** The most bytes that results may take where their declaration allows more. */
  readonly replyBytesMax?: number
}

const replyBytesMax = 16 << 20
const opcodeBytes = 4

type AnyMover = (bulk: BulkSink | BulkSource) => Promise<void> | void

/** Stubs for all procedures of an interface, over one connection. */
export function rpcClient<Operations extends Readonly<Record<string, Operation>>>(
  table: RpcInterface<Operations>,
  connection: CallSource,
  options: ClientOptions = {},
): Stubs<Operations> {
  const most = options.replyBytesMax ?? replyBytesMax
  const stubs = Object.entries(table.operations).map(([name, operation]) => [
    name,
    (ask: unknown = {}, move?: AnyMover) => callProcedure(operation, connection, ask, move, most),
  ])
  // The table is what gave the stubs their types.
  return Object.fromEntries(stubs) as Stubs<Operations>
}

async function callProcedure(
  operation: Operation,
  connection: CallSource,
  ask: unknown,
  move: AnyMover | undefined,
  most: number,
): Promise<unknown> {
  const request = encodeRequest(operation, ask)
  let stream: CallStream | undefined
  try {
    stream = new CallStream(connection.newCall())
    await writeAll(stream, request)
    if (operation.bulk?.from === "client") await move?.(uploadSink(stream, operation.name))
    stream.call.finish()
    if (operation.bulk?.from === "server") await receiveBulk(operation, stream, move)
    return await receiveReply(operation, stream, Math.min(most, operation.reply.sizeMax))
  } catch (error) {
    const failure = stream?.failure
    stream?.call.abort(error instanceof RpcError ? error.code : userAbort)
    throw asRpcError(operation, failure ?? error)
  }
}

/** Rx's code for a call that its client gives up. */
const userAbort = -6

/** Errors of the transport become RpcErrors; what the mover threw passes. */
function asRpcError(operation: Operation, error: unknown): unknown {
  if (error instanceof RpcError && error.operation === operation.name) return error
  const hasCode = error instanceof Error && "code" in error && typeof error.code === "number"
  return hasCode ? new RpcError(Number(error.code), operation.name, { cause: error }) : error
}

function encodeRequest(operation: Operation, ask: unknown): Uint8Array {
  try {
    const bytes = new Uint8Array(opcodeBytes + operation.request.sizeOf(ask))
    new DataView(bytes.buffer).setUint32(0, operation.opcode)
    operation.request.write(ask, bytes, opcodeBytes)
    return bytes
  } catch (cause) {
    throw new RpcError(stubCodes.clientMarshal, operation.name, { cause })
  }
}

const unreadable = (operation: Operation, detail: string): RpcError =>
  new RpcError(stubCodes.clientUnmarshal, operation.name, { detail })

async function receiveBulk(operation: Operation, stream: CallStream, move: AnyMover | undefined): Promise<void> {
  if (operation.bulk?.from !== "server") return
  const { length } = operation.bulk
  const announced = length === undefined ? undefined : length.read(await receive(operation, stream, length.sizeMin))
  if (announced !== undefined && announced < 0) throw unreadable(operation, `a length of ${announced}`)
  const source = bulkSource(stream, announced)
  await move?.(source)
  // What the caller left is not part of the results.
  while (!source.isRead) {
    source.read()
    if (!source.isRead) await source.readable()
  }
  if (source.missing > 0) throw unreadable(operation, `${source.missing} bytes of data are missing`)
}

/** Exactly `length` bytes of the reply. */
async function receive(operation: Operation, stream: CallStream, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    await stream.readable()
    const count = stream.readInto(bytes, done, length - done)
    if (count === 0 && stream.isRead) throw unreadable(operation, `${done} of ${length} bytes of the length`)
    done += count
  }
  return bytes
}

const nothing = new Uint8Array(0)

/** All of the reply that is left, as results; what is behind them is ignored, as OpenAFS's stubs do. */
async function receiveReply(operation: Operation, stream: CallStream, most: number): Promise<unknown> {
  const parts: Uint8Array[] = []
  let total = 0
  for (;;) {
    await stream.readable()
    const piece = stream.read()
    if (piece === undefined) break
    if (total < most) parts.push(piece)
    total += piece.length
    if (total > most + surplusMax) throw unreadable(operation, `more than ${most} bytes of results`)
  }
  return decodeReply(operation, parts.length === 1 ? (parts[0] ?? nothing) : Buffer.concat(parts))
}

/** Bytes behind the results that are read and dropped. */
const surplusMax = 1 << 16

function decodeReply(operation: Operation, bytes: Uint8Array): unknown {
  const outcome: XdrOutcome = { at: 0, wanted: 0, fault: undefined }
  const reply = operation.reply.decode(bytes, 0, bytes.length, outcome)
  const { fault, wanted } = outcome
  if (fault !== undefined) throw unreadable(operation, `${fault.what}: found ${fault.found}, wanted ${fault.wanted}`)
  if (wanted !== 0) throw unreadable(operation, `${bytes.length} bytes of results, ${wanted} or more wanted`)
  return reply
}
