/**
 * A second reader of directory objects, written from the description of the format alone, so that it can contradict
 * the one of the suite. OpenAFS dir/dir.c, dir/salvage.c.
 */

/** One name of a directory; any bytes, held one per character (latin1). */
export interface DirectoryName {
  readonly name: string
  readonly vnode: number
  readonly unique: number
}

/** A directory's names in the order of the hash chains, and what is first found wrong with it. */
export interface DirectoryObject {
  readonly names: readonly DirectoryName[]
  readonly fault: string | undefined
}

const pageSize = 2048
const blobSize = 32
const blobsPerPage = 64
const pageTag = 1234
const mappedPages = 128
const chains = 128
const headerBlobs = 13
const nameMax = 255

/** The chain a name belongs to. */
function chainOf(name: Uint8Array): number {
  let sum = 0
  for (const byte of name) sum = (Math.imul(sum, 173) + byte) >>> 0
  const chain = sum & 127
  return chain !== 0 && sum >= 0x8000_0000 ? 128 - chain : chain
}

const blobsOf = (nameLength: number): number => 1 + ((nameLength + 16) >> 5)

function countBits(bytes: Uint8Array): number {
  let count = 0
  for (const byte of bytes) for (let rest = byte; rest !== 0; rest &= rest - 1) count++
  return count
}

class Reader {
  readonly #bytes: Buffer
  readonly #names: DirectoryName[] = []
  readonly #seen = new Set<number>()
  #owned = new Uint8Array(0)
  #pages = 0
  #fault: string | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  read(): DirectoryObject {
    if (this.#bytes.length < pageSize) return { names: [], fault: "no first page" }
    if (this.#bytes.readUInt16BE(2) !== pageTag) return { names: [], fault: "bad tag in page 0" }
    this.#countPages()
    if (this.#fault === undefined) this.#checkPages()
    this.#owned = new Uint8Array(this.#pages * blobsPerPage)
    this.#owned.fill(1, 0, headerBlobs)
    for (let page = 1; page < this.#pages; page++) this.#owned[page * blobsPerPage] = 1
    for (let chain = 0; chain < chains; chain++) this.#follow(chain)
    if (!this.#isNamed(13, ".") || !this.#isNamed(14, "..")) this.#report("'.' or '..' missing or misplaced")
    if (this.#fault === undefined) this.#checkBitmaps()
    return { names: this.#names, fault: this.#fault }
  }

  /** Only the first fault counts: later ones mostly follow from it. */
  #report(fault: string): void {
    this.#fault ??= fault
  }

  #countPages(): void {
    const map = this.#bytes.subarray(32, 32 + mappedPages)
    const end = map.indexOf(blobsPerPage)
    const used = end < 0 ? mappedPages : end
    map.forEach((free, page) => {
      if (free > (page === 0 ? 49 : blobsPerPage)) this.#report(`allocation map entry ${page} out of range`)
      else if (page > used && free !== blobsPerPage) this.#report(`page ${page} in use after the end`)
    })
    const said = this.#bytes.readUInt16BE(0)
    if (said !== 0 && said < used) this.#report(`page count ${said} below ${used} used pages`)
    this.#pages = said === 0 ? used : said
  }

  #checkPages(): void {
    for (let page = 0; page < this.#pages && this.#fault === undefined; page++) {
      const bytes = this.#bytes.subarray(page * pageSize, (page + 1) * pageSize)
      if (bytes.length < pageSize) return this.#report(`page ${page} is missing`)
      if (bytes.readUInt16BE(2) !== pageTag) return this.#report(`bad tag in page ${page}`)
      const free = blobsPerPage - countBits(bytes.subarray(5, 13))
      const map = this.#bytes[32 + page] ?? 0
      if (page < mappedPages && free !== map) this.#report(`free count of page ${page} is ${free}, map says ${map}`)
    }
  }

  #follow(chain: number): void {
    let blob = this.#bytes.readUInt16BE(160 + 2 * chain)
    while (blob !== 0) {
      const at = blob * blobSize
      if (blob >= this.#pages * blobsPerPage || at + blobSize > this.#bytes.length)
        return this.#report(`entry number ${blob} of chain ${chain} out of range`)
      if (this.#seen.has(blob)) return this.#report(`chain ${chain} meets an entry twice`)
      this.#seen.add(blob)
      const pageEnd = (Math.floor(at / pageSize) + 1) * pageSize
      const nul = this.#bytes.subarray(0, pageEnd).indexOf(0, at + 12)
      if (nul < 0) return this.#report(`name of entry ${blob} is not terminated`)
      this.#take(blob, chain, this.#bytes.subarray(at + 12, nul))
      blob = this.#bytes.readUInt16BE(at + 2)
    }
  }

  #take(blob: number, chain: number, name: Buffer): void {
    const at = blob * blobSize
    const text = name.toString("latin1")
    if (name.length === 0) this.#report(`empty name in entry ${blob}`)
    else if (this.#bytes[at] !== 1) this.#report(`bad flag in entry ${blob}`)
    else if (name.length > nameMax) this.#report(`name too long in entry ${blob}`)
    else if (chainOf(name) !== chain) this.#report(`entry ${blob} is in chain ${chain}, should be in ${chainOf(name)}`)
    else if (blob === 13 && text !== ".") this.#report("entry 13 is not '.'")
    else if (blob === 14 && text !== "..") this.#report("entry 14 is not '..'")
    this.#owned.fill(1, blob, Math.min(blob + blobsOf(name.length), this.#owned.length))
    if (name.length === 0) return
    this.#names.push({ name: text, vnode: this.#bytes.readUInt32BE(at + 4), unique: this.#bytes.readUInt32BE(at + 8) })
  }

  #isNamed(blob: number, name: string): boolean {
    const at = blob * blobSize + 12
    return this.#seen.has(blob) && this.#bytes.toString("latin1", at, at + name.length + 1) === `${name}\0`
  }

  #checkBitmaps(): void {
    for (let byte = 0; byte < this.#pages * 8; byte++) {
      let wanted = 0
      for (let bit = 0; bit < 8; bit++) wanted |= (this.#owned[byte * 8 + bit] ?? 0) << bit
      const page = byte >> 3
      if (this.#bytes[page * pageSize + 5 + (byte & 7)] !== wanted)
        return this.#report(`free bitmap byte ${byte & 7} of page ${page}`)
    }
  }
}

/** Reads a directory object; never throws, whatever the bytes. */
export function readDirectoryObject(bytes: Uint8Array): DirectoryObject {
  return new Reader(bytes).read()
}
