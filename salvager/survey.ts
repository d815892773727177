/**
 * Which volumes a partition has, told from the disk alone: header files by name and content, and special files by the
 * group they lie in. Nobody is asked, so nothing that a server remembers wrongly can make a salvage overlook a volume.
 */

import { FormatError } from "../common/error.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { dataFolder, decodeNumber, groupFolder } from "../common/partition/namei-path.ts"
import { headerName, headerVolume, type Partition } from "../common/partition/partition.ts"
import { parseVolumeHeader, readHeaderBytes, type VolumeHeader } from "../common/volume/volume-header.ts"

/** A file that is named like a volume header. */
export interface HeaderFile {
  /** Name in the partition's directory. */
  readonly name: string
  /** Volume id that the name says. */
  readonly volume: number
  /** True if the name is exactly the one that every program writes. */
  readonly isNamedRight: boolean
  /** Undefined if it is short or has a bad magic. */
  readonly header: VolumeHeader | undefined
}

/** Reads one header file. Undefined if it is gone. */
function readHeaderFile(partition: Partition, name: string, volume: number): HeaderFile | undefined {
  const path = `${partition.path}/${name}`
  const bytes = readHeaderBytes(partition, path)
  if (bytes === undefined) return undefined
  return { name, volume, isNamedRight: name === headerName(volume), header: parsed(bytes, path) }
}

function parsed(bytes: Uint8Array, path: string): VolumeHeader | undefined {
  try {
    return parseVolumeHeader(bytes, path)
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

const byVolume = (a: HeaderFile, b: HeaderFile): number => a.volume - b.volume || (a.name < b.name ? -1 : 1)

/** What lies on a partition now. Each part is read at its first use and kept. */
export class Survey {
  readonly partition: Partition
  #headers: HeaderFile[] | undefined
  #groups: Map<number, readonly number[]> | undefined
  #homes: Map<number, number[]> | undefined

  constructor(partition: Partition) {
    this.partition = partition
  }

  /** All header files, by volume id. */
  get headers(): readonly HeaderFile[] {
    this.#headers ??= this.#readHeaders()
    return this.#headers
  }

  /** All groups that have a folder, with the ids of the volumes that have special files in it. */
  get groups(): ReadonlyMap<number, readonly number[]> {
    this.#groups ??= this.#readGroups()
    return this.#groups
  }

  /** Groups where a volume has special files. */
  homesOf(volume: number): readonly number[] {
    this.#homes ??= this.#readHomes()
    return this.#homes.get(volume) ?? []
  }

  /** The group that a volume belongs to: where its files are, else what its header says, else its own id. */
  groupOf(volume: number): number {
    const said = this.headers.find((file) => file.volume === volume && file.isNamedRight)?.header?.parent
    for (const group of [said, volume])
      if (group !== undefined && new InodeStore(this.partition, group).volumes().includes(volume)) return group
    return this.homesOf(volume)[0] ?? said ?? volume
  }

  /** Ids of all volumes of a group: with files in its folder, or with a header that says so and no files elsewhere. */
  membersOf(group: number): number[] {
    const members = new Set(new InodeStore(this.partition, group).volumes())
    for (const { volume, header } of this.headers) {
      const isOurs = header === undefined ? volume === group : header.parent === group
      if (isOurs && !members.has(volume) && this.homesOf(volume).length === 0) members.add(volume)
    }
    return [...members].sort((a, b) => a - b)
  }

  /** The same partition with a new look at what belongs to one group; the rest is taken as it was. */
  forGroup(group: number): Survey {
    const members = new Set(this.membersOf(group))
    const isOurs = ({ volume, header }: HeaderFile): boolean => members.has(volume) || header?.parent === group
    const fresh = new Survey(this.partition)
    const known = new Map(this.headers.map((file) => [file.name, file]))
    for (const id of members)
      known.set(headerName(id), { name: headerName(id), volume: id, isNamedRight: true, header: undefined })
    const headers = [...known.values()].map((file) =>
      isOurs(file) ? readHeaderFile(this.partition, file.name, file.volume) : file,
    )
    fresh.#headers = headers.filter((file) => file !== undefined).sort(byVolume)
    fresh.#groups = new Map([...this.groups, [group, new InodeStore(this.partition, group).volumes()]])
    return fresh
  }

  /** Every group there is anything of: folders, and header files without data. Ascending. */
  allGroups(): number[] {
    const groups = new Set(this.groups.keys())
    for (const { volume } of this.headers) if (this.homesOf(volume).length === 0) groups.add(this.groupOf(volume))
    return [...groups].sort((a, b) => a - b)
  }

  #readHeaders(): HeaderFile[] {
    const found: HeaderFile[] = []
    for (const { name, isDirectory } of this.partition.disk.list(this.partition.path) ?? []) {
      const volume = headerVolume(name)
      const file = volume === undefined || isDirectory ? undefined : readHeaderFile(this.partition, name, volume)
      if (file !== undefined) found.push(file)
    }
    return found.sort(byVolume)
  }

  #readGroups(): Map<number, number[]> {
    const { disk, path } = this.partition
    const groups = new Map<number, number[]>()
    for (const first of disk.list(`${path}/${dataFolder}`) ?? []) {
      if (!first.isDirectory) continue
      for (const second of disk.list(`${path}/${dataFolder}/${first.name}`) ?? []) {
        const group = second.isDirectory ? decodeNumber(second.name) : undefined
        if (group === undefined || groupFolder(group) !== `${dataFolder}/${first.name}/${second.name}`) continue
        groups.set(group, this.#volumesIn(group))
      }
    }
    return groups
  }

  #volumesIn(group: number): number[] {
    return new InodeStore(this.partition, group).volumes()
  }

  #readHomes(): Map<number, number[]> {
    const homes = new Map<number, number[]>()
    for (const [group, volumes] of this.groups)
      for (const volume of volumes) homes.set(volume, [...(homes.get(volume) ?? []), group])
    return homes
  }
}
