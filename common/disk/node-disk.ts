/** The Disk over Node's file calls: the only import of `node:fs` below the command line. */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  read,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  type Stats,
  statfsSync,
  statSync,
  symlinkSync,
  unlinkSync,
  write,
  writeSync,
} from "node:fs"
import type { ByteSink, ByteSource } from "./byte-stream.ts"
import {
  type Disk,
  type DiskEntry,
  DiskError,
  type DiskFile,
  type DiskSpace,
  type DiskStat,
  isDiskError,
  type OpenMode,
} from "./disk.ts"
import { readyRead } from "./ready-read.ts"

/** Linux's O_PATH, which node:fs does not name: the same number on every architecture that Node runs on. */
const openPathOnly = 0o10000000

/** A pipe or device under a file's name must fail to be read, not keep its opener waiting. No effect on plain files. */
const neverWait = constants.O_NONBLOCK | constants.O_NOCTTY

const openFlags: Record<OpenMode, number> = {
  read: constants.O_RDONLY | neverWait,
  write: constants.O_RDWR | neverWait,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  lock: constants.O_RDWR | constants.O_CREAT,
  path: openPathOnly,
}

const closedError = Object.assign(new Error("file is closed"), { code: "EBADF" })

function attempt<T>(call: string, path: string, work: () => T, offset?: number): T {
  try {
    return work()
  } catch (cause) {
    throw new DiskError(call, path, cause, offset)
  }
}

/** Undefined where the path (or a folder of it) does not exist. @throws DiskError for any other failure */
function requireAbsence(call: string, path: string, cause: unknown): undefined {
  const error = new DiskError(call, path, cause)
  if (!isDiskError(error, "ENOENT", "ENOTDIR")) throw error
}

const undefinedIfAbsent = { throwIfNoEntry: false } as const

/** A salvage makes one for every file of a partition: what is rarely asked for is worked out when it is. */
class NodeStat implements DiskStat {
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly isDirectory: boolean
  readonly isFile: boolean
  readonly modifiedMs: number
  readonly #dev: number
  readonly #ino: number

  constructor(stats: Stats) {
    this.size = stats.size
    this.mode = stats.mode & 0o7777
    this.uid = stats.uid
    this.gid = stats.gid
    this.isFile = stats.isFile()
    this.isDirectory = !this.isFile && stats.isDirectory()
    this.modifiedMs = stats.mtimeMs
    this.#dev = stats.dev
    this.#ino = stats.ino
  }

  get modified(): number {
    return Math.floor(this.modifiedMs / 1000)
  }

  get identity(): string {
    return `${this.#dev}:${this.#ino}`
  }
}

const toStat = (stats: Stats): DiskStat => new NodeStat(stats)

/**
 * Node takes a position that is no integer for "wherever the file is now", and would write there: a wrong position must
 * stop before it reaches the file.
 */
function requirePosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) throw new RangeError(`${position} is not a position in a file`)
}

/** A write call that stores nothing and does not fail would be repeated for ever. */
function requireProgress(count: number): number {
  if (count === 0) throw Object.assign(new Error("no byte was written"), { code: "EIO" })
  return count
}

/** libuv repeats every interrupted call but reads. */
function isInterrupted(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "EINTR"
}

function readOnce(descriptor: number, into: Uint8Array, done: number, position: number): number {
  for (;;) {
    try {
      return readSync(descriptor, into, done, into.length - done, position)
    } catch (cause) {
      if (!isInterrupted(cause)) throw cause
    }
  }
}

/** File systems that have no disk to wait for: tmpfs and ramfs (linux/magic.h). */
const memoryTypes: readonly number[] = [0x0102_1994, 0x8584_58f6]

function isInMemory(path: string): boolean {
  try {
    return memoryTypes.includes(statfsSync(path).type)
  } catch {
    return false
  }
}

class NodeFile implements DiskFile {
  readonly path: string
  #descriptor: number
  /** Whether the kernel can be asked if bytes are at hand; `now` if they always are, `later` if nobody can tell. */
  #readiness: "ask" | "now" | "later" = "ask"

  constructor(path: string, descriptor: number) {
    this.path = path
    this.#descriptor = descriptor
  }

