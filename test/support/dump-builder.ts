/**
 * Dumps of volumes that never were: a tree written down as a value becomes a dump stream as `vos dump` would write it,
 * ready to be restored. It is how tests and benchmarks fill volumes.
 */
import { type Directory, newDirectory } from "../../common/directory/directory.ts"
import { type DumpVnode, dumpVersion, newDumpVnode, newDumpVolumeHeader } from "../../common/dump/dump-tags.ts"
import type { DumpSource } from "../../common/dump/dump-window.ts"
import { type DumpSink, DumpWriter } from "../../common/dump/dump-writer.ts"
import { unique, type VnodeId, vnodeNumber } from "../../common/ids.ts"
import { type AccessList, encodeAccessList } from "../../common/vnode/access-list.ts"
import { vnodeTypes } from "../../common/vnode/vnode-record.ts"

interface Facts {
  /** Permission bits; default 0644, for folders 0755. */
  readonly mode?: number
  readonly owner?: number
  readonly group?: number
  /** Seconds since 1970; default the dump's date. */
  readonly modified?: number
  readonly dataVersion?: number
}

/** What a name stands for. A plain text or plain bytes are a file of that content. */
export type TreeNode =
  | string
  | Uint8Array
  | ({ readonly file: string | Uint8Array } & Facts)
  /** A file of so many bytes, made up; the same for the same size and seed. */
  | ({ readonly size: number; readonly seed?: number } & Facts)
  | ({ readonly link: string } & Facts)
  /** The text of a mount point, `#volume.`. */
  | ({ readonly mountPoint: string } & Facts)
  | ({ readonly folder: Tree; readonly access?: AccessList } & Facts)
  /** Another name, declared before, of a file in the same folder. */
  | { readonly sameAs: string }

/** Names and what they stand for. */
export interface Tree {
  readonly [name: string]: TreeNode
}

export interface DumpOptions {
  readonly volume?: number
  readonly name?: string
  /** Seconds since 1970 that everything was made at. */
  readonly date?: number
  /** Access list of the root, and of folders that have none of their own; default: anybody may do anything. */
  readonly access?: AccessList
  /** Fields of the volume header beside those that follow from the tree. */
  readonly quota?: number
}

const anybody: AccessList = { positive: [{ id: -101, rights: 127 }], negative: [] }
const pieceSize = 256 * 1024

/** Bytes of a made-up file, a piece at a time. */
function* madeUp(size: number, seed: number): Generator<Uint8Array> {
  const piece = new Uint8Array(Math.min(size, pieceSize))
  let state = (seed + 1) * 0x9e37_79b1
  for (let at = 0; at < piece.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    piece[at] = state >>> 24
  }
  for (let left = size; left > 0; left -= piece.length) yield piece.subarray(0, Math.min(left, piece.length))
}

interface Content {
  readonly length: number
  readonly pieces: () => Iterable<Uint8Array>
}

/** A vnode of the stream; a link count that grows as names are met. */
interface Made {
  readonly id: VnodeId
  readonly fields: Partial<DumpVnode>
  readonly content: () => Content
  links: number
}

const contentOf = (bytes: Uint8Array): Content => ({ length: bytes.length, pieces: () => [bytes] })
const toBytes = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? Buffer.from(content) : content

class TreeBuilder {
  readonly folders: Made[] = []
  readonly files: Made[] = []
  readonly #date: number
  readonly #access: AccessList
  #nextUnique = 1

  constructor(date: number, access: AccessList) {
    this.#date = date
    this.#access = access
  }

  get nextUnique(): number {
    return this.#nextUnique
  }

  /** Adds a folder with all below it. */
  folder(node: Extract<TreeNode, { folder: Tree }>, parent: VnodeId | undefined): Made {
    const id = this.#newId(1 + 2 * this.folders.length)
    const directory = newDirectory(id, parent ?? id)
    const fields = {
      ...this.#facts(node, 0o755),
      type: vnodeTypes.directory,
      parent: vnodeNumber(parent?.vnode ?? 0),
      accessList: encodeAccessList(node.access ?? this.#access),
    }
    const made: Made = { id, fields, content: () => contentOf(directory.bytes), links: 2 }
    this.folders.push(made)
    this.#fill(made, directory, node.folder)
    return made
  }

  #fill(made: Made, directory: Directory, tree: Tree): void {
    const known = new Map<string, Made>()
    for (const [name, node] of Object.entries(tree)) {
      const child = this.#child(node, made.id, known)
      if (child.id.vnode % 2 === 1) made.links++
      directory.add(Buffer.from(name), child.id)
      known.set(name, child)
    }
  }

