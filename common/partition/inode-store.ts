/**
 * The files of one volume group: the storage interface over a namei partition.
 *
 * Opening never waits. Folders are made when a file needs them and removed with the last volume of the group. Link counts
 * are not looked at here: who creates or unlinks a data file settles its count first (volume-transaction.ts).
 */
import { type Disk, type DiskEntry, type DiskFile, type DiskStat, isDiskError, type OpenMode } from "../disk/disk.ts"
import { type FileEntry, listFiles, listFolder } from "../disk/folder-reader.ts"
import { AfsError } from "../error.ts"
import { type Inode, inodeParts, specialInode, specialTypes } from "./inode-number.ts"
import { LinkTable } from "./link-table.ts"
import {
  dataFolder,
  decodeInode,
  encodeInode,
  encodeNumber,
  folderInGroup,
  groupFolder,
  specialFolder,
} from "./namei-path.ts"
import { createOwnedFile, giveToOwner, setFileOwner } from "./owned-file.ts"
import { decodeOwner, type OwnerData, ownerIs } from "./owner-data.ts"
import { makeFolder, makeOwnFolder, type Partition } from "./partition.ts"

/** A file found in the group's folders. */
export interface FoundFile {
  readonly path: string
  readonly stat: DiskStat
  /** Undefined if the name spells no number or the file lies where that number's path is not. */
  readonly inode: Inode | undefined
  /** Undefined in a development partition. */
  readonly owner: OwnerData | undefined
}

const folderMode = 0o700

/** The files of volume group `group` (the read-write volume's id) on a partition. */
export class InodeStore {
  readonly partition: Partition
  readonly group: number
  readonly #root: string
  readonly #madeFolders = new Set<string>()

  constructor(partition: Partition, group: number) {
    this.partition = partition
    this.group = group
    this.#root = `${partition.path}/${groupFolder(group)}`
  }

  /** The group's folder. */
  get root(): string {
    return this.#root
  }

  path(inode: Inode): string {
    return `${this.#folderOf(inode)}/${encodeInode(inode)}`
  }

