/** Changes structures of a partition in place, behind everybody's back, to damage them. */
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs"
import { Directory } from "../../common/directory/directory.ts"
import { unique as uniqueNumber, type VnodeId, vnodeNumber } from "../../common/ids.ts"
import { dataInode, type Inode, type SpecialType, specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { rowOffset } from "../../common/partition/link-table-format.ts"
import { openPartition } from "../../common/partition/partition.ts"
import { classOf, recordOffset, type VnodeRecord, vnodeRecordLayout } from "../../common/vnode/vnode-record.ts"
import { type VolumeInfo, volumeInfoLayout } from "../../common/volume/volume-info.ts"

/** The volumes of the fixtures' base partition. */
export const base = {
  ann: { rw: 536_870_915, ro: 536_870_916, bk: 536_870_917 },
  proj: { rw: 536_870_918, bk: 536_870_920 },
  docs: 536_870_921,
  sw: { group: 536_870_928, ro: 536_870_929 },
} as const

const pathOf = (directory: string, group: number, inode: Inode): string =>
  new InodeStore(openPartition(directory), group).path(inode)

export const specialPath = (directory: string, group: number, volume: number, type: SpecialType): string =>
  pathOf(directory, group, specialInode(volume, type))

export const dataPath = (directory: string, group: number, vnode: number, unique: number, tag = 0): string =>
  pathOf(directory, group, dataInode(vnode, unique, tag))

/** Reads bytes of a file, lets `change` work on them, writes them back. */
export function patchBytes(path: string, at: number, length: number, change: (bytes: Buffer) => void): void {
  const file = openSync(path, "r+")
  try {
    const bytes = Buffer.alloc(length)
    readSync(file, bytes, 0, length, at)
    change(bytes)
    writeSync(file, bytes, 0, length, at)
  } finally {
    closeSync(file)
  }
}

const indexPath = (directory: string, group: number, volume: number, vnode: number): string =>
  specialPath(directory, group, volume, classOf(vnode) === "small" ? "smallIndex" : "largeIndex")

/** Changes fields of a vnode record. */
export function patchRecord(
  directory: string,
  group: number,
  volume: number,
  vnode: number,
  fields: Partial<VnodeRecord>,
): void {
  patchBytes(indexPath(directory, group, volume, vnode), recordOffset(vnode), vnodeRecordLayout.size, (bytes) =>
    vnodeRecordLayout.write({ ...vnodeRecordLayout.read(bytes), ...fields }, bytes),
  )
}

/** A vnode record as it is on disk. */
export function recordOnDisk(directory: string, group: number, volume: number, vnode: number): VnodeRecord {
  let record: VnodeRecord | undefined
  patchBytes(indexPath(directory, group, volume, vnode), recordOffset(vnode), vnodeRecordLayout.size, (bytes) => {
    record = vnodeRecordLayout.read(bytes)
  })
  if (record === undefined) throw new Error(`no record of vnode ${vnode}`)
  return record
}

/** Overwrites a whole record with zeros, access list included. */
export function zeroRecord(directory: string, group: number, volume: number, vnode: number): void {
  const size = classOf(vnode) === "small" ? 64 : 256
  patchBytes(indexPath(directory, group, volume, vnode), recordOffset(vnode), size, (bytes) => bytes.fill(0))
}

/** Changes fields of VolumeInfo. */
export function patchVolumeInfo(directory: string, group: number, volume: number, fields: Partial<VolumeInfo>): void {
  patchBytes(specialPath(directory, group, volume, "volumeInfo"), 0, volumeInfoLayout.size, (bytes) =>
    volumeInfoLayout.write({ ...volumeInfoLayout.read(bytes), ...fields }, bytes),
  )
}

/** VolumeInfo as it is on disk. */
export function volumeInfoOnDisk(directory: string, group: number, volume: number): VolumeInfo {
  let info: VolumeInfo | undefined
  patchBytes(specialPath(directory, group, volume, "volumeInfo"), 0, volumeInfoLayout.size, (bytes) => {
    info = volumeInfoLayout.read(bytes)
  })
  if (info === undefined) throw new Error(`no VolumeInfo of ${volume}`)
  return info
}

/** Writes a row of the link table. */
export function patchRow(directory: string, group: number, vnode: number, row: number): void {
  patchBytes(specialPath(directory, group, group, "linkTable"), rowOffset(vnode), 2, (bytes) =>
    bytes.writeUInt16LE(row),
  )
}

/** Changes entries of a directory, in its data file. */
export function patchDirectory(path: string, change: (directory: Directory) => void): void {
  const directory = Directory.parse(readFileSync(path), path)
  change(directory)
  patchBytes(path, 0, directory.length, (bytes) => bytes.set(directory.bytes))
}

/** A name and what it leads to, for `patchDirectory`. */
export const entry = (name: string, vnode: number, unique: number): [Buffer, VnodeId] => [
  Buffer.from(name),
  { vnode: vnodeNumber(vnode), unique: uniqueNumber(unique) },
]
