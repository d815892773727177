/** A small volume written by hand through a volume transaction: for tests of what lies below the volume operations. */
import { newDirectory } from "../../common/directory/directory.ts"
import { unique, vnodeNumber } from "../../common/ids.ts"
import { dataInode, specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { newLinkTable } from "../../common/partition/link-table-format.ts"
import type { Partition } from "../../common/partition/partition.ts"
import { rootAccessList } from "../../common/vnode/access-list.ts"
import { encodeRecord, newVnodeIndex } from "../../common/vnode/vnode-index.ts"
import { lengthHalves, newVnodeRecord, recordOffset, type VnodeRecord } from "../../common/vnode/vnode-record.ts"
import { newVolumeHeader, volumeHeaderLayout } from "../../common/volume/volume-header.ts"
import { newVolumeInfo, type VolumeInfo, volumeInfoLayout } from "../../common/volume/volume-info.ts"
import { VolumeTransaction } from "../../common/volume/volume-transaction.ts"

export const sampleId = 536_870_918
const sampleDate = 1_795_622_573

/** Name, mode and content of a file of the root directory. */
export type SampleFiles = Readonly<Record<string, string>>

interface SampleVolume {
  readonly id?: number
  readonly files?: SampleFiles
  readonly info?: Partial<VolumeInfo>
}

const common = { linkCount: 1, unixModifyTime: sampleDate, serverModifyTime: sampleDate, mode: 0o644 }

function fileRecord(vnode: number, uniquifier: number, content: string): VnodeRecord {
  const inode = dataInode(vnode, uniquifier, 0)
  return newVnodeRecord("small", {
    ...common,
    type: 1,
    uniquifier,
    dataVersion: 1,
    parent: 1,
    inodeLow: inode.low,
    inodeHigh: inode.high,
    ...lengthHalves(content.length),
  })
}

function rootRecord(length: number): VnodeRecord {
  const inode = dataInode(1, 1, 0)
  return newVnodeRecord("large", {
    ...common,
    type: 2,
    mode: 0o777,
    linkCount: 2,
    uniquifier: 1,
    dataVersion: 1,
    inodeLow: inode.low,
    inodeHigh: inode.high,
    ...lengthHalves(length),
  })
}

/** Adds a whole new read-write volume to a transaction on its group's store. */
export function addSampleVolume(
  transaction: VolumeTransaction,
  { id = sampleId, files = {}, info }: SampleVolume,
): void {
  const special = {
    info: specialInode(id, "volumeInfo"),
    small: specialInode(id, "smallIndex"),
    large: specialInode(id, "largeIndex"),
  }
  for (const inode of Object.values(special)) transaction.create(inode, id)
  transaction.create(specialInode(id, "linkTable"), id)
  transaction.write(specialInode(id, "linkTable"), 0, newLinkTable())
  transaction.write(special.small, 0, newVnodeIndex("small"))
  transaction.write(special.large, 0, newVnodeIndex("large"))
  const root = { vnode: vnodeNumber(1), unique: unique(1) }
  const directory = newDirectory(root, root)
  const contents = Object.entries(files)
  transaction.allocate([1, ...contents.map((_, index) => 2 * index + 2)])
  for (const [index, [name, content]] of contents.entries()) {
    const [vnode, uniquifier] = [2 * index + 2, index + 2]
    directory.add(Buffer.from(name), { vnode: vnodeNumber(vnode), unique: unique(uniquifier) })
    transaction.create(dataInode(vnode, uniquifier, 0), 1).write(Buffer.from(content), 0)
    transaction.write(special.small, recordOffset(vnode), encodeRecord("small", fileRecord(vnode, uniquifier, content)))
  }
  transaction.create(dataInode(1, 1, 0), 0).write(directory.bytes, 0)
  const record = encodeRecord("large", rootRecord(directory.bytes.length), rootAccessList())
  transaction.write(special.large, recordOffset(1), record)
  transaction.write(special.info, 0, volumeInfoLayout.encode(sampleInfo(id, contents.length, info)))
  const header = volumeHeaderLayout.encode(newVolumeHeader(id, id))
  transaction.add({ kind: "header", volume: id, bytes: header, replace: false })
}

function sampleInfo(id: number, files: number, more: Partial<VolumeInfo> = {}): VolumeInfo {
  return newVolumeInfo({
    id,
    parentId: id,
    name: `v.${id}`,
    inService: 1,
    blessed: 1,
    uniquifier: files + 2,
    maxquota: 5000,
    filecount: files,
    diskused: files + 2,
    creationDate: sampleDate,
    updateDate: sampleDate,
    copyDate: sampleDate,
    ...more,
  })
}

/** Makes a read-write volume; gives its group's store. */
export function makeSampleVolume(partition: Partition, sample: SampleVolume = {}): InodeStore {
  const store = new InodeStore(partition, sample.id ?? sampleId)
  using transaction = new VolumeTransaction(store)
  addSampleVolume(transaction, sample)
  transaction.commit()
  return store
}
