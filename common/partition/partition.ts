/**
 * A server partition (`/vicepX`): its name, its volume header files, its space, and how owners are encoded in it.
 *
 * Owner data (owner-data.ts) needs chown, which only root may use. So there are two kinds of partitions, told apart by a
 * marker and never mixed: an OpenAFS partition (no marker, used by root alone), and a *development partition* (marker
 * `.dafs/development`), whose files are plain 0600 files of the partition's owner. File names already say volume, vnode,
 * uniquifier and tag; the one thing a development partition lacks is the data version a data file was created with, which
 * only a salvager compares. OpenAFS's programs do not use development partitions; `vos dump`/`restore` moves volumes between.
 */
import { basename, join, resolve } from "node:path"
import type { Disk } from "../disk/disk.ts"
import { isDiskError } from "../disk/disk.ts"
import { nodeDisk } from "../disk/node-disk.ts"
import { AfsError } from "../error.ts"
import { dataFolder } from "./namei-path.ts"
import { giveToOwner, isRoot } from "./owned-file.ts"

type OwnerEncoding = "openafs" | "development"

/** Folder for files of our own on a partition. */
export const ownFolder = ".dafs"
const developmentMarker = "development"

/** A partition directory in use. */
export interface Partition {
  /** The directory, absolute. */
  readonly path: string
  /** The name other programs know it by, `/vicepa`. */
  readonly name: string
  /** a = 0 … z = 25, aa = 26 …; -1 for a directory that is not named `vicepX`. */
  readonly index: number
  readonly disk: Disk
  readonly ownerEncoding: OwnerEncoding
  /** Unix owner of the directory: whom files of a development partition belong to. */
  readonly owner: { readonly uid: number; readonly gid: number }
}

/** Number of the partition `/vicep` + one or two letters, or -1. */
export function partitionIndex(name: string): number {
  const letters = /^\/?vicep([a-z]{1,2})$/.exec(name)?.[1]
  if (letters === undefined) return -1
  const index =
    [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 97, 0) + (letters.length - 1) * 26
  return index < 255 ? index : -1
}

const letterOf = (index: number): string => String.fromCharCode(97 + index)

/** `/vicepa` for 0, and so on. */
export function partitionName(index: number): string {
  if (index < 26) return `/vicep${letterOf(index)}`
  const rest = index - 26
  return `/vicep${letterOf(Math.floor(rest / 26))}${letterOf(rest % 26)}`
}

/** `/vicepa` from what people type: `/vicepa`, `vicepa` or `a`. Anything else is returned as it is. */
export function fullPartitionName(word: string): string {
  if (/^[a-z]{1,2}$/.test(word)) return `/vicep${word}`
  return /^vicep[a-z]{1,2}$/.test(word) ? `/${word}` : word
}

/**
 * Opens a partition directory.
 * @throws AfsError EINVAL if no path is given; ENOENT if it is not a directory; EACCES if this process may not use its files: an OpenAFS partition
 * needs root, a development partition its owner or root.
 */
export function openPartition(path: string, disk: Disk = nodeDisk): Partition {
  requirePath(path, "openPartition")
  const directory = resolve(path)
  const stat = disk.stat(directory)
  if (stat === undefined || !stat.isDirectory) throw new AfsError("ENOENT", "openPartition", { partition: directory })
  const development = isMarkedDevelopment(directory, disk)
  if (!isRoot()) requireUsable(directory, development, stat.uid)
  const name = `/${basename(directory)}`
  return {
    path: directory,
    name,
    index: partitionIndex(name),
    disk,
    ownerEncoding: development ? "development" : "openafs",
    owner: { uid: stat.uid, gid: stat.gid },
  }
}

/**
 * An empty path would be the current folder: what a script meant when its variable was unset was something else.
 * @throws AfsError EINVAL
 */
export function requirePath(path: string, operation: string): void {
  if (path === "") throw new AfsError("EINVAL", operation, {}, { detail: "the partition's path is empty" })
}

