/**
 * A volume as a plain tree in memory: what random work on an attached volume is compared with. It knows the rules of names,
 * links and lengths by itself, and says which code an operation must fail with, or does it.
 */
import type { Code } from "../../common/protocol/codes.ts"
import { blocksOf } from "../../common/volume/volume-info.ts"

export type ModelKind = "file" | "directory" | "symlink"

export class ModelNode {
  readonly kind: ModelKind
  readonly entries = new Map<string, ModelNode>()
  parent: ModelNode | undefined
  content: Buffer
  links: number
  version = 0
  mode: number
  owner: number
  author: number
  modified: number
  changed: number

  constructor(kind: ModelKind, parent: ModelNode | undefined, content: Buffer, fields: { mode: number; by: ModelBy }) {
    this.kind = kind
    this.parent = parent
    this.content = content
    this.links = kind === "directory" ? 2 : 1
    this.mode = fields.mode
    this.owner = fields.by.author
    this.author = fields.by.author
    this.modified = fields.by.now
    this.changed = fields.by.now
  }

  get isDirectory(): boolean {
    return this.kind === "directory"
  }
}

export interface ModelBy {
  readonly author: number
  readonly now: number
}

type Outcome = Code | undefined

const isDots = (name: string): boolean => name === "." || name === ".."
const isBadName = (name: string): boolean =>
  name === "" || name.length > 255 || name.includes("/") || name.includes("\0") || name.endsWith("@sys")

function touch(directory: ModelNode, by: ModelBy): void {
  directory.version++
  directory.author = by.author
  directory.modified = by.now
  directory.changed = by.now
}

export class ModelVolume {
  readonly root: ModelNode

  constructor(root: ModelNode) {
    this.root = root
  }

  /** Undefined if it was made; else the code that this must fail with. */
  make(directory: ModelNode, name: string, kind: ModelKind, content: Buffer, mode: number, by: ModelBy): Outcome {
    if (isBadName(name)) return "EINVAL"
    if (!directory.isDirectory) return "ENOTDIR"
    if (isDots(name) || directory.entries.has(name)) return "EEXIST"
    directory.entries.set(name, new ModelNode(kind, directory, content, { mode, by }))
    if (kind === "directory") directory.links++
    touch(directory, by)
    return undefined
  }

  link(directory: ModelNode, name: string, file: ModelNode, by: ModelBy): Outcome {
    if (isBadName(name)) return "EINVAL"
    if (!directory.isDirectory) return "ENOTDIR"
    if (file.kind !== "file") return "EISDIR"
    if (file.parent !== directory) return "EXDEV"
    if (isDots(name) || directory.entries.has(name)) return "EEXIST"
    directory.entries.set(name, file)
    file.links++
    file.author = by.author
    file.changed = by.now
    touch(directory, by)
    return undefined
  }

  remove(directory: ModelNode, name: string, wanted: "file" | "directory", by: ModelBy): Outcome {
    if (!directory.isDirectory) return "ENOTDIR"
    if (isDots(name)) return "EINVAL"
    const node = directory.entries.get(name)
    if (node === undefined) return "ENOENT"
    if (node.isDirectory !== (wanted === "directory")) return node.isDirectory ? "EISDIR" : "ENOTDIR"
    if (node.entries.size > 0) return "EEXIST"
    directory.entries.delete(name)
    this.#dropName(directory, node, by)
    touch(directory, by)
    return undefined
  }

  rename(from: ModelNode, oldName: string, to: ModelNode, newName: string, by: ModelBy): Outcome {
    const refusal = this.#refuseRename(from, oldName, to, newName)
    if (refusal !== undefined) return refusal
    const moved = from.entries.get(oldName)
    if (moved === undefined) return "ENOENT"
    const target = to.entries.get(newName)
    if (target !== undefined) this.#dropName(to, target, by)
    from.entries.delete(oldName)
    to.entries.set(newName, moved)
    touch(from, by)
    if (from === to) return undefined
    touch(to, by)
    moved.parent = to
    moved.changed = by.now
    if (!moved.isDirectory) return undefined
    from.links--
    to.links++
    moved.version++
    return undefined
  }