  #folderOf(inode: Inode): string {
    return `${this.#root}/${folderInGroup(inode)}`
  }

  /** @throws DiskError ENOENT if there is no such file. */
  open(inode: Inode, mode: Exclude<OpenMode, "create">): DiskFile {
    return this.partition.disk.open(this.path(inode), mode)
  }

  /** Undefined if there is no such file. */
  stat(inode: Inode): DiskStat | undefined {
    return this.partition.disk.stat(this.path(inode))
  }

  /**
   * Creates a file with its owner data, with the folders it needs. `parameter` is the volume id of a special file (the
   * group id for the link table) or the data version a data file is created with.
   * @throws DiskError EEXIST if the file exists.
   */
  create(inode: Inode, parameter: number): DiskFile {
    const { disk } = this.partition
    const path = this.path(inode)
    const owner = { parameter, number: inodeParts(inode).tag }
    try {
      return createOwnedFile(disk, this.partition, path, owner)
    } catch (error) {
      if (!isDiskError(error, "ENOENT", "ENOTDIR")) throw error
    }
    this.#makeFolders(inode)
    return createOwnedFile(disk, this.partition, path, owner)
  }

  /** Folders that were made through this store since this was asked last: what a power failure could still take away. */
  takeMadeFolders(): string[] {
    const made = [...this.#madeFolders]
    this.#madeFolders.clear()
    return made
  }

  /** Makes the folders of a file that another thread is about to create, where they are absent. */
  prepareFolders(inode: Inode): void {
    if (this.partition.disk.stat(this.#folderOf(inode)) === undefined) this.#makeFolders(inode)
  }

  /**
   * Creates a file that appears with owner data and content complete, or not at all: written below `.dafs/` and linked into
   * place. For what must never be met half made.
   * @throws DiskError EEXIST if the file exists.
   */
  createWhole(inode: Inode, parameter: number, bytes: Uint8Array): void {
    const { disk } = this.partition
    const draft = `${makeOwnFolder(this.partition)}/${encodeInode(inode)}.${process.pid}`
    try {
      using file = createDraft(disk, draft)
      setFileOwner(this.partition, file, { parameter, number: inodeParts(inode).tag })
      file.write(bytes, 0)
      this.#link(draft, inode)
    } finally {
      this.#dropDraft(draft)
    }
  }

  /** A draft that stays is in nobody's way, and the file may be in place already: then nothing must look as if it had failed. */
  #dropDraft(draft: string): void {
    try {
      this.partition.disk.unlink(draft)
    } catch (error) {
      if (!isDiskError(error)) throw error
    }
  }

  /** Gives a file at `path` the name of an inode, with the folders it needs. */
  #link(path: string, inode: Inode): void {
    const { disk } = this.partition
    try {
      disk.link(path, this.path(inode))
    } catch (error) {
      if (!isDiskError(error, "ENOENT", "ENOTDIR") || disk.stat(path) === undefined) throw error
      this.#makeFolders(inode)
      disk.link(path, this.path(inode))
    }
  }

  /**
   * Gives a file a second name. A second try finds it there and is content.
   * @throws DiskError EEXIST if another file has the name.
   */
  link(from: Inode, to: Inode): void {
    try {
      this.#link(this.path(from), to)
    } catch (error) {
      const isDone = isDiskError(error, "EEXIST") && this.stat(from)?.identity === this.stat(to)?.identity
      if (!isDone) throw error
    }
  }

  /**
   * Gives a data file another name, and the owner data that goes with it. Goes on where an earlier try broke off.
   * @throws DiskError EEXIST if another file has the name: it is not replaced.
   */
  move(from: Inode, to: Inode, parameter: number): void {
    if (this.stat(from) !== undefined) {
      this.link(from, to)
      this.unlink(from)
    }
    using file = this.open(to, "write")
    setFileOwner(this.partition, file, { parameter, number: inodeParts(to).tag })
  }

  /**
   * Gives a file that lies elsewhere on the partition the name of an inode. Goes on where an earlier try broke off.
   * @throws DiskError EEXIST if another file has the name
   */
  adopt(path: string, inode: Inode): void {
    const { disk } = this.partition
    const identity = disk.stat(path)?.identity
    if (identity === undefined) return
    if (this.stat(inode)?.identity !== identity) this.#link(path, inode)
    disk.unlink(path)
  }

  /** Removes a file. A file that is not there is no error: a replayed or repeated removal ends the same way. */
  unlink(inode: Inode): void {
    try {
      this.partition.disk.unlink(this.path(inode))
    } catch (error) {
      if (!isDiskError(error, "ENOENT", "ENOTDIR")) throw error
    }
  }

  /** Gives a file other owner data (or what a development partition has instead). */
  setOwner(file: DiskFile, owner: OwnerData): void {
    setFileOwner(this.partition, file, owner)
  }

  /** The owner data of a file; undefined in a development partition, which has none. */
  ownerOf(stat: DiskStat): OwnerData | undefined {
    return this.partition.ownerEncoding === "openafs" ? decodeOwner(stat) : undefined
  }

  /** True if the file's owner data is `owner`, or cannot be compared. */
  ownerMatches(stat: Pick<DiskStat, "uid" | "gid" | "mode">, owner: OwnerData): boolean {
    return this.partition.ownerEncoding === "development" || ownerIs(stat, owner)
  }

  /**
   * Opens the group's link table. The caller closes its file.
   * @throws DiskError ENOENT if there is none.
   */
  linkTable(mode: "read" | "write"): LinkTable {
    return new LinkTable(this.open(specialInode(this.group, "linkTable"), mode))
  }

  /** What lies in the folder of special files. */
  specialEntries(): readonly DiskEntry[] {
    return listFolder(this.partition.disk, `${this.#root}/${specialFolder}`) ?? []
  }

  /** The same with what stat tells of each file. */
  specialFiles(): readonly FileEntry[] {
    return listFiles(this.partition.disk, `${this.#root}/${specialFolder}`) ?? []
  }

  /** Ids of the volumes that have special files here, other than the group's link table, ascending. */
  volumes(entries = this.specialEntries()): number[] {
    const ids = new Set<number>()
    for (const { name } of entries) {
      const inode = decodeInode(name)
      if (inode === undefined) continue
      const { special, high, tag } = inodeParts(inode)
      if (special && tag !== specialTypes.linkTable) ids.add(high)
    }
    return [...ids].sort((a, b) => a - b)
  }

  /** All files in the group's folders, `special` first, each folder in the file system's order. Nothing if there is no folder. */
  *files(): Generator<FoundFile> {
    const { disk } = this.partition
    const folders = (disk.list(this.#root) ?? [])
      .filter((entry) => entry.isDirectory && !isHidden(entry))
      .map(({ name }) => name)
    if (folders.includes("special")) yield* this.#filesIn(`${this.#root}/special`)
    for (const first of folders) {
      if (first === "special") continue
      for (const second of disk.list(`${this.#root}/${first}`) ?? []) {
        if (second.isDirectory) yield* this.#filesIn(`${this.#root}/${first}/${second.name}`)
      }
    }
  }

  /**
   * Removes the group's folders when its last volume is gone. A folder that still holds a file stays, and so does what
   * leads to it. `AFSIDat/x` itself always stays.
   * @returns true if the group's folder is gone.
   */
  removeFolders(): boolean {
    const { disk } = this.partition
    const folders = (disk.list(this.#root) ?? []).filter((entry) => !isHidden(entry))
    const emptied = folders.map((entry) => entry.isDirectory && this.#removeEmptyTree(`${this.#root}/${entry.name}`))
    if (emptied.includes(false)) return false
    for (const { name } of disk.list(this.#root) ?? []) removeTree(disk, `${this.#root}/${name}`)
    return this.#removeEmptyTree(this.#root)
  }

  #removeEmptyTree(folder: string): boolean {
    return removeEmptyTree(this.partition, folder)
  }

  *#filesIn(folder: string): Generator<FoundFile> {
    const { disk } = this.partition
    for (const entry of disk.list(folder) ?? []) {
      if (entry.isDirectory) continue
      const path = `${folder}/${entry.name}`
      const stat = disk.stat(path)
      if (stat?.isFile !== true) continue
      const spelled = decodeInode(entry.name)
      const inode = spelled !== undefined && this.#folderOf(spelled) === folder ? spelled : undefined
      yield { path, stat, inode, owner: this.ownerOf(stat) }
    }
  }

  #makeFolders(inode: Inode): void {
    const { disk, path } = this.partition
    const levels = [
      dataFolder,
      encodeNumber(this.group & 0xff),
      encodeNumber(this.group),
      ...folderInGroup(inode).split("/"),
    ]
    let folder = path
    for (const level of levels) {
      folder = `${folder}/${level}`
      makeFolder(disk, folder, folderMode)
      this.#madeFolders.add(folder)
      this.#giveToOwner(folder)
    }
  }

  #giveToOwner(folder: string): void {
    if (this.partition.ownerEncoding === "openafs") return
    using opened = this.partition.disk.open(folder, "read")
    giveToOwner(this.partition, opened)
  }
}

/** One that is there already is of a process that is gone and had our number. */
function createDraft(disk: Disk, draft: string): DiskFile {
  try {
    return disk.open(draft, "create", 0)
  } catch (error) {
    if (!isDiskError(error, "EEXIST")) throw error
    disk.unlink(draft)
    return disk.open(draft, "create", 0)
  }
}

/** No file of the group lies in a hidden folder: it is what a switch of a volume's contents left there (volume-draft.ts). */
export const isHidden = ({ name, isDirectory }: DiskEntry): boolean => isDirectory && name.startsWith(".")

/** Removes a folder and all that is in it. */
export function removeTree(disk: Disk, folder: string): void {
  const entries = disk.list(folder)
  if (entries === undefined) return
  for (const { name, isDirectory } of entries) {
    if (isDirectory) removeTree(disk, `${folder}/${name}`)
    else disk.unlink(`${folder}/${name}`)
  }
  disk.rmdir(folder)
}

function removeEmptyTree(partition: Partition, folder: string): boolean {
  const entries = partition.disk.list(folder)
  if (entries === undefined) return true
  const emptied = entries.map((entry) => entry.isDirectory && removeEmptyTree(partition, `${folder}/${entry.name}`))
  if (emptied.includes(false)) return false
  try {
    partition.disk.rmdir(folder)
  } catch (error) {
    if (isDiskError(error, "ENOENT")) return true
    if (isDiskError(error, "ENOTEMPTY", "EEXIST")) return false
    throw error
  }
  return true
}

/** The AfsError for a failed file call on a vnode's data: VDISKFULL, or VIO, naming volume and vnode. */
export function dataFileError(error: unknown, operation: string, volume: number, vnode: number): AfsError {
  const code = isDiskError(error, "ENOSPC", "EDQUOT") ? "VDISKFULL" : "VIO"
  return new AfsError(code, operation, { volume, vnode }, { cause: error })
}
