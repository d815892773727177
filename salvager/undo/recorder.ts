/**
 * Keeps what a salvage overwrites and removes. It stands between the repair and the disk, so that no change can pass it by:
 * each is described in the journal before it is made, and a file that goes keeps a second name in the undo folder, which
 * takes no room but its own.
 *
 * To be able to take a salvage back is worth something, to have it done more: where the folder grows too large or the disk
 * is full, what was kept is dropped and the salvage goes on.
 */
import { type Disk, type DiskFile, isDiskError } from "../../common/disk/disk.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { giveToOwner } from "../../common/partition/owned-file.ts"
import { makeNewOwnFolder, ownFolder, type Partition } from "../../common/partition/partition.ts"
import { type Change, encodeEnd, encodeRecord, type JournalHead, salvagesFolder, shelfPath } from "./journal.ts"
import { type ChangeRecorder, noteChanges, recordingDisk, stopNoting } from "./recording-disk.ts"
import { noteShelved } from "./shelf.ts"
import { bootOf, settleEarlier } from "./standing.ts"

export interface UndoLimits {
  /** Folders older than this go, in seconds. */
  readonly seconds: number
  /** What all folders of a partition may hold. */
  readonly bytes: number
}

/** The undo folder of one salvage, made with the first change. */
export class UndoRecorder implements ChangeRecorder {
  readonly #partition: Partition
  readonly #head: Omit<JournalHead, "after">
  readonly #bytesMax: number
  readonly #touched = new Set<string>()
  /** Files that the salvage itself made: nothing is lost with them. */
  readonly #fresh = new Set<string>()
  /** Places from where something was put aside: it goes back over whatever the salvage made there. */
  readonly #aside = new Set<string>()
  #name: string
  #journal: DiskFile | undefined
  #end = 0
  #bytes = 0
  #saved = 0
  #failure: string | undefined

  constructor(partition: Partition, group: number, time: number, bytesMax: number) {
    this.#partition = partition
    this.#bytesMax = bytesMax
    this.#head = { version: 1, group, partition: partition.name, time, boot: bootOf() }
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
    noteChanges(this.#partition.disk, this)
    return new InodeStore({ ...this.#partition, disk: recordingDisk(this.#partition.disk) }, this.#head.group)
  }

  /** The salvage is over, well or not. */
  close(): void {
    stopNoting(this.#partition.disk, this)
    if (this.#journal === undefined) return
    this.#try(() => this.#journal?.write(encodeEnd(this.#partition, this.#touched), this.#end))
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

  noteMade(path: string, isFresh: boolean): void {
    if (!this.#aside.has(path)) this.note(path, (relative) => ({ op: "made", path: relative }))
    if (isFresh) this.#fresh.add(path)
  }

  noteAside(from: string, to: string): boolean {
    const root = `${this.#partition.path}/`
    if (this.#relative(from) === undefined || !to.startsWith(`${root}${ownFolder}/`)) return false
    this.note(from, (relative) => ({ op: "aside", path: relative, to: to.slice(root.length) }))
    this.#aside.add(from)
    return true
  }

  /** Gives a file that is about to go, or to be replaced, a second name. */
  save(path: string): void {
    if (!this.isKept(path)) return
    this.#try(() => {
      const { disk } = this.#partition
      const size = disk.readLink(path) === undefined ? disk.stat(path)?.size : 0 // a link may lead nowhere
      if (size === undefined) return
      this.#count(size)
      this.#open()
      const saved = String(this.#saved++)
      disk.link(path, `${this.#folder}/${saved}`)
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
    const after = settleEarlier(this.#partition, this.#head.group)
    this.#makeFolder()
    noteShelved(this.#partition, this.#name)
    this.#journal = this.#partition.disk.open(`${this.#folder}/journal`, "create", 0o600)
    giveToOwner(this.#partition, this.#journal)
    this.#write(encodeRecord({ ...this.#head, after }))
    return this.#journal
  }

  /** A process of the same number, in another container or in the same second, may have been here. */
  #makeFolder(): void {
    const stem = this.#name.slice(0, this.#name.lastIndexOf("-"))
    for (let number = process.pid; !makeNewOwnFolder(this.#partition, salvagesFolder, this.#name); number++)
      this.#name = `${stem}-${number + 1}`
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

/**
 * Removes an undo folder. The journal goes first: without it there is nothing to take back. Salvages of other groups may be
 * removing it at the same time.
 */
export function dropFolder(disk: Disk, folder: string): void {
  const names = (disk.list(folder) ?? []).map(({ name }) => name)
  for (const name of names.sort((a, b) => Number(b === "journal") - Number(a === "journal")))
    unlessGone(() => disk.unlink(`${folder}/${name}`))
  unlessGone(() => disk.rmdir(folder))
}

function unlessGone(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!isDiskError(error, "ENOENT")) throw error
  }
}
