/**
 * What an attach learns of a volume's files beside VolumeInfo: whether they begin as they must, and whether the vnode indexes can
 * be whole. Whoever served a volume whose index was cut off would tell clients that their files do not exist, and give the numbers of
 * lost vnodes to new ones. OpenAFS looks at the stamps alone (vol/volume.c, attach2).
 */
import type { DiskFile } from "../disk/disk.ts"
import { FormatError } from "../error.ts"
import type { Inode } from "../partition/inode-number.ts"
import type { InodeStore } from "../partition/inode-store.ts"
import { LinkTable } from "../partition/link-table.ts"
import { VnodeIndex } from "../vnode/vnode-index.ts"
import { recordOffset, rootVnode, vnodeTypes } from "../vnode/vnode-record.ts"
import { infoWord } from "./info-fields.ts"
import { largeIndexInode, linkTableInode, smallIndexInode, type VolumeHeader } from "./volume-header.ts"

/** What the indexes of one volume hold. */
export interface IndexContents {
  /** Records, used and free, of both indexes. */
  readonly slots: number
  readonly hasRoot: boolean
  /** Path of the index of directories. */
  readonly path: string
}

/**
 * Looks at the beginning of both vnode indexes and of the link table, and at the ends of the indexes.
 * @throws FormatError or DiskError if one is not there, does not begin as it must, or ends within a record
 */
export function lookAtIndexes(store: InodeStore, header: VolumeHeader): IndexContents {
  const look = <T>(inode: Inode, work: (file: DiskFile) => T): T => {
    using file = store.open(inode, "read")
    return work(file)
  }
  const files = look(smallIndexInode(header), (file) => stampedSlots(new VnodeIndex(file, "small")))
  const large = look(largeIndexInode(header), (file) => {
    const index = new VnodeIndex(file, "large")
    const slots = stampedSlots(index)
    return { slots, hasRoot: index.read(rootVnode.number)?.type === vnodeTypes.directory, path: file.path }
  })
  look(linkTableInode(header), (file) => new LinkTable(file).checkStamp())
  return { slots: files + large.slots, hasRoot: large.hasRoot, path: large.path }
}

function stampedSlots(index: VnodeIndex): number {
  index.checkStamp()
  return index.wholeSlotCount()
}

/**
 * `info`: bytes of VolumeInfo.
 * @throws FormatError if there is no record of the root directory, or fewer records than the volume has files and directories
 */
export function requireRecords({ slots, hasRoot, path }: IndexContents, info: Uint8Array): void {
  if (!hasRoot) {
    const at = { path, offset: recordOffset(rootVnode.number) }
    throw new FormatError("large vnode index", at, "no record of a directory", "the root directory")
  }
  const files = infoWord(info, "filecount") | 0 // what OpenAFS counted wrong may be negative
  if (files > slots) throw new FormatError("vnode indexes", { path }, `${slots} records`, `those of ${files} vnodes`)
}
