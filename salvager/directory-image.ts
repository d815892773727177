/**
 * Directories as a salvage reads and writes them: the entries of an image, sound or not, and the image that a list of
 * entries makes. Names are bytes throughout.
 */
import { wordAt } from "../common/codec/network-order.ts"
import { newDirectory } from "../common/directory/directory.ts"
import { checkDirectory, isSillyName } from "../common/directory/directory-check.ts"
import { blobSize, dotDotBlob, nameAt, nameLengthMax, uniqueAt, vnodeAt } from "../common/directory/directory-page.ts"
import { type RecoveredEntry, recoverEntries } from "../common/directory/directory-recovery.ts"
import { isAfsError } from "../common/error.ts"
import { unique, vnodeNumber } from "../common/ids.ts"
import { classOf } from "../common/vnode/vnode-record.ts"
import type { DirectoryEdit, Fid } from "./model.ts"

/** An entry of a directory, without `.` and `..`. */
export interface ImageEntry extends Fid {
  readonly blob: number
  readonly name: Buffer
  /** Reached by the chain where its name belongs; always true in a sound directory. */
  readonly isChained: boolean
}

const slash = 0x2f
const underscore = 0x5f

/** `.` or `..`. */
export function isDots(name: Uint8Array): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e))
}

/** What the entry at a blob leads to. */
export function fidAt(image: Buffer, blob: number): Fid {
  const at = blob * blobSize
  return { vnode: wordAt(image, at + vnodeAt), unique: wordAt(image, at + uniqueAt) }
}

/** Blob, vnode number and uniquifier. */
export const wordsPerEntry = 3

/**
 * The entries of a sound directory but `.` and `..`, in the order of blobs: `wordsPerEntry` words of each, for a great volume has
 * too many for an object each. `nameLengths`: see `checkDirectory`.
 */
export function entryWords(image: Buffer, nameLengths: Uint8Array): Uint32Array {
  const words = new Uint32Array(wordsPerEntry * nameLengths.length)
  let end = 0
  for (let blob = dotDotBlob + 1; blob < nameLengths.length; blob++) {
    if (nameLengths[blob] === 0) continue
    const at = blob * blobSize
    words[end] = blob
    words[end + 1] = wordAt(image, at + vnodeAt)
    words[end + 2] = wordAt(image, at + uniqueAt)
    end += wordsPerEntry
  }
  return words.slice(0, end)
}

/** The name of a vnode in a sound directory; of several the last one. */
export function nameFinder(image: Buffer): (vnode: number) => string | undefined {
  const { nameLengths } = checkDirectory(image)
  const words = entryWords(image, nameLengths)
  return (vnode) => {
    let at = words.lastIndexOf(vnode)
    while (at > 0 && at % wordsPerEntry !== 1) at = words.lastIndexOf(vnode, at - 1) // a blob's number, or a uniquifier
    if (at <= 0) return undefined
    const blob = words[at - 1] ?? 0
    const start = blob * blobSize + nameAt
    return image.toString("utf8", start, start + (nameLengths[blob] ?? 0))
  }
}

/** Entries of a sound directory. */
function soundEntries(image: Buffer): ImageEntry[] {
  const entries: ImageEntry[] = []
  const { nameLengths } = checkDirectory(image)
  const words = entryWords(image, nameLengths)
  for (let at = 0; at < words.length; at += wordsPerEntry) {
    const [blob = 0, vnode = 0, unique = 0] = words.subarray(at, at + wordsPerEntry)
    const start = blob * blobSize + nameAt
    const name = Buffer.from(image.subarray(start, start + (nameLengths[blob] ?? 0)))
    entries.push({ blob, vnode, unique, name, isChained: true })
  }
  return entries
}

/** Entries of an image: all of a sound one, those that can be told from other bytes of a damaged one. */
export function readEntries(image: Buffer, isSound: boolean): ImageEntry[] {
  return isSound ? soundEntries(image) : withoutDots(recoverEntries(image))
}

/** What was recovered of a damaged directory, but for `.` and `..`. */
export function withoutDots(recovered: readonly RecoveredEntry[]): ImageEntry[] {
  return recovered
    .filter(({ name }) => !isDots(name))
    .map(({ blob, vnode, unique, name, found }) => ({ blob, vnode, unique, name, isChained: found === "chained" }))
}

