/**
 * Things in the order of their last use, with the sum of their weights: what caches that forget the longest unused begin
 * with. The links are fields of the things themselves, so that a use costs a few assignments.
 */

/** A thing in one list at most. The links are the list's own. */
export interface Ranked<T> {
  older: T | undefined
  newer: T | undefined
  /** Changed by `reweigh` only, while it is in a list. */
  weight: number
}

export class RecencyList<T extends Ranked<T>> {
  #oldest: T | undefined
  #newest: T | undefined
  #weight = 0

  get oldest(): T | undefined {
    return this.#oldest
  }

  /** Sum of the weights. */
  get weight(): number {
    return this.#weight
  }

  /** From the longest unused on. The thing just given may be removed or touched; what is touched meanwhile comes again. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let item = this.#oldest; item !== undefined; ) {
      const next: T | undefined = item.newer
      yield item
      item = next
    }
  }

  /** Adds a thing that is in no list, as used last. */
  add(item: T): void {
    this.#append(item)
    this.#weight += item.weight
  }

  /** A thing of this list was used. */
  touch(item: T): void {
    if (item === this.#newest) return
    this.#unlink(item)
    this.#append(item)
  }

  remove(item: T): void {
    this.#unlink(item)
    this.#weight -= item.weight
  }

  reweigh(item: T, weight: number): void {
    this.#weight += weight - item.weight
    item.weight = weight
  }

  #append(item: T): void {
    item.older = this.#newest
    if (this.#newest === undefined) this.#oldest = item
    else this.#newest.newer = item
    this.#newest = item
  }

  #unlink(item: T): void {
    const { older, newer } = item
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    item.older = undefined
    item.newer = undefined
  }
}
