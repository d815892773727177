/**
 * What storage needs from a file system, as promises about bytes and not as mechanisms.
 *
 * Two faces over one driver: the plain methods answer *now* (for small metadata, in commands and in workers); the methods
 * ending in `Later` answer when the disk has (for anything that may wait: fsync, long transfers). A daemon's event loop
 * uses *now* only for metadata that is small and warm, and asks with `readReady` for data that may be.
 */

/**
 * How a file is opened: `read`, `write` (read and write, must exist), `create` (read and write, must not exist),
 * `lock` (read and write, made if absent: for lock files only), `path` (neither read nor write: its descriptor only names
 * the file, and closing it drops no record lock of this process, which closing any other descriptor does).
 */
export type OpenMode = "read" | "write" | "create" | "lock" | "path"

/** What `stat` tells of a file. */
export interface DiskStat {
  readonly size: number
  /** Permission bits, 07777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly isDirectory: boolean
  readonly isFile: boolean
  /** Seconds since 1970. */
  readonly modified: number
  /** Milliseconds since 1970, with as fine a fraction as the file system keeps. */
  readonly modifiedMs: number
  /** Identity on its file system: equal for two names of one file. */
  readonly identity: string
}

/** One name in a directory. */
export interface DiskEntry {
  readonly name: string
  readonly isDirectory: boolean
  readonly isLink: boolean
}

/** An open file. Positions are byte offsets. Every failure is a DiskError that names path and offset. */
export interface DiskFile extends Disposable {
  readonly path: string
  /** The descriptor, for lock calls only; -1 on a disk that only this process can see, whose locks the kernel never hears of. */
  readonly descriptor: number
  /** Fills `into` from `position`; returns the number of bytes read, less than its length only at the end of the file. */
  read(into: Uint8Array, position: number): number
  /** One call to the kernel: as `read`, but less than the length says nothing about where the file ends. */
  readSome(into: Uint8Array, position: number): number
  /** Writes all bytes or throws. */
  write(bytes: Uint8Array, position: number): void
  truncate(size: number): void
  stat(): DiskStat
  setOwner(uid: number, gid: number): void
  setMode(mode: number): void
  /** When it returns, bytes and size survive a power failure. */
  sync(): void
  syncLater(): Promise<void>
  readLater(into: Uint8Array, position: number): Promise<number>
  /**
   * What `read` gives, if it can be had without waiting for a disk; undefined if it cannot, or if nobody can tell. Then
   * `readLater` is the way: a loop never stops for a slow disk. Bytes of `into` may have been overwritten all the same.
   */
  readReady(into: Uint8Array, position: number): number | undefined
  writeLater(bytes: Uint8Array, position: number): Promise<void>
  close(): void
}

export interface DiskSpace {
  readonly totalBytes: number
  readonly freeBytes: number
  /** Free for processes without privilege. */
  readonly availableBytes: number
  readonly files: number
}

/** What is or could be in use: all but what is set aside for the privileged. */
export const usableBytes = ({ totalBytes, freeBytes, availableBytes }: DiskSpace): number =>
  totalBytes - (freeBytes - availableBytes)

/** A file system. Paths are absolute or relative to the process; every failure is a DiskError. */
export interface Disk {
  open(path: string, mode: OpenMode, permissions?: number): DiskFile
  /** Undefined if there is no such file. */
  stat(path: string): DiskStat | undefined
  /** The whole file, or undefined if there is none. */
  readFile(path: string): Uint8Array | undefined
  /** Names without `.` and `..`, in the file system's order; undefined if there is no such directory. */
  list(path: string): DiskEntry[] | undefined
  mkdir(path: string, permissions: number): void
  rmdir(path: string): void
  unlink(path: string): void
  rename(from: string, to: string): void
  link(existing: string, name: string): void
  /** Makes a symbolic link at `path`, which must not exist. `target` is relative to the link's folder. */
  symlink(target: string, path: string): void
  /** What a symbolic link says; undefined if there is no such name, or it is no symbolic link. */
  readLink(path: string): string | undefined
  /** Makes the names in a directory survive a power failure. */
  syncDirectory(path: string): void
  space(path: string): DiskSpace
}

/** A failed file call. `code` is the errno name (`ENOSPC`, `EIO`, …). */
export class DiskError extends Error {
  override readonly name = "DiskError"
  readonly code: string
  readonly call: string
  readonly path: string
  readonly offset: number | undefined

  constructor(call: string, path: string, cause: unknown, offset?: number) {
    const code = errnoName(cause)
    super(`${call} ${path}${offset === undefined ? "" : ` at offset ${offset}`}: ${code}`, { cause })
    this.code = code
    this.call = call
    this.path = path
    this.offset = offset
  }
}

function errnoName(cause: unknown): string {
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause.code
  return cause instanceof Error ? cause.message : String(cause)
}

/** True for a DiskError with one of these errno names. */
export function isDiskError(error: unknown, ...wanted: readonly string[]): error is DiskError {
  return error instanceof DiskError && (wanted.length === 0 || wanted.includes(error.code))
}
