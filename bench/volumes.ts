/** Many small volumes on a partition, in less time than creating each would take: copies of one that was created. */
import { nodeDisk } from "../common/disk/node-disk.ts"
import { dataInode, type Inode, specialInode } from "../common/partition/inode-number.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { headerPath, type Partition } from "../common/partition/partition.ts"
import { requireHeader } from "../common/volume/volume.ts"
import { newVolumeHeader, volumeHeaderLayout } from "../common/volume/volume-header.ts"
import { parseVolumeInfo, volumeInfoLayout } from "../common/volume/volume-info.ts"
import { standaloneContext } from "../test/support/volume-builder.ts"
import { createVolume } from "../volserver/operations/create.ts"

const firstId = 536_870_912
const types = ["smallIndex", "largeIndex", "linkTable"] as const
const root = dataInode(1, 1, 0)

function bytesOf(store: InodeStore, inode: Inode): Uint8Array {
  return nodeDisk.readFile(store.path(inode)) ?? new Uint8Array()
}

function put(store: InodeStore, inode: Inode, parameter: number, bytes: Uint8Array): void {
  using file = store.create(inode, parameter)
  file.write(bytes, 0)
}

/** Puts `count` empty read-write volumes, in service, on an empty partition; gives their ids. */
export async function makeVolumes(partition: Partition, count: number): Promise<number[]> {
  const { id: model } = await createVolume(standaloneContext([partition]), { partition, name: "bench.0", id: firstId })
  const store = new InodeStore(partition, requireHeader(partition, model).parent)
  const info = parseVolumeInfo(bytesOf(store, specialInode(model, "volumeInfo")), "model")
  const parts = types.map((type) => ({ type, bytes: bytesOf(store, specialInode(model, type)) }))
  const rootBytes = bytesOf(store, root)
  const ids = [model]
  for (let index = 1; index < count; index++) {
    const id = firstId + 3 * index
    const copy = new InodeStore(partition, id)
    for (const { type, bytes } of parts) put(copy, specialInode(id, type), id, bytes)
    put(copy, root, 0, rootBytes)
    const own = { ...info, id, parentId: id, name: `bench.${index}` }
    put(copy, specialInode(id, "volumeInfo"), id, volumeInfoLayout.encode(own))
    using header = nodeDisk.open(headerPath(partition, id), "create", 0o644)
    header.write(volumeHeaderLayout.encode(newVolumeHeader(id, id)), 0)
    ids.push(id)
  }
  return ids
}
