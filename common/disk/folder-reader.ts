/**
 * Reads a folder with what stat tells of its files, through the C library: getdents64(2) and statx(2) relative to the open
 * folder. The kernel does not walk the same path for every file, and no path is spelled for it: half the time of node:fs.
 */
import { type Libc, openLibc } from "../system/libc.ts"
import { type Disk, DiskError, type DiskStat, isDiskError } from "./disk.ts"
import { nodeDisk } from "./node-disk.ts"

/** What a scan wants to know of a file. */
type FileFacts = Pick<DiskStat, "size" | "uid" | "gid" | "mode" | "isFile">

/** One name in a folder. To ask for its bytes alone makes no string, and what `stat` gives is the same object each time. */
export interface FolderEntry {
  readonly name: string
  /** Its bytes, from `start` to `end` of these. */
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly isDirectory: boolean
  /** Of this file, now; undefined if it is gone. @throws DiskError */
  stat(): FileFacts | undefined
}

/**
 * Calls `visit` for each name but `.` and `..`, in the file system's order. The entry is good until `visit` returns. No calls if
 * there is no such folder.
 * @throws DiskError
 */
export type ReadFolder = (path: string, visit: (entry: FolderEntry) => void) => void

const namesMax = 1 << 16
/** Names, and behind them what statx gives. */
const statSize = 256
// struct linux_dirent64
const lengthAt = 16
const typeAt = 18
const nameAt = 19
const folderType = 4
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

class Reader implements FolderEntry {
  readonly bytes = Buffer.alloc(namesMax + statSize)
  readonly #view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
  readonly #address: number
  readonly #getdents: (descriptor: number, address: number, length: number) => number
  readonly #statx: (folder: number, name: number, flags: number, mask: number, into: number) => number
  #path = ""
  #descriptor = -1
  #at = 0
  #type = unknownType
  readonly #facts = { size: 0, uid: 0, gid: 0, mode: 0, isFile: false }
  start = 0
  end = 0

  constructor(libc: Libc) {
    this.#address = libc.addressOf(this.bytes)
    this.#getdents = libc.find("getdents64", "int64", ["int", "address", "int64"])
    this.#statx = libc.find("statx", "int", ["int", "address", "int", "uint", "address"])
  }

  get name(): string {
    return this.bytes.toString("utf8", this.start, this.end)
  }

  get isDirectory(): boolean {
    if (this.#type !== unknownType) return this.#type === folderType
    return nodeDisk.stat(`${this.#path}/${this.name}`)?.isDirectory === true // the file system keeps no types
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

  /** False if the kernel does not list it: then nothing was visited. */
  read(path: string, visit: (entry: FolderEntry) => void): boolean {
    using folder = nodeDisk.open(path, "read")
    this.#path = path
    this.#descriptor = folder.descriptor
    for (let isFirst = true; ; isFirst = false) {
      const length = this.#getdents(this.#descriptor, this.#address, namesMax)
      if (length < 0 && !isFirst) throw new DiskError("list", path, Object.assign(new Error(), { code: "EIO" }))
      if (length <= 0) return length === 0
      for (this.#at = 0; this.#at < length; this.#at += this.#view.getUint16(this.#at + lengthAt, true))
        this.#visit(visit)
    }
  }

  #visit(visit: (entry: FolderEntry) => void): void {
    const { bytes } = this
    const start = this.#at + nameAt
    let end = start
    while (end < namesMax && bytes[end] !== 0) end++
    this.#type = bytes[this.#at + typeAt] ?? unknownType
    this.start = start
    this.end = end
    const isDots = bytes[start] === dot && (end === start + 1 || (end === start + 2 && bytes[start + 1] === dot))
    if (!isDots) visit(this)
  }

  #word(at: number): number {
    return this.#view.getUint32(namesMax + at, true)
  }
}

/** The way of any disk. */
export function readerOf(disk: Disk): ReadFolder {
  return (path, visit) => {
    for (const { name, isDirectory } of disk.list(path) ?? []) {
      const bytes = Buffer.from(name)
      visit({ name, bytes, start: 0, end: bytes.length, isDirectory, stat: () => disk.stat(`${path}/${name}`) })
    }
  }
}

let known: ReadFolder | undefined

/** The fastest way there is. To load the C library takes as long as to read some thousand files without it. */
export function folderReader(): ReadFolder {
  known ??= make()
  return known
}

function make(): ReadFolder {
  const libc = openLibc()
  try {
    if (libc !== undefined) return withReader(new Reader(libc))
  } catch {
    // A C library without these functions.
  }
  return readerOf(nodeDisk)
}

function withReader(reader: Reader): ReadFolder {
  const plainly = readerOf(nodeDisk)
  return (path, visit) => {
    try {
      if (reader.read(path, visit)) return
    } catch (error) {
      if (isDiskError(error, "ENOENT", "ENOTDIR")) return
      throw error
    }
    plainly(path, visit)
  }
}
