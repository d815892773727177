/** A second reader of one volume, and of what must hold inside it. */
import { statSync } from "node:fs"
import { type DirectoryObject, readDirectoryObject } from "./directory-object.ts"
import type { Findings } from "./findings.ts"
import { nameOf, numberOf, partsOf, specialVnode } from "./namei.ts"
import {
  type HeaderState,
  hashContent,
  type InfoState,
  kindOf,
  magics,
  type RecordState,
  readInfo,
  readRecord,
  readWhole,
  recordMagics,
  recordSizes,
} from "./structures.ts"

/** One used vnode. */
export interface VnodeState extends RecordState {
  readonly vnode: number
  /** Hash of the content, marked if the data file is shorter than the length; undefined without a data file. */
  readonly content: string | undefined
  /** True if no path from the root leads to it. */
  orphan: boolean
}

/** What a name in the volume leads to. */
export interface TreeNode {
  readonly vnode: number
  readonly unique: number
  /** Undefined if the name leads to a free vnode. */
  readonly target: VnodeState | undefined
}

export interface VolumeState {
  readonly id: number
  readonly group: number
  readonly header: HeaderState | undefined
  readonly info: InfoState | undefined
  readonly vnodes: ReadonlyMap<number, VnodeState>
  /** Every path from the root (`/`), names one character per byte. */
  readonly tree: ReadonlyMap<string, TreeNode>
  /** Fault of a directory's content, by vnode. */
  readonly faultyDirectories: ReadonlyMap<number, string>
}

/** A data file of the group. */
export interface DataFile {
  readonly path: string
  readonly size: number
  /** What its owner says: the data version it was created with, and its tag. Undefined in a development partition. */
  readonly version: number | undefined
  readonly tag: number | undefined
}

/** What a volume is read from. */
export interface VolumeSources {
  readonly group: number
  readonly header: HeaderState | undefined
  /** True if a header file of that name exists, readable or not. */
  readonly hasHeader: boolean
  /** Path of a special file of the volume, by type. */
  readonly special: (type: number) => string | undefined
  readonly data: ReadonlyMap<bigint, DataFile>
  /** Whether to hash contents. */
  readonly contents: boolean
}

type IndexName = "small" | "large"

const specialTypes = { info: 1, small: 2, large: 3, link: 6 } as const
const destroyMark = 0xd3
const readWrite = 0
const readOnly = 1
const backup = 2
const rootVnode = 1

class VolumeReader {
  readonly #id: number
  readonly #from: VolumeSources
  readonly #findings: Findings
  readonly #problem: (text: string) => void
  readonly #vnodes = new Map<number, VnodeState>()
  readonly #directories = new Map<number, DirectoryObject>()
  readonly #faults = new Map<number, string>()
  readonly #entries = new Map<number, number>()
  readonly #parents = new Map<number, number>()
  #info: InfoState | undefined

  constructor(id: number, from: VolumeSources, findings: Findings) {
    this.#id = id
    this.#from = from
    this.#findings = findings
    this.#problem = findings.about(`volume ${id}`)
  }

