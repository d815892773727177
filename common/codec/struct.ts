/**
 * Fixed binary layouts, declared once: reader, writer, size and TypeScript type all come from one table.
 *
 * The table is compiled once into straight-line code. Only the table's own constants reach the generated code, never input.
 * Byte order is in the field's name: `u32le` is little-endian, `u32` is network order.
 */
import { FormatError } from "../error.ts"

/** One field of a layout. `T` is its TypeScript type. */
export interface Field<T> {
  readonly size: number
  /** Expression for the value; `b` are the bytes, `at` an expression for the field's first byte. */
  readonly readCode: (at: string) => string
  /** Statement that stores the value of expression `value`. */
  readonly writeCode: (at: string, value: string) => string
  /** Never set: carries T for the compiler. */
  readonly type?: T
}

/** A word cut into bit fields; its parts become fields of the structure itself. */
export interface BitField<Parts extends Record<string, number>> extends Field<never> {
  readonly parts: Parts
  readonly word: Field<number>
}

type Fields = Readonly<Record<string, Field<unknown>>>
type PlainKeys<F> = { [K in keyof F]: F[K] extends BitField<Record<string, number>> ? never : K }[keyof F]
type BitParts<F> = { [K in keyof F]: F[K] extends BitField<infer P> ? keyof P : never }[keyof F]
type Plain<F> = { -readonly [K in PlainKeys<F>]: F[K] extends Field<infer T> ? T : never }
type Value<F> = Plain<F> & { [K in BitParts<F> & string]: number }

/** A compiled layout of fields named `Name`. */
export interface Struct<T, Name extends string = string> {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** First byte of each field, for those who look at or write one field in place. */
  readonly offsets: Readonly<Record<Name, number>>
  /**
   * Reads one structure at `at`. `path` and `base` (offset of `bytes` in that file) are for the error only.
   * @throws FormatError if fewer than `size` bytes are left.
   */
  read(bytes: Uint8Array, at?: number, path?: string, base?: number): T
  /**
   * Writes all fields at `at`; bytes that follow the NUL of a text stay as they are, so that writing what was read over
   * the bytes it was read from changes none of them. Integers are cut to their width.
   * @throws RangeError if fewer than `size` bytes are left.
   */
  write(value: T, bytes: Uint8Array, at?: number): void
  /** A new array of `size` bytes. */
  encode(value: T): Uint8Array
}

/** The TypeScript type of a layout's value. */
export type Of<S> = S extends Struct<infer T> ? T : never

function byteSum(at: string, size: number, bigEndian: boolean): string {
  const terms: string[] = []
  for (let index = 0; index < size; index++) {
    const shift = 8 * (bigEndian ? size - 1 - index : index)
    terms.push(shift === 0 ? `b[${at}+${index}]` : `(b[${at}+${index}]<<${shift})`)
  }
  return `(${terms.join("|")})`
}

function integer(size: 1 | 2 | 4, signed: boolean, bigEndian: boolean): Field<number> {
  return {
    size,
    readCode(at) {
      const sum = byteSum(at, size, bigEndian)
      if (!signed) return `(${sum}>>>0)`
      const spare = 32 - 8 * size
      return spare === 0 ? `(${sum}|0)` : `(${sum}<<${spare}>>${spare})`
    },
    writeCode(at, value) {
      const stores: string[] = []
      for (let index = 0; index < size; index++) {
        const shift = 8 * (bigEndian ? size - 1 - index : index)
        stores.push(`b[${at}+${index}]=v>>>${shift}`)
      }
      return `{const v=${value};${stores.join(";")}}`
    },
  }
}

export const u8 = integer(1, false, false)
export const u16 = integer(2, false, true)
export const u32 = integer(4, false, true)
export const i32 = integer(4, true, true)
export const u16le = integer(2, false, false)
export const i16le = integer(2, true, false)
export const u32le = integer(4, false, false)
export const i32le = integer(4, true, false)

/**
 * Bytes kept as they are: reserved areas and payloads. Reading copies; writing fewer bytes fills up with zeros, more are a
 * RangeError.
 */
export function raw(size: number): Field<Uint8Array> {
  return {
    size,
    readCode: (at) => `readRaw(b,${at},${size})`,
    writeCode: (at, value) => `b.set(${value}.length===${size}?${value}:pad(${value},${size}),${at})`,
  }
}

/**
 * NUL-terminated text in a fixed area, one character per byte (latin1, so that any bytes survive).
 * Writing stores the text and one NUL and leaves what follows; a text without room for its NUL is cut, unless the area
 * (damaged, without a NUL) holds just that text already.
 */
export function text(size: number): Field<string> {
  return {
    size,
    readCode: (at) => `readText(b,${at},${size})`,
    writeCode: (at, value) => `writeText(b,${at},${size},${value})`,
  }
}

/** `count` integers in a row. */
export function array(element: Field<number>, count: number): Field<number[]> {
  return {
    size: element.size * count,
    readCode(at) {
      const items = Array.from({ length: count }, (_, index) => element.readCode(`${at}+${index * element.size}`))
      return `[${items.join(",")}]`
    },
    writeCode(at, value) {
      const items = Array.from({ length: count }, (_, index) =>
        element.writeCode(`(${at}+${index * element.size})`, `(${value}[${index}]??0)`),
      )
      return items.join(";")
    },
  }
}

/** A word of named bit fields from the low end; a negative width is a signed field of that many bits. */
export function bits<Parts extends Record<string, number>>(word: Field<number>, parts: Parts): BitField<Parts> {
  const width = Object.values(parts).reduce((sum, part) => sum + Math.abs(part), 0)
  if (width !== word.size * 8) throw new Error(`bit fields of ${width} bits do not fill ${word.size * 8}`)
  const unreadable = (): never => {
    throw new Error("bit fields are read by struct")
  }
  return { size: word.size, parts, word, readCode: unreadable, writeCode: unreadable }
}