/** A name that was changed, because it was there already or cannot be used. */
export interface Renamed {
  readonly from: Buffer
  readonly to: Buffer
  readonly why: "duplicate" | "name" | "silly"
}

/** The entries after the planned changes; names are made unique and usable. `isFinal`: no client will remove silly names any more. */
export function editedEntries(
  entries: readonly ImageEntry[],
  edits: readonly DirectoryEdit[],
  isFinal = false,
): { entries: (Fid & { readonly name: Buffer })[]; renamed: Renamed[] } {
  const dropped = new Set<number>()
  const led = new Map<number, Fid>()
  const added: (Fid & { readonly name: Buffer })[] = []
  for (const edit of edits) {
    if (edit.kind === "drop") dropped.add(edit.blob)
    else if (edit.kind === "lead") led.set(edit.blob, edit)
    else added.push(edit)
  }
  const kept = entries
    .filter(({ blob }) => !dropped.has(blob))
    .map((entry) => ({ ...(led.get(entry.blob) ?? entry), name: entry.name }))
  const names = new NameSet(isFinal)
  const result: (Fid & { readonly name: Buffer })[] = []
  for (const { vnode, unique, name: wanted } of [...kept, ...added]) {
    const name = names.take(wanted, { vnode, unique })
    if (name !== undefined) result.push({ vnode, unique, name })
  }
  return { entries: result, renamed: names.renamed }
}

/** Under such a name OpenAFS's salvager attaches what no directory leads to. */
export function orphanName({ vnode, unique }: Fid): Buffer {
  return Buffer.from(`__ORPHAN${classOf(vnode) === "large" ? "DIR" : "FILE"}__.${vnode}.${unique}`)
}

/** The names of one directory: what is taken twice, or cannot be used, gets another name that can be found. */
class NameSet {
  readonly renamed: Renamed[] = []
  readonly #taken = new Map<string, string>()
  readonly #isFinal: boolean

  constructor(isFinal: boolean) {
    this.#isFinal = isFinal
  }

  /** The name to use; undefined if the same object has it already. */
  take(name: Buffer, { vnode, unique }: Fid): Buffer | undefined {
    const isSilly = this.#isFinal && isSillyName(name)
    const usable = isSilly ? orphanName({ vnode, unique }) : withoutSlashes(name)
    const fid = `${vnode}.${unique}`
    const holder = this.#taken.get(usable.toString("latin1"))
    if (holder === fid) return undefined
    const to = holder === undefined ? usable : this.#free(usable, `.__DUPLICATE__.${fid}`)
    this.#taken.set(to.toString("latin1"), fid)
    if (!to.equals(name))
      this.renamed.push({ from: name, to, why: isSilly ? "silly" : holder === undefined ? "name" : "duplicate" })
    return to
  }

  #free(name: Buffer, suffix: string): Buffer {
    for (let count = 0; ; count++) {
      const end = Buffer.from(count === 0 ? suffix : `${suffix}.${count}`)
      const candidate = Buffer.concat([name.subarray(0, nameLengthMax - end.length), end])
      if (!this.#taken.has(candidate.toString("latin1"))) return candidate
    }
  }
}

function withoutSlashes(name: Buffer): Buffer {
  const usable = Buffer.from(name)
  for (const [at, byte] of usable.entries()) if (byte === slash) usable[at] = underscore
  return usable
}

/** The image of a directory with these entries. `left` are those for which there was no room. */
export function makeImage(
  self: Fid,
  parent: Fid,
  entries: readonly (Fid & { readonly name: Buffer })[],
): { bytes: Uint8Array; left: Buffer[] } {
  const id = (fid: Fid) => ({ vnode: vnodeNumber(fid.vnode), unique: unique(fid.unique) })
  const directory = newDirectory(id(self), id(parent))
  const left: Buffer[] = []
  for (const entry of entries) {
    try {
      directory.add(entry.name, id(entry))
    } catch (error) {
      if (!isAfsError(error, "EFBIG", "EINVAL")) throw error
      left.push(entry.name)
    }
  }
  return { bytes: directory.bytes, left }
}
