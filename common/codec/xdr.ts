/** The types of XDR that hold one value: integers, texts, bytes. */
import { uuidSize, wholeWords } from "./xdr-bytes.ts"
import { bind, checkBound, flush, place, putWord, quoted, take, takeCount, wordAt } from "./xdr-code.ts"
import { define, type Xdr } from "./xdr-type.ts"

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

/** afsUUID: 11 words, the last eight bytes as signed chars. As text, see uuid.ts. OpenAFS rx/xdr_afsuuid.c. */
export const uuid = define<string>("afsUUID", uuidSize, uuidSize, {
  read: (scope) => take(scope, uuidSize, (at) => `readUuid(b,${at})`),
  write(scope, value) {
    scope.lines.push(`writeUuid(b,${place(scope)},${value});`)
    scope.offset += uuidSize
  },
  size: () => `${uuidSize}`,
})

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
