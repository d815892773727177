/**
 * Reads a folder with what stat tells of its files, through the C library: getdents64(2) and statx(2) relative to the open
 * folder. The kernel does not walk the same path for every file, and no path is spelled for it: half the time of node:fs.
 */
import { type Libc, openLibc } from "../system/libc.ts"
import { type Disk, type DiskEntry, DiskError, type DiskFile, type DiskStat, isDiskError } from "./disk.ts"
import { nodeDisk } from "./node-disk.ts"

/** What a scan wants to know of a file. */
type FileFacts = Pick<DiskStat, "size" | "uid" | "gid" | "mode" | "isFile">

/** A name in a folder, with what stat told when it was listed: of what is neither folder nor link, and only if it was asked for. */
export interface FileEntry extends DiskEntry {
  readonly facts?: FileFacts | undefined
}

/**
 * The names in a folder but `.` and `..`, in the file system's order; before the first `next` there is none. To ask for the
 * bytes of a name alone makes no string, and what `stat` gives is the same object each time.
 */
export interface FolderCursor extends Disposable {
  /** There is such a folder. */
  readonly isThere: boolean
  /** Goes on to the next name. False if there is none. @throws DiskError */
  next(): boolean
  readonly name: string
  /** Its bytes, from `start` to `end` of these. */
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly isDirectory: boolean
  readonly isLink: boolean
  /** Of this file, now; undefined if it is gone. @throws DiskError */
  stat(): FileFacts | undefined
}

/**
 * Opens a folder; one that is not there has no names. To be disposed of before the next one is opened.
 * @throws DiskError
 */
export type OpenFolder = (path: string) => FolderCursor

const namesMax = 1 << 16
/** Names, and behind them what statx gives. */
const statSize = 256
// struct linux_dirent64
const lengthAt = 16
const typeAt = 18
const nameAt = 19
const folderType = 4
const linkType = 10
const unknownType = 0
// struct statx, linux/stat.h
const basicStats = 0x7ff
const uidAt = 20
const gidAt = 24
/** And two bytes of padding. */
const modeAt = 28
const sizeAt = 40
const formatMask = 0o170000
const regular = 0o100000
const dot = 0x2e

class Reader implements FolderCursor {
  readonly bytes = Buffer.alloc(namesMax + statSize)
  readonly #view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
  readonly #facts = { size: 0, uid: 0, gid: 0, mode: 0, isFile: false }
  readonly #address: number
  readonly #getdents: (descriptor: number, address: number, length: number) => number
  readonly #statx: (folder: number, name: number, flags: number, mask: number, into: number) => number
  #path = ""
  #folder: DiskFile | undefined
  #descriptor = -1
  /** Bytes of the names in hand, where the next one begins, and the kind of the present one. */
  #length = 0
  #next = 0
  #type = unknownType
  readonly isThere = true
  start = 0
  end = 0

  constructor(libc: Libc) {
    this.#address = libc.addressOf(this.bytes)
    this.#getdents = libc.find("getdents64", "int64", ["int", "address", "int64"])
    this.#statx = libc.find("statx", "int", ["int", "address", "int", "uint", "address"])
  }

