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

export type OwnerEncoding = "openafs" | "development"

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

function isRoot(): boolean {
  return process.geteuid?.() === 0
}

/**
 * Opens a partition directory.
 * @throws AfsError ENOENT if it is not a directory; EACCES if this process may not use its files: an OpenAFS partition
 * needs root, a development partition its owner or root.
 */
export function openPartition(path: string, disk: Disk = nodeDisk): Partition {
  const directory = resolve(path)
  const stat = disk.stat(directory)
  if (stat === undefined || !stat.isDirectory) throw new AfsError("ENOENT", "openPartition", { partition: directory })
  const development = disk.stat(join(directory, ownFolder, developmentMarker)) !== undefined
  if (!development && !isRoot()) {
    throw new AfsError(
      "EACCES",
      "openPartition",
      { partition: directory },
      {
        detail: `an OpenAFS partition stores data in file owners and needs root; without root use a development partition (dafs partition create ${path} --development)`,
      },
    )
  }
  if (development && !isRoot() && stat.uid !== process.geteuid?.()) {
    throw new AfsError(
      "EACCES",
      "openPartition",
      { partition: directory },
      {
        detail: `this development partition belongs to user ${stat.uid}`,
      },
    )
  }
  const name = `/${basename(directory)}`
  const ownerEncoding = development ? "development" : "openafs"
  return {
    path: directory,
    name,
    index: partitionIndex(name),
    disk,
    ownerEncoding,
    owner: { uid: stat.uid, gid: stat.gid },
  }
}

/**
 * Makes an empty partition directory: with `AFSIDat` and, for development, the marker.
 * @throws AfsError EEXIST if the directory holds volumes already; EACCES for an OpenAFS partition without root.
 */
export function createPartition(path: string, options: { development: boolean }, disk: Disk = nodeDisk): Partition {
  const directory = resolve(path)
  if (disk.stat(directory) === undefined) disk.mkdir(directory, 0o755)
  const inUse = disk
    .list(directory)
    ?.some((entry) => entry.name === "AFSIDat" || headerVolume(entry.name) !== undefined)
  if (inUse === true)
    throw new AfsError(
      "EEXIST",
      "createPartition",
      { partition: directory },
      { detail: "the directory already is a partition" },
    )
  if (options.development) markDevelopment(directory, disk)
  const partition = openPartition(directory, disk)
  disk.mkdir(join(directory, "AFSIDat"), 0o700)
  return partition
}

function markDevelopment(directory: string, disk: Disk): void {
  makeFolder(disk, join(directory, ownFolder), 0o700)
  using marker = disk.open(join(directory, ownFolder, developmentMarker), "create", 0o600)
  marker.write(Buffer.from("Files of this partition carry no owner data: it was made for use without root.\n"), 0)
}

/** mkdir that accepts a folder that is there. */
export function makeFolder(disk: Disk, path: string, permissions: number): void {
  try {
    disk.mkdir(path, permissions)
  } catch (error) {
    if (!isDiskError(error, "EEXIST")) throw error
  }
}

/**
 * The partitions of this machine, found as OpenAFS finds them: mount points `/vicepX` without `NeverAttach`, and
 * directories `/vicepX` with `AlwaysAttach`. OpenAFS vol/partition.c (VAttachPartitions).
 */
export function findPartitions(disk: Disk = nodeDisk): Partition[] {
  const mounts = Buffer.from(disk.readFile("/proc/mounts") ?? []).toString("utf8")
  const mounted = new Set(mounts.split("\n").map((line) => line.split(" ")[1] ?? ""))
  const found: Partition[] = []
  for (const entry of disk.list("/") ?? []) {
    const path = `/${entry.name}`
    if (partitionIndex(path) < 0 || disk.stat(path)?.isDirectory !== true) continue
    const always = disk.stat(`${path}/AlwaysAttach`) !== undefined
    const attach = always || (mounted.has(path) && disk.stat(`${path}/NeverAttach`) === undefined)
    if (attach) found.push(openPartition(path, disk))
  }
  return found.sort((a, b) => a.index - b.index)
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

/** Ids of all volumes with a header file, by file name only, ascending. */
export function listHeaderNames(partition: Partition): { volume: number; name: string }[] {
  const found: { volume: number; name: string }[] = []
  for (const entry of partition.disk.list(partition.path) ?? []) {
    const volume = headerVolume(entry.name)
    if (volume !== undefined && !entry.isDirectory) found.push({ volume, name: entry.name })
  }
  return found.sort((a, b) => a.volume - b.volume)
}
