/**
 * The bytes that a split procedure moves, in pieces as they come: nothing is kept whole. Whoever reads slowly closes the
 * peer's window; whoever writes faster than the network waits.
 */
import type { Xdr } from "../codec/xdr-type.ts"
import { type CallStream, RpcError, stubCodes } from "./rpc-call.ts"

/** Bytes that come. */
export interface BulkSource {
  /** Bytes in all, if the peer announced it; else up to the end of its stream. */
  readonly length: number | undefined
  /** All of them have been read (or the peer sent fewer than it said: nothing more will come). */
  readonly isRead: boolean
  /** Takes the next bytes that are here, at most `limit`; undefined if none are. They are the caller's. */
  read(limit?: number): Uint8Array | undefined
  /** Copies the next bytes that are here, at most `length`; gives how many. */
  readInto(target: Uint8Array, at: number, length: number): number
  /** Waits until there is something to read, or `isRead`. @throws CallFailure if the call fails */
  readable(): Promise<void>
  /** Copies what comes to `target` from `from` on, up to its end or `isRead`; gives where that is. @throws CallFailure */
  gather(target: Uint8Array, from: number): Promise<number>
}

/** Bytes to send. */
export interface BulkSink {
  /**
   * Says how many bytes will be written, once, before the first; for procedures that announce it only.
   * @throws RangeError if the number cannot be announced
   */
  begin(length: number): void
  /**
   * Sends bytes. Undefined if they are on their way (copied); else they must stay as they are until the promise resolves.
   * @throws CallFailure if the call fails
   */
  write(bytes: Uint8Array): Promise<void> | undefined
}

/**
 * Fills an array from its front, as far as the source goes; gives how many bytes. Without a promise if all of them are here.
 * @throws CallFailure if the call fails
 */
export function fill(source: BulkSource, target: Uint8Array): number | Promise<number> {
  const done = source.readInto(target, 0, target.length)
  return done === target.length || source.isRead ? done : source.gather(target, done)
}

/** The next `length` bytes as they come; ends early if the source does. @throws CallFailure if the call fails */
export async function* pieces(
  source: BulkSource,
  length = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = length
  while (left > 0 && !source.isRead) {
    const piece = source.read(left)
    if (piece === undefined) await source.readable()
    else {
      left -= piece.length
      yield piece
    }
  }
}

/** A source that knows what the peer owes. */
export interface CountedSource extends BulkSource {
  /** Bytes that were announced and not read yet. */
  readonly missing: number
}

/** The rest of a call's input, or `length` bytes of it. */
export function bulkSource(stream: CallStream, length?: number): CountedSource {
  let left = length ?? Number.POSITIVE_INFINITY
  return {
    length,
    get missing() {
      return length === undefined ? 0 : left
    },
    get isRead() {
      return left === 0 || stream.isRead
    },
    read(limit = Number.POSITIVE_INFINITY) {
      const most = Math.min(limit, left)
      const piece = most === 0 ? undefined : stream.read(most)
      left -= piece?.length ?? 0
      return piece
    },
    readInto(target, at, count) {
      const done = stream.readInto(target, at, Math.min(count, left))
      left -= done
      return done
    },
    async readable() {
      if (left > 0) await stream.readable()
    },
    async gather(target, from) {
      const end = await stream.gather(target.subarray(0, Math.min(target.length, from + left)), from)
      left -= end - from
      return end
    },
  }
}

/** Writes all bytes; a promise if the queue is full. `isOver` says that nobody wants the rest. */
export function writeAll(
  stream: CallStream,
  bytes: Uint8Array,
  isOver = (): boolean => false,
): Promise<void> | undefined {
  const taken = stream.call.write(bytes)
  return taken === bytes.length ? undefined : writeOn(stream, bytes, taken, isOver)
}

async function writeOn(stream: CallStream, bytes: Uint8Array, from: number, isOver: () => boolean): Promise<void> {
  for (let at = from; at < bytes.length && !isOver(); at += stream.call.write(bytes, at)) await stream.woken()
}

/** A sink that checks what was announced. */
export interface CheckedSink extends BulkSink {
  /** @throws RpcError if another number of bytes was written than announced: the peer would take results for data */
  check(): void
}

/** What a server writes before its results; `length` is the type of the number that goes first. */
export function bulkSink(stream: CallStream, operation: string, length: Xdr<number> | undefined): CheckedSink {
  let announced: number | undefined
  let written = 0
  let waiting = 0
  const check = (): void => {
    if (waiting > 0) throw new Error(`${operation}: results before the data's end was awaited`)
    if (length === undefined || written === announced) return
    const detail = `${written} bytes were written, ${announced ?? "none"} announced`
    throw new RpcError(stubCodes.serverMarshal, operation, { detail })
  }
  return {
    begin(bytes) {
      if (length === undefined || announced !== undefined) throw new Error(`${operation}: no length goes here`)
      const word = length.encode(bytes)
      if (length.read(word) !== bytes) throw new RangeError(`${operation}: a length of ${bytes} cannot be announced`)
      announced = bytes
      // The first bytes of an answer always fit.
      stream.call.write(word)
    },
    write(bytes) {
      written += bytes.length
      if (length !== undefined && written > (announced ?? 0)) check()
      const wait = writeAll(stream, bytes)
      if (wait === undefined) return undefined
      waiting++
      return wait.finally(() => waiting--)
    },
    check,
  }
}

/** What a client writes behind its arguments. The server may answer before it has all: the rest is dropped then. */
export function uploadSink(stream: CallStream, operation: string): BulkSink {
  const isAnswered = (): boolean => stream.hasInput || stream.isRead
  return {
    begin() {
      throw new Error(`${operation}: no length goes here`)
    },
    write: (bytes) => writeAll(stream, bytes, isAnswered),
  }
}
