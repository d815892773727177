/**
 * Keeps what a salvage overwrites and removes. It stands between the repair and the disk, so that no change can pass it by:
 * each is described in the journal before it is made, and a file that goes keeps a second name in the undo folder, which
 * takes no room but its own.
 *
 * To be able to take a salvage back is worth something, to have it done more: where the folder grows too large or the disk
 * is full, what was kept is dropped and the salvage goes on.
 */
import { createHash } from "node:crypto"
import { type Disk, type DiskFile, isDiskError } from "../../common/disk/disk.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { makeOwnFolder, ownFolder, type Partition } from "../../common/partition/partition.ts"
import { type Change, encodeRecord, type JournalHead, type Stamp, shelfPath } from "./journal.ts"

export interface UndoLimits {
  /** Folders older than this go, in seconds. */
  readonly seconds: number
  /** What all folders of a partition may hold. */
  readonly bytes: number
}

/** Larger files are told apart by size and date. */
const digestMax = 64 << 20
/** What is kept of a file is read in pieces of this many bytes: what is cut off may be long. */
const pieceMax = 1 << 20

/** The undo folder of one salvage, made with the first change. */
export class UndoRecorder {
  readonly #partition: Partition
  readonly #head: JournalHead
  readonly #bytesMax: number
  readonly #touched = new Set<string>()
  /** Files that the salvage itself made: nothing is lost with them. */
  readonly #fresh = new Set<string>()
  readonly #name: string
  #journal: DiskFile | undefined
  #end = 0
  #bytes = 0
  #saved = 0
  #failure: string | undefined

  constructor(partition: Partition, group: number, time: number, bytesMax: number) {
    this.#partition = partition
    this.#bytesMax = bytesMax
    this.#head = { version: 1, group, partition: partition.name, time }
    const date = new Date(1000 * time).toISOString().replace(/[-:]|\.\d+/g, "")
    this.#name = `${group}-${date}-${process.pid}`
  }

  /** Name of the folder, if anything was kept. */
  get name(): string | undefined {
    return this.#journal === undefined ? undefined : this.#name
  }

  /** Why nothing is kept any more. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** The group's files, for the repair: every change of one is noted first. */
  store(): InodeStore {
    current.set(this.#partition.disk, this)
    return new InodeStore({ ...this.#partition, disk: recordingDisk(this.#partition.disk) }, this.#head.group)
  }

  /** The salvage is over, well or not. */
  close(): void {
    if (current.get(this.#partition.disk) === this) current.delete(this.#partition.disk)
    if (this.#journal === undefined) return
    this.#try(() => this.#writeEnd())
    this.#journal?.close()
  }

  /** True if a change of this file has to be noted: it lies on the partition, and was there before. */
  isKept(path: string): boolean {
    return this.#failure === undefined && this.#relative(path) !== undefined && !this.#fresh.has(path)
  }

  /** Asked before bytes are read: if so many are too many, nothing is kept any more. */
  hasRoom(bytes: number): boolean {
    this.#try(() => this.#require(bytes))
    return this.#failure === undefined
  }

  note(path: string, change: (relative: string) => Change, bytes?: Uint8Array): void {
    const relative = this.#relative(path)
    if (relative === undefined || this.#failure !== undefined) return
    this.#try(() => {
      this.#touched.add(relative)
      this.#append(change(relative), bytes)
    })
  }

  noteMade(path: string): void {
    this.note(path, (relative) => ({ op: "made", path: relative }))
    this.#fresh.add(path)
  }

  /** Gives a file that is about to go, or to be replaced, a second name. */
  save(path: string): void {
    if (!this.isKept(path)) return
    this.#try(() => {
      const size = this.#partition.disk.stat(path)?.size
      if (size === undefined) return
      this.#count(size)
      this.#open()
      const saved = String(this.#saved++)
      this.#partition.disk.link(path, `${this.#folder}/${saved}`)
      this.note(path, (relative) => ({ op: "gone", path: relative, saved }))
    })
  }

  get #folder(): string {
    return `${shelfPath(this.#partition)}/${this.#name}`
  }

  /** Undefined for what is ours, and what is not on the partition. */
  #relative(path: string): string | undefined {
    const root = `${this.#partition.path}/`
    const relative = path.startsWith(root) ? path.slice(root.length) : undefined
    const isOwn = relative === undefined || relative === ownFolder || relative.startsWith(`${ownFolder}/`)
    return isOwn || relative.endsWith(".lock") ? undefined : relative
  }

  #open(): DiskFile {
    if (this.#journal !== undefined) return this.#journal
    makeOwnFolder(this.#partition, "salvages", this.#name)
    this.#journal = this.#partition.disk.open(`${this.#folder}/journal`, "create", 0o600)
    this.#write(encodeRecord(this.#head))
    return this.#journal
  }

  #append(change: Change, bytes?: Uint8Array): void {
    this.#open()
    this.#write(encodeRecord(change, bytes))
  }

  #write(record: Uint8Array): void {
    this.#count(record.length)
    this.#journal?.write(record, this.#end)
    this.#end += record.length
  }

  #count(bytes: number): void {
    this.#require(bytes)
    this.#bytes += bytes
  }

