/** Reading one record of a vnode index on a hot path: one read into a buffer that is kept. */
import type { DiskFile } from "../disk/disk.ts"
import { FormatError } from "../error.ts"
import { vnodeMask } from "../partition/inode-number.ts"
import {
  accessListOffset,
  classOf,
  recordOffset,
  type VnodeRecord,
  vnodeClasses,
  vnodeRecordLayout,
  vnodeTypes,
} from "./vnode-record.ts"

export interface FoundRecord {
  readonly record: VnodeRecord
  /** 192 bytes; undefined unless it is a directory's. */
  readonly accessList: Uint8Array | undefined
}

const smallScratch = new Uint8Array(vnodeClasses.small.recordSize)
const largeScratch = new Uint8Array(vnodeClasses.large.recordSize)

/**
 * The record of a vnode; undefined if the slot is free, lies beyond the end, or has a number that no vnode can have.
 * @throws FormatError for a record without its magic, or of a type that does not belong into this index
 */
export function readRecord(file: DiskFile, vnode: number): FoundRecord | undefined {
  if (!(vnode > 0 && vnode < vnodeMask)) return undefined
  const cls = classOf(vnode)
  const scratch = cls === "small" ? smallScratch : largeScratch
  if (file.read(scratch, recordOffset(vnode)) !== scratch.length) return undefined
  const record = vnodeRecordLayout.read(scratch)
  if (record.type === vnodeTypes.free) return undefined
  const { recordMagic } = vnodeClasses[cls]
  if (record.magic !== recordMagic) throw damage(file, vnode, "magic", hex(record.magic), hex(recordMagic))
  if ((record.type === vnodeTypes.directory) !== (cls === "large") || record.type > vnodeTypes.symlink) {
    throw damage(
      file,
      vnode,
      "word",
      `type ${record.type}`,
      cls === "large" ? "a directory" : "a file or symbolic link",
    )
  }
  return { record, accessList: cls === "large" ? scratch.slice(accessListOffset) : undefined }
}

const hex = (value: number): string => `0x${value.toString(16)}`

function damage(file: DiskFile, vnode: number, field: "magic" | "word", found: string, wanted: string): FormatError {
  const offset = recordOffset(vnode) + vnodeRecordLayout.offsets[field]
  return new FormatError(`vnode ${vnode} record`, { path: file.path, offset }, found, wanted)
}
