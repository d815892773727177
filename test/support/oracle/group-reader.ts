/** A second reader of one volume group: its files, its link table, and who uses what. */
import { readdirSync } from "node:fs"
import { join, relative } from "node:path"
import type { Findings } from "./findings.ts"
import { groupFolder, nameOf, numberOf, partsOf, placeOf, specialVnode, unspell } from "./namei.ts"
import { type HeaderState, kindOf, magics, readWhole } from "./structures.ts"
import { type DataFile, readDataFile, readVolume, type VolumeState } from "./volume-reader.ts"

export interface GroupState {
  readonly id: number
  readonly volumes: readonly VolumeState[]
  /** Data files by `vnode.unique.tag`, with their link counts. */
  readonly data: ReadonlyMap<string, DataFile & { readonly links: number }>
  /** Paths inside the group's folder of files that do not belong there. */
  readonly stray: readonly string[]
}

/** What a group is read from. */
export interface GroupSources {
  readonly partition: string
  readonly development: boolean
  /** Readable header files by name. */
  readonly headers: ReadonlyMap<string, HeaderState | undefined>
  readonly contents: boolean
}

const linkTableType = 6
const specialNames = ["0", "info", "small", "large", "acl", "mount", "link"]
const tagCount = 5
const headerSize = 8

export const headerName = (volume: number): string => `V${String(volume).padStart(10, "0")}.vol`

/** Every file below a folder. */
function* filesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else yield path
  }
}

class GroupReader {
  readonly #id: number
  readonly #from: GroupSources
  readonly #findings: Findings
  readonly #problem: (text: string) => void
  readonly #folder: string
  readonly #special = new Map<bigint, string>()
  readonly #data = new Map<bigint, DataFile>()
  readonly #stray: string[] = []
  #table: Buffer | undefined

  constructor(id: number, from: GroupSources, findings: Findings) {
    this.#id = id
    this.#from = from
    this.#findings = findings
    this.#problem = findings.about(`group ${id}`)
    this.#folder = join(from.partition, groupFolder(id))
  }

