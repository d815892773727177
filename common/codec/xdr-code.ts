/**
 * How a type of XDR becomes code: statements that read or write its values, with as few checks and moves as the declaration
 * allows. The code has the declaration's own constants in it only, never input.
 */
import { helpers, type XdrOutcome } from "./xdr-bytes.ts"

/** What a type adds to the code of the whole. */
export interface XdrCode {
  /** Adds statements that read the value; gives an expression for it. */
  read(scope: ReadScope): string
  /** Adds statements that write the value of an expression. */
  write(scope: WriteScope, value: string): void
  /** Expression for the bytes that the value takes. */
  size(value: string): string
}

/** Code in the making. `p` is the place of the last statement that moved; `offset` is how far behind it we are. */
interface Scope {
  readonly lines: string[]
  readonly names: { next: number }
  /** What is being read, for messages. */
  path: string
  offset: number
}
export type WriteScope = Scope
export interface ReadScope extends Scope {
  /** Bytes from here on that are known to be there. */
  sure: number
}

export const place = (scope: Scope): string => (scope.offset === 0 ? "p" : `p+${scope.offset}`)
export const newName = (scope: Scope): string => `v${scope.names.next++}`
export const quoted = (text: string): string => JSON.stringify(text)

export function flush(scope: Scope): void {
  if (scope.offset !== 0) scope.lines.push(`p+=${scope.offset};`)
  scope.offset = 0
}

/** Gives the value a name, so that it is read now and not where it is used. */
export function bind(scope: Scope, expression: string): string {
  const name = newName(scope)
  scope.lines.push(`const ${name}=${expression};`)
  return name
}

export function need(scope: ReadScope, bytes: number): void {
  if (scope.sure >= bytes) return
  const end = scope.offset + bytes
  scope.lines.push(`if(e-p<${end}){c.wanted=p+${end};return}`)
  scope.sure = bytes
}

/** Reads `size` bytes that are there, by an expression for their place. */
export function take(scope: ReadScope, size: number, expression: (at: string) => string): string {
  need(scope, size)
  const name = bind(scope, expression(place(scope)))
  scope.offset += size
  scope.sure -= size
  return name
}

export const wordAt = (at: string): string => `(b[${at}]<<24|b[${at}+1]<<16|b[${at}+2]<<8|b[${at}+3])`
export const takeCount = (scope: ReadScope): string => take(scope, 4, (at) => `${wordAt(at)}>>>0`)

export function putWord(scope: WriteScope, value: string): void {
  const word = bind(scope, value)
  const bytes = [24, 16, 8, 0].map((shift, index) => `b[${place(scope)}+${index}]=${word}>>>${shift}`)
  scope.lines.push(`${bytes.join(";")};`)
  scope.offset += 4
}

/** Fails unless the expression, a count of `unit`, is within the declared bound. */
export function checkBound(scope: ReadScope, count: string, max: number, unit: string): void {
  if (max === Number.POSITIVE_INFINITY) return
  scope.lines.push(
    `if(${count}>${max})return bad(c,${quoted(scope.path)},${place(scope)}-4,${count}+" ${unit}",${max});`,
  )
}

const helperNames = Object.keys(helpers).join(",")

export function compile<F>(head: string, lines: readonly string[]): F {
  const source = `const{${helperNames}}=h;return function(${head}){${lines.join("\n")}}`
  return new Function("h", source)(helpers) as F
}

export type Decoder<T> = (bytes: Uint8Array, at: number, end: number, outcome: XdrOutcome) => T | undefined
export type Encoder<T> = (value: T, bytes: Uint8Array, at: number) => number

export function compileReader<T>(name: string, code: XdrCode): Decoder<T> {
  const scope: ReadScope = { lines: [], names: { next: 0 }, path: name, offset: 0, sure: 0 }
  const value = code.read(scope)
  flush(scope)
  return compile("b,p,e,c", [...scope.lines, `c.at=p;return ${value}`])
}

export function compileWriter<T>(name: string, code: XdrCode): Encoder<T> {
  const scope: WriteScope = { lines: [], names: { next: 0 }, path: name, offset: 0 }
  code.write(scope, "value")
  flush(scope)
  return compile("value,b,p", [...scope.lines, "return p"])
}
