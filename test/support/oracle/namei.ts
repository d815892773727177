/** A second reader of the names of a partition's files, written from the description of the format alone. */

const digits = "+=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const vnodeMask = 0x3ff_ffffn

/** Number of a special file's vnode part. */
export const specialVnode = Number(vnodeMask)

/** The digits of a number, lowest first. */
export function spell(number: bigint): string {
  let text = ""
  let rest = number
  do {
    text += digits[Number(rest & 63n)]
    rest >>= 6n
  } while (rest !== 0n)
  return text
}

/** The number a name spells; undefined if it is not the spelling of any 64-bit number. */
export function unspell(name: string): bigint | undefined {
  let number = 0n
  for (const digit of [...name].reverse()) {
    const value = digits.indexOf(digit)
    if (value < 0) return undefined
    number = (number << 6n) | BigInt(value)
  }
  return number < 1n << 64n && spell(number) === name ? number : undefined
}

/** The three parts of a file's number: of a data file, or (vnode = specialVnode) special type and volume id. */
export interface FileNumber {
  readonly vnode: number
  /** Tag, or special type. */
  readonly tag: number
  /** Uniquifier, or volume id. */
  readonly unique: number
}

export function partsOf(number: bigint): FileNumber {
  return {
    vnode: Number(number & vnodeMask),
    tag: Number((number >> 26n) & 7n),
    unique: Number((number >> 32n) & 0xffff_ffffn),
  }
}

export function numberOf(parts: FileNumber): bigint {
  return (BigInt(parts.unique) << 32n) | (BigInt(parts.tag) << 26n) | BigInt(parts.vnode)
}

/** `vnode.unique.tag`, as findings name data files. */
export function nameOf(number: bigint): string {
  const { vnode, unique, tag } = partsOf(number)
  return `${vnode}.${unique}.${tag}`
}

/** The folder of a volume group below the partition. */
export function groupFolder(group: number): string {
  return `AFSIDat/${spell(BigInt(group & 0xff))}/${spell(BigInt(group))}`
}

/** Where a file belongs inside the folder of its group. */
export function placeOf(number: bigint): string {
  const { vnode } = partsOf(number)
  if (vnode === specialVnode) return `special/${spell(number)}`
  const folders = [(vnode >>> 14) & 0xff, (vnode >>> 9) & 0x1ff].map((part) => spell(BigInt(part)))
  return [...folders, spell(number)].join("/")
}