  read(): GroupState {
    for (const path of filesBelow(this.#folder)) this.#sort(path)
    for (const [number, path] of this.#special) this.#checkSpecialOwner(number, path)
    const isSound = this.#readTable()
    const volumes = this.#volumeIds().map((id) => this.#readVolume(id))
    if (isSound) this.#checkCount(volumes.length)
    this.#checkUses(volumes)
    this.#checkDangling()
    const data = new Map([...this.#data].map(([number, file]) => [nameOf(number), this.#withLinks(number, file)]))
    return { id: this.#id, volumes, data, stray: this.#stray }
  }

  #sort(path: string): void {
    const place = relative(this.#folder, path)
    const number = unspell(place.replace(/^.*\//, ""))
    if (number === undefined || placeOf(number) !== place) {
      this.#stray.push(place)
      this.#problem(`stray file ${place}`)
    } else if (partsOf(number).vnode === specialVnode) this.#special.set(number, path)
    else this.#data.set(number, readDataFile(path, this.#from.development))
  }

  #checkSpecialOwner(number: bigint, path: string): void {
    const { unique, tag } = partsOf(number)
    const owner = readDataFile(path, this.#from.development)
    if (owner.version === undefined || (owner.version === unique && owner.tag === tag)) return
    const name = `${unique}.${specialNames[tag] ?? tag}`
    this.#problem(`special file ${name} carries owner data ${owner.version}.${owner.tag}`)
  }

  /** @returns true if there is a link table that can be counted on. */
  #readTable(): boolean {
    const path = this.#special.get(numberOf({ vnode: specialVnode, tag: linkTableType, unique: this.#id }))
    if (path === undefined) {
      this.#problem("no link table")
      return false
    }
    this.#table = readWhole(path) ?? Buffer.alloc(0)
    if (this.#table.length < headerSize || this.#table.readUInt32LE(0) !== magics.link) {
      this.#problem("bad link table header")
      return false
    }
    const version = this.#table.readUInt32LE(4)
    if (version !== 1) this.#problem(`link table has version ${version}`)
    return true
  }

  #links(vnode: number, tag: number): number {
    const at = headerSize + 2 * vnode
    if (this.#table === undefined || at + 2 > this.#table.length) return 0
    return (this.#table.readUInt16LE(at) >> (3 * tag)) & 7
  }

  #withLinks(number: bigint, file: DataFile): DataFile & { links: number } {
    const { vnode, tag } = partsOf(number)
    return { ...file, links: this.#links(vnode, tag) }
  }

  #volumeIds(): number[] {
    const bySpecial = [...this.#special.keys()]
      .map(partsOf)
      .filter(({ tag }) => tag >= 1 && tag <= 3)
      .map(({ unique }) => unique)
    const byHeader = [...this.#from.headers.values()]
      .filter((header) => header?.parent === this.#id)
      .map((header) => header?.id ?? 0)
    return [...new Set([...bySpecial, ...byHeader])].sort((a, b) => a - b)
  }

  #readVolume(id: number): VolumeState {
    const special = (tag: number): string | undefined =>
      this.#special.get(numberOf({ vnode: specialVnode, tag, unique: id }))
    const { headers, contents } = this.#from
    const name = headerName(id)
    const from = {
      group: this.#id,
      header: headers.get(name),
      hasHeader: headers.has(name),
      special,
      data: this.#data,
      contents,
    }
    return readVolume(id, from, this.#findings)
  }

  #checkCount(volumes: number): void {
    const counted = this.#links(0, 0)
    if (counted !== volumes) this.#problem(`link table counts ${counted} volumes, there are ${volumes}`)
  }

  #checkUses(volumes: readonly VolumeState[]): void {
    const uses = new Map<bigint, number>()
    for (const volume of volumes)
      for (const vnode of volume.vnodes.values()) uses.set(vnode.inode, (uses.get(vnode.inode) ?? 0) + 1)
    for (const [number, file] of this.#data) {
      const { vnode, tag } = partsOf(number)
      const used = uses.get(number) ?? 0
      const counted = this.#links(vnode, tag)
      if (used === 0) this.#problem(`data file ${nameOf(number)} belongs to no vnode`)
      if (counted !== used)
        this.#problem(`data file ${nameOf(number)} has link count ${counted}, ${used} vnodes use it`)
      if (file.tag !== undefined && file.tag !== tag)
        this.#problem(`data file ${nameOf(number)} carries tag ${file.tag}`)
    }
    for (const volume of volumes) this.#checkCloned(volume, uses)
  }

  /** A shared directory that is not marked would be changed in place, in the clones too. */
  #checkCloned(volume: VolumeState, uses: ReadonlyMap<bigint, number>): void {
    if (volume.id !== this.#id) return
    const say = this.#findings.about(`volume ${volume.id}`)
    for (const vnode of volume.vnodes.values()) {
      const isDirectory = vnode.vnode % 2 === 1 && kindOf(vnode.type) === "dir"
      if (isDirectory && !vnode.cloned && (uses.get(vnode.inode) ?? 0) > 1)
        say(`directory ${vnode.vnode} is shared and not marked as cloned`)
    }
  }

  #checkDangling(): void {
    const kept = new Set([...this.#data.keys()].map(partsOf).map(({ vnode, tag }) => `${vnode}.${tag}`))
    const rows = Math.floor(((this.#table?.length ?? 0) - headerSize) / 2)
    for (let vnode = 1; vnode < rows; vnode++) {
      for (let tag = 0; tag < tagCount; tag++) {
        const links = this.#links(vnode, tag)
        if (links !== 0 && !kept.has(`${vnode}.${tag}`))
          this.#problem(`link table counts ${links} for absent ${vnode} tag ${tag}`)
      }
    }
  }
}

/** Reads a volume group and reports what is wrong with it. */
export function readGroup(id: number, from: GroupSources, findings: Findings): GroupState {
  return new GroupReader(id, from, findings).read()
}
