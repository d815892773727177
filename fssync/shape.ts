/**
 * Shapes of what travels in an answer: declared once as a table, and checked on both ends.
 *
 * A record travels as a row of values in the order of its table, without names. Packing checks what a handler made, so that
 * a mistake shows where it was made; unpacking checks what a peer sent. A table is compiled once into straight-line code
 * from its own constants, never from input.
 */
import type { Struct } from "../common/codec/struct.ts"
import { FormatError } from "../common/error.ts"

/** What a value looks like on the wire, and back. */
export interface Shape<T> {
  /** The value as arrays, numbers, strings and bytes. @throws TypeError if it is not of this shape. */
  pack(value: T): unknown
  /** @throws FormatError, naming the field, if it is not of this shape. */
  unpack(plain: unknown, where: string): T
}

/** The type of a shape's value. */
export type ShapeOf<S> = S extends Shape<infer T> ? T : never

/** A shape without parts; `test` is an expression over `x` that is true for a good value. */
interface Scalar<T> extends Shape<T> {
  readonly test: string
  readonly wanted: string
}

type Table = Readonly<Record<string, Shape<unknown>>>
type RecordOf<F> = { -readonly [K in keyof F]: ShapeOf<F[K]> }

/** What was found, in few words: never the whole of a hostile value. */
export function briefly(value: unknown): string {
  if (typeof value === "string") return `text of ${value.length} characters`
  if (Array.isArray(value)) return `array of ${value.length}`
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "object"
  return String(value)
}

function refuse(where: string, found: unknown, wanted: string): never {
  throw new FormatError(where, {}, briefly(found), wanted)
}

function misfit(where: string, found: unknown, wanted: string): never {
  throw new TypeError(`${where}: found ${briefly(found)}, wanted ${wanted}`)
}

function scalar<T>(test: string, wanted: string): Scalar<T> {
  const passes = new Function("x", `return ${test}`) as (x: unknown) => x is T
  return {
    test,
    wanted,
    pack: (value) => (passes(value) ? value : misfit("payload", value, wanted)),
    unpack: (plain, where) => (passes(plain) ? plain : refuse(where, plain, wanted)),
  }
}

// a shift gives an integer of 32 bits, which only equals itself
export const u32: Scalar<number> = scalar('typeof x==="number"&&(x>>>0)===x', "an integer from 0 to 4294967295")
export const i32: Scalar<number> = scalar('typeof x==="number"&&(x|0)===x', "an integer from -2147483648 to 2147483647")
/** A counter or size that stays exact in a number. */
export const count: Scalar<number> = scalar("Number.isSafeInteger(x)&&x>=0", "an integer from 0 to 2^53-1")
export const flag: Scalar<boolean> = scalar('typeof x==="boolean"', "true or false")
export const text: Scalar<string> = scalar('typeof x==="string"', "a text")
export const bytes: Scalar<Uint8Array> = scalar("x instanceof Uint8Array", "bytes")

/** Any number of values of one shape. */
export function list<T>(item: Shape<T>): Shape<T[]> {
  return {
    pack: (values) =>
      Array.isArray(values) ? values.map((value) => item.pack(value)) : misfit("list", values, "an array"),
    unpack: (plain, where) =>
      Array.isArray(plain)
        ? plain.map((value, index) => item.unpack(value, `${where}[${index}]`))
        : refuse(where, plain, "an array"),
  }
}

/** A value that may be absent. */
export function optional<T>(item: Shape<T>): Shape<T | undefined> {
  return {
    pack: (value) => (value === undefined ? null : item.pack(value)),
    unpack: (plain, where) => (plain === null ? undefined : item.unpack(plain, where)),
  }
}

/** A structure whose layout is declared elsewhere, as its bytes. */
export function layout<T>(structure: Struct<T>): Shape<T> {
  return {
    pack: (value) => structure.encode(value),
    unpack(plain, where) {
      if (plain instanceof Uint8Array && plain.length === structure.size) return structure.read(plain)
      return refuse(where, plain, `${structure.size} bytes of ${structure.name}`)
    },
  }
}

function isScalar(part: Shape<unknown>): part is Scalar<unknown> {
  return "test" in part
}

function packStatements(name: string, keys: readonly string[], parts: readonly Shape<unknown>[]): string {
  const lines = keys.map((key, index) => {
    const part = parts[index]
    if (part === undefined || !isScalar(part)) return `const v${index}=parts[${index}].pack(value.${key});`
    const complaint = `misfit(${JSON.stringify(`${name}.${key}`)},x,${JSON.stringify(part.wanted)})`
    return `x=value.${key};if(!(${part.test}))${complaint};const v${index}=x;`
  })
  return `let x;${lines.join("")}return [${keys.map((_, index) => `v${index}`).join(",")}]`
}

function unpackStatements(keys: readonly string[], parts: readonly Shape<unknown>[]): string {
  const lines = keys.map((key, index) => {
    const part = parts[index]
    const place = `where+${JSON.stringify(`.${key}`)}`
    if (part === undefined || !isScalar(part)) return `const v${index}=parts[${index}].unpack(row[${index}],${place});`
    return `x=row[${index}];if(!(${part.test}))refuse(${place},x,${JSON.stringify(part.wanted)});const v${index}=x;`
  })
  return `let x;${lines.join("")}return {${keys.map((key, index) => `${key}:v${index}`).join(",")}}`
}

type Packer = (value: unknown, parts: readonly Shape<unknown>[], complain: typeof misfit) => unknown[]
type Unpacker<T> = (row: unknown[], where: string, parts: readonly Shape<unknown>[], complain: typeof refuse) => T

/** A record: its table's values in order. `name` is for messages. */
export function record<F extends Table>(name: string, table: F): Shape<RecordOf<F>> {
  const keys = Object.keys(table)
  const parts = Object.values(table)
  const pack = new Function("value", "parts", "misfit", packStatements(name, keys, parts)) as Packer
  const unpack = new Function("row", "where", "parts", "refuse", unpackStatements(keys, parts)) as Unpacker<RecordOf<F>>
  return {
    pack(value) {
      if (typeof value !== "object" || value === null) misfit(name, value, "an object")
      return pack(value, parts, misfit)
    },
    unpack(plain, where) {
      if (Array.isArray(plain) && plain.length === keys.length) return unpack(plain, where, parts, refuse)
      return refuse(where, plain, `${name}, a row of ${keys.length}`)
    },
  }
}
