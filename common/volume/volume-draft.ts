/**
 * A draft: both vnode indexes and VolumeInfo of a volume, prepared beside it, that take its place all or nothing. What
 * replaces the whole contents of a volume (clone, restore) goes this way, so that a volume is the old one or the new one
 * however the work ends and whoever looks at it, and records need no memory: they are written straight into the draft.
 *
 *     .dafs/V0536870912.draft/                  being prepared: large, small, info. Whoever finds one throws it away
 *     AFSIDat/x/y/.V0536870912.switch/          the switch, from here on in the group's own folder, hidden from scans:
 *         old/large, small, info                second names of the volume's files
 *         new/large, small, info                the draft, moved here
 *         now → old                             what the volume is; then: now → new
 *     AFSIDat/x/y/special/<each of the three>   → ../.V0536870912.switch/now/large … while the switch lasts
 *
 * One rename, that of `now`, makes the old volume the new one. Before it the three names are made to lead through `now` one by
 * one, which changes nothing; after it they become plain files again one by one, which changes nothing either. A program that
 * opens the volume in between, OpenAFS's salvager and fileserver among them, follows the links, reads a whole volume, and what it
 * repairs stays. Whoever of ours comes next tidies up (`finishDraft`). Crash tests: test/crash.
 */
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { type Inode, inodeParts } from "../partition/inode-number.ts"
import { type InodeStore, removeTree } from "../partition/inode-store.ts"
import { specialFolder } from "../partition/namei-path.ts"
import { giveToOwner } from "../partition/owned-file.ts"
import { headerName, headerVolume, makeFolder, makeOwnFolder, ownFolder } from "../partition/partition.ts"
import { newVnodeIndex } from "../vnode/vnode-index.ts"
import {
  infoInode,
  largeIndexInode,
  newVolumeHeader,
  readVolumeHeader,
  smallIndexInode,
  type VolumeHeader,
} from "./volume-header.ts"
import { type VolumeInfo, volumeInfoLayout } from "./volume-info.ts"

const parts = [
  ["large", largeIndexInode],
  ["small", smallIndexInode],
  ["info", infoInode],
] as const
type PartName = (typeof parts)[number][0]

const baseName = (volume: number): string => headerName(volume).replace(/\.vol$/, "")
const draftFolder = (store: InodeStore, volume: number): string =>
  `${store.partition.path}/${ownFolder}/${baseName(volume)}.draft`
const switchName = (volume: number): string => `.${baseName(volume)}.switch`
const switchFolder = (store: InodeStore, volume: number): string => `${store.root}/${switchName(volume)}`
const now = "now"

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
    discardDraft(store, header.id)
    makeOwnFolder(store.partition, `${baseName(header.id)}.draft`)
    const large = createPart(store, header, "large", newVnodeIndex("large"))
    try {
      return new VolumeDraft(store, header, large, createPart(store, header, "small", newVnodeIndex("small")))
    } catch (error) {
      large.close()
      throw error
    }
  }

  /** Completes the draft with VolumeInfo as it shall be. What the draft holds is on the platter when it returns. */
  complete(next: VolumeInfo): void {
    this.large.sync()
    this.small.sync()
    using info = createPart(this.#store, this.#header, "info", volumeInfoLayout.encode(next))
    info.sync()
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
      removeTree(this.#store.partition.disk, draftFolder(this.#store, this.#header.id))
    } catch (error) {
      if (!isDiskError(error)) throw error
    }
  }
}

function createPart(store: InodeStore, header: VolumeHeader, name: PartName, bytes: Uint8Array): DiskFile {
  const path = `${draftFolder(store, header.id)}/${name}`
  const file = store.partition.disk.open(path, "create", 0o600)
  try {
    store.setOwner(file, { parameter: header.id, number: inodeParts(inodeOf(header, name)).tag })
    file.write(bytes, 0)
    return file
  } catch (error) {
    file.close()
    throw error
  }
}

function inodeOf(header: VolumeHeader, name: PartName): Inode {
  const inodes = { large: largeIndexInode, small: smallIndexInode, info: infoInode }
  return inodes[name](header)
}

/**
 * Installs a volume's complete draft, or goes on where an installation broke off after the moment that counts. Does nothing if
 * there is none: applied twice it ends as applied once.
 */
export function installDraft(store: InodeStore, volume: number): void {
  const header = readVolumeHeader(store.partition, volume)
  if (header === undefined) return
  if (store.partition.disk.stat(draftFolder(store, volume)) !== undefined) {
    prepareSwitch(store, header)
    leadThroughSwitch(store, header)
    turn(store, header, "new")
  }
  settle(store, header)
  dropSwitch(store, volume)
}

