/**
 * Reads a volume dump stream piece by piece, in constant memory: no length in the stream makes it allocate anything.
 *
 * `DumpReader` feeds the parser from a source that answers at once, `DumpReaderLater` from chunks that come when they come;
 * the latter waits only when the window has run dry.
 */
import { DumpCursor, type DumpReaderOptions, windowBytesMin } from "./dump-cursor.ts"
import { type DumpEvent, DumpParser } from "./dump-parser.ts"
import { type DumpSource, DumpWindow } from "./dump-window.ts"

export interface DumpWindowOptions extends DumpReaderOptions {
  /** Bytes read from the source at once. */
  readonly windowBytes?: number | undefined
}

/** Measured: larger windows leave the processor's cache and are slower. */
const windowBytesDefault = 256 * 1024

/** A window has run dry that is filled at once; cannot happen. */
function neverDry<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("dump reader: the source gave nothing and did not end")
  return value
}

/** Reads a dump from a source that answers at once, such as a file. All methods throw FormatError with path and offset. */
export class DumpReader {
  readonly #cursor: DumpCursor
  readonly #parser: DumpParser

  constructor(source: DumpSource, options: DumpWindowOptions = {}) {
    const size = Math.max(windowBytesMin, options.windowBytes ?? windowBytesDefault)
    this.#cursor = new DumpCursor(new DumpWindow(source, size), options)
    this.#parser = new DumpParser(this.#cursor)
  }

  /** The next event; file data that was not read is skipped. */
  next(): DumpEvent {
    return neverDry(this.#parser.next())
  }

  /** The next bytes of file data, at most `max`, without copying: good until the next call. Empty at the end. */
  piece(max = Number.MAX_SAFE_INTEGER): Uint8Array {
    return neverDry(this.#cursor.piece(max))
  }

  /** Fills `into` with file data as far as that goes and returns the number of bytes, 0 at the end. */
  read(into: Uint8Array): number {
    let total = 0
    while (total < into.length) {
      const count = neverDry(this.#cursor.read(into.subarray(total)))
      if (count === 0) break
      total += count
    }
    return total
  }
}

/** Reads a dump from chunks that have to be waited for. One call at a time. All methods throw as DumpReader's do. */
export class DumpReaderLater {
  readonly #cursor: DumpCursor
  readonly #parser: DumpParser
  readonly #window = new DumpWindow()
  readonly #chunks: AsyncIterator<Uint8Array>

  /** A chunk must stay as it is until the next one is asked for. */
  constructor(chunks: AsyncIterable<Uint8Array>, options: DumpReaderOptions = {}) {
    this.#cursor = new DumpCursor(this.#window, options)
    this.#parser = new DumpParser(this.#cursor)
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** The next event; file data that was not read is skipped. */
  async next(): Promise<DumpEvent> {
    for (;;) {
      const event = this.#parser.next()
      if (event !== undefined) return event
      await this.#more()
    }
  }

  /** The next bytes of file data, at most `max`, without copying: good until the next call. Empty at the end. */
  async piece(max = Number.MAX_SAFE_INTEGER): Promise<Uint8Array> {
    for (;;) {
      const bytes = this.#cursor.piece(max)
      if (bytes !== undefined) return bytes
      await this.#more()
    }
  }

  /** Fills `into` with file data as far as that goes and returns the number of bytes, 0 at the end. */
  async read(into: Uint8Array): Promise<number> {
    for (let total = 0; ; ) {
      const count = total === into.length ? 0 : this.#cursor.read(into.subarray(total))
      if (count === 0) return total
      if (count === undefined) await this.#more()
      else total += count
    }
  }

  /** Tells the chunks' source that no more are wanted. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.()
  }

  async #more(): Promise<void> {
    this.#window.release()
    const result = await this.#chunks.next()
    if (result.done === true) this.#window.finish()
    else this.#window.push(result.value)
  }
}
