/**
 * Is a directory sound? The rules of OpenAFS dir/salvage.c (DirOK), in its order, then what it does not look for.
 * docs/formats/directory.md lists them.
 */
import {
  bitmapAt,
  blobSize,
  blobsNeeded,
  blobsPerPage,
  chainCount,
  chainOfHash,
  chainsAt,
  dotBlob,
  dotDotBlob,
  entryFlag,
  freeBlobsOf,
  hashed,
  headerBlobsOf,
  isEntryBlob,
  mapAt,
  mapPages,
  nameAt,
  nameEnd,
  nameLengthMax,
  nextAt,
  noPage,
  pageCountAt,
  pageOf,
  pageSize,
  pagesMax,
  pageTag,
  tagAt,
} from "./directory-page.ts"

/** What kind of fault; the first twelve are OpenAFS's own. */
export type DirectoryFaultKind =
  | "short"
  | "page-tag"
  | "allocation-map"
  | "page-count"
  | "free-count"
  | "chain-range"
  | "chain-circular"
  | "entry-name"
  | "entry-flag"
  | "wrong-chain"
  | "dot"
  | "bitmap"
  | "overlap"
  | "duplicate-name"
  | "too-many-pages"
  | "trailing-bytes"

/** The first thing found wrong with a directory. */
export interface DirectoryFault {
  readonly kind: DirectoryFaultKind
  /** Byte offset in the data file. */
  readonly offset: number
  readonly text: string
  /** False for what OpenAFS's salvager lets pass. */
  readonly knownToOpenafs: boolean
}

type Found = DirectoryFault | undefined

function fault(kind: DirectoryFaultKind, offset: number, text: string): DirectoryFault {
  return { kind, offset, text, knownToOpenafs: true }
}

function newFault(kind: DirectoryFaultKind, offset: number, text: string): DirectoryFault {
  return { kind, offset, text, knownToOpenafs: false }
}

const word = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)

/** What a directory's data file was found to be. */
export interface DirectoryReading {
  /** The first fault; undefined if it is sound. */
  readonly fault: DirectoryFault | undefined
  /** Of a sound directory: by blob, the length of the name of the entry that begins there, 0 where none does. */
  readonly nameLengths: Uint8Array
  /** Of a sound directory: some name contains a slash, which no client can ask for. */
  readonly hasSlash: boolean
  /** Of a sound directory: some name is that of a file which a client removed while it was open; see isSillyName. */
  readonly hasSillyName: boolean
}

const sillyStart = Buffer.from(".__afs")

/** A client that removes a file which it has open gives it a name that begins like this, until it is closed. */
export function isSillyName(name: Uint8Array): boolean {
  return name.length >= sillyStart.length && sillyStart.every((byte, index) => name[index] === byte)
}

/**
 * The first fault of a directory's data file, or undefined if it is sound. Never throws, whatever the bytes; time and
 * memory are bounded by their number.
 */
export function findDirectoryFault(bytes: Uint8Array): DirectoryFault | undefined {
  return checkDirectory(bytes).fault
}

/** The same, and where its entries are. */
export function checkDirectory(bytes: Uint8Array): DirectoryReading {
  const headers = pageFault(bytes, 0) ?? mapFault(bytes) ?? pageCountFault(bytes)
  if (headers !== undefined) return unread(headers)
  const pages = word(bytes, pageCountAt) || mapCount(bytes)
  const bodies = pagesFault(bytes, pages)
  if (bodies !== undefined) return unread(bodies)
  const walk = new ChainWalk(bytes, pages)
  const fault = walk.findFault() ?? bitmapFault(bytes, pages, walk.used) ?? walk.later ?? sizeFault(bytes, pages)
  return { fault, nameLengths: walk.nameLengths, hasSlash: walk.hasSlash, hasSillyName: walk.hasSillyName }
}

const unread = (fault: DirectoryFault): DirectoryReading => ({
  fault,
  nameLengths: new Uint8Array(0),
  hasSlash: false,
  hasSillyName: false,
})

function pageFault(bytes: Uint8Array, page: number): Found {
  const start = page * pageSize
  if (bytes.length < start + pageSize) {
    return fault("short", bytes.length, `page ${page} is missing: the file has ${bytes.length} bytes`)
  }
  const tag = word(bytes, start + tagAt)
  return tag === pageTag ? undefined : fault("page-tag", start + tagAt, `page ${page} has tag ${tag}, not ${pageTag}`)
}

/** Number of map entries for pages that exist. */
function mapCount(bytes: Uint8Array): number {
  let count = 0
  for (let page = 0; page < mapPages; page++) if ((bytes[mapAt + page] ?? 0) < noPage) count++
  return count
}

