/**
 * A stamp of a volume's files: equal only if nobody has changed the volume in between, by whatever program. A fileserver that
 * attaches a volume writes VolumeInfo, and every change of an object writes an index.
 */
import { createHash } from "node:crypto"
import type { DiskFile } from "../common/disk/disk.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import type { Partition } from "../common/partition/partition.ts"
import { infoInode, largeIndexInode, readVolumeHeader, smallIndexInode } from "../common/volume/volume-header.ts"
import { volumeInfoLayout } from "../common/volume/volume-info.ts"

/** Undefined if the volume is not there or cannot be read. */
export function volumeStamp(partition: Partition, volume: number): string | undefined {
  try {
    const header = readVolumeHeader(partition, volume)
    if (header === undefined) return undefined
    const files = new InodeStore(partition, header.parent)
    const stats = [infoInode(header), smallIndexInode(header), largeIndexInode(header)].map((inode) =>
      files.stat(inode),
    )
    const sizes = stats.map((stat) => `${stat?.identity} ${stat?.size} ${stat?.modified}`)
    using info = files.open(infoInode(header), "read")
    return createHash("sha256").update(sizes.join("\n")).update(contentsOf(info)).digest("base64")
  } catch {
    // What cannot be read is no reason to believe anything of it.
    return undefined
  }
}

function contentsOf(info: DiskFile): Uint8Array {
  const bytes = new Uint8Array(volumeInfoLayout.size)
  return bytes.subarray(0, info.read(bytes, 0))
}
