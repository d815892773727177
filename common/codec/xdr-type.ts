/**
 * XDR as AFS's interface compiler uses it (RFC 4506 with its own habits: chars and shorts take a word, a vector of chars a
 * word for each). A type is declared once; reader, writer, size, bounds and TypeScript type come from the declaration.
 *
 * A type is compiled on first use into straight-line code. Nothing is allocated before the bytes that fill it are known to be
 * there. Integers are cut to their width when written.
 */
import { FormatError } from "../error.ts"
import type { XdrOutcome } from "./xdr-bytes.ts"
import { compile, compileReader, compileWriter, type Decoder, type Encoder, type XdrCode } from "./xdr-code.ts"

/** A type on the wire. */
export interface Xdr<T> {
  readonly name: string
  /** Bytes, if every value takes the same. */
  readonly size: number | undefined
  /** The fewest bytes of a value. */
  readonly sizeMin: number
  /** The most bytes of a value; Infinity if the declaration has no bound. */
  readonly sizeMax: number
  /** Reads a value; bytes behind it are ignored. @throws FormatError if there is none */
  read(bytes: Uint8Array, at?: number): T
  /** Reads between `at` and `end` without throwing: the value counts if `outcome` has neither `wanted` nor `fault`. */
  decode(bytes: Uint8Array, at: number, end: number, outcome: XdrOutcome): T | undefined
  /** Bytes that `write` takes for this value. */
  sizeOf(value: T): number
  /**
   * Writes a value and gives the place behind it.
   * @throws RangeError if there is no room, or a length is above its bound
   */
  write(value: T, bytes: Uint8Array, at?: number): number
  /** A new array with the value. @throws RangeError if a length is above its bound */
  encode(value: T): Uint8Array
  readonly code: XdrCode
}

/** The TypeScript type of a declared type's values. */
export type XdrOf<X> = X extends Xdr<infer T> ? T : never

function refuse(name: string, at: number, bytes: Uint8Array, outcome: XdrOutcome): void {
  const { fault, wanted } = outcome
  if (fault !== undefined) throw new FormatError(fault.what, { offset: fault.offset }, fault.found, fault.wanted)
  if (wanted === 0) return
  throw new FormatError(name, { offset: at }, `${Math.max(0, bytes.length - at)} bytes`, `${wanted - at} or more`)
}

/** A type of this name; its values take `sizeMin` to `sizeMax` bytes. */
export function define<T>(name: string, sizeMin: number, sizeMax: number, code: XdrCode): Xdr<T> {
  const size = sizeMin === sizeMax ? sizeMin : undefined
  let decoder: Decoder<T> | undefined
  let encoder: Encoder<T> | undefined
  let sizer: ((value: T) => number) | undefined
  const sizeOf = (value: T): number => {
    sizer ??= compile<(value: T) => number>("value", [`return ${code.size("value")}`])
    return size ?? sizer(value)
  }
  const write = (value: T, bytes: Uint8Array, at: number): number => {
    encoder ??= compileWriter(name, code)
    return encoder(value, bytes, at)
  }
  const decode: Decoder<T> = (bytes, at, end, outcome) => {
    outcome.wanted = 0
    outcome.fault = undefined
    decoder ??= compileReader(name, code)
    return decoder(bytes, at, end, outcome)
  }
  return {
    name,
    size,
    sizeMin,
    sizeMax,
    code,
    decode,
    sizeOf,
    read(bytes, at = 0) {
      const outcome: XdrOutcome = { at, wanted: 0, fault: undefined }
      const value = decode(bytes, at, bytes.length, outcome)
      refuse(name, at, bytes, outcome)
      return value as T
    },
    write(value, bytes, at = 0) {
      const room = bytes.length - at
      if (room < sizeMax && room < sizeOf(value)) throw new RangeError(`${name}: no room at ${at} of ${bytes.length}`)
      return write(value, bytes, at)
    },
    encode(value) {
      const bytes = new Uint8Array(sizeOf(value))
      write(value, bytes, 0)
      return bytes
    },
  }
}
