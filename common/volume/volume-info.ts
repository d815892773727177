/**
 * VolumeInfo, the 552 bytes of volume state and administration (special file type 1), always written whole.
 * OpenAFS vol/volume.h (VolumeDiskData); docs/formats/volume-info.md.
 */
import { array, i32le, type Of, raw, struct, text, u8, u32le } from "../codec/struct.ts"
import type { DiskFile } from "../disk/disk.ts"
import { FormatError } from "../error.ts"

export const volumeInfoLayout = struct("VolumeInfo", 552, {
  magic: u32le,
  version: u32le,
  id: u32le,
  name: text(32),
  /** Program type that has the volume, 0 = none. */
  inUse: u8,
  inService: u8,
  blessed: u8,
  needsSalvaged: u8,
  uniquifier: u32le,
  /** `volumeTypes` number. */
  type: i32le,
  parentId: u32le,
  cloneId: u32le,
  backupId: u32le,
  restoredFromId: u32le,
  needsCallback: u8,
  destroyMe: u8,
  dontSalvage: u8,
  reserved1: raw(25),
  /** KiB, 0 = no limit. */
  maxquota: i32le,
  minquota: i32le,
  maxfiles: i32le,
  accountNumber: u32le,
  owner: u32le,
  reserved2: raw(32),
  filecount: i32le,
  /** KiB. */
  diskused: i32le,
  dayUse: i32le,
  weekUse: array(i32le, 7),
  dayUseDate: u32le,
  volUpdateCounter: u32le,
  reserved3: raw(40),
  creationDate: u32le,
  accessDate: u32le,
  updateDate: u32le,
  expirationDate: u32le,
  backupDate: u32le,
  copyDate: u32le,
  statInitialized: u32le,
  reserved4: raw(28),
  offlineMessage: text(128),
  statReads: array(u32le, 4),
  statWrites: array(u32le, 4),
  statFileSameAuthor: array(u32le, 6),
  statFileDiffAuthor: array(u32le, 6),
  statDirSameAuthor: array(u32le, 6),
  statDirDiffAuthor: array(u32le, 6),
})
export type VolumeInfo = Of<typeof volumeInfoLayout>

/** Part of the format. */
export const volumeInfoMagic = 0x78a1_b2c5
export const volumeInfoVersion = 1
/** `destroyMe` of an unfinished volume: never served, deleted by the next salvage. */
export const destroyMeMark = 0xd3
/** `dontSalvage` of a volume known to be consistent. */
export const dontSalvageMark = 0xe5
/** Longest volume name in bytes; names end with a NUL in 32 bytes. */
export const volumeNameMax = 31
/** Quota of a new volume in KiB. */
export const newVolumeQuota = 5000

/**
 * Reads VolumeInfo from bytes.
 * @throws FormatError if short, or if magic or version are wrong (unless `anyStamp`).
 */
export function parseVolumeInfo(bytes: Uint8Array, path: string, options: { anyStamp?: boolean } = {}): VolumeInfo {
  const info = volumeInfoLayout.read(bytes, 0, path)
  if (options.anyStamp === true) return info
  if (info.magic !== volumeInfoMagic || info.version !== volumeInfoVersion) {
    const found = `magic 0x${info.magic.toString(16)} version ${info.version}`
    throw new FormatError("VolumeInfo", { path, offset: 0 }, found, "0x78a1b2c5 version 1")
  }
  return info
}

/** Reads VolumeInfo from its file. @throws FormatError as parseVolumeInfo does. */
export function readVolumeInfo(file: DiskFile): VolumeInfo {
  const bytes = new Uint8Array(volumeInfoLayout.size)
  const length = file.read(bytes, 0)
  return parseVolumeInfo(bytes.subarray(0, length), file.path)
}

/** VolumeInfo with every field 0 but the stamp and what is given. */
export function newVolumeInfo(fields: Partial<VolumeInfo>): VolumeInfo {
  const empty = volumeInfoLayout.read(new Uint8Array(volumeInfoLayout.size))
  return { ...empty, magic: volumeInfoMagic, version: volumeInfoVersion, ...fields }
}

/** Blocks of 1 KiB that a length in bytes counts for, at least 1: quota and `diskused` count in these. */
export function blocksOf(length: number): number {
  return length === 0 ? 1 : Math.ceil(length / 1024)
}
