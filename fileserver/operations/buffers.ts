/**
 * Buffers in which file data waits for the disk or for the network, used again and again. Calls are many and may be slow, so
 * that the more are at work the smaller a buffer is: together they stay below `bytesMax`.
 */

const sizeMax = 128 << 10
/** Still a page of the disk. */
const sizeMin = 4 << 10
/** Of all buffers of calls at work. */
const bytesMax = 64 << 20
/** Large buffers kept for the next calls. */
const kept = 32

const spare: Uint8Array[] = []
let bytesInUse = 0

/** A buffer of one call, until it is disposed of. */
export class CallBuffer implements Disposable {
  #bytes: Uint8Array | undefined

  /** For a call that moves so many bytes. */
  constructor(wanted: number) {
    const most = bytesInUse < bytesMax / 2 ? sizeMax : sizeMin
    const size = Math.max(sizeMin, Math.min(most, wanted))
    this.#bytes = (size > sizeMax / 8 ? spare.pop() : undefined) ?? new Uint8Array(size > sizeMax / 8 ? most : size)
    bytesInUse += this.#bytes.length
  }

  get bytes(): Uint8Array {
    if (this.#bytes === undefined) throw new Error("a buffer is used after its call")
    return this.#bytes
  }

  [Symbol.dispose](): void {
    const bytes = this.#bytes
    if (bytes === undefined) return
    this.#bytes = undefined
    bytesInUse -= bytes.length
    if (bytes.length === sizeMax && spare.length < kept) spare.push(bytes)
  }
}