  /** False if the kernel does not list it, or another one is open. */
  open(path: string): boolean {
    if (this.#folder !== undefined) return false
    this.#folder = nodeDisk.open(path, "read")
    this.#path = path
    this.#descriptor = this.#folder.descriptor
    this.#next = 0
    this.#length = this.#getdents(this.#descriptor, this.#address, namesMax)
    if (this.#length < 0) this[Symbol.dispose]()
    return this.#length >= 0
  }

  [Symbol.dispose](): void {
    this.#folder?.close()
    this.#folder = undefined
  }

  next(): boolean {
    const { bytes } = this
    do {
      if (this.#next >= this.#length && !this.#fetch()) return false
      const at = this.#next
      this.#next = at + ((bytes[at + lengthAt] ?? 0) | ((bytes[at + lengthAt + 1] ?? 0) << 8))
      this.#type = bytes[at + typeAt] ?? unknownType
      this.start = at + nameAt
      let end = at + nameAt
      while (end < namesMax && bytes[end] !== 0) end++
      this.end = end
    } while (this.end <= this.start + 2 && this.#isDots())
    return true
  }

  /** False at the end. */
  #fetch(): boolean {
    if (this.#length === 0) return false
    this.#next = 0
    this.#length = this.#getdents(this.#descriptor, this.#address, namesMax)
    if (this.#length < 0) throw new DiskError("list", this.#path, Object.assign(new Error(), { code: "EIO" }))
    return this.#length > 0
  }

  #isDots(): boolean {
    return this.bytes[this.start] === dot && (this.end === this.start + 1 || this.bytes[this.start + 1] === dot)
  }

  get name(): string {
    return this.bytes.toString("utf8", this.start, this.end)
  }

  get isDirectory(): boolean {
    if (this.#type !== unknownType) return this.#type === folderType
    return nodeDisk.stat(`${this.#path}/${this.name}`)?.isDirectory === true // the file system keeps no types
  }

  get isLink(): boolean {
    if (this.#type !== unknownType) return this.#type === linkType
    return nodeDisk.readLink(`${this.#path}/${this.name}`) !== undefined
  }

  stat(): FileFacts | undefined {
    const name = this.#address + this.start
    if (this.#statx(this.#descriptor, name, 0, basicStats, this.#address + namesMax) !== 0)
      return nodeDisk.stat(`${this.#path}/${this.name}`) // what errno says cannot be relied on: ready-read.ts
    const facts = this.#facts
    const mode = this.#word(modeAt)
    facts.size = this.#word(sizeAt) + this.#word(sizeAt + 4) * 2 ** 32
    facts.uid = this.#word(uidAt)
    facts.gid = this.#word(gidAt)
    facts.mode = mode & 0o7777
    facts.isFile = (mode & formatMask) === regular
    return facts
  }

  #word(at: number): number {
    return this.#view.getUint32(namesMax + at, true)
  }
}

/** The way of any disk. */
export function openerOf(disk: Disk): OpenFolder {
  return (path) => new ListedFolder(disk, path)
}

class ListedFolder implements FolderCursor {
  readonly #disk: Disk
  readonly #path: string
  readonly #entries: Iterator<DiskEntry>
  bytes: Uint8Array = new Uint8Array(0)
  readonly start = 0
  name = ""
  isDirectory = false
  isLink = false
  readonly isThere: boolean

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.#path = path
    const entries = disk.list(path)
    this.isThere = entries !== undefined
    this.#entries = (entries ?? []).values()
  }

  get end(): number {
    return this.bytes.length
  }

  next(): boolean {
    const { value, done } = this.#entries.next()
    if (done === true) return false
    this.name = value.name
    this.bytes = Buffer.from(value.name)
    this.isDirectory = value.isDirectory
    this.isLink = value.isLink
    return true
  }

  stat(): FileFacts | undefined {
    return this.#disk.stat(`${this.#path}/${this.name}`)
  }

  [Symbol.dispose](): void {
    // nothing is open
  }
}

let known: OpenFolder | undefined

/** The fastest way that is there already: what is read is too little to load the C library for it. */
export const readyFolderOpener = (disk: Disk): OpenFolder =>
  disk === nodeDisk && known !== undefined ? known : openerOf(disk)

/** What `disk.list` gives, in the fastest way that is there already. @throws DiskError */
export function listFolder(disk: Disk, path: string): DiskEntry[] | undefined {
  if (disk !== nodeDisk || known === undefined) return disk.list(path)
  return entriesIn(known, path, false)
}

/** The same with what stat tells of each file. @throws DiskError */
export const listFiles = (disk: Disk, path: string): FileEntry[] | undefined =>
  entriesIn(readyFolderOpener(disk), path, true)

function entriesIn(open: OpenFolder, path: string, withFacts: boolean): FileEntry[] | undefined {
  using folder = open(path)
  if (!folder.isThere) return undefined
  const entries: FileEntry[] = []
  while (folder.next()) {
    const { name, isDirectory, isLink } = folder
    const isAsked = withFacts && !isDirectory && !isLink
    entries.push(isAsked ? { name, isDirectory, isLink, facts: copyOf(folder.stat()) } : { name, isDirectory, isLink })
  }
  return entries
}

function copyOf(facts: FileFacts | undefined): FileFacts | undefined {
  if (facts === undefined) return undefined
  const { size, uid, gid, mode, isFile } = facts
  return { size, uid, gid, mode, isFile }
}

/** The fastest way there is. To load the C library takes as long as to read some thousand files without it. */
export function folderOpener(): OpenFolder {
  known ??= make()
  return known
}

function make(): OpenFolder {
  const libc = openLibc()
  try {
    if (libc !== undefined) return withReader(new Reader(libc))
  } catch {
    // A C library without these functions.
  }
  return openerOf(nodeDisk)
}

function withReader(reader: Reader): OpenFolder {
  const plainly = openerOf(nodeDisk)
  return (path) => {
    try {
      if (reader.open(path)) return reader
    } catch (error) {
      if (!isDiskError(error, "ENOENT", "ENOTDIR")) throw error
    }
    return plainly(path)
  }
}