function mapFault(bytes: Uint8Array): Found {
  // Page 0 always holds `.` and `..`.
  const most = blobsPerPage - dotDotBlob - 1
  let ended = false
  for (let page = 0; page < mapPages; page++) {
    const free = bytes[mapAt + page] ?? 0
    const offset = mapAt + page
    if (page === 0 && free > most)
      return fault("allocation-map", offset, `page 0 has ${free} free blobs, more than ${most}`)
    if (free > noPage)
      return fault("allocation-map", offset, `page ${page} has ${free} free blobs, more than ${noPage}`)
    if (ended && free !== noPage)
      return fault("allocation-map", offset, `page ${page} follows a page that does not exist`)
    ended ||= free === noPage
  }
  return undefined
}

function pageCountFault(bytes: Uint8Array): Found {
  const count = word(bytes, pageCountAt)
  const mapped = mapCount(bytes)
  if (count === 0 || count >= mapped) return undefined
  return fault("page-count", pageCountAt, `${count} pages, but ${mapped} in the allocation map`)
}

function pagesFault(bytes: Uint8Array, pages: number): Found {
  for (let page = 0; page < pages; page++) {
    const found = pageFault(bytes, page) ?? freeCountFault(bytes, page)
    if (found !== undefined) return found
  }
  return undefined
}

function freeCountFault(bytes: Uint8Array, page: number): Found {
  if (page >= mapPages) return undefined
  const mapped = bytes[mapAt + page] ?? 0
  const free = freeBlobsOf(bytes, page)
  if (mapped === free) return undefined
  return fault(
    "free-count",
    mapAt + page,
    `page ${page} has ${free} free blobs, its allocation map entry says ${mapped}`,
  )
}

const slash = 0x2f

/** Walks all chains once; notes which blobs are taken, and the first fault that OpenAFS does not look for. */
class ChainWalk {
  /** One byte per blob: 1 if headers or an entry take it. */
  readonly used: Uint8Array
  readonly nameLengths: Uint8Array
  hasSlash = false
  hasSillyName = false
  later: DirectoryFault | undefined
  readonly #bytes: Uint8Array
  readonly #names: ChainNames
  #entries = 0
  #dot = false
  #dotDot = false

  constructor(bytes: Uint8Array, pages: number) {
    this.#bytes = bytes
    this.#names = new ChainNames(bytes)
    this.used = new Uint8Array(pages * blobsPerPage)
    this.nameLengths = new Uint8Array(pages * blobsPerPage)
    for (let page = 0; page < pages; page++)
      this.used.fill(1, page * blobsPerPage, page * blobsPerPage + headerBlobsOf(page))
  }

