/** A set of vnode numbers: one bit each, in pages that are made when they are needed. */

/** Numbers that a page covers. */
const pageBits = 1 << 18

export class VnodeSet {
  readonly #pages = new Map<number, Uint32Array>()

  has(vnode: number): boolean {
    const page = this.#pages.get(Math.floor(vnode / pageBits))
    const bit = vnode % pageBits
    return page !== undefined && (((page[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1
  }

  /** False if it was there already. */
  add(vnode: number): boolean {
    const number = Math.floor(vnode / pageBits)
    const page = this.#pages.get(number) ?? new Uint32Array(pageBits / 32)
    this.#pages.set(number, page)
    const bit = vnode % pageBits
    const word = page[bit >>> 5] ?? 0
    const mask = 1 << (bit & 31)
    page[bit >>> 5] = word | mask
    return (word & mask) === 0
  }
}