  read(): VolumeState {
    this.#checkHeader()
    const raw = { info: this.#special("info"), small: this.#special("small"), large: this.#special("large") }
    this.#readInfo(raw.info)
    this.#readIndex("large", raw.large)
    this.#readIndex("small", raw.small)
    this.#checkStatistics()
    for (const vnode of this.#vnodes.keys()) this.#readDirectory(vnode)
    for (const [vnode, directory] of [...this.#directories].sort(([a], [b]) => a - b))
      this.#checkNames(vnode, directory)
    if (this.#vnodes.size > 0 && !this.#directories.has(rootVnode)) this.#problem("no root directory")
    this.#checkReach()
    return {
      id: this.#id,
      group: this.#from.group,
      header: this.#from.header,
      info: this.#info,
      vnodes: this.#vnodes,
      tree: this.#walkTree(),
      faultyDirectories: this.#faults,
    }
  }

  #checkHeader(): void {
    const { header, group, hasHeader } = this.#from
    if (!hasHeader) this.#problem("no header file")
    if (header === undefined) return
    if (header.id !== this.#id || header.parent !== group)
      this.#problem(`header file names volume ${header.id} of group ${header.parent}`)
    for (const [name, tag] of Object.entries(specialTypes) as [keyof typeof specialTypes, number][]) {
      const wanted = numberOf({ vnode: specialVnode, tag, unique: name === "link" ? group : this.#id })
      if (header[name] !== wanted)
        this.#problem(
          `header file points to ${header[name] === 0n ? "None" : nameOf(header[name])} for its ${name} file`,
        )
    }
  }

  #special(name: Exclude<keyof typeof specialTypes, "link">): Buffer | undefined {
    const path = this.#from.special(specialTypes[name])
    const bytes = path === undefined ? undefined : readWhole(path)
    if (bytes === undefined) this.#problem(`no ${name} file`)
    else if (bytes.length < 8 || bytes.readUInt32LE(0) !== magics[name]) this.#problem(`bad magic in ${name} file`)
    else if (bytes.readUInt32LE(4) !== 1) this.#problem(`${name} file has version ${bytes.readUInt32LE(4)}`)
    return bytes
  }

  #readInfo(bytes: Buffer | undefined): void {
    if (bytes === undefined) return
    const info = readInfo(bytes)
    if (info === undefined) return this.#problem(`info file has ${bytes.length} bytes`)
    this.#info = info
    if (info.id !== this.#id || info.parentId !== this.#from.group)
      this.#problem(`info says volume ${info.id} of group ${info.parentId}`)
    this.#checkType(info.type)
    if (info.needsSalvaged !== 0) this.#problem("is marked as needing a salvage")
    if (info.inUse !== 0) this.#problem(`is marked in use by ${info.inUse}`)
    if (info.destroyMe === destroyMark) this.#problem("is marked for destruction")
  }

  /** `vos restore -readonly` without a read-write volume makes a read-only volume that is its own group. */
  #checkType(type: number): void {
    const isOwnGroup = this.#id === this.#from.group
    const isKnown = type === readWrite || type === readOnly || type === backup
    if (isKnown && isOwnGroup === (type === readWrite)) return
    if (isOwnGroup && type === readOnly) this.#findings.harmless.push(`volume ${this.#id}: info says type ${type}`)
    else this.#problem(`info says type ${type}`)
  }

  #readIndex(name: IndexName, bytes: Buffer | undefined): void {
    if (bytes === undefined) return
    const size = recordSizes[name]
    const rest = bytes.length % size
    if (bytes.length > size && rest !== 0) this.#problem(`${name} index has ${rest} bytes after the last whole record`)
    for (let index = 1; (index + 1) * size <= bytes.length; index++) {
      const record = readRecord(bytes.subarray(index * size, (index + 1) * size))
      if (record.type !== 0) this.#takeVnode(name, (index - 1) * 2 + (name === "large" ? 1 : 2), record)
    }
  }

  #takeVnode(index: IndexName, vnode: number, record: RecordState): void {
    const kind = kindOf(record.type)
    if (record.magic !== recordMagics[index]) this.#problem(`vnode ${vnode} has a bad magic`)
    if (kind === undefined || (kind === "dir") !== (index === "large"))
      this.#problem(`vnode ${vnode} has type ${kind ?? record.type}`)
    if (index === "large" && kind === "dir" && record.accessList === undefined)
      this.#problem(`vnode ${vnode}: access list makes no sense`)
    const file = this.#from.data.get(record.inode)
    if (file === undefined) this.#problem(`vnode ${vnode}: its data file ${nameOf(record.inode)} is missing`)
    else this.#checkData(vnode, record, file)
    const content = file === undefined || !this.#from.contents ? undefined : hashContent(file.path, record.length)
    this.#vnodes.set(vnode, { ...record, vnode, content, orphan: false })
  }

  #checkData(vnode: number, record: RecordState, file: DataFile): void {
    const parts = partsOf(record.inode)
    if (file.size !== record.length)
      this.#problem(`vnode ${vnode}: length ${record.length}, data file has ${file.size}`)
    if (parts.unique !== record.unique)
      this.#problem(`vnode ${vnode}: unique ${record.unique}, data file says ${parts.unique}`)
    if (parts.vnode !== vnode) this.#problem(`vnode ${vnode}: uses the data file of vnode ${parts.vnode}`)
    if (kindOf(record.type) !== "dir" && file.version !== undefined && record.dataVersion < file.version)
      this.#reportVersion(`vnode ${vnode}: version ${record.dataVersion}, data file has ${file.version}`, record, file)
  }

  /** A file or link that was made and never written has version 0, its data file 1. */
  #reportVersion(text: string, record: RecordState, file: DataFile): void {
    if (record.dataVersion === 0 && file.version === 1) this.#findings.harmless.push(`volume ${this.#id}: ${text}`)
    else this.#problem(text)
  }

  /** Until it is first cloned, OpenAFS does not count the root directory of a volume. */
  #checkStatistics(): void {
    const info = this.#info
    if (info === undefined) return
    const vnodes = [...this.#vnodes.values()]
    const highest = Math.max(0, ...vnodes.map((vnode) => vnode.unique))
    if (info.uniquifier <= highest) this.#problem(`next uniquifier ${info.uniquifier}, ${highest} is in use`)
    const counted = `file count ${info.fileCount}, there are ${vnodes.length}`
    if (info.fileCount === vnodes.length - 1) this.#findings.harmless.push(`volume ${this.#id}: ${counted}`)
    else if (info.fileCount !== vnodes.length) this.#problem(counted)
    const used = vnodes.reduce((sum, vnode) => sum + vnode.blocks, 0n)
    if (BigInt(info.diskUsed) !== used) this.#problem(`disk used ${info.diskUsed}, should be ${used}`)
  }

