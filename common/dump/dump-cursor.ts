/**
 * The way through a dump stream: asks the window for what is needed, passes over what is not, hands out file data, and names the
 * place of what is wrong. Every method that gives undefined, or says that it needs more, wants to be called again when the window
 * has got it.
 */
import { FormatError } from "../error.ts"
import type { DumpWindow } from "./dump-window.ts"

export interface DumpReaderOptions {
  /** Name of the stream in errors. */
  readonly path?: string | undefined
  /** Told of what is left out although nothing is wrong enough to stop. */
  readonly onNotice?: ((text: string, offset: number) => void) | undefined
}

/** Smallest window, in bytes; a read of at least as much past an empty window goes straight to the caller. */
export const windowBytesMin = 4096
/** A stream may give reason for millions of notices; a log should not have them. */
const noticesMax = 100
const nothing = new Uint8Array(0)

export class DumpCursor {
  readonly window: DumpWindow
  readonly #options: DumpReaderOptions
  /** Bytes of file data that the consumer has not taken. */
  #dataLeft = 0
  /** Bytes to be passed over. */
  #skipLeft = 0
  #skipsText = false
  #notices = 0

  constructor(window: DumpWindow, options: DumpReaderOptions) {
    this.window = window
    this.#options = options
  }

  /** True if so many bytes are not there yet. @throws FormatError if they never will be, since the stream is over */
  needs(count: number, wanted: string): boolean {
    return !this.window.ensure(count) && this.#dryUp(wanted, count)
  }

  error(found: string, wanted?: string, ahead = 0): FormatError {
    const where = { path: this.#options.path, offset: this.window.offset + ahead }
    return new FormatError("volume dump", where, found, wanted)
  }

  notice(text: string): void {
    if (this.#notices++ === noticesMax) this.#options.onNotice?.("further notices left out", this.window.offset)
    else if (this.#notices <= noticesMax) this.#options.onNotice?.(text, this.window.offset)
  }

  /** So many bytes behind what is advanced over now are passed over by the next `passOver`. */
  skip(count: number): void {
    this.#skipLeft = count
  }

  /** The same up to the end of a text. */
  skipText(): void {
    this.#skipsText = true
  }

  /** True once all that is to be passed over has gone by, file data that nobody took among it. */
  passOver(): boolean {
    this.#skipLeft += this.#dataLeft
    this.#dataLeft = 0
    const { window } = this
    while (this.#skipLeft > 0) {
      if (!window.ensure(1) && this.#dryUp("data", this.#skipLeft)) return false
      const count = Math.min(window.available, this.#skipLeft)
      window.advance(count)
      this.#skipLeft -= count
    }
    while (this.#skipsText) {
      if (this.needs(1, "the end of a text")) return false
      const nul = window.indexOfNul(0, window.available)
      window.advance(nul < 0 ? window.available : nul + 1)
      this.#skipsText = nul < 0
    }
    return true
  }

  /** So many bytes of file data come next. */
  beginData(length: number): void {
    this.#dataLeft = length
  }

  /** View of the next bytes of file data, at most `max`; empty at their end. */
  piece(max: number): Uint8Array | undefined {
    if (this.#dataLeft === 0) return nothing
    if (!this.window.ensure(1) && this.#dryUp("file data", this.#dataLeft)) return undefined
    const bytes = this.window.peek(0, Math.min(max, this.#dataLeft))
    this.window.advance(bytes.length)
    this.#dataLeft -= bytes.length
    return bytes
  }

  /** Fills `into` with file data as far as it goes; 0 at its end. Less than asked for is no sign of the end. */
  read(into: Uint8Array): number | undefined {
    if (this.#dataLeft === 0 || into.length === 0) return 0
    if (this.window.available === 0 && into.length >= windowBytesMin) return this.#readThrough(into)
    const bytes = this.piece(into.length)
    if (bytes !== undefined) into.set(bytes)
    return bytes?.length
  }

  #readThrough(into: Uint8Array): number | undefined {
    const count = this.window.readThrough(into.subarray(0, Math.min(into.length, this.#dataLeft)))
    if (count === 0 && this.#dryUp("file data", this.#dataLeft)) return undefined
    this.#dataLeft -= count
    return count
  }

  /** True if the window may get more. */
  #dryUp(wanted: string, count: number): boolean {
    const { available, ended } = this.window
    if (!ended) return true
    throw this.error(`the end of the stream after ${available} more bytes`, `${wanted} (${count} bytes)`)
  }
}
