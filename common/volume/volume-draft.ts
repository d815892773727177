/**
 * A draft: both vnode indexes and VolumeInfo of a volume, prepared beside it, that take its place all or nothing. What
 * replaces the whole contents of a volume (clone, restore) goes this way, so that a volume is the old one or the new one
 * however the work ends, and records need no memory: they are written straight into the draft.
 *
 *     .dafs/V0536870912.draft/    being prepared: large, small, then info and mark. Whoever finds one throws it away
 *     .dafs/V0536870912.switch/   complete (the folder was renamed): whoever finds one finishes
 *
 * The switch itself: VolumeInfo on disk is marked (needsSalvaged), which makes it equal to `mark`; the folder is renamed;
 * large, small and info are renamed into place. Between the first and the last rename a volume is half old, half new; a
 * server refuses it by the mark, and a volume operation or a salvage of ours finishes it (`finishDraft`). OpenAFS's salvager
 * knows no drafts: what it repairs it also unmarks, and an unmarked volume's draft is thrown away.
 */
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { type Inode, inodeParts } from "../partition/inode-number.ts"
import type { InodeStore } from "../partition/inode-store.ts"
import { headerName, makeOwnFolder, ownFolder, type Partition } from "../partition/partition.ts"
import { newVnodeIndex } from "../vnode/vnode-index.ts"
import { infoInode, largeIndexInode, readVolumeHeader, smallIndexInode, type VolumeHeader } from "./volume-header.ts"
import { type VolumeInfo, volumeInfoLayout } from "./volume-info.ts"

/** In the order in which they are installed: VolumeInfo, which clears the mark, comes last. */
const parts = [
  ["large", largeIndexInode],
  ["small", smallIndexInode],
  ["info", infoInode],
] as const
type PartName = (typeof parts)[number][0]
const markName = "mark"

const baseName = (volume: number): string => headerName(volume).replace(/\.vol$/, "")
const draftFolder = (partition: Pick<Partition, "path">, volume: number): string =>
  `${partition.path}/${ownFolder}/${baseName(volume)}.draft`
const switchFolder = (partition: Pick<Partition, "path">, volume: number): string =>
  `${partition.path}/${ownFolder}/${baseName(volume)}.switch`

/** What became of a draft that was found. */
export type DraftOutcome = "none" | "finished" | "discarded"

/** A draft in preparation. The caller holds the volume's write lock until it is installed or discarded. */
export class VolumeDraft implements Disposable {
  readonly #store: InodeStore
  readonly #header: VolumeHeader
  /** The new indexes, holding only their stamps at first. */
  readonly large: DiskFile
  readonly small: DiskFile

  private constructor(store: InodeStore, header: VolumeHeader, large: DiskFile, small: DiskFile) {
    this.#store = store
    this.#header = header
    this.large = large
    this.small = small
  }

  /** Begins a draft, in place of one that was left unfinished. @throws DiskError */
  static begin(store: InodeStore, header: VolumeHeader): VolumeDraft {
    discardDraft(store.partition, header.id)
    makeOwnFolder(store.partition, `${baseName(header.id)}.draft`)
    const large = createPart(store, header, "large", newVnodeIndex("large"))
    try {
      return new VolumeDraft(store, header, large, createPart(store, header, "small", newVnodeIndex("small")))
    } catch (error) {
      large.close()
      throw error
    }
  }

