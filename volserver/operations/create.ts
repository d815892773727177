/** Creation of an empty read-write volume: root directory, quota, online. OpenAFS volser/volprocs.c, vol/vutil.c. */
import { newDirectory } from "../../common/directory/directory.ts"
import { AfsError } from "../../common/error.ts"
import { unique, vnodeNumber } from "../../common/ids.ts"
import { dataInode } from "../../common/partition/inode-number.ts"
import type { Partition } from "../../common/partition/partition.ts"
import { volumeTypes } from "../../common/protocol/codes.ts"
import { rootAccessList } from "../../common/vnode/access-list.ts"
import { encodeRecord } from "../../common/vnode/vnode-index.ts"
import { newVnodeRecord, recordOffset, vnodeTypes } from "../../common/vnode/vnode-record.ts"
import { largeIndexInode } from "../../common/volume/volume-header.ts"
import { blocksOf, newVolumeInfo, newVolumeQuota } from "../../common/volume/volume-info.ts"
import type { VolumeOperation } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../context.ts"
import { withNewVolume } from "../new-volume.ts"
import { placesOfName } from "../volume-list.ts"
import { requireNewName, storedName } from "../volume-name.ts"

export interface CreateRequest {
  readonly partition: Partition
  readonly name: string
  /** Default: the next free id. */
  readonly id?: number | undefined
  /** KiB, 0 = no limit. Default 5000. */
  readonly maxquota?: number | undefined
  /** What everybody may do in the root directory: a sum of `accessRights`. Default: nothing. */
  readonly everybody?: number | undefined
  /** Leaves the volume offline. */
  readonly offline?: boolean | undefined
}

export interface CreatedVolume {
  readonly id: number
  readonly name: string
  readonly partition: string
}

const rootMode = 0o777
const root = { vnode: vnodeNumber(1), unique: unique(1) }
const rootDataVersion = 1

/**
 * Creates a volume with an empty root directory that system:administrators may do anything in.
 * @throws AfsError EINVAL (name, quota); VVOLEXISTS (name or id in use); LOCKED; DiskError
 */
export async function createVolume(context: VolserverContext, request: CreateRequest): Promise<CreatedVolume> {
  const { partition } = request
  const name = requireNewName(request.name)
  requireQuota(request.maxquota)
  requireFreeName(context, partition, name, "create")
  return withNewVolume(context, { partition, id: request.id, parent: undefined }, (operation) => {
    fill(operation, name, request, context.now())
    return { id: operation.volume.id, name, partition: partition.name }
  })
}

/** @throws AfsError EINVAL unless the quota fits its field */
export function requireQuota(maxquota: number | undefined): void {
  if (maxquota === undefined || (Number.isInteger(maxquota) && maxquota >= 0 && maxquota < 2 ** 31)) return
  throw new AfsError("EINVAL", "quota", {}, { detail: `quota ${maxquota} is not in 0..2147483647 KiB` })
}

/** @throws AfsError VVOLEXISTS if another volume than `self` on one of the partitions has that name */
export function requireFreeName(
  context: VolserverContext,
  partition: Partition,
  name: string,
  operation: "create" | "rename" | "restore",
  self?: number,
): void {
  const others = context.partitions.filter(({ path }) => path !== partition.path)
  const found = placesOfName([partition, ...others], name).find(({ id }) => id !== self)
  if (found === undefined) return
  const detail = `volume ${found.id} has the name ${name}`
  throw new AfsError("VVOLEXISTS", operation, { volume: found.id, partition: found.partition.name }, { detail })
}

function fill(operation: VolumeOperation, name: string, request: CreateRequest, now: number): void {
  const { volume } = operation
  using transaction = volume.transaction()
  const [tag = 0] = transaction.allocate([root.vnode])
  const inode = dataInode(root.vnode, root.unique, tag)
  const { bytes } = newDirectory(root, root)
  {
    using file = transaction.create(inode, 0)
    file.write(bytes, 0)
  }
  const record = newVnodeRecord("large", {
    type: vnodeTypes.directory,
    mode: rootMode,
    linkCount: 2,
    lengthLow: bytes.length,
    uniquifier: root.unique,
    dataVersion: rootDataVersion,
    inodeLow: inode.low,
    inodeHigh: inode.high,
    unixModifyTime: now,
    serverModifyTime: now,
  })
  transaction.write(
    largeIndexInode(volume.header),
    recordOffset(root.vnode),
    encodeRecord("large", record, rootAccessList(request.everybody ?? 0)),
  )
  volume.info = newVolumeInfo({
    id: volume.id,
    name: storedName(name),
    type: volumeTypes.RW,
    parentId: volume.header.parent,
    uniquifier: root.unique + 1,
    blessed: 1,
    inService: request.offline === true ? 0 : 1,
    maxquota: request.maxquota ?? newVolumeQuota,
    filecount: 1,
    diskused: blocksOf(bytes.length),
    creationDate: now,
    updateDate: now,
    copyDate: now,
    statInitialized: 1,
  })
  volume.addInfo(transaction)
  operation.apply(transaction)
}