  get descriptor(): number {
    if (this.#descriptor < 0) throw new DiskError("use", this.path, closedError)
    return this.#descriptor
  }

  read(into: Uint8Array, position: number): number {
    requirePosition(position)
    const descriptor = this.descriptor
    let done = 0
    try {
      while (done < into.length) {
        const count = readOnce(descriptor, into, done, position + done)
        if (count === 0) break
        done += count
      }
    } catch (cause) {
      throw new DiskError("read", this.path, cause, position + done)
    }
    return done
  }

  readSome(into: Uint8Array, position: number): number {
    requirePosition(position)
    try {
      return readOnce(this.descriptor, into, 0, position)
    } catch (cause) {
      throw new DiskError("read", this.path, cause, position)
    }
  }

  write(bytes: Uint8Array, position: number): void {
    requirePosition(position)
    const descriptor = this.descriptor
    let done = 0
    try {
      while (done < bytes.length) {
        done += requireProgress(writeSync(descriptor, bytes, done, bytes.length - done, position + done))
      }
    } catch (cause) {
      throw new DiskError("write", this.path, cause, position + done)
    }
  }

  truncate(size: number): void {
    requirePosition(size)
    attempt("truncate", this.path, () => ftruncateSync(this.descriptor, size), size)
  }

  stat(): DiskStat {
    try {
      return toStat(fstatSync(this.descriptor))
    } catch (cause) {
      throw new DiskError("stat", this.path, cause)
    }
  }

  setOwner(uid: number, gid: number): void {
    attempt("chown", this.path, () => fchownSync(this.descriptor, uid, gid))
  }

  setMode(mode: number): void {
    attempt("chmod", this.path, () => fchmodSync(this.descriptor, mode))
  }

  sync(): void {
    attempt("fsync", this.path, () => fsyncSync(this.descriptor))
  }

  syncLater(): Promise<void> {
    return new Promise((resolve, reject) => {
      fsync(this.descriptor, (cause) => (cause === null ? resolve() : reject(new DiskError("fsync", this.path, cause))))
    })
  }

  async readLater(into: Uint8Array, position: number): Promise<number> {
    requirePosition(position)
    let done = 0
    while (done < into.length) {
      const count = await this.#readOnce(into, done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  readReady(into: Uint8Array, position: number): number | undefined {
    if (this.#readiness === "later") return undefined
    if (this.#readiness === "now") return this.read(into, position)
    requirePosition(position)
    const answer = attempt("read", this.path, () => readyRead(this.descriptor, into, position), position)
    if (answer !== "unknown") return answer === "pending" ? undefined : answer
    this.#readiness = isInMemory(this.path) ? "now" : "later"
    return this.readReady(into, position)
  }

  async writeLater(bytes: Uint8Array, position: number): Promise<void> {
    requirePosition(position)
    let done = 0
    while (done < bytes.length) done += await this.#writeOnce(bytes, done, position + done)
  }

  close(): void {
    if (this.#descriptor < 0) return
    const descriptor = this.#descriptor
    this.#descriptor = -1
    try {
      closeSync(descriptor)
    } catch (cause) {
      throw new DiskError("close", this.path, cause)
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #readOnce(into: Uint8Array, done: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.descriptor, into, done, into.length - done, position, (cause, count) => {
        if (cause === null) resolve(count)
        else if (isInterrupted(cause)) resolve(this.#readOnce(into, done, position))
        else reject(new DiskError("read", this.path, cause, position))
      })
    })
  }

  #writeOnce(bytes: Uint8Array, done: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.descriptor, bytes, done, bytes.length - done, position, (cause, count) => {
        try {
          if (cause !== null) throw cause
          resolve(requireProgress(count))
        } catch (failure) {
          reject(new DiskError("write", this.path, failure, position))
        }
      })
    })
  }
}

