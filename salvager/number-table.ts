/**
 * A map from unsigned 32-bit numbers to small positions, in one typed array: a few bytes per entry where a Map takes
 * fifty. Open addressing, linear probing; entries are never removed.
 */
const multiplier = 0x9e37_79b1
const startBits = 6

export class NumberTable {
  #bits = startBits
  #keys = new Uint32Array(1 << startBits)
  /** Position + 1; 0 is a free place. */
  #values = new Uint32Array(1 << startBits)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Makes room for so many numbers, before there are any. */
  reserve(count: number): void {
    while (this.#size === 0 && 2 * count > 1 << this.#bits) this.#bits++
    if (this.#keys.length === 1 << this.#bits) return
    this.#keys = new Uint32Array(1 << this.#bits)
    this.#values = new Uint32Array(1 << this.#bits)
  }

  /** The position of a number, or -1. */
  get(key: number): number {
    return (this.#values[this.#placeOf(key)] ?? 0) - 1
  }

  set(key: number, position: number): void {
    if (2 * this.#size >= this.#keys.length) this.#grow()
    const place = this.#placeOf(key)
    if (this.#values[place] === 0) this.#size++
    this.#keys[place] = key
    this.#values[place] = position + 1
  }

  /** The place that holds the key, or the free one where it belongs. */
  #placeOf(key: number): number {
    const mask = this.#keys.length - 1
    let place = Math.imul(key, multiplier) >>> (32 - this.#bits)
    while (this.#values[place] !== 0 && this.#keys[place] !== key) place = (place + 1) & mask
    return place
  }

  #grow(): void {
    const keys = this.#keys
    const values = this.#values
    this.#bits++
    this.#keys = new Uint32Array(1 << this.#bits)
    this.#values = new Uint32Array(1 << this.#bits)
    this.#size = 0
    for (let place = 0; place < keys.length; place++) {
      const value = values[place] ?? 0
      if (value !== 0) this.set(keys[place] ?? 0, value - 1)
    }
  }
}