  #child(node: TreeNode, parent: VnodeId, known: ReadonlyMap<string, Made>): Made {
    if (typeof node === "string" || node instanceof Uint8Array) return this.#child({ file: node }, parent, known)
    if ("folder" in node) return this.folder(node, parent)
    if ("sameAs" in node) return addedName(known.get(node.sameAs), node.sameAs)
    if ("link" in node) return this.#leaf(node, parent, vnodeTypes.symlink, 0o755, contentOf(toBytes(node.link)))
    if ("mountPoint" in node)
      return this.#leaf(node, parent, vnodeTypes.symlink, 0o644, contentOf(toBytes(node.mountPoint)))
    if ("file" in node) return this.#leaf(node, parent, vnodeTypes.file, 0o644, contentOf(toBytes(node.file)))
    const { size, seed = this.#nextUnique } = node
    return this.#leaf(node, parent, vnodeTypes.file, 0o644, { length: size, pieces: () => madeUp(size, seed) })
  }

  #leaf(facts: Facts, parent: VnodeId, type: number, mode: number, content: Content): Made {
    const id = this.#newId(2 + 2 * this.files.length)
    const fields = { ...this.#facts(facts, mode), type, parent: parent.vnode }
    const made: Made = { id, fields, content: () => content, links: 1 }
    this.files.push(made)
    return made
  }

  #newId(vnode: number): VnodeId {
    return { vnode: vnodeNumber(vnode), unique: unique(this.#nextUnique++) }
  }

  #facts(facts: Facts, mode: number): Partial<DumpVnode> {
    const { owner = 0, group = 0, dataVersion = 1, modified = this.#date } = facts
    const times = { unixModifyTime: modified, serverModifyTime: this.#date }
    return { mode: facts.mode ?? mode, owner, author: owner, group, dataVersion, ...times }
  }
}

function addedName(made: Made | undefined, name: string): Made {
  if (made === undefined || made.id.vnode % 2 === 1) throw new Error(`no file ${name} to give another name to`)
  made.links++
  return made
}

/** KiB that a length counts for. */
const blocksOf = (length: number): number => Math.max(1, Math.ceil(length / 1024))

/** Writes the dump of a tree. @returns bytes written */
export function writeTreeDump(tree: Tree, sink: DumpSink, options: DumpOptions = {}): number {
  const { volume = 536870912, name = "made.up", date = 1_700_000_000 } = options
  const builder = new TreeBuilder(date, options.access ?? anybody)
  builder.folder({ folder: tree, mode: 0o777 }, undefined)
  const vnodes = [...builder.folders, ...builder.files]
  const writer = new DumpWriter(sink)
  writer.begin({ version: dumpVersion, volume, name, from: 0, to: date })
  writer.volume(
    newDumpVolumeHeader({
      ...{
        id: volume,
        stampVersion: 1,
        name,
        inService: 1,
        blessed: 1,
        uniquifier: builder.nextUnique,
        parentId: volume,
      },
      ...{ maxquota: options.quota ?? 0, creationDate: date, updateDate: date, filecount: vnodes.length },
      diskused: vnodes.reduce((sum, made) => sum + blocksOf(made.content().length), 0),
    }),
  )
  for (const made of vnodes) writeVnode(writer, made)
  writer.end()
  return writer.length
}

function writeVnode(writer: DumpWriter, made: Made): void {
  const { length, pieces } = made.content()
  const { vnode, unique: own } = made.id
  writer.vnode(newDumpVnode(vnode, own, { ...made.fields, linkCount: made.links, dataLength: length }))
  for (const piece of pieces()) if (piece.length > 0) writer.data(piece)
}

/** The dump of a tree, in memory. */
export function treeDump(tree: Tree, options: DumpOptions = {}): Buffer {
  const pieces: Uint8Array[] = []
  writeTreeDump(tree, { write: (bytes) => void pieces.push(Uint8Array.from(bytes)) }, options)
  return Buffer.concat(pieces)
}

/** A stream out of memory. */
export function dumpSource(bytes: Uint8Array): DumpSource {
  let at = 0
  return {
    read(into) {
      const count = Math.min(into.length, bytes.length - at)
      into.set(bytes.subarray(at, at + count))
      at += count
      return count
    },
  }
}

/** So many files of one size in folders of 100. */
export function manyFiles(count: number, size: number): Tree {
  const folders = Array.from({ length: Math.ceil(count / 100) }, (_, folder) => {
    const names = Array.from({ length: Math.min(100, count - folder * 100) }, (_, file) => `file${folder * 100 + file}`)
    return [`folder${folder}`, { folder: Object.fromEntries(names.map((name) => [name, { size }])) }] as const
  })
  return Object.fromEntries(folders)
}

/** A small tree with one of everything. */
export const sampleTree: Tree = {
  "empty file": "",
  greeting: "hello\n",
  "a name that takes more than one blob of a directory": "long",
  executable: { file: "#!/bin/sh\n", mode: 0o755, owner: 1001 },
  big: { size: 300_000 },
  first: "one file",
  second: { sameAs: "first" },
  link: { link: "greeting" },
  mount: { mountPoint: "#root.cell." },
  empty: { folder: {} },
  grüße: "not ASCII",
  sub: {
    folder: { inner: { folder: { deep: "deep\n", sibling: { size: 5000 } } }, beside: "beside" },
    access: {
      positive: [
        { id: -204, rights: 127 },
        { id: 1001, rights: 9 },
      ],
      negative: [{ id: 1002, rights: 8 }],
    },
  },
}