/** The machine's file system. What is called for every file of a partition makes no function for its failure. */
export const nodeDisk: Disk = {
  open(path, mode, permissions = 0o600) {
    try {
      return new NodeFile(path, openSync(path, openFlags[mode], permissions))
    } catch (cause) {
      throw new DiskError("open", path, cause)
    }
  },
  stat(path) {
    try {
      const stats = statSync(path, undefinedIfAbsent)
      return stats === undefined ? undefined : toStat(stats)
    } catch (cause) {
      return requireAbsence("stat", path, cause)
    }
  },
  readFile(path) {
    try {
      return readFileSync(path)
    } catch (cause) {
      return requireAbsence("read", path, cause)
    }
  },
  list(path) {
    try {
      return readdirSync(path, { withFileTypes: true }).map(
        (entry): DiskEntry => ({
          name: entry.name,
          isDirectory: entry.isDirectory(),
          isLink: entry.isSymbolicLink(),
        }),
      )
    } catch (cause) {
      return requireAbsence("list", path, cause)
    }
  },
  mkdir: (path, permissions) => attempt("mkdir", path, () => mkdirSync(path, permissions)),
  rmdir: (path) => attempt("rmdir", path, () => rmdirSync(path)),
  unlink: (path) => attempt("unlink", path, () => unlinkSync(path)),
  rename: (from, to) => attempt("rename", from, () => renameSync(from, to)),
  link: (existing, name) => attempt("link", name, () => linkSync(existing, name)),
  symlink: (target, path) => attempt("symlink", path, () => symlinkSync(target, path)),
  readLink(path) {
    try {
      // nearly everything is no link, and to fail takes far longer than to look
      return lstatSync(path, undefinedIfAbsent)?.isSymbolicLink() === true ? readlinkSync(path) : undefined
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined
      if (code === "ENOENT" || code === "ENOTDIR" || code === "EINVAL") return undefined
      throw new DiskError("readlink", path, cause)
    }
  },
  syncDirectory(path) {
    const descriptor = attempt("open", path, () => openSync(path, constants.O_RDONLY))
    try {
      attempt("fsync", path, () => fsyncSync(descriptor))
    } finally {
      closeSync(descriptor)
    }
  },
  space(path): DiskSpace {
    const facts = attempt("statfs", path, () => statfsSync(path))
    return {
      totalBytes: facts.blocks * facts.bsize,
      freeBytes: facts.bfree * facts.bsize,
      availableBytes: facts.bavail * facts.bsize,
      files: facts.files,
    }
  },
}

const napping = new Int32Array(new SharedArrayBuffer(4))
const napMs = 2

/** A pipe whose other end made it non-blocking refuses instead of waiting; then we wait. */
function untilReady<T>(work: () => T): T {
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error
      Atomics.wait(napping, 0, 0, napMs)
    }
  }
}

/** Opens a file to be read as a stream, or standard input for "-". @throws DiskError */
export function openByteSource(name: string): ByteSource {
  const path = name === "-" ? "standard input" : name
  const descriptor = name === "-" ? 0 : attempt("open", path, () => openSync(name, constants.O_RDONLY))
  const stat = attempt("stat", path, () => fstatSync(descriptor))
  let offset = 0
  const close = (): void => {
    if (descriptor !== 0) attempt("close", path, () => closeSync(descriptor))
  }
  return {
    path,
    size: stat.isFile() ? stat.size : undefined,
    read(into) {
      const count = attempt(
        "read",
        path,
        () => untilReady(() => readSync(descriptor, into, 0, into.length, null)),
        offset,
      )
      offset += count
      return count
    },
    close,
    [Symbol.dispose]: close,
  }
}

/**
 * Opens a file to be written as a stream, or standard output for "-". A regular file is written under another name in the
 * same folder and takes its own when it is complete, so that an older file of that name survives a failure.
 * @throws DiskError
 */
export function openByteSink(name: string): ByteSink {
  if (name === "-") return byteSink("standard output", 1, undefined)
  const stat = nodeDisk.stat(name)
  if (stat !== undefined && !stat.isFile)
    return byteSink(
      name,
      attempt("open", name, () => openSync(name, "w")),
      undefined,
    )
  const draft = `${name}.${process.pid}.partial`
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC
  return byteSink(
    name,
    attempt("open", draft, () => openSync(draft, flags, 0o600)),
    draft,
  )
}

function byteSink(path: string, descriptor: number, draft: string | undefined): ByteSink {
  let offset = 0
  let isOpen = true
  const writeAll = (bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length; ) {
      const start = done
      done += untilReady(() => writeSync(descriptor, bytes, start, bytes.length - start))
    }
  }
  const end = (): void => {
    if (!isOpen) return
    isOpen = false
    if (descriptor !== 1) attempt("close", path, () => closeSync(descriptor))
  }
  const close = (): void => {
    const isUnfinished = isOpen
    end()
    if (isUnfinished && draft !== undefined) nodeDisk.unlink(draft)
  }
  return {
    path,
    write(bytes) {
      attempt("write", path, () => writeAll(bytes), offset)
      offset += bytes.length
    },
    finish() {
      end()
      if (draft !== undefined) nodeDisk.rename(draft, path)
    },
    close,
    [Symbol.dispose]: close,
  }
}

/** A text file that several processes may lengthen at a time: what is written goes to its end, whole. */
export interface AppendedText extends Disposable {
  write(text: string): void
}

/** Opens a log file for writing at its end, made (mode 0644) if there is none. @throws DiskError */
export function openAppendedText(path: string): AppendedText {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND
  const descriptor = attempt("open", path, () => openSync(path, flags, 0o644))
  return {
    write: (text) => void attempt("write", path, () => writeSync(descriptor, text)),
    [Symbol.dispose]: () => attempt("close", path, () => closeSync(descriptor)),
  }
}
