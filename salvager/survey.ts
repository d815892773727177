/**
 * Which volumes a partition has, told from the disk alone: header files by name and content, and special files by the
 * group they lie in. Nobody is asked, so nothing that a server remembers wrongly can make a salvage overlook a volume.
 */
import { type DiskEntry, isDiskError } from "../common/disk/disk.ts"
import { type FileEntry, listFolder } from "../common/disk/folder-reader.ts"
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

/** Reads one header file. Undefined if it is gone, or a link to a folder. */
function readHeaderFile(partition: Partition, name: string, volume: number): HeaderFile | undefined {
  const path = `${partition.path}/${name}`
  const bytes = bytesOf(partition, path)
  if (bytes === undefined) return undefined
  return { name, volume, isNamedRight: name === headerName(volume), header: parsed(bytes, path) }
}

/**
 * A header file that is read when somebody asks: that of a volume with special files in one group belongs to that group,
 * whatever it says.
 */
class UnreadHeaderFile implements HeaderFile {
  readonly name: string
  readonly volume: number
  readonly isNamedRight = true
  readonly #partition: Partition
  #read: HeaderFile | undefined

  constructor(partition: Partition, name: string, volume: number) {
    this.#partition = partition
    this.name = name
    this.volume = volume
  }

  get header(): VolumeHeader | undefined {
    this.#read ??= readHeaderFile(this.#partition, this.name, this.volume) ?? { ...this, header: undefined }
    return this.#read.header
  }
}

