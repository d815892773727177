/**
 * The part of a stream that a reader looks at: a buffer with a position, filled from a source at once, or by chunks that
 * someone else waits for. Memory is the buffer's size, or one chunk and the few bytes left over from the one before.
 */

/** Gives a stream piece by piece. */
export interface DumpSource {
  /** Puts the next bytes into the front of `into` and returns how many; 0 only at the end of the stream. */
  read(into: Uint8Array): number
}

export class DumpWindow {
  readonly #source: DumpSource | undefined
  #bytes: Uint8Array
  #view: DataView
  #at = 0
  #end = 0
  /** Offset in the stream of the buffer's first byte. */
  #base = 0
  #ended = false

  /** Over a source, with a buffer of `size` bytes; or without one, to be given chunks. */
  constructor(source?: DumpSource, size = 0) {
    this.#source = source
    this.#bytes = new Uint8Array(size)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** Offset in the stream of the next byte. */
  get offset(): number {
    return this.#base + this.#at
  }

  /** Bytes that can be had without asking for more. */
  get available(): number {
    return this.#end - this.#at
  }

  /** True if nothing follows the available bytes, as far as is known. */
  get ended(): boolean {
    return this.#ended
  }

  /** Makes `count` bytes available; false if the stream ended before, or the next chunk has to come. */
  ensure(count: number): boolean {
    return this.#end - this.#at >= count || this.#refill(count)
  }

  u8(ahead: number): number {
    return this.#view.getUint8(this.#at + ahead)
  }

  u16(ahead: number): number {
    return this.#view.getUint16(this.#at + ahead)
  }

  u32(ahead: number): number {
    return this.#view.getUint32(this.#at + ahead)
  }

  /** View of available bytes, good until the next call that may need more. */
  peek(ahead: number, count: number): Uint8Array {
    return this.#bytes.subarray(this.#at + ahead, Math.min(this.#at + ahead + count, this.#end))
  }

  /** Number of available bytes before the first NUL, or -1 if there is none among the next `count` from `ahead`. */
  indexOfNul(ahead: number, count: number): number {
    return this.peek(ahead, count).indexOf(0)
  }

  /** Goes forward over available bytes. */
  advance(count: number): void {
    this.#at += count
  }

  /** Reads past the buffer, straight from the source, once nothing is available; 0 at the end. */
  readThrough(into: Uint8Array): number {
    if (this.#source === undefined) return 0
    const count = this.#source.read(into)
    if (count === 0) this.#ended = true
    this.#base += count
    return count
  }

  /** Lets go of the last chunk: what is left of it is copied. Its owner may use the memory again. */
  release(): void {
    this.#hold(new Uint8Array(this.#bytes.subarray(this.#at, this.#end)))
  }

  /** Adds a chunk behind what is left. It must stay as it is until `release`. */
  push(chunk: Uint8Array): void {
    const left = this.#bytes.subarray(this.#at, this.#end)
    this.#hold(left.length === 0 ? chunk : Buffer.concat([left, chunk]))
  }

  /** The bytes from the current position on are these. */
  #hold(bytes: Uint8Array): void {
    this.#base += this.#at
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#at = 0
    this.#end = bytes.length
  }

  /** No chunk follows. */
  finish(): void {
    this.#ended = true
  }

  #refill(count: number): boolean {
    if (this.#source === undefined || this.#ended) return false
    this.#bytes.copyWithin(0, this.#at, this.#end)
    this.#base += this.#at
    this.#end -= this.#at
    this.#at = 0
    while (this.#end < count) {
      const read = this.#source.read(this.#bytes.subarray(this.#end))
      if (read === 0) {
        this.#ended = true
        return false
      }
      this.#end += read
    }
    return true
  }
}
