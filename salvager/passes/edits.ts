/**
 * Directories that change: their entries as they are on disk, and their image with the planned changes. Both are made anew
 * each time they are asked for, so that only the list of changes takes memory; the last few are kept.
 */
import { editedEntries, type ImageEntry, makeImage, type Renamed, readEntries } from "../directory-image.ts"
import type { Fid, GroupModel, VolumeModel } from "../model.ts"
import { readDirectory } from "../read-data.ts"
import { rootVnode } from "./entry-accounts.ts"

const cachedMax = 8
const cache = new WeakMap<VolumeModel, Map<number, readonly ImageEntry[]>>()
/** Images of directories as they will be, kept up to so many bytes of each volume. */
const imagesMax = 1 << 18
const planned = new WeakMap<VolumeModel, { bytes: number; readonly directories: Map<number, EditedDirectory> }>()

/** The entries of a directory on disk, without `.` and `..`; none if it has no data file. */
export function entriesOf(group: GroupModel, volume: VolumeModel, directory: number): readonly ImageEntry[] {
  const found = cache.get(volume)?.get(directory)
  if (found !== undefined) return found
  const file = sourceOf(volume, directory)
  const isSound = volume.directories.get(directory)?.fault === undefined
  const entries = file < 0 ? [] : readEntries(readDirectory(group, file), isSound)
  rememberEntries(volume, directory, entries)
  return entries
}

/** A directory as it is on disk, if that is sound; undefined else. */
export function soundImageOf(group: GroupModel, volume: VolumeModel, directory: number): Buffer | undefined {
  const file = sourceOf(volume, directory)
  const facts = volume.directories.get(directory)
  return file < 0 || facts === undefined || facts.fault !== undefined ? undefined : readDirectory(group, file)
}

/** Keeps the entries of a directory on disk that were read for another purpose. */
export function rememberEntries(volume: VolumeModel, directory: number, entries: readonly ImageEntry[]): void {
  const known = cache.get(volume) ?? new Map<number, readonly ImageEntry[]>()
  cache.set(volume, known)
  const [oldest] = known.keys()
  if (known.size >= cachedMax && oldest !== undefined) known.delete(oldest)
  known.set(directory, entries)
}

/** The data file that a directory has on disk, whatever is planned; -1 if it has none. */
function sourceOf(volume: VolumeModel, directory: number): number {
  const slot = volume.vnodes.find(directory)
  return volume.sources.get(directory) ?? (slot < 0 ? -1 : volume.vnodes.file(slot))
}

/** A directory as it will be. */
export interface EditedDirectory {
  readonly bytes: Uint8Array
  readonly entries: readonly (Fid & { readonly name: Buffer })[]
  readonly renamed: readonly Renamed[]
  /** Names for which there was no room. */
  readonly left: readonly Buffer[]
}

/** A directory with the changes that are planned so far. */
function editedDirectory(group: GroupModel, volume: VolumeModel, directory: number): EditedDirectory {
  const edits = volume.edits.get(directory) ?? []
  const { entries, renamed } = editedEntries(entriesOf(group, volume, directory), edits, volume.isReadWrite)
  const self = fidOf(volume, directory)
  return { ...makeImage(self, parentFid(volume, directory), entries), entries, renamed }
}

/** A directory with its changes, when all of them are planned: it is made once for the plan, the repair and the report. */
export function plannedDirectory(group: GroupModel, volume: VolumeModel, directory: number): EditedDirectory {
  const known = planned.get(volume) ?? { bytes: 0, directories: new Map<number, EditedDirectory>() }
  planned.set(volume, known)
  const found = known.directories.get(directory)
  if (found !== undefined) return found
  const edited = editedDirectory(group, volume, directory)
  if (known.bytes + edited.bytes.length > imagesMax) return edited
  known.bytes += edited.bytes.length
  known.directories.set(directory, edited)
  return edited
}

/** Vnode number and uniquifier of a vnode of the volume. */
export function fidOf(volume: VolumeModel, vnode: number): Fid {
  const slot = volume.vnodes.find(vnode)
  return { vnode, unique: slot < 0 ? 1 : volume.vnodes.unique(slot) }
}

/** What `..` of a directory has to be: the directory that has it, else the one that its record names, else itself. */
export function parentFid(volume: VolumeModel, directory: number): Fid {
  const { vnodes } = volume
  const slot = vnodes.find(directory)
  if (slot < 0 || directory === rootVnode) return fidOf(volume, directory)
  const parent = vnodes.holder(slot) === 0 ? vnodes.parent(slot) : vnodes.holder(slot)
  return fidOf(volume, vnodes.find(parent) < 0 ? directory : parent)
}