  #refuseRename(from: ModelNode, oldName: string, to: ModelNode, newName: string): Outcome {
    if (isBadName(newName) || isDots(newName) || oldName === "" || isDots(oldName)) return "EINVAL"
    if (!from.isDirectory || !to.isDirectory) return "ENOTDIR"
    const moved = from.entries.get(oldName)
    if (moved === undefined) return "ENOENT"
    if (moved === from || moved === to) return "ELOOP_QUIRK"
    if (from !== to && !moved.isDirectory && moved.links > 1) return "EXDEV"
    const target = to.entries.get(newName)
    if (target !== undefined) {
      if (target === moved || target === from || target === to) return "EINVAL"
      if (target.isDirectory && !moved.isDirectory) return "EISDIR"
      if (target.entries.size > 0) return "EEXIST"
      if (!target.isDirectory && moved.isDirectory) return "ENOTDIR"
    }
    for (let node: ModelNode | undefined = to; node !== undefined && moved.isDirectory; node = node.parent) {
      if (node === moved) return "ELOOP_QUIRK"
    }
    return undefined
  }

  #dropName(directory: ModelNode, node: ModelNode, by: ModelBy): void {
    if (node.isDirectory) directory.links--
    node.links--
    node.changed = by.now
  }

  /** `sent`: bytes that come, which may be fewer than `length`. */
  store(file: ModelNode, position: number, length: number, fileLength: number, sent: Buffer, by: ModelBy): Outcome {
    if (file.kind !== "file") return "EISDIR"
    const kept = Math.min(fileLength, file.content.length)
    const taken = sent.subarray(0, length)
    const isExtended = length === 0 || taken.length > 0
    const size = isExtended ? Math.max(kept, position + taken.length) : kept
    const content = Buffer.alloc(size)
    file.content.copy(content, 0, 0, kept)
    taken.copy(content, position)
    file.content = content
    file.version++
    file.author = by.author
    file.modified = by.now
    file.changed = by.now
    return undefined
  }

  setMode(node: ModelNode, mode: number, by: ModelBy): Outcome {
    if (node.kind === "symlink") return "EINVAL"
    node.mode = mode
    node.changed = by.now
    return undefined
  }

  /** Every path and its node; a file with two names comes twice. */
  *paths(node: ModelNode = this.root, path = ""): Generator<[string, ModelNode]> {
    yield [path, node]
    for (const [name, child] of node.entries) yield* this.paths(child, `${path}/${name}`)
  }

  /** A line for every path, in the order of paths. */
  lines(): string[] {
    const lines = [...this.paths()].map(([path, node]) => lineOf(path, node))
    return lines.sort()
  }

  /** Blocks of files and symbolic links; those of directories depend on how names lie in their pages. */
  smallBlocks(): number {
    const nodes = new Set([...this.paths()].map(([, node]) => node).filter((node) => !node.isDirectory))
    return [...nodes].reduce((sum, node) => sum + blocksOf(node.content.length), 0)
  }
}

/** What clients see of a vnode. The content is that of files and symbolic links. */
export interface LineFacts {
  readonly kind: ModelKind
  readonly mode: number
  readonly links: number
  readonly owner: number
  readonly author: number
  readonly version: number
  readonly modified: number
  readonly changed: number
  readonly content: Buffer
}

export function lineOf(path: string, { kind, mode, links, owner, author, ...facts }: LineFacts): string {
  const { version, modified, changed, content } = facts
  const words = `${kind} ${mode.toString(8)} links ${links} owner ${owner} author ${author} version ${version}`
  return `${path}: ${words} at ${modified} ${changed}${kind === "directory" ? "" : ` ${sumOf(content)}`}`
}

/** Short, and different for contents that differ. */
function sumOf(content: Buffer): string {
  let sum = 0
  for (let index = 0; index < content.length; index++) sum = (Math.imul(sum, 31) + (content[index] ?? 0) + 1) >>> 0
  return `${content.length} bytes ${sum.toString(16)}`
}
