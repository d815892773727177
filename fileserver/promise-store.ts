/**
 * Callback promises in core: which host was promised what, until when. Two tables of fixed size, records of 32-bit words joined by
 * their indexes, so that a promise costs some 60 bytes and no object. 0 is no index. Pages that no record has used yet take no
 * memory, because records are handed out from the front.
 *
 *     files      one record for each object with promises, found by fid, first of its promises
 *     promises   one for each (object, host), found by both; in a list of its object and a ring of its host, newest first
 */
import type { AFSFid } from "../common/protocol/afs-types.ts"

/** 60,000 promises is OpenAFS's default, 10,000 its least; here what is not used takes no memory. */
export const promisesDefault = 250_000
export const promisesLeast = 10_000
/** Takes a gigabyte when it is full. */
export const promisesMost = 16_000_000

const file = { volume: 0, vnode: 1, unique: 2, hashNext: 3, first: 4, count: 5 } as const
const fileWords = 6
const promise = {
  file: 0,
  host: 1,
  fileNext: 2,
  filePrevious: 3,
  hostNext: 4,
  hostPrevious: 5,
  hashNext: 6,
  end: 7,
} as const
const promiseWords = 8
/** In the word of the end: the promise was broken, and its host could not be told yet. */
const delayedBit = 0x8000_0000
const wordBytes = 4
const fewPromises = 3

/** A full table has less than two records in a bucket. */
function bucketsFor(capacity: number): number {
  let size = 1
  while (2 * size <= capacity) size *= 2
  return size
}

function mix(a: number, b: number): number {
  const key = Math.imul(a ^ (a >>> 15), 0x2c1b_3c6d) ^ Math.imul(b ^ (b >>> 13), 0x297a_2d39)
  return key ^ (key >>> 16)
}

/** Promises by object and host. Ends are in units of 128 s (promise-lifetime.ts). */
export class PromiseStore {
  /** Room for so many promises, and as many objects. */
  readonly capacity: number
  #count = 0
  #fileCount = 0
  readonly #files: Uint32Array
  readonly #promises: Uint32Array
  readonly #fileBuckets: Uint32Array
  readonly #pairBuckets: Uint32Array
  /** By host: its newest promise, how many it has. */
  readonly #newest: Uint32Array
  readonly #counts: Uint32Array
  /** Objects with promises, by volume. */
  readonly #volumes = new Map<number, number>()
  /** Records up to here have been used; those given back since are in lists. */
  #usedFiles = 0
  #usedPromises = 0
  #freeFile = 0
  #freePromise = 0

  /** Hosts have numbers from 1 to `hostsMax`. */
  constructor(capacity: number, hostsMax: number) {
    this.capacity = capacity
    this.#files = new Uint32Array((capacity + 1) * fileWords)
    this.#promises = new Uint32Array((capacity + 1) * promiseWords)
    this.#fileBuckets = new Uint32Array(bucketsFor(capacity))
    this.#pairBuckets = new Uint32Array(bucketsFor(capacity))
    this.#newest = new Uint32Array(hostsMax + 1)
    this.#counts = new Uint32Array(hostsMax + 1)
  }

  get count(): number {
    return this.#count
  }
  get fileCount(): number {
    return this.#fileCount
  }
  get isFull(): boolean {
    return this.#count >= this.capacity
  }

  /** Bytes of all records that were ever used, and of the tables by which they are found. */
  get bytes(): number {
    const records = this.#usedFiles * fileWords + this.#usedPromises * promiseWords
    const tables = this.#fileBuckets.length + this.#pairBuckets.length + this.#newest.length + this.#counts.length
    return (records + tables) * wordBytes
  }

  // Looking.

  /** The record of an object, 0 if it has no promises. */
  findFile(volume: number, vnode: number, unique: number): number {
    const files = this.#files
    let at = this.#fileBuckets[this.#fileBucket(volume, vnode, unique)] ?? 0
    for (; at !== 0; at = files[at * fileWords + file.hashNext] ?? 0) {
      const base = at * fileWords
      if (files[base + file.vnode] === vnode && files[base + file.unique] === unique && files[base] === volume)
        return at
    }
    return 0
  }

  /** The promise on an object to a host, 0 if there is none. Where few have one their list is shorter than the way by the table. */
  find(fileAt: number, host: number): number {
    const promises = this.#promises
    if (this.countOf(fileAt) <= fewPromises) {
      let at = this.firstOf(fileAt)
      while (at !== 0 && promises[at * promiseWords + promise.host] !== host) at = this.nextOf(at)
      return at
    }
    let at = this.#pairBuckets[this.#pairBucket(fileAt, host)] ?? 0
    for (; at !== 0; at = promises[at * promiseWords + promise.hashNext] ?? 0) {
      const base = at * promiseWords
      if (promises[base] === fileAt && promises[base + promise.host] === host) return at
    }
    return 0
  }

