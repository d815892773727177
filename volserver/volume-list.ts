/** The volumes on partitions, read from header files and VolumeInfo without locks, and found by name or id. */
import { AfsError } from "../common/error.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { listHeaderNames, type Partition } from "../common/partition/partition.ts"
import { requireHeader } from "../common/volume/volume.ts"
import { infoInode, type VolumeHeader } from "../common/volume/volume-header.ts"
import { readVolumeInfo, type VolumeInfo } from "../common/volume/volume-info.ts"
import { storedName } from "./volume-name.ts"

/** A volume as its header and VolumeInfo on disk say. */
export interface FoundVolume {
  readonly partition: Partition
  readonly id: number
  readonly header: VolumeHeader
  readonly info: VolumeInfo
}

/** A volume whose header or VolumeInfo cannot be read. */
export interface UnreadableVolume {
  readonly partition: Partition
  readonly id: number
  readonly error: Error
}

/** @throws AfsError VNOVOL; FormatError or DiskError if header or VolumeInfo cannot be read */
export function readVolume(partition: Partition, id: number): FoundVolume {
  const header = requireHeader(partition, id)
  using file = new InodeStore(partition, header.parent).open(infoInode(header), "read")
  return { partition, id, header, info: readVolumeInfo(file) }
}

/** All volumes of a partition by ascending id. */
export function* listVolumes(partition: Partition): Generator<FoundVolume | UnreadableVolume> {
  for (const { volume: id } of listHeaderNames(partition)) {
    try {
      yield readVolume(partition, id)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      yield { partition, id, error }
    }
  }
}

export function isReadable(volume: FoundVolume | UnreadableVolume): volume is FoundVolume {
  return "info" in volume
}

/** The volumes of a group on one partition that can be read. */
export function groupMembers(partition: Partition, group: number): FoundVolume[] {
  return [...listVolumes(partition)].filter(isReadable).filter(({ header }) => header.parent === group)
}

/** Ids that a volume notes as those of its clones; the clones may be gone. */
export function notedIds({ info }: FoundVolume): number[] {
  return [info.cloneId, info.backupId].filter((id) => id !== 0)
}

/** The volumes that note an id as that of their clone. */
export function volumesNoting(partitions: readonly Partition[], id: number): FoundVolume[] {
  return partitions.flatMap((partition) =>
    [...listVolumes(partition)].filter(isReadable).filter((volume) => notedIds(volume).includes(id)),
  )
}

/** Where a volume is. */
export interface VolumePlace {
  readonly partition: Partition
  readonly id: number
}

/** The volume id that a word spells, or undefined. */
export function asVolumeId(word: string | number): number | undefined {
  const id = typeof word === "number" ? word : /^\d+$/.test(word) ? Number(word) : undefined
  if (id === undefined) return undefined
  if (Number.isInteger(id) && id >= 1 && id <= 0xffff_ffff) return id
  throw new AfsError("EINVAL", "volume", {}, { detail: `volume id ${word} is not in 1..4294967295` })
}

/**
 * Finds a volume by id or name.
 * @throws AfsError VNOVOL if there is none; EINVAL if several volumes have the name, or the id is on several partitions
 */
export function findVolume(partitions: readonly Partition[], word: string | number): VolumePlace {
  const id = asVolumeId(word)
  const places = id === undefined ? placesOfName(partitions, String(word)) : placesOfId(partitions, id)
  const [first, ...others] = places
  if (first === undefined) {
    const where = partitions.map(({ name }) => name).join(", ")
    throw new AfsError("VNOVOL", "findVolume", {}, { detail: `no volume ${word} on ${where}` })
  }
  if (others.length === 0) return first
  const list = places.map((place) => `${place.id} on ${place.partition.path}`).join(", ")
  throw new AfsError("EINVAL", "findVolume", {}, { detail: `${word} is ambiguous: ${list}` })
}

function placesOfId(partitions: readonly Partition[], id: number): VolumePlace[] {
  return partitions
    .filter((partition) => listHeaderNames(partition).some(({ volume }) => volume === id))
    .map((partition) => ({ partition, id }))
}

/** All volumes of a name. Unfinished and unreadable ones have none. */
export function placesOfName(partitions: readonly Partition[], name: string): VolumePlace[] {
  const stored = storedName(name)
  return partitions.flatMap((partition) =>
    [...listVolumes(partition)].filter(isReadable).filter(({ info }) => info.name === stored),
  )
}

/** The partition that holds a volume id, if any does. */
export function partitionOf(partitions: readonly Partition[], id: number): Partition | undefined {
  return placesOfId(partitions, id)[0]?.partition
}