  /**
   * Completes the draft: `next` is VolumeInfo as it shall be; `marked` are the bytes that VolumeInfo has on disk during the
   * switch. What was written so far, and this, is on the platter when it returns.
   */
  complete(next: VolumeInfo, marked: Uint8Array): void {
    this.large.sync()
    this.small.sync()
    using info = createPart(this.#store, this.#header, "info", volumeInfoLayout.encode(next))
    info.sync()
    using mark = createPart(this.#store, this.#header, markName, marked)
    mark.sync()
  }

  /** Closes the files; what is in the draft stays. */
  close(): void {
    this.large.close()
    this.small.close()
  }

  /** Throws the draft away, unless it was installed. One that stays is in nobody's way: the next to come drops it. */
  [Symbol.dispose](): void {
    this.close()
    try {
      dropFolder(this.#store.partition, draftFolder(this.#store.partition, this.#header.id))
    } catch (error) {
      if (!isDiskError(error)) throw error
    }
  }
}

function createPart(
  store: InodeStore,
  header: VolumeHeader,
  name: PartName | typeof markName,
  bytes: Uint8Array,
): DiskFile {
  const path = `${draftFolder(store.partition, header.id)}/${name}`
  const file = store.partition.disk.open(path, "create", 0o600)
  try {
    const inode = inodeOf(header, name)
    if (inode !== undefined) store.setOwner(file, { parameter: header.id, number: inodeParts(inode).tag })
    file.write(bytes, 0)
    return file
  } catch (error) {
    file.close()
    throw error
  }
}

function inodeOf(header: VolumeHeader, name: string): Inode | undefined {
  return parts.find(([part]) => part === name)?.[1](header)
}

/**
 * Installs a volume's complete draft, or goes on where an installation broke off. Does nothing if there is none: applied
 * twice it ends as applied once. VolumeInfo on disk has been marked before.
 */
export function installDraft(store: InodeStore, volume: number): void {
  const { partition } = store
  const header = readVolumeHeader(partition, volume)
  if (header === undefined) return
  const folder = switchFolder(partition, volume)
  if (partition.disk.stat(draftFolder(partition, volume)) !== undefined) {
    partition.disk.rename(draftFolder(partition, volume), folder)
    partition.disk.syncDirectory(`${partition.path}/${ownFolder}`)
  }
  renameParts(store, header, folder)
}

function renameParts(store: InodeStore, header: VolumeHeader, folder: string): void {
  const { disk } = store.partition
  for (const [name, inodeOfPart] of parts) {
    const path = `${folder}/${name}`
    if (disk.stat(path) !== undefined) disk.rename(path, store.path(inodeOfPart(header)))
  }
  dropFolder(store.partition, folder)
}

/** A draft that a crash left behind: `complete` if it still has to take its volume's place, else `unfinished`. */
export type DraftFound = "none" | "complete" | "unfinished"

/** Tells what `finishDraft` would meet. Writes nothing. */
export function findDraft(store: InodeStore, header: VolumeHeader): DraftFound {
  const { disk } = store.partition
  const folder = switchFolder(store.partition, header.id)
  if (!parts.some(([name]) => disk.stat(`${folder}/${name}`) !== undefined)) {
    const folders = [folder, draftFolder(store.partition, header.id)]
    return folders.some((path) => disk.stat(path) !== undefined) ? "unfinished" : "none"
  }
  const mark = disk.readFile(`${folder}/${markName}`)
  const found = disk.readFile(store.path(infoInode(header)))
  return mark !== undefined && found !== undefined && Buffer.compare(mark, found) === 0 ? "complete" : "unfinished"
}

/**
 * Deals with a draft that a crash left behind: a complete one whose volume still carries its mark is installed, any other
 * thrown away. The caller holds the volume's write lock and has none of its files open.
 */
export function finishDraft(store: InodeStore, header: VolumeHeader): DraftOutcome {
  const { partition } = store
  const found = findDraft(store, header)
  if (found === "complete") renameParts(store, header, switchFolder(partition, header.id))
  if (found !== "none") discardDraft(partition, header.id)
  return found === "none" ? "none" : found === "complete" ? "finished" : "discarded"
}

/** Throws away whatever draft there is of a volume. @returns true if there was one */
export function discardDraft(partition: Partition, volume: number): boolean {
  const dropped = [switchFolder(partition, volume), draftFolder(partition, volume)].map((folder) =>
    dropFolder(partition, folder),
  )
  return dropped.includes(true)
}

function dropFolder(partition: Partition, folder: string): boolean {
  const { disk } = partition
  const entries = disk.list(folder)
  if (entries === undefined) return false
  for (const { name } of entries) disk.unlink(`${folder}/${name}`)
  disk.rmdir(folder)
  return true
}