  #readDirectory(number: number): void {
    const vnode = this.#vnodes.get(number)
    if (vnode === undefined || kindOf(vnode.type) !== "dir") return
    const file = this.#from.data.get(vnode.inode)
    if (file === undefined) return
    const directory = readDirectoryObject(readWhole(file.path) ?? Buffer.alloc(0))
    this.#directories.set(number, directory)
    if (directory.fault === undefined) return
    this.#problem(`directory ${number}: ${directory.fault}`)
    this.#faults.set(number, directory.fault)
  }

  #checkNames(number: number, directory: DirectoryObject): void {
    const known = new Set<string>()
    for (const { name, vnode, unique } of directory.names) {
      const text = Buffer.from(name, "latin1").toString("utf8")
      const say = (problem: string): void => this.#problem(`directory ${number}: '${text}' ${problem}`)
      if (known.has(name)) this.#problem(`directory ${number}: name '${text}' twice`)
      known.add(name)
      if (this.#vnodes.has(vnode)) this.#entries.set(vnode, (this.#entries.get(vnode) ?? 0) + 1)
      if (name === "." || name === "..") this.#checkDot(number, name, { vnode, unique }, say)
      else this.#checkEntry(number, vnode, unique, say)
    }
  }

  #checkDot(number: number, name: string, found: { vnode: number; unique: number }, say: (text: string) => void): void {
    const own = this.#vnodes.get(number)
    const wanted = name === "." ? number : own?.parent || number
    const unique = this.#vnodes.get(wanted)?.unique
    if (found.vnode !== wanted || found.unique !== unique)
      say(`is ${found.vnode}.${found.unique}, should be ${wanted}.${unique ?? "None"}`)
  }

  #checkEntry(directory: number, number: number, unique: number, say: (text: string) => void): void {
    const vnode = this.#vnodes.get(number)
    if (vnode === undefined) return say(`leads to free vnode ${number}.${unique}`)
    if (vnode.unique !== unique) say(`is ${number}.${unique}, the vnode has unique ${vnode.unique}`)
    if (vnode.parent !== directory) say(`is vnode ${number}, whose parent is ${vnode.parent}`)
    else if (number !== rootVnode) this.#parents.set(number, directory)
  }

  #checkReach(): void {
    for (const [number, vnode] of [...this.#vnodes].sort(([a], [b]) => a - b)) {
      if (!this.#isReached(number)) {
        this.#problem(`vnode ${number} cannot be reached from the root`)
        vnode.orphan = true
      }
      const entries = this.#entries.get(number) ?? 0
      if (vnode.links !== entries) this.#problem(`vnode ${number}: link count ${vnode.links}, ${entries} entries`)
    }
  }

  #isReached(start: number): boolean {
    let at = start
    for (let hops = 0; hops <= this.#vnodes.size && at !== rootVnode; hops++) {
      const parent = this.#parents.get(at)
      if (parent === undefined) return false
      at = parent
    }
    return at === rootVnode
  }

  #walkTree(): Map<string, TreeNode> {
    const tree = new Map<string, TreeNode>()
    const root = this.#vnodes.get(rootVnode)
    if (root === undefined || !this.#directories.has(rootVnode)) return tree
    tree.set("/", { vnode: rootVnode, unique: root.unique, target: root })
    const todo = [{ number: rootVnode, path: "", above: new Set([rootVnode]) }]
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      for (const { name, vnode, unique } of this.#directories.get(next.number)?.names ?? []) {
        if (name === "." || name === "..") continue
        const path = `${next.path}/${name}`
        tree.set(tree.has(path) ? `${path}\0` : path, { vnode, unique, target: this.#vnodes.get(vnode) })
        if (this.#directories.has(vnode) && !next.above.has(vnode))
          todo.push({ number: vnode, path, above: new Set(next.above).add(vnode) })
      }
    }
    return tree
  }
}

/** Reads a volume and reports what is wrong with it. */
export function readVolume(id: number, from: VolumeSources, findings: Findings): VolumeState {
  return new VolumeReader(id, from, findings).read()
}

/** Size and owner data of a data file. */
export function readDataFile(path: string, development: boolean): DataFile {
  const stat = statSync(path)
  if (development) return { path, size: stat.size, version: undefined, tag: undefined }
  const version = (stat.uid | (stat.gid << 15) | ((stat.mode & 0x18) << 27)) >>> 0
  return { path, size: stat.size, version, tag: stat.mode & 7 }
}
