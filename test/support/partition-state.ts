/**
 * What is on a server partition, and what is wrong with it, by a second reader that shares no code with the suite: the
 * judge of what a salvager, a restore or a crash left behind. It writes nothing and never fails on damage.
 */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { Findings } from "./oracle/findings.ts"
import { type GroupState, headerName, readGroup } from "./oracle/group-reader.ts"
import { groupFolder, unspell } from "./oracle/namei.ts"
import { type HeaderState, kindOf, readHeader, readWhole } from "./oracle/structures.ts"
import type { TreeNode, VolumeState } from "./oracle/volume-reader.ts"

export type { GroupState } from "./oracle/group-reader.ts"
export type { TreeNode, VnodeState, VolumeState } from "./oracle/volume-reader.ts"

export interface PartitionState {
  /** Header files by name; undefined for one that is not readable. */
  readonly headers: ReadonlyMap<string, HeaderState | undefined>
  readonly groups: ReadonlyMap<number, GroupState>
  readonly volumes: ReadonlyMap<number, VolumeState>
  /** Inconsistencies in words; none on a sound partition. */
  readonly problems: readonly string[]
  /** Deviations that OpenAFS leaves behind by itself. */
  readonly harmless: readonly string[]
}

export interface ReadOptions {
  /** Hash every file's content (default). Without it, `content` is undefined. */
  readonly contents?: boolean
}

class PartitionReader {
  readonly #directory: string
  readonly #findings = new Findings()
  readonly #headers = new Map<string, HeaderState | undefined>()
  readonly #problem = (text: string): void => void this.#findings.problems.push(text)

  constructor(directory: string) {
    this.#directory = directory
  }

  read(contents: boolean): PartitionState {
    const headerFiles = readdirSync(this.#directory).filter((name) => name.endsWith(".vol"))
    for (const name of headerFiles.sort()) this.#readHeader(name)
    const development = existsSync(join(this.#directory, ".dafs", "development"))
    const from = { partition: this.#directory, development, headers: this.#headers, contents }
    const groups = new Map<number, GroupState>()
    for (const id of this.#groupIds()) groups.set(id, readGroup(id, from, this.#findings))
    for (const header of this.#headers.values())
      if (header !== undefined && !groups.has(header.parent))
        this.#problem(`header ${header.id}: no data for group ${header.parent}`)
    const volumes = new Map([...groups.values()].flatMap((group) => group.volumes.map((one) => [one.id, one] as const)))
    const { problems, harmless } = this.#findings
    return { headers: this.#headers, groups, volumes, problems, harmless }
  }

  #readHeader(name: string): void {
    const header = readHeader(readWhole(join(this.#directory, name)) ?? Buffer.alloc(0))
    this.#headers.set(name, header)
    if (header === undefined) return this.#problem(`header file ${name} is unreadable`)
    if (header.version !== 1) this.#problem(`header file ${name} has version ${header.version}`)
    if (name !== headerName(header.id)) this.#problem(`header file ${name} names volume ${header.id}`)
  }

  #groupIds(): number[] {
    const data = join(this.#directory, "AFSIDat")
    const ids: number[] = []
    for (const first of subfolders(data)) {
      for (const second of subfolders(join(data, first))) {
        const number = unspell(second)
        const id = number === undefined ? -1 : Number(number)
        if (id >= 0 && groupFolder(id) === `AFSIDat/${first}/${second}`) ids.push(id)
        else this.#problem(`stray directory AFSIDat/${first}/${second}`)
      }
    }
    return ids.sort((a, b) => a - b)
  }
}

function subfolders(path: string): string[] {
  if (!existsSync(path)) return []
  const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return folders
    .map((entry) => entry.name)
    .filter((name) => !name.startsWith("."))
    .sort()
}

/** Reads the partition in `directory`. On one of OpenAFS's kind that needs root. */
export function readPartitionState(directory: string, options: ReadOptions = {}): PartitionState {
  return new PartitionReader(directory).read(options.contents ?? true)
}

/** What is wrong with the partition in `directory`: nothing, for a sound one. */
export function partitionProblems(directory: string): readonly string[] {
  return readPartitionState(directory, { contents: false }).problems
}

/** Which facts about an object `describeTree` gives. */
export interface DescribeOptions {
  /** Vnode numbers and uniquifiers (default): equal between a volume, its dump and its clone. */
  readonly fids?: boolean
  /** Modification times by client and server (default). */
  readonly dates?: boolean
}

function describeNode(node: TreeNode, options: DescribeOptions): string {
  const { target } = node
  const fid = options.fids === false ? "" : ` ${node.vnode}.${node.unique}`
  if (target === undefined) return `nothing${fid}`
  const dates = options.dates === false ? "" : ` modified ${target.modTime}`
  const kind = kindOf(target.type) ?? `type ${target.type}`
  const facts = `mode ${target.mode.toString(8)} links ${target.links} owner ${target.owner}:${target.group} author ${target.author}`
  const version = ` version ${target.dataVersion} length ${target.length}`
  const content = kind === "dir" ? ` acl ${target.accessList}` : ` content ${target.content}`
  return `${kind}${fid} ${facts}${version}${dates}${content}`
}

/**
 * Everything a client can see of a volume, one line per path, for comparison with another volume: kind, mode, links,
 * owners, version, length, times, access list or content. How a directory is laid out in its pages is left out.
 */
export function describeTree(volume: VolumeState, options: DescribeOptions = {}): Record<string, string> {
  const lines = [...volume.tree].map(([path, node]) => [path, describeNode(node, options)] as const)
  return Object.fromEntries(lines.sort(([a], [b]) => (a < b ? -1 : 1)))
}
