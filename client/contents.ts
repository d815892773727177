/** Bytes of files, directories and symlinks, as they come and go: nothing is kept whole. */
import { AfsError } from "../common/error.ts"
import type { AFSFid } from "../common/protocol/afs-types.ts"
import { fill } from "../common/rpc/bulk-stream.ts"
import { ask } from "./ask.ts"
import { fidText } from "./fid.ts"
import type { Fileserver } from "./fileserver.ts"
import { type ObjectStatus, objectStatus, type StatusChange, storeStatus } from "./status.ts"

/** Bytes that are handed over at a time. */
const chunkBytes = 256 << 10
/** What a stream of unknown length is stored in: each is a call of its own. */
const pieceBytes = 1 << 20
/** More than any file has; exact in a number. */
const lengthMax = Number.MAX_SAFE_INTEGER

/** A part of an object; all of it if nothing is said. */
export interface Range {
  readonly position?: number | undefined
  readonly length?: number | undefined
}

/** Where fetched bytes go. They are good until the promise resolves; `total` is how many come in all. */
export type Taker = (bytes: Uint8Array, total: number | undefined) => Promise<void> | void

/** Fetches an object's bytes; gives its status of the same moment. @throws AfsError, RpcError; what `take` throws */
export async function fetchContents(
  server: Fileserver,
  fid: AFSFid,
  { position = 0, length = lengthMax }: Range,
  take: Taker,
): Promise<ObjectStatus> {
  const reply = await ask(
    "fetch",
    fid,
    server.rxafs.FetchData64({ Fid: fid, Pos: position, Length: length }, async (bulk) => {
      const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, bulk.length ?? chunkBytes))
      while (!bulk.isRead) {
        const count = await fill(bulk, buffer)
        if (count > 0) await take(buffer.subarray(0, count), bulk.length)
      }
    }),
  )
  return objectStatus(fid, reply.OutStatus)
}

/** An object and its bytes, if they are not more than `most`. @throws AfsError EFBIG if they are */
export async function fetchWhole(
  server: Fileserver,
  fid: AFSFid,
  most: number,
): Promise<{ readonly bytes: Buffer; readonly status: ObjectStatus }> {
  const parts: Buffer[] = []
  const status = await fetchContents(server, fid, { length: most + 1 }, (bytes) => void parts.push(Buffer.from(bytes)))
  const bytes = Buffer.concat(parts)
  if (bytes.length <= most) return { bytes, status }
  const detail = `more than ${most} bytes`
  throw new AfsError("EFBIG", "fetch", { volume: fid.Volume, vnode: fid.Vnode, path: fidText(fid) }, { detail })
}

export type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

export interface StoreOptions extends StatusChange {
  readonly position?: number | undefined
  /** The file's length afterwards, if the bytes do not go beyond; the end of the bytes if absent. */
  readonly fileLength?: number | undefined
  /** Told of bytes that are on their way. */
  readonly onProgress?: ((done: number) => void) | undefined
}

/**
 * Stores `length` bytes in one call: others see the file before or after it.
 * @throws AfsError, RpcError; EINVAL if there are fewer bytes, of which those that were stored stay
 */
export async function storeContents(
  server: Fileserver,
  fid: AFSFid,
  pieces: Pieces,
  length: number,
  options: StoreOptions = {},
): Promise<ObjectStatus> {
  const { position = 0, fileLength = position + length, onProgress } = options
  const numbers = { Pos: position, Length: length, FileLength: fileLength }
  const reply = await ask(
    "store",
    fid,
    server.rxafs.StoreData64({ Fid: fid, InStatus: storeStatus(options), ...numbers }, async (bulk) => {
      let done = 0
      for await (const piece of pieces) {
        const bytes = piece.subarray(0, length - done)
        if (bytes.length > 0) await bulk.write(bytes)
        done += bytes.length
        onProgress?.(done)
        if (done === length) break
      }
      if (done < length) throw tooShort(fid, done, length)
    }),
  )
  return objectStatus(fid, reply.OutStatus)
}

function tooShort(fid: AFSFid, found: number, wanted: number): AfsError {
  const detail = `the source ended after ${found} of ${wanted} bytes`
  return new AfsError("EINVAL", "store", { volume: fid.Volume, vnode: fid.Vnode, path: fidText(fid) }, { detail })
}

export interface StreamOptions extends Omit<StoreOptions, "position" | "fileLength"> {
  /** Zeros are left out: the file gets holes. */
  readonly isSparse?: boolean | undefined
}

/** Replaces a file's bytes by those of a stream whose length nobody knows, or that is mostly holes. @throws AfsError, RpcError */
export async function storeStream(
  server: Fileserver,
  fid: AFSFid,
  pieces: Pieces,
  { onProgress, isSparse = false, ...change }: StreamOptions = {},
): Promise<ObjectStatus> {
  let position = 0
  let status = await storeContents(server, fid, [], 0, { ...change, fileLength: 0 })
  for await (const bytes of gathered(pieces, pieceBytes)) {
    if (!isSparse || !areZeros(bytes))
      status = await storeContents(server, fid, [bytes], bytes.length, { ...change, position })
    position += bytes.length
    onProgress?.(position)
  }
  // A hole at the end.
  return status.length < position ? await storeContents(server, fid, [], 0, { ...change, position }) : status
}

const zeros = Buffer.alloc(pieceBytes)

/** At most a piece. */
export const areZeros = (bytes: Uint8Array): boolean => zeros.subarray(0, bytes.length).equals(bytes)

/** The same bytes in pieces of one size, the last aside; each is good until the next. */
async function* gathered(pieces: Pieces, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = Buffer.allocUnsafe(size)
  let filled = 0
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + size - filled)
      buffer.set(part, filled)
      at += part.length
      filled += part.length
      if (filled < size) continue
      yield buffer
      filled = 0
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled)
}
