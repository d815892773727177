/**
 * Reads a folder with what stat tells of its files, through the C library: getdents64(2) and statx(2) relative to the open
 * folder. The kernel does not walk the same path for every file, and no path is spelled for it: half the time of node:fs.
 */
import { type Libc, openLibc } from "../system/libc.ts"
import { type Disk, DiskError, type DiskStat, isDiskError } from "./disk.ts"
import { nodeDisk } from "./node-disk.ts"

/** What a scan wants to know of a file. */
type FileFacts = Pick<DiskStat, "size" | "uid" | "gid" | "mode" | "isFile">

/** One name in a folder. */
interface FolderEntry {
  readonly name: string
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

class Reader implements FolderEntry {
  readonly #bytes = Buffer.alloc(namesMax + statSize)
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
  readonly #address: number
  readonly #getdents: (descriptor: number, address: number, length: number) => number
  readonly #statx: (folder: number, name: number, flags: number, mask: number, into: number) => number
  #path = ""
  #descriptor = -1
  #at = 0
  #type = unknownType
  name = ""

  constructor(libc: Libc) {
    this.#address = libc.addressOf(this.#bytes)
    this.#getdents = libc.find("getdents64", "int64", ["int", "address", "int64"])
    this.#statx = libc.find("statx", "int", ["int", "address", "int", "uint", "address"])
  }

  get isDirectory(): boolean {
    if (this.#type !== unknownType) return this.#type === folderType
    return nodeDisk.stat(`${this.#path}/${this.name}`)?.isDirectory === true // the file system keeps no types
  }

  stat(): FileFacts | undefined {
    const name = this.#address + this.#at + nameAt
    if (this.#statx(this.#descriptor, name, 0, basicStats, this.#address + namesMax) !== 0)
      return nodeDisk.stat(`${this.#path}/${this.name}`) // what errno says cannot be relied on: ready-read.ts
    const mode = this.#word(modeAt)
    return {
      size: this.#word(sizeAt) + this.#word(sizeAt + 4) * 2 ** 32,
      uid: this.#word(uidAt),
      gid: this.#word(gidAt),
      mode: mode & 0o7777,
      isFile: (mode & formatMask) === regular,
    }
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
    const start = this.#at + nameAt
    this.#type = this.#bytes[this.#at + typeAt] ?? unknownType
    this.name = this.#bytes.toString("utf8", start, this.#bytes.indexOf(0, start))
    if (this.name !== "." && this.name !== "..") visit(this)
  }

  #word(at: number): number {
    return this.#view.getUint32(namesMax + at, true)
  }
}

/** The way of any disk. */
export function readerOf(disk: Disk): ReadFolder {
  return (path, visit) => {
    for (const { name, isDirectory } of disk.list(path) ?? [])
      visit({ name, isDirectory, stat: () => disk.stat(`${path}/${name}`) })
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
