/** The types of XDR that are made of others. */
import {
  bind,
  checkBound,
  flush,
  need,
  newName,
  putWord,
  quoted,
  type ReadScope,
  takeCount,
  type WriteScope,
} from "./xdr-code.ts"
import { define, type Xdr, type XdrOf } from "./xdr-type.ts"

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