/** What another user's `.dafs/` holds cannot be seen; then the partition cannot be used either, whichever kind it is. */
function isMarkedDevelopment(directory: string, disk: Disk): boolean {
  try {
    return disk.stat(join(directory, ownFolder, developmentMarker)) !== undefined
  } catch (cause) {
    if (!isDiskError(cause, "EACCES")) throw cause
    const detail = "the partition belongs to another user"
    throw new AfsError("EACCES", "openPartition", { partition: directory }, { detail, cause })
  }
}

/** Only called without root. */
function requireUsable(directory: string, development: boolean, uid: number): void {
  if (development && uid === process.geteuid?.()) return
  const detail = development
    ? `this development partition belongs to user ${uid}`
    : `an OpenAFS partition stores data in file owners and needs root; without root use a development partition (dafs partition create ${directory} --development)`
  throw new AfsError("EACCES", "openPartition", { partition: directory }, { detail })
}

/**
 * Makes an empty partition directory: with `AFSIDat` and, for development, the marker. A second try goes on where one
 * broke off.
 * @throws AfsError EEXIST if the directory holds volumes already, or is marked as the other kind; EACCES if this process
 * could not use it. The directory is then as it was.
 */
export function createPartition(path: string, options: { development: boolean }, disk: Disk = nodeDisk): Partition {
  requirePath(path, "createPartition")
  const directory = resolve(path)
  const stat = disk.stat(directory)
  if (!isRoot()) requireUsable(directory, options.development, stat?.uid ?? process.geteuid?.() ?? -1)
  if (stat === undefined) disk.mkdir(directory, 0o755)
  else requireEmpty(directory, options.development, disk)
  if (options.development) markDevelopment(directory, disk)
  const partition = openPartition(directory, disk)
  disk.mkdir(join(directory, dataFolder), 0o700)
  using folder = disk.open(join(directory, dataFolder), "read")
  giveToOwner(partition, folder)
  return partition
}

function requireEmpty(directory: string, development: boolean, disk: Disk): void {
  const inUse = disk
    .list(directory)
    ?.some((entry) => entry.name === dataFolder || headerVolume(entry.name) !== undefined)
  const isOtherKind = !development && isMarkedDevelopment(directory, disk)
  if (inUse !== true && !isOtherKind) return
  const detail = isOtherKind
    ? "the directory is marked as a development partition"
    : "the directory already is a partition"
  throw new AfsError("EEXIST", "createPartition", { partition: directory }, { detail })
}

function markDevelopment(directory: string, disk: Disk): void {
  const path = join(directory, ownFolder, developmentMarker)
  if (disk.stat(path) !== undefined) return
  makeFolder(disk, join(directory, ownFolder), 0o700)
  using marker = disk.open(path, "create", 0o600)
  marker.write(Buffer.from("Files of this partition carry no owner data: it was made for use without root.\n"), 0)
  const { uid, gid } = disk.stat(directory) ?? {}
  if (!isRoot() || uid === undefined || gid === undefined) return
  using folder = disk.open(join(directory, ownFolder), "read")
  for (const made of [folder, marker]) made.setOwner(uid, gid)
}

const ownFolderMode = 0o700

/**
 * Makes a folder of our own below `.dafs/`, where it is absent, and returns its path. In a development partition it belongs
 * to the partition's owner even when root makes it.
 */
export function makeOwnFolder(partition: Partition, ...names: readonly string[]): string {
  const { disk } = partition
  let path = partition.path
  for (const name of [ownFolder, ...names]) {
    path = `${path}/${name}`
    if (disk.stat(path) !== undefined) continue
    makeFolder(disk, path, ownFolderMode)
    giveFolderToOwner(partition, path)
  }
  return path
}

/** Makes a folder of our own, and the folders above it where they are absent. @returns false if there is one of this name */
export function makeNewOwnFolder(partition: Partition, above: string, name: string): boolean {
  const { disk } = partition
  const path = `${partition.path}/${ownFolder}/${above}/${name}`
  try {
    disk.mkdir(path, ownFolderMode)
  } catch (error) {
    if (isDiskError(error, "EEXIST")) return false
    if (!isDiskError(error, "ENOENT")) throw error
    makeOwnFolder(partition, above)
    disk.mkdir(path, ownFolderMode)
  }
  giveFolderToOwner(partition, path)
  return true
}

