/**
 * A directory: names and what they lead to, over an image of its data file. Pure code over bytes; the caller reads the
 * image and writes the changes. docs/formats/directory.md; OpenAFS dir/dir.c.
 *
 * Invariants of a directory that parsed: all its pages are in the image and have their tag, and the allocation map agrees
 * with the number of pages. Chains and entries are checked as they are met; walks are bounded by the number of blobs.
 */
import { AfsError, FormatError } from "../error.ts"
import type { Unique, VnodeId, VnodeNumber } from "../ids.ts"
import { ChangedPages, type DirectoryChange } from "./changed-pages.ts"
import { usablePages } from "./directory-headers.ts"
import {
  blobSize,
  blobsNeeded,
  blobsPerPage,
  chainCount,
  chainOf,
  chainsAt,
  entryFlag,
  entryLayout,
  findFreeBlobs,
  freeBlobsOf,
  headerBlobsOf,
  initPage,
  isEntryBlob,
  isMarked,
  mapAt,
  mapPages,
  markBlobs,
  nameAt,
  nameLengthAt,
  nextAt,
  pageCountAt,
  pageOf,
  pageSize,
  pagesMax,
  uniqueAt,
  vnodeAt,
} from "./directory-page.ts"
import { checkStoredName } from "./entry-name.ts"

/** One name of a directory. */
export interface DirectoryEntry extends VnodeId {
  /** Bytes of the name, a copy. */
  readonly name: Buffer
  /** Blob that the entry begins with; also how clients count their way through a directory. */
  readonly blob: number
}

const dot = Buffer.from(".")
const dotDot = Buffer.from("..")
/** Bytes that a removed entry's blobs are cleared of, per blob: what OpenAFS clears, so that images stay alike. */
const clearedPerBlob = 28

export class Directory {
  readonly #path: string | undefined
  /** May be longer than the directory: room to grow. */
  #image: Uint8Array
  #view: DataView
  /** Bytes of the data file. */
  #length: number
  #pages: number
  readonly #changed = new ChangedPages()
  /** Blob before the one that #find returned last, 0 if that was the head of its chain. */
  #before = 0
  /** Free blobs of the pages that the allocation map does not cover; filled at the first need. */
  #freeBehindMap: Uint8Array | undefined

  private constructor(image: Uint8Array, length: number, pages: number, path: string | undefined) {
    this.#image = image
    this.#view = new DataView(image.buffer, image.byteOffset, image.length)
    this.#length = length
    this.#pages = pages
    this.#path = path
  }

  /**
   * Takes over the image of a directory's data file: changes are made in `bytes`. Bytes behind the last page are kept.
   * `path` is for errors only.
   * @throws FormatError if the headers do not describe a directory that can be used
   */
  static parse(bytes: Uint8Array, path?: string): Directory {
    return new Directory(bytes, bytes.length, usablePages(bytes, path), path)
  }

  /** Bytes of the data file as the vnode's length has it. */
  get length(): number {
    return this.#length
  }

  get pageCount(): number {
    return this.#pages
  }

  /** The whole data file: a view, good until the next change. */
  get bytes(): Uint8Array {
    return this.#image.subarray(0, this.#length)
  }

  /** Pages changed since the last `takeChanges`. */
  get dirtyPages(): readonly number[] {
    return this.#changed.numbers
  }

  /**
   * What has to be written to the data file since the last call. Pages side by side are joined to one change, if they are all;
   * others come in the order in which they have to be written, so that a crash in between breaks no chain: a new entry before
   * what points to it, what points past a removed entry before that entry is cleared. This holds for one `add`, `remove` or
   * `change` since the last call.
   */
  takeChangesInOrder(): DirectoryChange[] {
    return this.#changed.takeInOrder(this.#image)
  }

  /** What has to be written to the data file since the last call, in ascending order; pages side by side are joined. */
  takeChanges(): DirectoryChange[] {
    return this.#changed.takeAscending(this.#image)
  }