/** Makes the switch's folder: both versions of the volume, and `now`, which says the old one. */
function prepareSwitch(store: InodeStore, header: VolumeHeader): void {
  const { disk } = store.partition
  const folder = switchFolder(store, header.id)
  for (const path of [folder, `${folder}/old`]) makeGroupFolder(store, path)
  for (const [name, inodeOfPart] of parts) disk.link(store.path(inodeOfPart(header)), `${folder}/old/${name}`)
  disk.rename(draftFolder(store, header.id), `${folder}/new`)
  turn(store, header, "old")
  for (const path of [`${folder}/old`, `${folder}/new`, folder]) disk.syncDirectory(path)
}

function makeGroupFolder(store: InodeStore, path: string): void {
  makeFolder(store.partition.disk, path, 0o700)
  using folder = store.partition.disk.open(path, "read")
  giveToOwner(store.partition, folder)
}

/** Makes the names of the volume's files lead through `now`. They lead to what they named before. */
function leadThroughSwitch(store: InodeStore, header: VolumeHeader): void {
  const { disk } = store.partition
  const folder = switchFolder(store, header.id)
  for (const [name, inodeOfPart] of parts) {
    disk.symlink(leadOf(header.id, name), `${folder}/${name}`)
    disk.rename(`${folder}/${name}`, store.path(inodeOfPart(header)))
  }
  disk.syncDirectory(`${store.root}/${specialFolder}`)
}

/** What the name of a part says while the switch lasts, from the folder of special files. */
const leadOf = (volume: number, name: PartName): string => `../${switchName(volume)}/${now}/${name}`

/** Says which version the volume is, at once for all of its files. */
function turn(store: InodeStore, header: VolumeHeader, version: "old" | "new"): void {
  const { disk } = store.partition
  const folder = switchFolder(store, header.id)
  disk.symlink(version, `${folder}/next`)
  disk.rename(`${folder}/next`, `${folder}/${now}`)
  if (version === "new") disk.syncDirectory(folder)
}

/**
 * Makes every name that leads through `now` the file it leads to. Names that do not are left alone: another program has put a
 * file of its own there. One that leads nowhere goes: what it named is gone.
 */
function settle(store: InodeStore, header: VolumeHeader): void {
  const { disk } = store.partition
  const folder = switchFolder(store, header.id)
  const leading = parts.filter(([name, inode]) => disk.readLink(store.path(inode(header))) === leadOf(header.id, name))
  for (const [name, inodeOfPart] of leading) {
    const path = store.path(inodeOfPart(header))
    const file = `${folder}/${disk.readLink(`${folder}/${now}`)}/${name}`
    if (disk.stat(path) === undefined) disk.unlink(path)
    else disk.rename(file, path)
  }
  if (leading.length > 0) disk.syncDirectory(`${store.root}/${specialFolder}`)
}

/** A draft that a crash left behind: `complete` if its volume has become the new one, else `unfinished`. */
export type DraftFound = "none" | "complete" | "unfinished"

/** Tells what `finishDraft` would meet. Writes nothing. */
export function findDraft(store: InodeStore, volume: number): DraftFound {
  const { disk } = store.partition
  const folder = switchFolder(store, volume)
  const isSwitching = disk.stat(folder) !== undefined
  if (isSwitching && disk.readLink(`${folder}/${now}`) === "new") return "complete"
  return isSwitching || disk.stat(draftFolder(store, volume)) !== undefined ? "unfinished" : "none"
}

/**
 * Tidies up after an installation that broke off: the volume's files are plain files again, those of the new volume if it went
 * so far, else the old ones. The caller holds the volume's write lock and has none of its files open.
 */
export function finishDraft(store: InodeStore, volume: number): DraftOutcome {
  const found = findDraft(store, volume)
  if (found === "none") return "none"
  discardDraft(store, volume)
  return found === "complete" ? "finished" : "discarded"
}

/**
 * Makes the volume's files plain files again and leaves the rest for `finishDraft`: for who reads first what a broken-off
 * operation left, and throws it away later.
 */
export function settleDraft(store: InodeStore, volume: number): void {
  settle(store, newVolumeHeader(volume, store.group))
}

/** Throws away whatever there is beside a volume, which stays what it is. */
export function discardDraft(store: InodeStore, volume: number): void {
  settleDraft(store, volume)
  dropSwitch(store, volume)
  removeTree(store.partition.disk, draftFolder(store, volume))
}

/** Both versions before `now`, which says until the end what became of the volume. */
function dropSwitch(store: InodeStore, volume: number): void {
  const folder = switchFolder(store, volume)
  for (const path of [`${folder}/old`, `${folder}/new`, folder]) removeTree(store.partition.disk, path)
}

/** Ids of the volumes of which the group's folder has a switch that broke off; the volumes themselves may be gone. */
export function volumesInSwitch(namesInGroup: readonly string[]): number[] {
  return namesInGroup.flatMap((name) => {
    const volume = headerVolume(name.replace(/^\.(.*)\.switch$/, "$1.vol"))
    return volume !== undefined && name === switchName(volume) ? [volume] : []
  })
}