function giveFolderToOwner(partition: Partition, path: string): void {
  if (partition.ownerEncoding === "openafs") return
  using folder = partition.disk.open(path, "read")
  giveToOwner(partition, folder)
}

/** mkdir that accepts a folder that is there. */
export function makeFolder(disk: Disk, path: string, permissions: number): void {
  try {
    disk.mkdir(path, permissions)
  } catch (error) {
    if (!isDiskError(error, "EEXIST")) throw error
  }
}

/** A directory of `/` that may be a partition, and which marker files it holds. */
export interface PartitionCandidate {
  readonly path: string
  readonly alwaysAttach: boolean
  readonly neverAttach: boolean
}

/**
 * Which directories are partitions, by index: mount points (`mounts` is the text of `/proc/mounts`) without `NeverAttach`,
 * and any with `AlwaysAttach`. OpenAFS vol/partition.c (VAttachPartitions).
 */
export function partitionsAmong(mounts: string, candidates: readonly PartitionCandidate[]): string[] {
  const mounted = new Set(mounts.split("\n").map((line) => line.split(" ")[1] ?? ""))
  return candidates
    .filter(({ path }) => partitionIndex(path) >= 0)
    .filter(({ path, alwaysAttach, neverAttach }) => alwaysAttach || (mounted.has(path) && !neverAttach))
    .map(({ path }) => path)
    .sort((a, b) => partitionIndex(a) - partitionIndex(b))
}

/**
 * The partitions of this machine, found as OpenAFS finds them. One that cannot be looked at or used is given to `refused`
 * and does not keep the others from being found.
 * @throws whatever opening one throws, if there is no `refused`.
 */
export function findPartitions(
  disk: Disk = nodeDisk,
  refused: (path: string, error: unknown) => void = (_path, error) => {
    throw error
  },
): Partition[] {
  const mounts = Buffer.from(disk.readFile("/proc/mounts") ?? []).toString("utf8")
  const directories = (disk.list("/") ?? [])
    .map((entry) => `/${entry.name}`)
    .filter((path) => partitionIndex(path) >= 0)
  const usable = <T>(path: string, look: () => T): T[] => {
    try {
      return [look()]
    } catch (error) {
      refused(path, error)
      return []
    }
  }
  const candidates = directories.flatMap((path) => usable(path, () => candidateAt(path, disk)))
  const paths = partitionsAmong(
    mounts,
    candidates.filter((candidate) => candidate !== undefined),
  )
  return paths.flatMap((path) => usable(path, () => openPartition(path, disk)))
}

function candidateAt(path: string, disk: Disk): PartitionCandidate | undefined {
  if (disk.stat(path)?.isDirectory !== true) return undefined
  const has = (name: string): boolean => disk.stat(`${path}/${name}`) !== undefined
  return { path, alwaysAttach: has("AlwaysAttach"), neverAttach: has("NeverAttach") }
}

/** File name of a volume's header: `V%010u.vol`. */
export function headerName(volume: number): string {
  return `V${String(volume).padStart(10, "0")}.vol`
}

/** Path of a volume's header file. */
export function headerPath(partition: Pick<Partition, "path">, volume: number): string {
  return `${partition.path}/${headerName(volume)}`
}

/** The volume id that a header file's name says, or undefined if the name is not that of a header file. */
export function headerVolume(name: string): number | undefined {
  const digits = /^V(\d+)(?:\..*)?\.vol$/.exec(name)?.[1]
  const id = digits === undefined ? 0 : Number(digits)
  return id > 0 && id <= 0xffff_ffff ? id : undefined
}

/** Ids of all volumes with a header file, by file name only, ascending. `skipped` hears of folders with such names. */
export function listHeaderNames(
  partition: Partition,
  skipped?: (name: string) => void,
): { volume: number; name: string }[] {
  const found: { volume: number; name: string }[] = []
  for (const { name, isDirectory } of partition.disk.list(partition.path) ?? []) {
    const volume = headerVolume(name)
    if (volume === undefined) continue
    if (isDirectory) skipped?.(name)
    else found.push({ volume, name })
  }
  return found.sort((a, b) => a.volume - b.volume)
}
