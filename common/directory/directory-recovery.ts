/**
 * Finds entries in the image of a damaged directory, as many as can be told from other bytes. docs/formats/directory.md.
 *
 * An entry is taken in this order of trust, and later ones only where they do not lie inside one that was taken before:
 *
 * 1. reached by a chain, flag set, name in its own chain (they may overlap: OpenAFS keeps both);
 * 2. any blob with the flag, a plausible head and name, and marked used in its page's bitmap;
 * 3. the same, not marked used;
 * 4. reached by a chain that its name belongs to, although the flag is lost,
 * 5. as 2, in the place of a page's header, where the page has lost its tag: other bytes of the directory may have come there.
 *
 * So a blob in the middle of a long name is read as an entry only if the long name's own entry cannot be recognized.
 */
import type { Unique, VnodeId, VnodeNumber } from "../ids.ts"
import {
  blobSize,
  blobsNeeded,
  blobsPerPage,
  chainCount,
  chainOf,
  chainsAt,
  entryFlag,
  isEntryBlob,
  isMarked,
  nameAt,
  nameLengthAt,
  nextAt,
  pageOf,
  pageSize,
  pagesMax,
  pageTag,
  tagAt,
  uniqueAt,
  vnodeAt,
} from "./directory-page.ts"

/** How an entry was found: in its chain, in a chain where its name does not belong, or only by looking at every blob. */
type RecoveredBy = "chained" | "misplaced" | "unchained"

/** An entry found in a damaged directory. */
export interface RecoveredEntry extends VnodeId {
  /** Bytes of the name, a copy; 1 to 255, no NUL. May contain a slash. */
  readonly name: Buffer
  readonly blob: number
  readonly found: RecoveredBy
}

/**
 * The entries of a damaged image, `.` and `..` among them, the most trustworthy first, each combination of name, vnode and
 * uniquifier once. Several entries may have the same name. Never throws; time and memory are bounded by the bytes given.
 */
export function recoverEntries(bytes: Uint8Array): RecoveredEntry[] {
  const recovery = new Recovery(bytes.subarray(0, pagesMax * pageSize))
  recovery.takeChained()
  recovery.takeFlagged((blob) => isEntryBlob(blob) && isMarked(bytes, blob))
  recovery.takeFlagged(isEntryBlob)
  recovery.takeUnflagged()
  recovery.takeFlagged((blob) => recovery.isWithoutHeader(blob))
  const trust: Record<RecoveredBy, number> = { chained: 0, misplaced: 1, unchained: 2 }
  return [...recovery.entries.values()].sort((a, b) => trust[a.found] - trust[b.found] || a.blob - b.blob)
}

const notReached = -1
const wrongChain = 0
const rightChain = 1
const unknown = -2
const noName = -1

class Recovery {
  readonly entries = new Map<string, RecoveredEntry>()
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #blobs: number
  /** Per blob: not reached by any chain, only by wrong ones, or by its name's own. */
  readonly #reached: Int8Array
  /** Per blob: the chain that its name belongs to, noName, or unknown until it is asked for. */
  readonly #chains: Int16Array
  /** Per blob: 1 if an entry that was taken covers it. */
  readonly #taken: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    // The last one may be cut, as long as it has a head.
    this.#blobs = Math.max(0, Math.ceil((bytes.length - nameAt) / blobSize))
    this.#reached = new Int8Array(this.#blobs).fill(notReached)
    this.#chains = new Int16Array(this.#blobs).fill(unknown)
    this.#taken = new Uint8Array(this.#blobs)
    this.#walkChains()
  }

  takeChained(): void {
    for (let blob = 0; blob < this.#blobs; blob++) {
      if (this.#reached[blob] === rightChain && this.#hasFlag(blob)) this.#take(blob, "chained")
    }
  }

  takeFlagged(isWanted: (blob: number) => boolean): void {
    for (let blob = 0; blob < this.#blobs; blob++) {
      if (!this.#hasFlag(blob) || !isWanted(blob) || !this.#isPlausible(blob)) continue
      this.#take(blob, this.#reached[blob] === notReached ? "unchained" : "misplaced")
    }
  }

  takeUnflagged(): void {
    for (let blob = 0; blob < this.#blobs; blob++) {
      if (this.#reached[blob] === rightChain && this.#isPlausible(blob)) this.#take(blob, "chained")
    }
  }

  /** Follows each chain until it ends, leaves the file, or comes to a blob where this chain has been. */
  #walkChains(): void {
    const seenBy = new Int16Array(this.#blobs).fill(-1)
    for (let chain = 0; chain < chainCount && chainsAt + 2 * chain + 2 <= this.#bytes.length; chain++) {
      let blob = this.#view.getUint16(chainsAt + 2 * chain)
      while (blob < this.#blobs && isEntryBlob(blob) && seenBy[blob] !== chain) {
        seenBy[blob] = chain
        this.#reached[blob] = Math.max(this.#reached[blob] ?? notReached, this.#belongsTo(blob, chain))
        blob = this.#view.getUint16(blob * blobSize + nextAt)
      }
    }
  }

  #belongsTo(blob: number, chain: number): number {
    if (this.#chains[blob] === unknown) {
      const name = this.#nameAt(blob)
      this.#chains[blob] = name === undefined ? noName : chainOf(name)
    }
    return this.#chains[blob] === chain ? rightChain : wrongChain
  }

  /** It lies in a page whose tag is not there: then its header may not be, either. */
  isWithoutHeader(blob: number): boolean {
    return this.#view.getUint16(pageOf(blob) * pageSize + tagAt) !== pageTag
  }

  #hasFlag(blob: number): boolean {
    return this.#bytes[blob * blobSize] === entryFlag
  }

  /** Could be an entry that leads somewhere, and does not lie in one that is known. */
  #isPlausible(blob: number): boolean {
    const at = blob * blobSize
    if (this.#taken[blob] === 1 || this.#nameAt(blob) === undefined) return false
    return this.#view.getUint32(at + vnodeAt) !== 0 && this.#view.getUint32(at + uniqueAt) !== 0
  }

  /** The name at a blob, if it is one: a view. */
  #nameAt(blob: number): Uint8Array | undefined {
    const length = nameLengthAt(this.#bytes, blob)
    if (length <= 0 || (blob % blobsPerPage) + blobsNeeded(length) > blobsPerPage) return undefined
    return this.#bytes.subarray(blob * blobSize + nameAt, blob * blobSize + nameAt + length)
  }

  #take(blob: number, found: RecoveredBy): void {
    const bytes = this.#nameAt(blob)
    if (bytes === undefined) return
    const name = Buffer.from(bytes)
    this.#taken.fill(1, blob, blob + blobsNeeded(name.length))
    const vnode = this.#view.getUint32(blob * blobSize + vnodeAt)
    const unique = this.#view.getUint32(blob * blobSize + uniqueAt)
    const key = `${vnode}.${unique}.${name.toString("latin1")}`
    if (this.entries.has(key)) return
    // Every 32-bit number is a vnode number and a uniquifier; the salvager asks the index whether they exist.
    this.entries.set(key, { name, vnode: vnode as VnodeNumber, unique: unique as Unique, blob, found })
  }
}
