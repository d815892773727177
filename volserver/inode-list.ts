/** A list of data files that takes 8 bytes for each: what an operation has taken so far and gives back if it fails. */
import type { Inode } from "../common/partition/inode-number.ts"
import type { InodeStore } from "../common/partition/inode-store.ts"
import { VolumeTransaction } from "../common/volume/volume-transaction.ts"
import type { VolumeOperation } from "../fssync/volume-operation.ts"

const roomAtFirst = 1024
/** Files released under one lock of the link table. */
const batchMax = 8192

export class InodeList {
  #words = new Uint32Array(2 * roomAtFirst)
  #count = 0

  get count(): number {
    return this.#count
  }

  push(inode: Inode): void {
    this.pushHalves(inode.high, inode.low)
  }

  /** The same without an object. */
  pushHalves(high: number, low: number): void {
    if (2 * this.#count === this.#words.length) {
      const wider = new Uint32Array(2 * this.#words.length)
      wider.set(this.#words)
      this.#words = wider
    }
    this.#words[2 * this.#count] = high
    this.#words[2 * this.#count + 1] = low
    this.#count++
  }

  at(index: number): Inode {
    return { high: this.#words[2 * index] ?? 0, low: this.#words[2 * index + 1] ?? 0 }
  }

  clear(): void {
    this.#count = 0
  }

  /** Low and high halves, in the order in which they came. */
  halves(): { readonly lows: Uint32Array; readonly highs: Uint32Array } {
    const lows = new Uint32Array(this.#count)
    const highs = new Uint32Array(this.#count)
    for (let index = 0; index < this.#count; index++) {
      highs[index] = this.#words[2 * index] ?? 0
      lows[index] = this.#words[2 * index + 1] ?? 0
    }
    return { lows, highs }
  }
}

/**
 * Gives back what a failed operation has taken, unless the operation broke off half-way or its files are in place already: then
 * a salvage tells what belongs to whom. What cannot be given back is left to a salvage too; the operation's own failure is the
 * one to tell.
 */
export function takeBack(operation: VolumeOperation, store: InodeStore, list: InodeList): void {
  if (operation.isBroken || operation.isSwitched) return
  try {
    releaseInodes(store, list)
  } catch {
    operation.markForSalvage()
  }
}

/** Gives back one use of every file of the list, and empties it. @throws as VolumeTransaction.commit */
function releaseInodes(store: InodeStore, list: InodeList): void {
  for (let start = 0; start < list.count; start += batchMax) {
    using transaction = new VolumeTransaction(store)
    for (let index = start; index < Math.min(list.count, start + batchMax); index++) {
      transaction.add({ kind: "release", inode: list.at(index) })
    }
    transaction.commit()
  }
  list.clear()
}