  /** How many promises the object has, those that wait to be told of included. */
  countOf(fileAt: number): number {
    return this.#files[fileAt * fileWords + file.count] ?? 0
  }

  countOfHost(host: number): number {
    return this.#counts[host] ?? 0
  }

  hasVolume(volume: number): boolean {
    return this.#volumes.has(volume)
  }

  /** Volumes of the objects with promises. */
  volumes(): IterableIterator<number> {
    return this.#volumes.keys()
  }

  fidOf(at: number): AFSFid {
    const files = this.#files
    const base = (this.#promises[at * promiseWords] ?? 0) * fileWords
    return { Volume: files[base] ?? 0, Vnode: files[base + file.vnode] ?? 0, Unique: files[base + file.unique] ?? 0 }
  }

  hostOf(at: number): number {
    return this.#promises[at * promiseWords + promise.host] ?? 0
  }

  endOf(at: number): number {
    return ((this.#promises[at * promiseWords + promise.end] ?? 0) & ~delayedBit) >>> 0
  }

  isDelayed(at: number): boolean {
    return ((this.#promises[at * promiseWords + promise.end] ?? 0) & delayedBit) !== 0
  }

  /** The first promise of an object, in no order. */
  firstOf(fileAt: number): number {
    return this.#files[fileAt * fileWords + file.first] ?? 0
  }

  /** The next promise of the same object. Ask before this one is removed. */
  nextOf(at: number): number {
    return this.#promises[at * promiseWords + promise.fileNext] ?? 0
  }

  /** The promises of a host, oldest first. A promise may be removed when it was given. */
  *ofHost(host: number): Generator<number> {
    const promises = this.#promises
    let left = this.countOfHost(host)
    let at = promises[(this.#newest[host] ?? 0) * promiseWords + promise.hostPrevious] ?? 0
    for (; left > 0; left--) {
      const previous = promises[at * promiseWords + promise.hostPrevious] ?? 0
      yield at
      at = previous
    }
  }

  /** The promises on a volume and everything in it. A promise may be removed when it was given. */
  *ofVolume(volume: number): Generator<number> {
    for (let fileAt = 1; fileAt <= this.#usedFiles && this.hasVolume(volume); fileAt++) {
      if (this.#files[fileAt * fileWords] !== volume || this.countOf(fileAt) === 0) continue
      for (let at = this.firstOf(fileAt); at !== 0; ) {
        const next = this.nextOf(at)
        yield at
        at = next
      }
    }
  }

  /** All promises, in no order. */
  *all(): Generator<number> {
    for (let at = 1; at <= this.#usedPromises; at++) if (this.hostOf(at) !== 0) yield at
  }

  // Changing.

  /** Sets the end of a promise, which is then not (or no longer) broken. */
  renew(at: number, end: number): void {
    this.#promises[at * promiseWords + promise.end] = end
  }

  /** Marks a promise as broken, to be told of later. */
  delay(at: number): void {
    const place = at * promiseWords + promise.end
    this.#promises[place] = ((this.#promises[place] ?? 0) | delayedBit) >>> 0
  }

  /** Adds the promise on an object to a host, which has none on it yet. 0 if there is no room. */
  add(volume: number, vnode: number, unique: number, host: number, end: number): number {
    if (this.isFull) return 0
    const fileAt = this.findFile(volume, vnode, unique) || this.#addFile(volume, vnode, unique)
    const at = this.#freePromise || ++this.#usedPromises
    const base = at * promiseWords
    const promises = this.#promises
    if (at === this.#freePromise) this.#freePromise = promises[base + promise.hashNext] ?? 0
    promises[base] = fileAt
    promises[base + promise.host] = host
    promises[base + promise.end] = end
    this.#enlistAtFile(at, fileAt)
    this.#enlistAtHost(at, host)
    const bucket = this.#pairBucket(fileAt, host)
    promises[base + promise.hashNext] = this.#pairBuckets[bucket] ?? 0
    this.#pairBuckets[bucket] = at
    this.#count++
    return at
  }

  remove(at: number): void {
    const promises = this.#promises
    const base = at * promiseWords
    const fileAt = promises[base] ?? 0
    this.#unlistAtFile(at, fileAt)
    this.#unlistAtHost(at, this.hostOf(at))
    this.#unhash(
      this.#pairBuckets,
      this.#pairBucket(fileAt, this.hostOf(at)),
      promises,
      promiseWords,
      promise.hashNext,
      at,
    )
    promises[base + promise.host] = 0
    promises[base + promise.hashNext] = this.#freePromise
    this.#freePromise = at
    this.#count--
    if (this.countOf(fileAt) === 0) this.#removeFile(fileAt)
  }

  // Objects.

  #fileBucket(volume: number, vnode: number, unique: number): number {
    return mix(mix(volume, vnode), unique) & (this.#fileBuckets.length - 1)
  }

  #addFile(volume: number, vnode: number, unique: number): number {
    const files = this.#files
    const at = this.#freeFile || ++this.#usedFiles
    const base = at * fileWords
    if (at === this.#freeFile) this.#freeFile = files[base + file.hashNext] ?? 0
    const bucket = this.#fileBucket(volume, vnode, unique)
    files[base] = volume
    files[base + file.vnode] = vnode
    files[base + file.unique] = unique
    files[base + file.hashNext] = this.#fileBuckets[bucket] ?? 0
    this.#fileBuckets[bucket] = at
    this.#volumes.set(volume, (this.#volumes.get(volume) ?? 0) + 1)
    this.#fileCount++
    return at
  }

  #removeFile(at: number): void {
    const files = this.#files
    const base = at * fileWords
    const volume = files[base] ?? 0
    const bucket = this.#fileBucket(volume, files[base + file.vnode] ?? 0, files[base + file.unique] ?? 0)
    this.#unhash(this.#fileBuckets, bucket, files, fileWords, file.hashNext, at)
    files[base] = 0
    files[base + file.hashNext] = this.#freeFile
    this.#freeFile = at
    this.#fileCount--
    const left = (this.#volumes.get(volume) ?? 0) - 1
    if (left > 0) this.#volumes.set(volume, left)
    else this.#volumes.delete(volume)
  }

  // Lists.

  #pairBucket(fileAt: number, host: number): number {
    return mix(fileAt, host) & (this.#pairBuckets.length - 1)
  }

  #unhash(buckets: Uint32Array, bucket: number, records: Uint32Array, words: number, link: number, at: number): void {
    const next = records[at * words + link] ?? 0
    let before = buckets[bucket] ?? 0
    if (before === at) {
      buckets[bucket] = next
      return
    }
    while (records[before * words + link] !== at) before = records[before * words + link] ?? 0
    records[before * words + link] = next
  }

  #enlistAtFile(at: number, fileAt: number): void {
    const base = fileAt * fileWords
    const first = this.firstOf(fileAt)
    this.#promises[at * promiseWords + promise.fileNext] = first
    this.#promises[at * promiseWords + promise.filePrevious] = 0
    if (first !== 0) this.#promises[first * promiseWords + promise.filePrevious] = at
    this.#files[base + file.first] = at
    this.#files[base + file.count] = this.countOf(fileAt) + 1
  }

  #unlistAtFile(at: number, fileAt: number): void {
    const promises = this.#promises
    const base = fileAt * fileWords
    const next = this.nextOf(at)
    const previous = promises[at * promiseWords + promise.filePrevious] ?? 0
    if (next !== 0) promises[next * promiseWords + promise.filePrevious] = previous
    if (previous === 0) this.#files[base + file.first] = next
    else promises[previous * promiseWords + promise.fileNext] = next
    this.#files[base + file.count] = this.countOf(fileAt) - 1
  }

  #enlistAtHost(at: number, host: number): void {
    const promises = this.#promises
    const newest = this.#newest[host] || at
    const oldest = (newest === at ? at : promises[newest * promiseWords + promise.hostPrevious]) ?? 0
    promises[at * promiseWords + promise.hostNext] = newest
    promises[at * promiseWords + promise.hostPrevious] = oldest
    promises[newest * promiseWords + promise.hostPrevious] = at
    promises[oldest * promiseWords + promise.hostNext] = at
    this.#newest[host] = at
    this.#counts[host] = this.countOfHost(host) + 1
  }

  #unlistAtHost(at: number, host: number): void {
    const promises = this.#promises
    const next = promises[at * promiseWords + promise.hostNext] ?? 0
    const previous = promises[at * promiseWords + promise.hostPrevious] ?? 0
    promises[next * promiseWords + promise.hostPrevious] = previous
    promises[previous * promiseWords + promise.hostNext] = next
    if (this.#newest[host] === at) this.#newest[host] = next === at ? 0 : next
    this.#counts[host] = this.countOfHost(host) - 1
  }
}
