/**
 * Frames of our own form of FSSYNC and SALVSYNC on a byte stream: an 8-byte head and one msgpack value.
 *
 *     0        1          2           3        4                8
 *     | mark   | version  | protocol  | 0      | length, u32    | body, `length` bytes …
 *
 * The mark is never 03, with which every frame of OpenAFS's form begins (`03 00 00 00`, its protocol version), so one
 * socket can serve both. The protocol byte keeps an FSSYNC client off a SALVSYNC socket: their command numbers overlap.
 */
import { type Of, struct, u8, u32 } from "../common/codec/struct.ts"
import { FormatError } from "../common/error.ts"
import { packPlain } from "./plain-msgpack.ts"

const headLayout = struct("FrameHead", 8, { mark: u8, version: u8, protocol: u8, spare: u8, length: u32 })
type Head = Of<typeof headLayout>

/** First byte of every frame. */
export const frameMark = 0xda
/** Second byte. A peer of another version is refused: both ends of a socket are one installation. */
const frameVersion = 1
/** Longest request body: eleven numbers and a partition name take 80 bytes at most. */
export const requestBytesMax = 256
/** Longest answer body: VOL_LIST of a million volumes takes about 40 MB. */
export const answerBytesMax = 64 << 20

/** The form that a peer speaks, by the first byte that it sends. What is neither is answered as OpenAFS's servers do. */
export function formOf(opening: Uint8Array): "ours" | "openafs" {
  return opening[0] === frameMark ? "ours" : "openafs"
}

/** A whole frame for a value of arrays, numbers, strings and bytes. */
export function packFrame(protocolMark: number, value: unknown): Buffer {
  const frame = packPlain(value, headLayout.size)
  const length = frame.length - headLayout.size
  headLayout.write({ mark: frameMark, version: frameVersion, protocol: protocolMark, spare: 0, length }, frame)
  return frame
}

/** A whole frame around a body that is packed already. */
export function frameOf(protocolMark: number, body: Buffer): Buffer {
  const head = { mark: frameMark, version: frameVersion, protocol: protocolMark, spare: 0, length: body.length }
  return Buffer.concat([headLayout.encode(head), body])
}

/** A frame of another version: refused, but the peer can be told. */
export class FrameVersionError extends FormatError {}

/**
 * Cuts a byte stream into frames, whatever its chunks. Bytes that belong to no whole frame yet are kept: at most one frame
 * and one chunk. The memory grows with what has arrived, never with what a head announces.
 */
export class FrameReader {
  readonly #protocolMark: number
  readonly #bytesMax: number
  /** Bytes of the stream before `#buffer[#start]`. */
  #streamOffset = 0
  #buffer: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  /** The buffer is our own and may be appended to. */
  #owned = false

  constructor(protocolMark: number, bytesMax: number) {
    this.#protocolMark = protocolMark
    this.#bytesMax = bytesMax
  }

  /** Takes the next bytes of the stream. The chunk is kept without copying while it holds frames not yet taken. */
  push(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#replace(chunk, chunk.length, false)
    } else {
      this.#append(chunk)
    }
  }

  /**
   * Body of the next whole frame, a view that is valid until the next `push`; undefined if there is none yet.
   * @throws FormatError for a head that is not ours or announces too much; the stream is useless from there on.
   */
  next(): Buffer | undefined {
    const available = this.#end - this.#start
    if (available > 0) this.#checkMark()
    if (available < headLayout.size) return undefined
    const length = this.#checkHead(headLayout.read(this.#buffer, this.#start))
    const size = headLayout.size + length
    if (available < size) return undefined
    const body = this.#buffer.subarray(this.#start + headLayout.size, this.#start + size)
    this.#start += size
    this.#streamOffset += size
    return body
  }

  /** Call before the memory of the last chunk is used again: what is left of it is copied. */
  keep(): void {
    if (this.#start < this.#end && !this.#owned) this.#makeRoom(0)
  }

  /** Bytes held for a frame that is not complete. */
  get pendingBytes(): number {
    return this.#end - this.#start
  }

  #replace(buffer: Buffer, end: number, owned: boolean): void {
    this.#buffer = buffer
    this.#start = 0
    this.#end = end
    this.#owned = owned
  }

  #append(chunk: Buffer): void {
    if (!this.#owned || this.#buffer.length - this.#end < chunk.length) this.#makeRoom(chunk.length)
    chunk.copy(this.#buffer, this.#end)
    this.#end += chunk.length
  }

  /** Room for `more` bytes and, when a longer frame is on its way, for as much again, so that copying stays linear. */
  #makeRoom(more: number): void {
    const kept = this.#end - this.#start
    const needed = kept + more
    const room = Buffer.allocUnsafe(Math.max(needed, Math.min(this.#frameSize(), 2 * needed)))
    this.#buffer.copy(room, 0, this.#start, this.#end)
    this.#replace(room, kept, true)
  }

  #frameSize(): number {
    if (this.#end - this.#start < headLayout.size) return headLayout.size + requestBytesMax
    return headLayout.size + headLayout.read(this.#buffer, this.#start).length
  }

  #checkMark(): void {
    const found = this.#buffer[this.#start]
    if (found !== frameMark) this.#refuse(`first byte 0x${found?.toString(16)}`, `0x${frameMark.toString(16)}`)
  }

  #checkHead(head: Head): number {
    if (head.version !== frameVersion) {
      throw new FrameVersionError("frame", { offset: this.#streamOffset }, `version ${head.version}`, `${frameVersion}`)
    }
    if (head.protocol !== this.#protocolMark) this.#refuse(`protocol ${head.protocol}`, `${this.#protocolMark}`)
    if (head.spare !== 0) this.#refuse(`reserved byte ${head.spare}`, "0")
    if (head.length > this.#bytesMax) this.#refuse(`a body of ${head.length} bytes`, `at most ${this.#bytesMax}`)
    return head.length
  }

  #refuse(found: string, wanted: string): never {
    throw new FormatError("frame", { offset: this.#streamOffset }, found, wanted)
  }
}