  /** @throws FormatError if the name's hash chain is damaged */
  lookup(name: Uint8Array): VnodeId | undefined {
    const blob = this.#find(name, chainOf(name))
    return blob === 0 ? undefined : this.#idAt(blob)
  }

  /**
   * All entries by hash chains, `.` and `..` among them. The entry just given may be removed or changed while iterating;
   * any other change ends the promise of completeness.
   * @throws FormatError if a chain or an entry is damaged
   */
  *entries(): Generator<DirectoryEntry> {
    for (let chain = 0; chain < chainCount; chain++) {
      let left = this.#blobs
      for (let blob = this.#headOf(chain); blob !== 0; ) {
        if (left-- === 0) throw this.#circular(chain)
        this.#checkEntry(blob)
        const next = this.#nextOf(blob)
        yield this.#entryAt(blob)
        blob = next
      }
    }
  }

  /**
   * All entries that the bitmaps and flags show, in the order of their blobs, as a client sees them. The entry just given
   * may be removed or changed while iterating.
   * @throws FormatError if an entry is damaged
   */
  *entriesInBlobOrder(): Generator<DirectoryEntry> {
    for (let page = 0; page < this.#pages; page++) {
      const end = (page + 1) * blobsPerPage
      for (let blob = page * blobsPerPage + headerBlobsOf(page); blob < end; ) {
        const isEntry = isMarked(this.#image, blob) && this.#image[blob * blobSize] === entryFlag
        const width = isEntry ? blobsNeeded(this.#nameLength(blob)) : 1
        if (isEntry) yield this.#entryAt(blob)
        blob += width
      }
    }
  }

  /**
   * Adds a name, in the first free place that holds it, at the head of its chain.
   * @throws AfsError EEXIST if the name exists, EFBIG if the directory is full, EINVAL for a name that cannot be stored
   * @throws FormatError if the name's hash chain is damaged; nothing is changed then
   */
  add(name: Uint8Array, id: VnodeId): void {
    checkStoredName(name, "addEntry")
    if (this.#find(name, chainOf(name)) !== 0) throw this.#answer("EEXIST", "addEntry", name)
    this.#insert(name, id)
  }

  /** A name of this length can be added without a new page. */
  hasRoom(name: Uint8Array): boolean {
    return this.#findRoom(blobsNeeded(name.length)) !== undefined
  }

  /**
   * Removes a name and returns what it led to. Pages are never given back.
   * @throws AfsError ENOENT if there is no such name, EINVAL for `.` and `..`
   * @throws FormatError if the chain, the entry or its page's free count is damaged; nothing is changed then
   */
  remove(name: Uint8Array): VnodeId {
    if (dot.equals(name) || dotDot.equals(name)) throw this.#answer("EINVAL", "removeEntry", name)
    const blob = this.#find(name, chainOf(name))
    if (blob === 0) throw this.#answer("ENOENT", "removeEntry", name)
    const id = this.#idAt(blob)
    this.#free(blob, blobsNeeded(name.length), chainOf(name))
    return id
  }

  /**
   * Lets a name lead elsewhere, in place; `.` and `..` too.
   * @throws AfsError ENOENT if there is no such name
   * @throws FormatError if the name's hash chain is damaged
   */
  change(name: Uint8Array, id: VnodeId): void {
    const blob = this.#find(name, chainOf(name))
    if (blob === 0) throw this.#answer("ENOENT", "changeEntry", name)
    this.#view.setUint32(blob * blobSize + vnodeAt, id.vnode)
    this.#view.setUint32(blob * blobSize + uniqueAt, id.unique)
    this.#changed.add(pageOf(blob))
  }

  get #blobs(): number {
    return this.#pages * blobsPerPage
  }

  #headOf(chain: number): number {
    return this.#view.getUint16(chainsAt + 2 * chain)
  }

  #nextOf(blob: number): number {
    return this.#view.getUint16(blob * blobSize + nextAt)
  }

