/**
 * A map from unsigned 32-bit numbers to small positions, in typed arrays: a few bytes per entry where a Map takes fifty.
 * Numbers that are not much higher than there are numbers are looked up directly, the others by open addressing with linear
 * probing; entries are never removed.
 */
const multiplier = 0x9e37_79b1
const startBits = 6
/** Vnode numbers of one class are every other number, and those that were freed are taken again before others. */
const directPerNumber = 3

export class NumberTable {
  /** Positions + 1 of the lowest numbers, by number; 0 for none. */
  #direct = new Uint32Array(0)
  #bits = startBits
  #keys = new Uint32Array(1 << startBits)
  /** Position + 1; 0 is a free place. */
  #values = new Uint32Array(1 << startBits)
  #hashed = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Makes room for so many numbers, before there are any. */
  reserve(count: number): void {
    if (this.#size === 0) this.#direct = new Uint32Array(directPerNumber * count)
  }

  /** The position of a number, or -1. */
  get(key: number): number {
    if (key < this.#direct.length) return (this.#direct[key] ?? 0) - 1
    return (this.#values[this.#placeOf(key)] ?? 0) - 1
  }

  set(key: number, position: number): void {
    if (key < this.#direct.length) {
      if (this.#direct[key] === 0) this.#size++
      this.#direct[key] = position + 1
    } else this.#setHashed(key, position)
  }

  /** Sets so many numbers, every other one from the first, to positions that follow one another. None is there yet. */
  setRun(first: number, count: number, position: number): void {
    const direct = this.#direct
    const known = Math.min(count, Math.max(0, Math.ceil((direct.length - first) / 2)))
    for (let index = 0; index < known; index++) direct[first + 2 * index] = position + index + 1
    this.#size += known
    for (let index = known; index < count; index++) this.#setHashed(first + 2 * index, position + index)
  }

  #setHashed(key: number, position: number): void {
    if (2 * this.#hashed >= this.#keys.length) this.#grow()
    const place = this.#placeOf(key)
    if (this.#values[place] === 0) {
      this.#hashed++
      this.#size++
    }
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
    this.#size -= this.#hashed
    this.#hashed = 0
    for (let place = 0; place < keys.length; place++) {
      const value = values[place] ?? 0
      if (value !== 0) this.#setHashed(keys[place] ?? 0, value - 1)
    }
  }
}