  #require(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax)
      throw new TooMuch(`more than ${this.#bytesMax} bytes would have to be kept`)
  }

  #writeEnd(): void {
    const stamps: Stamp[] = [...this.#touched].map((path) => ({ path, digest: digestOf(this.#partition, path) }))
    this.#journal?.sync()
    using file = this.#partition.disk.open(`${this.#folder}/end`, "create", 0o600)
    file.write(Buffer.from(JSON.stringify({ stamps })), 0)
  }

  /** Never the salvage's failure. */
  #try(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!isDiskError(error) && !(error instanceof TooMuch)) throw error
      this.#giveUp(error.message)
    }
  }

  #giveUp(why: string): void {
    if (this.#failure !== undefined) return
    this.#failure = why
    this.#journal?.close()
    this.#journal = undefined
    try {
      dropFolder(this.#partition.disk, this.#folder)
    } catch (error) {
      if (!isDiskError(error)) throw error
    }
  }
}

class TooMuch extends Error {}

/** What a file is like, for comparison; undefined if there is none. */
export function digestOf({ disk, path }: Partition, relative: string): string | undefined {
  const stat = disk.stat(`${path}/${relative}`)
  if (stat === undefined) return undefined
  if (!stat.isFile) return "folder"
  if (stat.size > digestMax) return `${stat.identity} ${stat.size} ${stat.modified}`
  const content = disk.readFile(`${path}/${relative}`) ?? new Uint8Array(0)
  return createHash("sha256").update(content).digest("hex")
}

/** Removes an undo folder. The journal goes first: without it there is nothing to take back. */
export function dropFolder(disk: Disk, folder: string): void {
  const names = (disk.list(folder) ?? []).map(({ name }) => name)
  for (const name of names.sort((a, b) => Number(b === "journal") - Number(a === "journal")))
    disk.unlink(`${folder}/${name}`)
  if (disk.stat(folder) !== undefined) disk.rmdir(folder)
}

/** Whoever keeps what is changed on a disk now. A repair runs to its end before another one begins. */
const current = new WeakMap<Disk, UndoRecorder>()
const recording = new WeakMap<Disk, Disk>()

/** One for each disk, for the life of the process: lock files are known by the disk that they were opened on. */
function recordingDisk(disk: Disk): Disk {
  const known = recording.get(disk) ?? makeRecording(disk)
  recording.set(disk, known)
  return known
}

function makeRecording(disk: Disk): Disk {
  const recorder = (): UndoRecorder | undefined => current.get(disk)
  const changes: Partial<Disk> = {
    open(path, mode, permissions) {
      const file = disk.open(path, mode, permissions)
      if (mode === "create") recorder()?.noteMade(path)
      return mode === "write" && recorder()?.isKept(path) === true ? recordingFile(file, recorder) : file
    },
    mkdir(path, permissions) {
      disk.mkdir(path, permissions)
      recorder()?.note(path, (relative) => ({ op: "folderMade", path: relative }))
    },
    rmdir(path) {
      const mode = disk.stat(path)?.mode ?? 0o700
      disk.rmdir(path)
      recorder()?.note(path, (relative) => ({ op: "folderGone", path: relative, mode }))
    },
    unlink(path) {
      recorder()?.save(path)
      disk.unlink(path)
    },
    rename(from, to) {
      recorder()?.save(from)
      recorder()?.save(to)
      recorder()?.noteMade(to)
      disk.rename(from, to)
    },
    link(existing, name) {
      disk.link(existing, name)
      recorder()?.noteMade(name)
    },
  }
  return withChanges(disk, changes)
}

function recordingFile(file: DiskFile, recorder: () => UndoRecorder | undefined): DiskFile {
  const keep = (offset: number, length: number): void => {
    const { size } = file.stat()
    const end = Math.max(offset, Math.min(offset + length, size))
    if (recorder()?.hasRoom(end - offset) !== true) return
    let at = offset
    do {
      const [from, old] = [at, new Uint8Array(Math.min(end - at, pieceMax))]
      file.read(old, from)
      recorder()?.note(file.path, (path) => ({ op: "bytes", path, offset: from, size }), old)
      at += old.length
    } while (at < end)
  }
  return withChanges<DiskFile>(file, {
    write(bytes, position) {
      keep(position, bytes.length)
      file.write(bytes, position)
    },
    truncate(size) {
      keep(size, Math.max(0, file.stat().size - size))
      file.truncate(size)
    },
    setOwner(newUid, newGid) {
      const { uid, gid, mode } = file.stat()
      recorder()?.note(file.path, (path) => ({ op: "mode", path, mode })) // chown may clear bits of it
      recorder()?.note(file.path, (path) => ({ op: "owner", path, uid, gid }))
      file.setOwner(newUid, newGid)
    },
    setMode(newMode) {
      const { mode } = file.stat()
      recorder()?.note(file.path, (path) => ({ op: "mode", path, mode }))
      file.setMode(newMode)
    },
  })
}

/** The same object, but for some of its methods. */
function withChanges<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(_target, name) {
      const changed: unknown = Reflect.get(changes, name)
      if (changed !== undefined) return changed
      const member: unknown = Reflect.get(target, name)
      return typeof member === "function" ? member.bind(target) : member
    },
  })
}