const questionMark = 0x3f

function isBits(field: Field<unknown>): field is BitField<Record<string, number>> {
  return "parts" in field
}

/** A copy, also of a Buffer, whose own `slice` would share memory. */
function readRaw(bytes: Uint8Array, at: number, size: number): Uint8Array {
  return new Uint8Array(bytes.subarray(at, at + size))
}

function readText(bytes: Uint8Array, at: number, size: number): string {
  const end = at + size
  let nul = at
  while (nul < end && bytes[nul] !== 0) nul++
  return nul === at ? "" : Buffer.from(bytes.buffer, bytes.byteOffset + at, nul - at).toString("latin1")
}

function writeText(bytes: Uint8Array, at: number, size: number, value: string): void {
  if (value.length >= size && readText(bytes, at, size) === value) return
  const length = Math.min(value.length, size - 1)
  for (let index = 0; index < length; index++) bytes[at + index] = latin1(value, index)
  bytes[at + length] = 0
}

/** A character that is no byte must not become another one, least of all a NUL. */
function latin1(value: string, index: number): number {
  const code = value.charCodeAt(index)
  return code > 0xff ? questionMark : code
}

function pad(value: Uint8Array, size: number): Uint8Array {
  if (value.length > size) throw new RangeError(`${value.length} bytes do not fit into ${size}`)
  const padded = new Uint8Array(size)
  padded.set(value)
  return padded
}

/** Members cut from the word that variable `word` holds. */
function readBits(field: BitField<Record<string, number>>, word: string): string[] {
  const members: string[] = []
  let low = 0
  for (const [name, part] of Object.entries(field.parts)) {
    const width = Math.abs(part)
    const spare = 32 - width - low
    members.push(`${name}:(${word}<<${spare}${part < 0 ? ">>" : ">>>"}${32 - width})`)
    low += width
  }
  return members
}

function writeBits(field: BitField<Record<string, number>>, at: string): string {
  const terms: string[] = []
  let low = 0
  for (const [name, part] of Object.entries(field.parts)) {
    const mask = 2 ** Math.abs(part) - 1
    terms.push(`((value.${name}&${mask})<<${low})`)
    low += Math.abs(part)
  }
  return field.word.writeCode(at, `(${terms.join("|")})`)
}

type Reader<T> = (b: Uint8Array, at: number, text: typeof readText, raw: typeof readRaw) => T
type Writer<T> = (value: T, b: Uint8Array, at: number, text: typeof writeText, padding: typeof pad) => void

type Offsets<F> = Readonly<Record<keyof F & string, number>>

/** Where each field begins. @throws Error if they do not add up to `size` */
function offsetsOf<F extends Fields>(name: string, size: number, fields: F): Offsets<F> {
  const offsets: Record<string, number> = {}
  let offset = 0
  for (const [key, field] of Object.entries(fields)) {
    offsets[key] = offset
    offset += field.size
  }
  if (offset !== size) throw new Error(`layout ${name}: fields take ${offset} bytes, the format says ${size}`)
  return offsets as Offsets<F>
}

function readerOf<F extends Fields>(fields: F, offsets: Offsets<F>): Reader<Value<F>> {
  const words: string[] = []
  const members: string[] = []
  for (const [key, field] of Object.entries(fields)) {
    const at = `(at+${offsets[key]})`
    if (isBits(field)) {
      const word = `word${offsets[key]}`
      words.push(`const ${word}=${field.word.readCode(at)};`)
      members.push(...readBits(field, word))
    } else members.push(`${key}:${field.readCode(at)}`)
  }
  const body = `${words.join("")}return {${members.join(",")}}`
  return new Function("b", "at", "readText", "readRaw", body) as Reader<Value<F>>
}

function writerOf<F extends Fields>(fields: F, offsets: Offsets<F>): Writer<Value<F>> {
  const stores = Object.entries(fields).map(([key, field]) => {
    const at = `(at+${offsets[key]})`
    return isBits(field) ? writeBits(field, at) : field.writeCode(at, `value.${key}`)
  })
  return new Function("value", "b", "at", "writeText", "pad", stores.join(";")) as Writer<Value<F>>
}

/**
 * Declares a layout of `size` bytes from its fields in order.
 * @throws Error at load time if the fields do not add up to `size`.
 */
export function struct<F extends Fields>(name: string, size: number, fields: F): Struct<Value<F>, keyof F & string> {
  const offsets = offsetsOf(name, size, fields)
  // Compiled when first used: a command loads many more layouts than it meets.
  let read: Reader<Value<F>> = (...first) => {
    read = readerOf(fields, offsets)
    return read(...first)
  }
  let write: Writer<Value<F>> = (...first) => {
    write = writerOf(fields, offsets)
    write(...first)
  }
  return {
    name,
    size,
    offsets,
    read(bytes, at = 0, path, base = 0) {
      if (at < 0 || bytes.length - at < size) {
        throw new FormatError(name, { path, offset: base + at }, `${Math.max(0, bytes.length - at)} bytes`, `${size}`)
      }
      return read(bytes, at, readText, readRaw)
    },
    write(value, bytes, at = 0) {
      if (at < 0 || bytes.length - at < size)
        throw new RangeError(`layout ${name}: no room at ${at} of ${bytes.length}`)
      write(value, bytes, at, writeText, pad)
    },
    encode(value) {
      const bytes = new Uint8Array(size)
      write(value, bytes, 0, writeText, pad)
      return bytes
    },
  }
}
