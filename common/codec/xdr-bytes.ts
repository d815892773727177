/** What the compiled code of XDR types calls: texts, bytes and numbers that no single expression reads or writes. */
import { uuidBytes, uuidOfBytes } from "./uuid.ts"

/** Why bytes are not a value: a bound that they break. */
export interface XdrFault {
  /** Type and field, `RXAFS_Rename.OldName`. */
  readonly what: string
  /** Of the first byte that is wrong. */
  readonly offset: number
  readonly found: string
  readonly wanted: string
}

/** How a decoding went; one object serves any number of them. */
export interface XdrOutcome {
  /** Behind the value that was read. */
  at: number
  /** Not 0: the value goes on behind the end; at least this many bytes of the array are needed. */
  wanted: number
  fault: XdrFault | undefined
}

/** afsUUID takes 11 words. OpenAFS rx/xdr_afsuuid.c. */
export const uuidSize = 44
export const wholeWords = (length: number): number => (length + 3) & ~3

/** By the names under which the code calls them. */
export const helpers = {
  bad(outcome: XdrOutcome, what: string, offset: number, found: string, max: number | string): undefined {
    outcome.fault = { what, offset, found, wanted: typeof max === "number" ? `at most ${max}` : max }
  },
  tooLong(what: string, length: number, max: number): never {
    throw new RangeError(`${what}: length ${length} is above ${max}`)
  },
  readBytes(bytes: Uint8Array, at: number, length: number): Buffer {
    return Buffer.from(bytes.subarray(at, at + length))
  },
  readText(bytes: Uint8Array, at: number, length: number): string {
    return length === 0 ? "" : Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString("latin1")
  },
  /** Text up to the first NUL of `count` bytes that lie `step` apart. */
  readPadded(bytes: Uint8Array, at: number, count: number, step: number): string {
    let text = ""
    for (let index = 0; index < count; index++) {
      const byte = bytes[at + index * step]
      if (byte === undefined || byte === 0) break
      text += String.fromCharCode(byte)
    }
    return text
  },
  hasNul(bytes: Uint8Array, at: number, length: number): boolean {
    for (let index = at; index < at + length; index++) if (bytes[index] === 0) return true
    return false
  },
  /** Writes bytes and zeros up to a whole word; gives the place behind. */
  writeBytes(bytes: Uint8Array, at: number, value: Uint8Array): number {
    bytes.set(value, at)
    return padded(bytes, at, value.length)
  },
  writeText(bytes: Uint8Array, at: number, value: string, what: string): number {
    for (let index = 0; index < value.length; index++) bytes[at + index] = byteOf(value, index, what)
    return padded(bytes, at, value.length)
  },
  refuseNul(value: Uint8Array, what: string): void {
    if (value.includes(0)) throw new RangeError(`${what}: a string holds no NUL`)
  },
  /** Writes text and NULs to `count` places, each the last byte of `step`. */
  writePadded(bytes: Uint8Array, at: number, value: string, count: number, step: number, what: string): void {
    if (value.length >= count) helpers.tooLong(what, value.length, count - 1)
    bytes.fill(0, at, at + count * step)
    for (let index = 0; index < value.length; index++) {
      const byte = byteOf(value, index, what)
      const end = at + (index + 1) * step
      // As signed chars, when each has a word.
      if (byte > 0x7f) bytes.fill(0xff, end - step, end)
      bytes[end - 1] = byte
    }
  },
  readBig(bytes: Uint8Array, at: number): bigint {
    return Buffer.from(bytes.buffer, bytes.byteOffset + at, 8).readBigUInt64BE()
  },
  readUuid(bytes: Uint8Array, at: number): string {
    const packed = Buffer.allocUnsafe(16)
    packed.set(bytes.subarray(at, at + 4))
    packed.set(bytes.subarray(at + 6, at + 8), 4)
    packed.set(bytes.subarray(at + 10, at + 12), 6)
    for (let index = 0; index < 8; index++) packed[8 + index] = bytes[at + 15 + 4 * index] ?? 0
    return uuidOfBytes(packed)
  },
  writeUuid(bytes: Uint8Array, at: number, value: string): void {
    const packed = uuidBytes(value)
    bytes.fill(0, at, at + uuidSize)
    bytes.set(packed.subarray(0, 4), at)
    bytes.set(packed.subarray(4, 6), at + 6)
    bytes.set(packed.subarray(6, 8), at + 10)
    for (let index = 0; index < 8; index++) {
      const byte = packed[8 + index] ?? 0
      // They travel as signed chars.
      bytes.fill(byte > 0x7f ? 0xff : 0, at + 12 + 4 * index, at + 15 + 4 * index)
      bytes[at + 15 + 4 * index] = byte
    }
  },
} as const

/** Writes zeros behind `length` bytes up to a whole word; gives the place behind. */
function padded(bytes: Uint8Array, at: number, length: number): number {
  const end = at + wholeWords(length)
  for (let index = at + length; index < end; index++) bytes[index] = 0
  return end
}

/** A character that is no byte must not become another one: the text would name something else. */
function byteOf(value: string, index: number, what: string): number {
  const code = value.charCodeAt(index)
  if (code === 0 || code > 0xff) throw new RangeError(`${what}: character ${code} cannot stand in a string`)
  return code
}
