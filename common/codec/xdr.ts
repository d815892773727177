/**
 * XDR as AFS's interface compiler uses it (RFC 4506 with its own habits: chars and shorts take a word, a vector of chars a
 * word for each). A type is declared once; reader, writer, size, bounds and TypeScript type come from the declaration.
 *
 * A type is compiled on first use into straight-line code (the declaration's own constants only, never input). Nothing is
 * allocated before the bytes that fill it are known to be there. Integers are cut to their width when written.
 */
import { FormatError } from "../error.ts"
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

/** What a type adds to the code of the whole. */
interface XdrCode {
  /** Adds statements that read the value; gives an expression for it. */
  read(scope: ReadScope): string
  /** Adds statements that write the value of an expression. */
  write(scope: WriteScope, value: string): void
  /** Expression for the bytes that the value takes. */
  size(value: string): string
}

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

/** Code in the making. `p` is the place of the last statement that moved; `offset` is how far behind it we are. */
interface Scope {
  readonly lines: string[]
  readonly names: { next: number }
  /** What is being read, for messages. */
  path: string
  offset: number
}
type WriteScope = Scope
interface ReadScope extends Scope {
  /** Bytes from here on that are known to be there. */
  sure: number
}

const place = (scope: Scope): string => (scope.offset === 0 ? "p" : `p+${scope.offset}`)
const newName = (scope: Scope): string => `v${scope.names.next++}`
const quoted = (text: string): string => JSON.stringify(text)

function flush(scope: Scope): void {
  if (scope.offset !== 0) scope.lines.push(`p+=${scope.offset};`)
  scope.offset = 0
}

/** Gives the value a name, so that it is read now and not where it is used. */
function bind(scope: Scope, expression: string): string {
  const name = newName(scope)
  scope.lines.push(`const ${name}=${expression};`)
  return name
}

function need(scope: ReadScope, bytes: number): void {
  if (scope.sure >= bytes) return
  const end = scope.offset + bytes
  scope.lines.push(`if(e-p<${end}){c.wanted=p+${end};return}`)
  scope.sure = bytes
}

/** Reads `size` bytes that are there, by an expression for their place. */
function take(scope: ReadScope, size: number, expression: (at: string) => string): string {
  need(scope, size)
  const name = bind(scope, expression(place(scope)))
  scope.offset += size
  scope.sure -= size
  return name
}

const wordAt = (at: string): string => `(b[${at}]<<24|b[${at}+1]<<16|b[${at}+2]<<8|b[${at}+3])`
const takeCount = (scope: ReadScope): string => take(scope, 4, (at) => `${wordAt(at)}>>>0`)

function putWord(scope: WriteScope, value: string): void {
  const word = bind(scope, value)
  const bytes = [24, 16, 8, 0].map((shift, index) => `b[${place(scope)}+${index}]=${word}>>>${shift}`)
  scope.lines.push(`${bytes.join(";")};`)
  scope.offset += 4
}

/** Fails unless the expression, a count of `unit`, is within the declared bound. */
function checkBound(scope: ReadScope, count: string, max: number, unit: string): void {
  if (max === Number.POSITIVE_INFINITY) return
  scope.lines.push(
    `if(${count}>${max})return bad(c,${quoted(scope.path)},${place(scope)}-4,${count}+" ${unit}",${max});`,
  )
}