  #idAt(blob: number): VnodeId {
    const at = blob * blobSize
    // Every 32-bit number is a vnode number and a uniquifier; whether they exist is not the directory's business.
    return {
      vnode: this.#view.getUint32(at + vnodeAt) as VnodeNumber,
      unique: this.#view.getUint32(at + uniqueAt) as Unique,
    }
  }

  #entryAt(blob: number): DirectoryEntry {
    const at = blob * blobSize
    const length = this.#nameLength(blob)
    // Names are short: copying byte by byte is several times faster than making a view to copy from.
    const name = Buffer.allocUnsafe(length)
    for (let index = 0; index < length; index++) name[index] = this.#image[at + nameAt + index] ?? 0
    const vnode = this.#view.getUint32(at + vnodeAt) as VnodeNumber
    const unique = this.#view.getUint32(at + uniqueAt) as Unique
    return { name, vnode, unique, blob }
  }

  /** Blob of the name's entry, or 0. Sets #before. */
  #find(name: Uint8Array, chain: number): number {
    let left = this.#blobs
    let before = 0
    for (let blob = this.#headOf(chain); blob !== 0; blob = this.#nextOf(blob)) {
      if (left-- === 0) throw this.#circular(chain)
      this.#checkEntry(blob)
      if (this.#hasName(blob, name)) {
        this.#before = before
        return blob
      }
      before = blob
    }
    return 0
  }

  #hasName(blob: number, name: Uint8Array): boolean {
    const image = this.#image
    const start = blob * blobSize + nameAt
    if ((blob % blobsPerPage) + blobsNeeded(name.length) > blobsPerPage || image[start + name.length] !== 0)
      return false
    for (let index = 0; index < name.length; index++) if (image[start + index] !== name[index]) return false
    return true
  }

  #checkEntry(blob: number): void {
    if (blob < this.#blobs && isEntryBlob(blob) && this.#image[blob * blobSize] === entryFlag) return
    const found = blob >= this.#blobs ? `a link to blob ${blob} of ${this.#blobs}` : `no entry at blob ${blob}`
    throw new FormatError("directory entry", { path: this.#path, offset: blob * blobSize }, found, "an entry")
  }

  #nameLength(blob: number): number {
    const length = nameLengthAt(this.#image, blob)
    if (length > 0 && (blob % blobsPerPage) + blobsNeeded(length) <= blobsPerPage) return length
    const found = length === 0 ? "an empty name" : "a name that does not end in its page"
    throw new FormatError("directory entry", { path: this.#path, offset: blob * blobSize + nameAt }, found)
  }

  #circular(chain: number): FormatError {
    const where = { path: this.#path, offset: chainsAt + 2 * chain }
    return new FormatError("directory", where, `hash chain ${chain} with more entries than blobs`, "a chain that ends")
  }

  #answer(code: "EEXIST" | "ENOENT" | "EINVAL" | "EFBIG", operation: string, name: Uint8Array): AfsError {
    return new AfsError(code, operation, { path: this.#path }, { detail: JSON.stringify(Buffer.from(name).toString()) })
  }

  #insert(name: Uint8Array, id: VnodeId): void {
    const count = blobsNeeded(name.length)
    const page = this.#pageWithRoom(count, name)
    const blob = findFreeBlobs(this.#image, page, count)
    markBlobs(this.#image, blob, count, true)
    this.#changeFree(page, -count)
    const headAt = chainsAt + 2 * chainOf(name)
    const head = { flag: entryFlag, spare: 0, next: this.#view.getUint16(headAt), vnode: id.vnode, unique: id.unique }
    entryLayout.write(head, this.#image, blob * blobSize)
    this.#image.set(name, blob * blobSize + nameAt)
    this.#image[blob * blobSize + nameAt + name.length] = 0
    this.#view.setUint16(headAt, blob)
    this.#changed.add(page)
    this.#changed.add(0) // in the order that takeChangesInOrder gives
  }

  /** First page with so many free blobs in a row; made if there is none. */
  #pageWithRoom(count: number, name: Uint8Array): number {
    const found = this.#findRoom(count)
    if (found !== undefined) return found
    if (this.#pages === pagesMax) throw this.#answer("EFBIG", "addEntry", name)
    this.#addPage()
    return this.#pages - 1
  }

  #findRoom(count: number): number | undefined {
    for (let page = 0; page < this.#pages; page++) {
      if (this.#freeOf(page) >= count && findFreeBlobs(this.#image, page, count) >= 0) return page
    }
    return undefined
  }

  #addPage(): void {
    const page = this.#pages
    this.#reserve((page + 1) * pageSize)
    initPage(this.#image, page)
    if (page < mapPages) this.#image[mapAt + page] = blobsPerPage - headerBlobsOf(page)
    else this.#freeCounts()[page - mapPages] = blobsPerPage - headerBlobsOf(page)
    this.#view.setUint16(pageCountAt, page + 1)
    this.#pages = page + 1
    this.#length = Math.max(this.#length, this.#pages * pageSize)
    this.#changed.add(page)
    this.#changed.add(0)
  }

  #reserve(size: number): void {
    if (size <= this.#image.length) return
    const image = new Uint8Array(Math.min(Math.max(size, 2 * this.#image.length), pagesMax * pageSize))
    image.set(this.#image)
    this.#image = image
    this.#view = new DataView(image.buffer)
  }

  #freeOf(page: number): number {
    const counts = page < mapPages ? this.#image : this.#freeCounts()
    return counts[page < mapPages ? mapAt + page : page - mapPages] ?? 0
  }

  #changeFree(page: number, by: number): void {
    if (page < mapPages) this.#image[mapAt + page] = this.#freeOf(page) + by
    else this.#freeCounts()[page - mapPages] = this.#freeOf(page) + by
  }

  #freeCounts(): Uint8Array {
    if (this.#freeBehindMap !== undefined) return this.#freeBehindMap
    const counts = new Uint8Array(pagesMax - mapPages)
    for (let page = mapPages; page < this.#pages; page++) counts[page - mapPages] = freeBlobsOf(this.#image, page)
    this.#freeBehindMap = counts
    return counts
  }

  /** Takes the entry that #find returned last out of its chain and frees its blobs. */
  #free(blob: number, count: number, chain: number): void {
    const page = pageOf(blob)
    if (this.#freeOf(page) + count > blobsPerPage - headerBlobsOf(page)) throw this.#wrongFreeCount(page)
    const linkAt = this.#before === 0 ? chainsAt + 2 * chain : this.#before * blobSize + nextAt
    this.#view.setUint16(linkAt, this.#nextOf(blob))
    this.#image.fill(0, blob * blobSize, blob * blobSize + clearedPerBlob * count)
    markBlobs(this.#image, blob, count, false)
    this.#changeFree(page, count)
    this.#changed.add(pageOf(this.#before)) // pageOf(0) is that of the chains' heads
    this.#changed.add(page)
    this.#changed.add(0)
  }

  #wrongFreeCount(page: number): FormatError {
    const where = { path: this.#path, offset: page < mapPages ? mapAt + page : page * pageSize }
    return new FormatError("directory", where, `${this.#freeOf(page)} free blobs in page ${page} and one more entry`)
  }
}

/** A directory with `.` and `..` alone; one page, to be written. */
export function newDirectory(self: VnodeId, parent: VnodeId, path?: string): Directory {
  const page = new Uint8Array(pageSize)
  initPage(page, 0)
  const directory = Directory.parse(page, path)
  directory.add(dot, self)
  directory.add(dotDot, parent)
  return directory
}