  findFault(): Found {
    const bytes = this.#bytes
    const blobs = this.used.length
    for (let chain = 0; chain < chainCount; chain++) {
      let linkAt = chainsAt + 2 * chain
      if (bytes[linkAt] === 0 && bytes[linkAt + 1] === 0) continue
      this.#names.clear()
      for (let blob = word(bytes, linkAt); blob !== 0; blob = word(bytes, linkAt)) {
        if (blob >= blobs) return fault("chain-range", linkAt, `a link to blob ${blob}, of ${blobs}`)
        if (++this.#entries > blobs)
          return fault("chain-circular", linkAt, "more entries than blobs: a hash chain is circular")
        const found = this.#entryFault(blob, chain)
        if (found !== undefined) return found
        linkAt = blob * blobSize + nextAt
      }
    }
    if (!this.#dot) return fault("dot", dotBlob * blobSize, `there is no . at blob ${dotBlob}`)
    if (!this.#dotDot) return fault("dot", dotDotBlob * blobSize, `there is no .. at blob ${dotDotBlob}`)
    return undefined
  }

  #entryFault(blob: number, chain: number): Found {
    const bytes = this.#bytes
    const at = blob * blobSize
    const start = at + nameAt
    const end = nameEnd(bytes, blob)
    let length = 0
    let hash = 0
    for (let byte = bytes[start]; start + length < end && byte !== 0; byte = bytes[start + ++length]) {
      if (byte === slash) this.hasSlash = true
      hash = hashed(hash, byte ?? 0)
    }
    if (length === 0) return fault("entry-name", start, `the entry at blob ${blob} has an empty name`)
    if (bytes[at] !== entryFlag) return fault("entry-flag", at, `blob ${blob} of chain ${chain} has flag ${bytes[at]}`)
    if (start + length >= end) {
      const text = `the name at blob ${blob} does not end in its page within ${nameLengthMax} bytes`
      return fault("entry-name", start, text)
    }
    const right = chainOfHash(hash)
    if (right !== chain)
      return fault("wrong-chain", at, `the entry at blob ${blob} is in chain ${chain}, its name in ${right}`)
    return (blob <= dotDotBlob ? this.#dotFault(blob, length) : undefined) ?? this.#take(blob, length, hash)
  }

  #dotFault(blob: number, length: number): Found {
    this.#dot ||= blob === dotBlob
    this.#dotDot ||= blob === dotDotBlob
    const wanted = blob === dotBlob ? "." : blob === dotDotBlob ? ".." : undefined
    if (wanted === undefined || nameOf(this.#bytes, blob, length) === wanted) return undefined
    const name = JSON.stringify(nameOf(this.#bytes, blob, length))
    return fault("dot", blob * blobSize + nameAt, `the entry at blob ${blob} is ${name}, not ${wanted}`)
  }

  #take(blob: number, length: number, hash: number): Found {
    const bytes = this.#bytes
    const at = blob * blobSize
    const count = blobsNeeded(length)
    const pageEnd = (pageOf(blob) + 1) * blobsPerPage
    if (blob + count > pageEnd)
      return fault("bitmap", at, `the entry at blob ${blob} takes ${count} blobs and leaves its page`)
    const isKnown = this.#names.take(blob, length, hash)
    let isTaken = !isEntryBlob(blob)
    for (let index = blob; index < blob + count; index++) {
      isTaken ||= this.used[index] === 1
      this.used[index] = 1
    }
    if (isTaken) {
      this.later ??= newFault("overlap", at, `the entry at blob ${blob} overlaps with another or with a header`)
    } else if (isKnown) {
      const name = JSON.stringify(nameOf(this.#bytes, blob, length))
      this.later ??= newFault("duplicate-name", at, `the name ${name} at blob ${blob} exists twice`)
    }
    this.nameLengths[blob] = length
    const nameStart = at + nameAt
    if (length >= sillyStart.length && bytes[nameStart] === sillyStart[0])
      this.hasSillyName ||= isSillyName(bytes.subarray(nameStart, nameStart + length))
    return undefined
  }
}

function nameOf(bytes: Uint8Array, blob: number, length: number): string {
  const start = bytes.byteOffset + blob * blobSize + nameAt
  return Buffer.from(bytes.buffer, start, length).toString("latin1")
}

/** Longer chains than this are rare; comparing each of their names with each would take too long. */
const comparedMax = 256

/** The names of one chain: equal names are always in the same. */
class ChainNames {
  readonly #bytes: Uint8Array
  readonly #blobs: number[] = []
  readonly #lengths: number[] = []
  readonly #hashes: number[] = []
  #count = 0
  #texts: Set<string> | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  clear(): void {
    this.#count = 0
    this.#texts = undefined
  }

  /** Adds a name. @returns true if it was there already */
  take(blob: number, length: number, hash: number): boolean {
    if (this.#texts !== undefined) return this.#takeText(this.#texts, blob, length)
    let isKnown = false
    for (let index = 0; index < this.#count && !isKnown; index++)
      isKnown = this.#hashes[index] === hash && this.#isSame(index, blob, length)
    this.#blobs[this.#count] = blob
    this.#lengths[this.#count] = length
    this.#hashes[this.#count] = hash
    if (++this.#count > comparedMax) this.#useTexts()
    return isKnown
  }

  #takeText(texts: Set<string>, blob: number, length: number): boolean {
    const before = texts.size
    return texts.add(nameOf(this.#bytes, blob, length)).size === before
  }

  #useTexts(): void {
    const blobs = this.#blobs.slice(0, this.#count)
    const texts = blobs.map((blob, index) => nameOf(this.#bytes, blob, this.#lengths[index] ?? 0))
    this.#texts = new Set(texts)
  }

  #isSame(index: number, blob: number, length: number): boolean {
    if (this.#lengths[index] !== length) return false
    const [first, second] = [(this.#blobs[index] ?? 0) * blobSize + nameAt, blob * blobSize + nameAt]
    for (let at = 0; at < length; at++) if (this.#bytes[first + at] !== this.#bytes[second + at]) return false
    return true
  }
}

function bitmapFault(bytes: Uint8Array, pages: number, used: Uint8Array): Found {
  for (let index = 0; index < pages * 8; index++) {
    const at = Math.floor(index / 8) * pageSize + bitmapAt + (index % 8)
    let taken = 0
    for (let bit = 0; bit < 8; bit++) taken |= (used[index * 8 + bit] ?? 0) << bit
    if (bytes[at] === taken) continue
    const text = `the bitmap of page ${Math.floor(index / 8)} has 0x${(bytes[at] ?? 0).toString(16)} for blobs from ${index * 8}`
    return fault("bitmap", at, `${text}, headers and entries take 0x${taken.toString(16)}`)
  }
  return undefined
}

function sizeFault(bytes: Uint8Array, pages: number): Found {
  if (pages > pagesMax) return newFault("too-many-pages", pageCountAt, `${pages} pages, more than ${pagesMax}`)
  if (bytes.length === pages * pageSize) return undefined
  return newFault("trailing-bytes", pages * pageSize, `${bytes.length - pages * pageSize} bytes behind the last page`)
}
