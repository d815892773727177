/**
 * A disk that tells a recorder of every change before it is made, so that no change can pass it by. One for each disk, for the
 * life of the process, because lock files are known by the disk that they were opened on; who is told is the salvage that
 * writes now, and one writes at a time.
 */
import type { Disk, DiskFile, DiskStat } from "../../common/disk/disk.ts"
import type { Change } from "./journal.ts"

/** Hears of changes. */
export interface ChangeRecorder {
  /** True if a change of this file has to be noted. */
  isKept(path: string): boolean
  /** Asked before bytes are read: if so many are too many, nothing is kept any more. */
  hasRoom(bytes: number): boolean
  note(path: string, change: (relative: string) => Change, bytes?: Uint8Array): void
  /** `isFresh`: its bytes and its owner are new too, and nothing is lost with them. */
  noteMade(path: string, isFresh: boolean): void
  /** False if `to` lies among what changes of volumes are noted of. Else what was at `from` is going there, to be kept. */
  noteAside(from: string, to: string): boolean
  /** Keeps a file that is about to go, or to be replaced. */
  save(path: string): void
}

/** What is kept of a file is read in pieces of this many bytes: what is cut off may be long. */
const pieceMax = 1 << 20

const current = new WeakMap<Disk, ChangeRecorder>()
const recording = new WeakMap<Disk, Disk>()

/** From now on changes of this disk's files by way of `recordingDisk` are told to `recorder`. */
export function noteChanges(disk: Disk, recorder: ChangeRecorder): void {
  current.set(disk, recorder)
}

/** Nothing more is told to `recorder`. */
export function stopNoting(disk: Disk, recorder: ChangeRecorder): void {
  if (current.get(disk) === recorder) current.delete(disk)
}

/** The disk, with the recorder of the moment in front. */
export function recordingDisk(disk: Disk): Disk {
  const known = recording.get(disk) ?? new RecordingDisk(disk)
  recording.set(disk, known)
  return known
}

class RecordingDisk implements Disk {
  readonly #disk: Disk

  constructor(disk: Disk) {
    this.#disk = disk
  }

  get #recorder(): ChangeRecorder | undefined {
    return current.get(this.#disk)
  }

  open: Disk["open"] = (path, mode, permissions): DiskFile => {
    const file = this.#disk.open(path, mode, permissions)
    if (mode === "create") this.#recorder?.noteMade(path, true)
    const isKept = mode === "write" && this.#recorder?.isKept(path) === true
    return isKept ? new RecordingFile(file, () => this.#recorder) : file
  }

  stat: Disk["stat"] = (path) => this.#disk.stat(path)
  readFile: Disk["readFile"] = (path) => this.#disk.readFile(path)
  list: Disk["list"] = (path) => this.#disk.list(path)
  symlink: Disk["symlink"] = (target, path) => this.#disk.symlink(target, path)
  readLink: Disk["readLink"] = (path) => this.#disk.readLink(path)
  syncDirectory: Disk["syncDirectory"] = (path) => this.#disk.syncDirectory(path)
  space: Disk["space"] = (path) => this.#disk.space(path)

  mkdir: Disk["mkdir"] = (path, permissions) => {
    this.#disk.mkdir(path, permissions)
    this.#recorder?.note(path, (relative) => ({ op: "folderMade", path: relative }))
  }

  rmdir: Disk["rmdir"] = (path) => {
    const mode = this.#disk.stat(path)?.mode ?? 0o700
    this.#disk.rmdir(path)
    this.#recorder?.note(path, (relative) => ({ op: "folderGone", path: relative, mode }))
  }

  unlink: Disk["unlink"] = (path) => {
    this.#recorder?.save(path)
    this.#disk.unlink(path)
  }

  rename: Disk["rename"] = (from, to) => {
    if (this.#recorder?.noteAside(from, to) !== true) {
      this.#recorder?.save(from)
      this.#recorder?.save(to)
      this.#recorder?.noteMade(to, !this.#recorder.isKept(from))
    }
    this.#disk.rename(from, to)
  }

  link: Disk["link"] = (existing, name) => {
    this.#disk.link(existing, name)
    this.#recorder?.noteMade(name, !this.#recorder.isKept(existing))
  }
}

/** An open file that was there before. Nobody else changes it meanwhile: its size is asked for once. */
class RecordingFile implements DiskFile {
  readonly #file: DiskFile
  readonly #recorder: () => ChangeRecorder | undefined
  #size: number | undefined

  constructor(file: DiskFile, recorder: () => ChangeRecorder | undefined) {
    this.#file = file
    this.#recorder = recorder
  }

  get path(): string {
    return this.#file.path
  }

  get descriptor(): number {
    return this.#file.descriptor
  }

  write(bytes: Uint8Array, position: number): void {
    this.#keep(position, bytes.length)
    this.#file.write(bytes, position)
    this.#grown(position + bytes.length)
  }

  async writeLater(bytes: Uint8Array, position: number): Promise<void> {
    this.#keep(position, bytes.length)
    await this.#file.writeLater(bytes, position)
    this.#grown(position + bytes.length)
  }

  truncate(size: number): void {
    this.#keep(size, Math.max(0, this.#sizeNow() - size))
    this.#file.truncate(size)
    this.#size = size
  }

  setOwner(newUid: number, newGid: number): void {
    const { uid, gid, mode } = this.#file.stat()
    this.#recorder()?.note(this.path, (path) => ({ op: "mode", path, mode })) // chown may clear bits of it
    this.#recorder()?.note(this.path, (path) => ({ op: "owner", path, uid, gid }))
    this.#file.setOwner(newUid, newGid)
  }

  setMode(newMode: number): void {
    const { mode } = this.#file.stat()
    this.#recorder()?.note(this.path, (path) => ({ op: "mode", path, mode }))
    this.#file.setMode(newMode)
  }

  read(into: Uint8Array, position: number): number {
    return this.#file.read(into, position)
  }

  readSome(into: Uint8Array, position: number): number {
    return this.#file.readSome(into, position)
  }

  readLater(into: Uint8Array, position: number): Promise<number> {
    return this.#file.readLater(into, position)
  }

  readReady(into: Uint8Array, position: number): number | undefined {
    return this.#file.readReady(into, position)
  }

  stat(): DiskStat {
    return this.#file.stat()
  }

  sync(): void {
    this.#file.sync()
  }

  syncLater(): Promise<void> {
    return this.#file.syncLater()
  }

  close(): void {
    this.#file.close()
  }

  [Symbol.dispose](): void {
    this.#file.close()
  }

  #sizeNow(): number {
    this.#size ??= this.#file.stat().size
    return this.#size
  }

  #grown(end: number): void {
    if (this.#size !== undefined) this.#size = Math.max(this.#size, end)
  }

  #keep(offset: number, length: number): void {
    const size = this.#sizeNow()
    const end = Math.max(offset, Math.min(offset + length, size))
    if (this.#recorder()?.hasRoom(end - offset) !== true) return
    let at = offset
    do {
      const [from, old] = [at, new Uint8Array(Math.min(end - at, pieceMax))]
      this.#file.read(old, from)
      this.#recorder()?.note(this.path, (path) => ({ op: "bytes", path, offset: from, size }), old)
      at += old.length
    } while (at < end)
  }
}
