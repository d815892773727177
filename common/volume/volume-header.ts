/**
 * The volume header file `V%010u.vol`: 76 bytes that name the special files of a volume. Written once at creation.
 * OpenAFS vol/volume.h (VolumeDiskHeader); docs/formats/volume-header.md.
 */
import { type Of, raw, struct, u32le } from "../codec/struct.ts"
import { isDiskError } from "../disk/disk.ts"
import { FormatError } from "../error.ts"
import { type Inode, specialInode } from "../partition/inode-number.ts"
import { headerName, headerPath, type Partition } from "../partition/partition.ts"

export const volumeHeaderLayout = struct("VolumeHeader", 76, {
  magic: u32le,
  version: u32le,
  id: u32le,
  parent: u32le,
  infoLow: u32le,
  smallLow: u32le,
  largeLow: u32le,
  accessListLow: u32le,
  mountTableLow: u32le,
  infoHigh: u32le,
  smallHigh: u32le,
  largeHigh: u32le,
  accessListHigh: u32le,
  mountTableHigh: u32le,
  linkTableLow: u32le,
  linkTableHigh: u32le,
  reserved: raw(12),
})
export type VolumeHeader = Of<typeof volumeHeaderLayout>

/** Part of the format. */
const volumeHeaderMagic = 0x88a1_bb3c
const volumeHeaderVersion = 1

/** The header of a volume as creation writes it. `parent` is the group id. */
export function newVolumeHeader(id: number, parent: number): VolumeHeader {
  const info = specialInode(id, "volumeInfo")
  const small = specialInode(id, "smallIndex")
  const large = specialInode(id, "largeIndex")
  const links = specialInode(parent, "linkTable")
  return {
    magic: volumeHeaderMagic,
    version: volumeHeaderVersion,
    id,
    parent,
    infoLow: info.low,
    smallLow: small.low,
    largeLow: large.low,
    accessListLow: 0,
    mountTableLow: 0,
    infoHigh: info.high,
    smallHigh: small.high,
    largeHigh: large.high,
    accessListHigh: 0,
    mountTableHigh: 0,
    linkTableLow: links.low,
    linkTableHigh: links.high,
    reserved: new Uint8Array(12),
  }
}

export const infoInode = (header: VolumeHeader): Inode => ({ high: header.infoHigh, low: header.infoLow })
export const smallIndexInode = (header: VolumeHeader): Inode => ({ high: header.smallHigh, low: header.smallLow })
export const largeIndexInode = (header: VolumeHeader): Inode => ({ high: header.largeHigh, low: header.largeLow })
export const linkTableInode = (header: VolumeHeader): Inode => ({
  high: header.linkTableHigh,
  low: header.linkTableLow,
})

/**
 * Reads header bytes. The version is not judged here: listing a partition accepts any, as OpenAFS does.
 * @throws FormatError if short or without the magic.
 */
export function parseVolumeHeader(bytes: Uint8Array, path: string): VolumeHeader {
  const header = volumeHeaderLayout.read(bytes, 0, path)
  if (header.magic !== volumeHeaderMagic) {
    throw new FormatError("volume header", { path, offset: 0 }, `magic 0x${header.magic.toString(16)}`, "0x88a1bb3c")
  }
  return header
}

/**
 * The header of a volume, or undefined if there is no such file.
 * @throws FormatError if the file is short, has a bad magic, or names another volume than its file name says.
 */
export function readVolumeHeader(partition: Partition, volume: number): VolumeHeader | undefined {
  const path = headerPath(partition, volume)
  const bytes = readHeaderBytes(partition, path)
  if (bytes === undefined) return undefined
  const header = parseVolumeHeader(bytes, path)
  if (header.id === volume) return header
  const where = { path, offset: volumeHeaderLayout.offsets.id }
  throw new FormatError("volume header", where, `volume id ${header.id}`, `${volume} (${headerName(volume)})`)
}

/** What opening or reading something that is no file ends with: a pipe, a socket, a device, links in a circle. */
const noFileCodes = ["ESPIPE", "ENXIO", "ENODEV", "ELOOP"] as const

/**
 * The bytes of a header file, no more than a header has, however long the file is; undefined if there is none. What is neither
 * file nor folder has none: it is as bad a header as an empty one. @throws DiskError
 */
export function readHeaderBytes(partition: Partition, path: string): Uint8Array | undefined {
  const bytes = new Uint8Array(volumeHeaderLayout.size)
  try {
    using file = partition.disk.open(path, "read")
    return bytes.subarray(0, file.read(bytes, 0))
  } catch (error) {
    if (isDiskError(error, "ENOENT", "ENOTDIR")) return undefined
    if (isDiskError(error, ...noFileCodes)) return new Uint8Array(0)
    throw error
  }
}

/**
 * Checks that the header names its own special files and its group's link table. One that does not would have another
 * volume's files, or a vnode's, read and written as its own.
 * @throws FormatError naming the field.
 */
export function requireOwnInodes(header: VolumeHeader, path: string): void {
  const wanted = newVolumeHeader(header.id, header.parent)
  for (const [low, high] of inodeFields) {
    if (header[low] === wanted[low] && header[high] === wanted[high]) continue
    const field = header[low] === wanted[low] ? high : low
    const where = { path, offset: volumeHeaderLayout.offsets[field] }
    throw new FormatError(
      "volume header",
      where,
      `${field} 0x${header[field].toString(16)}`,
      `0x${wanted[field].toString(16)}`,
    )
  }
}

const inodeFields = [
  ["infoLow", "infoHigh"],
  ["smallLow", "smallHigh"],
  ["largeLow", "largeHigh"],
  ["linkTableLow", "linkTableHigh"],
] as const