function bytesOf(partition: Partition, path: string): Uint8Array | undefined {
  try {
    return readHeaderBytes(partition, path)
  } catch (error) {
    if (isDiskError(error, "EISDIR")) return undefined
    throw error
  }
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

/** Header files, to be found by what they belong to. */
class HeaderIndex {
  readonly files: readonly HeaderFile[]
  readonly byVolume = new Map<number, HeaderFile[]>()
  /** By the group that the volume's files lie in, else by what the header says, else by its own number. */
  readonly byGroup = new Map<number, HeaderFile[]>()
  readonly misnamed: readonly HeaderFile[]

  /** `groupOf` says to which group a file belongs. */
  constructor(files: readonly HeaderFile[], groupOf: (file: HeaderFile) => number) {
    this.files = files
    this.misnamed = files.filter(({ isNamedRight }) => !isNamedRight)
    for (const file of files) {
      push(this.byVolume, file.volume, file)
      push(this.byGroup, groupOf(file), file)
    }
  }
}

function push<T>(lists: Map<number, T[]>, key: number, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

/** A later look at what belongs to one group; it stands before what was seen first. */
interface GroupLook {
  readonly group: number
  /** What lies in its folder of special files. */
  readonly special: readonly FileEntry[]
  /** The volumes among that. */
  readonly volumes: readonly number[]
  /** Volumes beside which no draft lies; see findDraft. */
  readonly withoutDraft: ReadonlySet<number>
  /** Names of the header files that were read again, or are gone. */
  readonly names: ReadonlySet<string>
  readonly headers: readonly HeaderFile[]
}

/** What lies on a partition now. Each part is read at its first use and kept. */
export class Survey {
  readonly partition: Partition
  readonly #look: GroupLook | undefined
  readonly #first: Survey | undefined
  #names: readonly DiskEntry[] | undefined
  #headers: HeaderIndex | undefined
  #groups: Map<number, readonly number[]> | undefined
  #homes: Map<number, number[]> | undefined

  constructor(partition: Partition, first?: Survey, look?: GroupLook) {
    this.partition = partition
    this.#first = first
    this.#look = look
  }

  /** How many names the partition's directory has; nearly each is that of a volume's header file. */
  get nameCount(): number {
    return this.#entries.length
  }

  get #entries(): readonly DiskEntry[] {
    this.#names ??= listFolder(this.partition.disk, this.partition.path) ?? []
    return this.#names
  }

  /** All header files, by volume id. */
  get headers(): readonly HeaderFile[] {
    const all = this.#index.files
    return this.#look === undefined ? all : [...this.#old(all), ...this.#look.headers].sort(byVolume)
  }

  /** Header files whose name says this volume. */
  headersOf(volume: number): readonly HeaderFile[] {
    return this.#both(this.#index.byVolume.get(volume), (file) => file.volume === volume)
  }

  /** Header files that have another name than belongs to them. */
  get misnamed(): readonly HeaderFile[] {
    return this.#both(this.#index.misnamed, (file) => !file.isNamedRight)
  }

  /** All groups that have a folder, with the ids of the volumes that have special files in it. */
  get groups(): ReadonlyMap<number, readonly number[]> {
    if (this.#look !== undefined) return new Map([...this.#base.groups, [this.#look.group, this.#look.volumes]])
    this.#groups ??= this.#readGroups()
    return this.#groups
  }

  /** Groups where a volume has special files. */
  homesOf(volume: number): readonly number[] {
    if (this.#look !== undefined) {
      const { group, volumes } = this.#look
      const others = this.#base.homesOf(volume).filter((home) => home !== group)
      return volumes.includes(volume) ? [...others, group].sort((a, b) => a - b) : others
    }
    this.#homes ??= this.#readHomes()
    return this.#homes.get(volume) ?? []
  }

  /** The group that a volume belongs to: where its files are, else what its header says, else its own id. */
  groupOf(volume: number): number {
    const said = this.headersOf(volume).find((file) => file.isNamedRight)?.header?.parent
    for (const group of [said, volume])
      if (group !== undefined && this.#readableIn(group).includes(volume)) return group
    return this.homesOf(volume)[0] ?? said ?? volume
  }

  /**
   * Ids of all volumes of a group: with files in its folder, or with a header that says so and no files elsewhere. `special`:
   * what lies in its folder of special files, if that is known.
   */
  membersOf(group: number, special?: readonly DiskEntry[]): number[] {
    return this.#membersWith(group, special === undefined ? this.#volumesIn(group) : this.#volumesAmong(group, special))
  }

  /** What lies in a group's folder of special files. */
  specialOf(group: number): readonly FileEntry[] {
    return this.#look?.group === group ? this.#look.special : new InodeStore(this.partition, group).specialEntries()
  }

  /** Known to have no draft beside it. */
  isWithoutDraft(volume: number): boolean {
    return this.#look?.withoutDraft.has(volume) === true
  }

  #membersWith(group: number, inFolder: readonly number[]): number[] {
    const members = new Set(inFolder)
    for (const { volume } of this.#headersIn(group))
      if (!members.has(volume) && this.homesOf(volume).length === 0) members.add(volume)
    return [...members].sort((a, b) => a - b)
  }

  /**
   * The same partition with a new look at what belongs to one group; the rest is taken as it was. `special`: what lies in its
   * folder of special files, if that is known; `withoutDraft`: volumes that are known to have no draft beside them.
   */
  forGroup(
    group: number,
    special: readonly FileEntry[] = this.specialOf(group),
    withoutDraft: ReadonlySet<number> = new Set(),
  ): Survey {
    const volumes = this.#volumesAmong(group, special)
    const members = this.#membersWith(group, volumes)
    const known = new Map<string, number>(members.map((id) => [headerName(id), id]))
    for (const { name, volume } of [...members.flatMap((id) => this.headersOf(id)), ...this.#headersIn(group)])
      known.set(name, volume)
    const headers = [...known].map(([name, volume]) => readHeaderFile(this.partition, name, volume))
    return new Survey(this.partition, this.#base, {
      group,
      special,
      volumes,
      withoutDraft,
      names: new Set(known.keys()),
      headers: headers.filter((file) => file !== undefined).sort(byVolume),
    })
  }

  /** Every group there is anything of: folders, and header files without data. Ascending. */
  allGroups(): number[] {
    const groups = new Set(this.groups.keys())
    for (const { volume } of this.headers) if (this.homesOf(volume).length === 0) groups.add(this.groupOf(volume))
    return [...groups].sort((a, b) => a - b)
  }

  get #base(): Survey {
    return this.#first ?? this
  }

  get #index(): HeaderIndex {
    if (this.#first !== undefined) return this.#first.#index
    this.#headers ??= new HeaderIndex(this.#readHeaders(), (file) => this.#groupOfFile(file))
    return this.#headers
  }

  #headersIn(group: number): readonly HeaderFile[] {
    return this.#both(this.#index.byGroup.get(group), (file) => this.#groupOfFile(file) === group)
  }

  #groupOfFile(file: HeaderFile): number {
    const [home, another] = this.#base.homesOf(file.volume)
    return file.isNamedRight && home !== undefined && another === undefined
      ? home
      : (file.header?.parent ?? file.volume)
  }

  #old(files: readonly HeaderFile[]): readonly HeaderFile[] {
    return this.#look === undefined ? files : files.filter(({ name }) => this.#look?.names.has(name) !== true)
  }

  #both(old: readonly HeaderFile[] | undefined, isWanted: (file: HeaderFile) => boolean): readonly HeaderFile[] {
    if (this.#look === undefined) return old ?? []
    return [...this.#old(old ?? []), ...this.#look.headers.filter(isWanted)]
  }

  #readHeaders(): HeaderFile[] {
    const found: HeaderFile[] = []
    for (const { name, isDirectory } of this.#entries) {
      const volume = headerVolume(name)
      const file = volume === undefined || isDirectory ? undefined : this.#headerFile(name, volume)
      if (file !== undefined) found.push(file)
    }
    return found.sort(byVolume)
  }

  #headerFile(name: string, volume: number): HeaderFile | undefined {
    const isNamedRight = name === headerName(volume)
    if (isNamedRight && this.homesOf(volume).length === 1) return new UnreadHeaderFile(this.partition, name, volume)
    try {
      return readHeaderFile(this.partition, name, volume)
    } catch (error) {
      if (!isDiskError(error)) throw error
      return { name, volume, isNamedRight, header: undefined } // the salvage of its group reads it again, and says so
    }
  }

  #readGroups(): Map<number, readonly number[]> {
    const { disk, path } = this.partition
    const groups = new Map<number, readonly number[]>()
    for (const first of listFolder(disk, `${path}/${dataFolder}`) ?? []) {
      if (!first.isDirectory) continue
      for (const second of listFolder(disk, `${path}/${dataFolder}/${first.name}`) ?? []) {
        const group = second.isDirectory ? decodeNumber(second.name) : undefined
        if (group === undefined || groupFolder(group) !== `${dataFolder}/${first.name}/${second.name}`) continue
        groups.set(group, this.#readableIn(group))
      }
    }
    return groups
  }

  #volumesIn(group: number): readonly number[] {
    return this.#look?.group === group ? this.#look.volumes : this.#volumesAmong(group, this.specialOf(group))
  }

  #volumesAmong(group: number, special: readonly DiskEntry[]): readonly number[] {
    return new InodeStore(this.partition, group).volumes(special)
  }

  /** None for a folder that cannot be read: the salvage of its group will say so, and stops no other. */
  #readableIn(group: number): readonly number[] {
    try {
      return this.#volumesIn(group)
    } catch (error) {
      if (!isDiskError(error)) throw error
      return []
    }
  }

  #readHomes(): Map<number, number[]> {
    const homes = new Map<number, number[]>()
    for (const [group, volumes] of this.groups)
      for (const volume of volumes) homes.set(volume, [...(homes.get(volume) ?? []), group])
    return homes
  }
}