const helpers = {
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
    const end = at + ((value.length + 3) & ~3)
    for (let index = at + value.length; index < end; index++) bytes[index] = 0
    return end
  },
  writeText(bytes: Uint8Array, at: number, value: string, what: string): number {
    for (let index = 0; index < value.length; index++) bytes[at + index] = byteOf(value, index, what)
    const end = at + ((value.length + 3) & ~3)
    for (let index = at + value.length; index < end; index++) bytes[index] = 0
    return end
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

/** A character that is no byte must not become another one: the text would name something else. */
function byteOf(value: string, index: number, what: string): number {
  const code = value.charCodeAt(index)
  if (code === 0 || code > 0xff) throw new RangeError(`${what}: character ${code} cannot stand in a string`)
  return code
}

const helperNames = Object.keys(helpers).join(",")

function compile<F>(head: string, lines: readonly string[]): F {
  const source = `const{${helperNames}}=h;return function(${head}){${lines.join("\n")}}`
  return new Function("h", source)(helpers) as F
}

type Decoder<T> = (bytes: Uint8Array, at: number, end: number, outcome: XdrOutcome) => T | undefined
type Encoder<T> = (value: T, bytes: Uint8Array, at: number) => number

function compileReader<T>(name: string, code: XdrCode): Decoder<T> {
  const scope: ReadScope = { lines: [], names: { next: 0 }, path: name, offset: 0, sure: 0 }
  const value = code.read(scope)
  flush(scope)
  return compile("b,p,e,c", [...scope.lines, `c.at=p;return ${value}`])
}

function compileWriter<T>(name: string, code: XdrCode): Encoder<T> {
  const scope: WriteScope = { lines: [], names: { next: 0 }, path: name, offset: 0 }
  code.write(scope, "value")
  flush(scope)
  return compile("value,b,p", [...scope.lines, "return p"])
}

function refuse(name: string, at: number, bytes: Uint8Array, outcome: XdrOutcome): void {
  const { fault, wanted } = outcome
  if (fault !== undefined) throw new FormatError(fault.what, { offset: fault.offset }, fault.found, fault.wanted)
  if (wanted === 0) return
  throw new FormatError(name, { offset: at }, `${Math.max(0, bytes.length - at)} bytes`, `${wanted - at} or more`)
}

function define<T>(name: string, sizeMin: number, sizeMax: number, code: XdrCode): Xdr<T> {
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

function word<T>(name: string, read: (at: string) => string, write = (value: string) => value): Xdr<T> {
  return define<T>(name, 4, 4, {
    read: (scope) => take(scope, 4, read),
    write: (scope, value) => putWord(scope, write(value)),
    size: () => "4",
  })
}

export const u32 = word<number>("u32", (at) => `${wordAt(at)}>>>0`)
export const i32 = word<number>("i32", wordAt)
/** A char: the low byte of a word, signed. */
export const char = word<number>(
  "char",
  (at) => `b[${at}+3]<<24>>24`,
  (value) => `${value}<<24>>24`,
)
/** A short: the low half of a word, signed. */
export const i16 = word<number>(
  "i16",
  (at) => `${wordAt(at)}<<16>>16`,
  (value) => `${value}<<16>>16`,
)
export const u16 = word<number>(
  "u16",
  (at) => `${wordAt(at)}&65535`,
  (value) => `${value}&65535`,
)
/** Any word but 0 is true. */
export const bool = word<boolean>(
  "bool",
  (at) => `${wordAt(at)}!==0`,
  (value) => `(${value}?1:0)`,
)

function hyper(name: string, high: string): Xdr<number> {
  return define(name, 8, 8, {
    read: (scope) => take(scope, 8, (at) => `(${wordAt(at)}${high})*4294967296+(${wordAt(`${at}+4`)}>>>0)`),
    write(scope, value) {
      const number = bind(scope, value)
      putWord(scope, `Math.floor(${number}/4294967296)`)
      putWord(scope, number)
    },
    size: () => "8",
  })
}

/**
 * 64 bits as a number, for lengths and positions: exact up to 2^53, above it rounded, which is still above every length
 * that a file can have.
 */
export const u64 = hyper("u64", ">>>0")
/** As u64, signed. */
export const i64 = hyper("i64", "")

function bigHyper(name: string, cut: "asUintN" | "asIntN"): Xdr<bigint> {
  return define(name, 8, 8, {
    read: (scope) => take(scope, 8, (at) => `BigInt.${cut}(64,readBig(b,${at}))`),
    write(scope, value) {
      const number = bind(scope, `BigInt.asUintN(64,${value})`)
      putWord(scope, `Number(${number}>>32n)`)
      putWord(scope, `Number(${number}&4294967295n)`)
    },
    size: () => "8",
  })
}

/** 64 bits where each of them counts. */
export const bigU64 = bigHyper("bigU64", "asUintN")
export const bigI64 = bigHyper("bigI64", "asIntN")

const uuidSize = 44

/** afsUUID: 11 words, the last eight bytes as signed chars. As text, see uuid.ts. OpenAFS rx/xdr_afsuuid.c. */
export const uuid = define<string>("afsUUID", uuidSize, uuidSize, {
  read: (scope) => take(scope, uuidSize, (at) => `readUuid(b,${at})`),
  write(scope, value) {
    scope.lines.push(`writeUuid(b,${place(scope)},${value});`)
    scope.offset += uuidSize
  },
  size: () => `${uuidSize}`,
})

const wholeWords = (length: number): number => (length + 3) & ~3
const countMax = 2 ** 30

function counted<T>(name: string, max: number, parts: { read: string; noNul: boolean; write: string }): Xdr<T> {
  if (max < 0 || max > countMax) throw new Error(`${name}: bound ${max} is not in 0..${countMax}`)
  return define<T>(`${name}<${max}>`, 4, 4 + wholeWords(max), {
    read(scope) {
      const length = takeCount(scope)
      checkBound(scope, length, max, "bytes")
      flush(scope)
      const end = bind(scope, `p+(${length}+3&-4)`)
      scope.lines.push(`if(e<${end}){c.wanted=${end};return}`)
      if (parts.noNul)
        scope.lines.push(`if(hasNul(b,p,${length}))return bad(c,${quoted(scope.path)},p,"a NUL","a string without");`)
      const value = bind(scope, `${parts.read}(b,p,${length})`)
      scope.lines.push(`p=${end};`)
      scope.sure = 0
      return value
    },
    write(scope, value) {
      const held = bind(scope, value)
      scope.lines.push(`if(${held}.length>${max})tooLong(${quoted(scope.path)},${held}.length,${max});`)
      if (parts.noNul && parts.write === "writeBytes") scope.lines.push(`refuseNul(${held},${quoted(scope.path)});`)
      putWord(scope, `${held}.length`)
      flush(scope)
      scope.lines.push(`p=${parts.write}(b,p,${held}${parts.write === "writeText" ? `,${quoted(scope.path)}` : ""});`)
    },
    size: (value) => `(4+(${value}.length+3&-4))`,
  })
}

/** string<max>, one character per byte (latin1). A NUL inside is malformed, as OpenAFS's decoder has it. */
export const text = (max: number): Xdr<string> =>
  counted("text", max, { read: "readText", noNul: true, write: "writeText" })
/** string<max> as its bytes, for names of files, whose encoding is the clients' affair. No NUL inside. */
export const name = (max: number): Xdr<Uint8Array> =>
  counted("name", max, { read: "readBytes", noNul: true, write: "writeBytes" })
/** opaque<max>: any bytes, a copy. */
export const opaque = (max: number): Xdr<Uint8Array> =>
  counted("opaque", max, { read: "readBytes", noNul: false, write: "writeBytes" })

function padded(name: string, count: number, step: number): Xdr<string> {
  const size = wholeWords(count * step)
  return define(name, size, size, {
    // The character is the last byte of its word.
    read: (scope) => take(scope, size, (at) => `readPadded(b,${at}+${step - 1},${count},${step})`),
    write(scope, value) {
      scope.lines.push(
        `writePadded(b,${place(scope)},${value},${count},${step},${quoted(scope.path)});`,
        ...Array.from({ length: size - count * step }, (_, index) => `b[${place(scope)}+${count * step + index}]=0;`),
      )
      scope.offset += size
    },
    size: () => `${size}`,
  })
}

/** char x[count] as text up to its NUL: one word for each char. Text must leave room for its NUL. */
export const charVector = (count: number): Xdr<string> => padded(`char[${count}]`, count, 4)
/** opaque x[count] that holds text and NULs. */
export const paddedText = (count: number): Xdr<string> => padded(`paddedText[${count}]`, count, 1)

/** opaque x[count]: bytes without a length. Writing another number of bytes is a RangeError. */
export function opaqueVector(count: number): Xdr<Uint8Array> {
  const size = wholeWords(count)
  return define(`opaque[${count}]`, size, size, {
    read: (scope) => take(scope, size, (at) => `readBytes(b,${at},${count})`),
    write(scope, value) {
      const held = bind(scope, value)
      scope.lines.push(
        `if(${held}.length!==${count})tooLong(${quoted(scope.path)},${held}.length,${count});`,
        `writeBytes(b,${place(scope)},${held});`,
      )
      scope.offset += size
    },
    size: () => `${size}`,
  })
}

/** Statements that read `count` (an expression) elements into a new array. The bytes of all their minima are there. */
function readElements(scope: ReadScope, element: Xdr<unknown>, count: string): string {
  flush(scope)
  const items = bind(scope, `new Array(${count})`)
  const index = newName(scope)
  scope.lines.push(`for(let ${index}=0;${index}<${count};${index}++){`)
  scope.sure = element.size ?? 0
  scope.lines.push(`${items}[${index}]=${element.code.read(scope)};`)
  flush(scope)
  scope.lines.push("}")
  scope.sure = 0
  return items
}

function writeElements(scope: WriteScope, element: Xdr<unknown>, items: string, count: string): void {
  flush(scope)
  const index = newName(scope)
  scope.lines.push(`for(let ${index}=0;${index}<${count};${index}++){`)
  element.code.write(scope, `${items}[${index}]`)
  flush(scope)
  scope.lines.push("}")
}

function sizeOfElements(element: Xdr<unknown>, items: string): string {
  if (element.size !== undefined) return `${items}.length*${element.size}`
  return `${items}.reduce((sum,item)=>sum+${element.code.size("item")},0)`
}

function refuseEmpty(what: string, element: Xdr<unknown>): void {
  if (element.sizeMin === 0) throw new Error(`${what} of ${element.name}: elements without bytes have no bound`)
}

/** type x[count]: that many elements, no count on the wire. Writing another number of them is a RangeError. */
export function vector<T>(element: Xdr<T>, count: number): Xdr<readonly T[]> {
  refuseEmpty("vector", element)
  return define(`${element.name}[${count}]`, count * element.sizeMin, count * element.sizeMax, {
    read(scope) {
      need(scope, count * element.sizeMin)
      const sureBehind = element.size === undefined ? 0 : scope.sure - count * element.size
      const items = readElements(scope, element, `${count}`)
      scope.sure = sureBehind
      return items
    },
    write(scope, value) {
      const items = bind(scope, value)
      scope.lines.push(`if(${items}.length!==${count})tooLong(${quoted(scope.path)},${items}.length,${count});`)
      writeElements(scope, element, items, `${count}`)
    },
    size: (value) => `(${sizeOfElements(element, value)})`,
  })
}

/** type x<max>: a count and the elements. Without `max` only the bytes that are there bound it. */
export function array<T>(element: Xdr<T>, max = Number.POSITIVE_INFINITY): Xdr<readonly T[]> {
  refuseEmpty("array", element)
  const bound = max === Number.POSITIVE_INFINITY ? "" : max
  return define(`${element.name}<${bound}>`, 4, 4 + max * element.sizeMax, {
    read(scope) {
      const count = takeCount(scope)
      checkBound(scope, count, max, "elements")
      flush(scope)
      const wanted = `p+${count}*${element.sizeMin}`
      scope.lines.push(`if(e<${wanted}){c.wanted=${wanted};return}`)
      return readElements(scope, element, count)
    },
    write(scope, value) {
      const items = bind(scope, value)
      if (bound !== "")
        scope.lines.push(`if(${items}.length>${max})tooLong(${quoted(scope.path)},${items}.length,${max});`)
      putWord(scope, `${items}.length`)
      writeElements(scope, element, items, `${items}.length`)
    },
    size: (value) => `(4+${sizeOfElements(element, value)})`,
  })
}

/** type *x: a word that says whether the value follows. */
export function optional<T>(element: Xdr<T>): Xdr<T | undefined> {
  return define(`${element.name}*`, 4, 4 + element.sizeMax, {
    read(scope) {
      const isThere = takeCount(scope)
      flush(scope)
      const value = newName(scope)
      scope.lines.push(`let ${value};if(${isThere}){`)
      scope.sure = 0
      scope.lines.push(`${value}=${element.code.read(scope)};`)
      flush(scope)
      scope.lines.push("}")
      scope.sure = 0
      return value
    },
    write(scope, value) {
      const held = bind(scope, value)
      putWord(scope, `${held}===undefined?0:1`)
      flush(scope)
      scope.lines.push(`if(${held}!==undefined){`)
      element.code.write(scope, held)
      flush(scope)
      scope.lines.push("}")
    },
    size: (value) => `(4+(${value}===undefined?0:${element.code.size(value)}))`,
  })
}

/** A chain of structures whose last member points to the next: before each element 1, behind the last 0. */
export function list<T>(element: Xdr<T>, max: number): Xdr<readonly T[]> {
  return define(`list of ${element.name}<${max}>`, 4, 4 + max * (4 + element.sizeMax), {
    read(scope) {
      flush(scope)
      const items = bind(scope, "[]")
      scope.lines.push("for(;;){")
      scope.sure = 0
      const goesOn = takeCount(scope)
      flush(scope)
      scope.lines.push(
        `if(!${goesOn})break;`,
        `if(${items}.length===${max})return bad(c,${quoted(scope.path)},p-4,"more elements",${max});`,
      )
      scope.lines.push(`${items}.push(${element.code.read(scope)});`)
      flush(scope)
      scope.lines.push("}")
      scope.sure = 0
      return items
    },
    write(scope, value) {
      flush(scope)
      const items = bind(scope, value)
      scope.lines.push(`if(${items}.length>${max})tooLong(${quoted(scope.path)},${items}.length,${max});`)
      const item = newName(scope)
      scope.lines.push(`for(const ${item} of ${items}){`)
      putWord(scope, "1")
      element.code.write(scope, item)
      flush(scope)
      scope.lines.push("}")
      putWord(scope, "0")
    },
    size: (value) => `(4+4*${value}.length+${sizeOfElements(element, value)})`,
  })
}

type XdrFields = Readonly<Record<string, Xdr<unknown>>>
type StructOf<F> = { readonly [K in keyof F]: XdrOf<F[K]> }

/** Members in their order, no padding. */
export function struct<F extends XdrFields>(name: string, fields: F): Xdr<StructOf<F>> {
  const members = Object.entries(fields)
  const sum = (sizeOf: (field: Xdr<unknown>) => number, from = 0): number =>
    members.slice(from).reduce((total, [, field]) => total + sizeOf(field), 0)
  const sizeMin = sum((field) => field.sizeMin)
  return define(
    name,
    sizeMin,
    sum((field) => field.sizeMax),
    {
      read(scope) {
        const outer = scope.path
        const values = members.map(([key, field], index) => {
          // One check for all that is surely still to come.
          const least = sum((each) => each.sizeMin, index)
          if (field.sizeMin > scope.sure) need(scope, least)
          scope.path = `${outer}.${key}`
          return `${key}:${field.code.read(scope)}`
        })
        scope.path = outer
        return bind(scope, `{${values.join(",")}}`)
      },
      write(scope, value) {
        const outer = scope.path
        const held = bind(scope, value)
        for (const [key, field] of members) {
          scope.path = `${outer}.${key}`
          field.code.write(scope, `${held}.${key}`)
        }
        scope.path = outer
      },
      size: (value) =>
        `(${members.map(([key, field]) => field.size ?? field.code.size(`${value}.${key}`)).join("+") || "0"})`,
    },
  )
}
