/** Random work of clients on an attached volume and its model: each step does the same to both, or fails in the same way. */
import { AfsError } from "../../common/error.ts"
import type { Code } from "../../common/protocol/codes.ts"
import type { Vnode } from "../../common/vnode/vnode.ts"
import { nameOf, newVnode, storeOf, type TestVolume } from "./attached.ts"
import { type LineFacts, lineOf, type ModelBy, type ModelKind, ModelNode, ModelVolume } from "./model-volume.ts"
import type { Random } from "./random.ts"

const shortNames = ["a", "b", "c", "d", "e", "f", "name", "another name", "x@sysy", "ümläut"]
const oddNames = ["", ".", "..", "a/b", "x@sys", "nul\0"]
const longNames = [30, 60, 100, 255].map((length) => "long".repeat(64).slice(0, length))
const sizes = [0, 1, 100, 1024, 5000, 70_000]

/** What the engine shows, in the words of the model. */
export function linesOf(home: TestVolume): string[] {
  const lines: string[] = []
  const visit = (path: string, vnode: Vnode): void => {
    lines.push(lineOf(path, factsOf(home, vnode)))
    if (!vnode.isDirectory) return
    for (const { name, vnode: number, unique } of namesIn(home, vnode)) {
      visit(`${path}/${name}`, home.volume.vnode(number, unique))
    }
  }
  visit("", home.root)
  return lines.sort()
}

function factsOf(home: TestVolume, vnode: Vnode): LineFacts {
  const { record } = vnode
  return {
    kind: vnode.isDirectory ? "directory" : vnode.isFile ? "file" : "symlink",
    mode: record.mode,
    links: record.linkCount,
    owner: record.owner,
    author: record.author,
    version: record.dataVersion,
    modified: record.unixModifyTime,
    changed: record.serverModifyTime,
    content: vnode.isDirectory ? Buffer.alloc(0) : home.content(vnode),
  }
}

interface Named {
  readonly name: string
  readonly vnode: number
  readonly unique: number
}

/** Names without `.` and `..`, from the pages as a client gets them. */
function namesIn(home: TestVolume, directory: Vnode): Named[] {
  return directoryEntries(home.content(directory)).filter(({ name }) => name !== "." && name !== "..")
}

/** A reader of directory pages that shares no code with the suite's: entries are where the bitmaps and flags say. */
export function directoryEntries(pages: Buffer): Named[] {
  const found: Named[] = []
  for (let chain = 0; chain < 128; chain++) {
    for (let blob = pages.readUInt16BE(160 + 2 * chain); blob !== 0; blob = pages.readUInt16BE(32 * blob + 2)) {
      const at = 32 * blob
      const end = pages.indexOf(0, at + 12)
      found.push({
        name: pages.toString("utf8", at + 12, end),
        vnode: pages.readUInt32BE(at + 4),
        unique: pages.readUInt32BE(at + 8),
      })
    }
  }
  return found
}

/** The model of an attached volume as it is now; files have one name each. */
export function modelOf(home: TestVolume): ModelVolume {
  const build = (vnode: Vnode, parent: ModelNode | undefined): ModelNode => {
    const facts = factsOf(home, vnode)
    const by = { author: facts.author, now: facts.modified }
    const node = new ModelNode(facts.kind, parent, facts.content, { mode: facts.mode, by })
    Object.assign(node, { links: facts.links, version: facts.version, owner: facts.owner, changed: facts.changed })
    if (vnode.isDirectory) {
      for (const { name, ...id } of namesIn(home, vnode)) {
        node.entries.set(name, build(home.volume.vnode(id.vnode, id.unique), node))
      }
    }
    return node
  }
  return new ModelVolume(build(home.root, undefined))
}

/** Does one step to both. @throws Error if they disagree */
export class RandomWork {
  readonly #home: TestVolume
  readonly model: ModelVolume
  readonly #random: Random
  #now = 1_800_001_000
  /** What the last step was, in words. */
  last = ""

  constructor(home: TestVolume, random: Random, model = modelOf(home)) {
    this.#home = home
    this.#random = random
    this.model = model
  }

  step(): void {
    const random = this.#random
    const by = { author: 1000 + random.below(3), now: this.#now++ }
    const choice = random.below(100)
    if (choice < 22) this.#make("file", by)
    else if (choice < 32) this.#make("directory", by)
    else if (choice < 37) this.#make("symlink", by)
    else if (choice < 43) this.#link(by)
    else if (choice < 53) this.#remove("file", by)
    else if (choice < 58) this.#remove("directory", by)
    else if (choice < 75) this.#rename(by)
    else if (choice < 93) this.#store(by)
    else this.#setMode(by)
  }

  #compare(words: string, expected: Code | undefined, work: () => void): void {
    this.last = `${words} → ${expected ?? "ok"}`
    const found = codeOf(work)
    if (found !== expected) throw new Error(`${this.last}, but the volume says ${found ?? "ok"}`)
  }

  #make(kind: ModelKind, by: ModelBy): void {
    const { volume } = this.#home
    const [path, directory] = this.#anyNode("directory")
    const name = this.#anyName()
    const mode = this.#random.below(0o10000)
    const content = kind === "symlink" ? Buffer.from(`#target.${this.#random.below(1000)}.`) : Buffer.alloc(0)
    const fields = newVnode({ mode, clientModTime: by.now, now: by.now, author: by.author, owner: by.author })
    const at = this.#home.at(path)
    this.#compare(`${kind} ${path}/${name}`, this.model.make(directory, name, kind, content, mode, by), () => {
      if (kind === "file") volume.createFile(at, nameOf(name), fields)
      else if (kind === "directory") volume.makeDirectory(at, nameOf(name), fields)
      else volume.makeSymlink(at, nameOf(name), content, fields)
    })
  }

  #link(by: ModelBy): void {
    const [filePath, file] = this.#anyNode()
    const own = filePath.slice(0, filePath.lastIndexOf("/"))
    const [path, directory] =
      this.#random.below(3) > 0 && file.parent !== undefined ? [own, file.parent] : this.#anyNode("directory")
    const name = this.#anyName()
    const [at, vnode] = [this.#home.at(path), this.#home.at(filePath)]
    this.#compare(`link ${filePath} as ${path}/${name}`, this.model.link(directory, name, file, by), () =>
      this.#home.volume.makeLink(at, nameOf(name), vnode, by),
    )
  }

  #remove(kind: "file" | "directory", by: ModelBy): void {
    const { volume } = this.#home
    const [path, directory, name] = this.#anyEntry()
    const at = this.#home.at(path)
    this.#compare(`remove ${kind} ${path}/${name}`, this.model.remove(directory, name, kind, by), () => {
      if (kind === "file") volume.removeFile(at, nameOf(name), by)
      else volume.removeDirectory(at, nameOf(name), by)
    })
  }

  #rename(by: ModelBy): void {
    const [fromPath, from, oldName] = this.#anyEntry()
    const [toPath, to, newName] = this.#random.below(2) === 0 ? this.#anyEntry() : this.#anyPlace()
    const [a, b] = [this.#home.at(fromPath), this.#home.at(toPath)]
    const words = `rename ${fromPath}/${oldName} to ${toPath}/${newName}`
    this.#compare(words, this.model.rename(from, oldName, to, newName, by), () =>
      this.#home.volume.rename(a, nameOf(oldName), b, nameOf(newName), by),
    )
  }

  #store(by: ModelBy): void {
    const random = this.#random
    const [path, node] = this.#anyNode(random.below(10) > 0 ? "file" : undefined)
    const position = random.pick([0, 0, random.below(node.content.length + 1), random.pick(sizes)])
    const length = random.pick(sizes)
    const fileLength = random.pick([node.content.length, node.content.length + length, 0, random.pick(sizes)])
    const bytes = Buffer.alloc(random.below(10) === 0 ? random.below(length + 10) : length, random.bytes(7))
    const vnode = this.#home.at(path)
    const words = `store ${bytes.length} of ${length} at ${position} of ${path}, file length ${fileLength}`
    this.#compare(words, this.model.store(node, position, length, fileLength, bytes, by), () => {
      const store = this.#home.volume.beginStore(
        vnode,
        storeOf({ position, length, fileLength, ...by, clientModTime: by.now }),
      )
      if (store instanceof Promise) throw new Error("a small file was not stored at once")
      using storing = store
      for (let at = 0; at < bytes.length; at += 20_000) storing.write(bytes.subarray(at, at + 20_000))
      storing.end()
    })
  }

  #setMode(by: ModelBy): void {
    const [path, node] = this.#anyNode()
    const mode = this.#random.below(0o10000)
    const vnode = this.#home.at(path)
    this.#compare(`mode of ${path}`, this.model.setMode(node, mode, by), () =>
      this.#home.volume.setStatus(vnode, { mode, now: by.now }),
    )
  }

  #anyNode(kind?: ModelKind): [string, ModelNode] {
    const all = [...this.model.paths()]
    const wanted = all.filter(([, node]) => kind === undefined || node.kind === kind)
    return this.#random.pick(wanted.length === 0 ? all : wanted)
  }

  #anyPlace(): [string, ModelNode, string] {
    const [path, node] = this.#anyNode(this.#random.below(20) > 0 ? "directory" : undefined)
    return [path, node, this.#anyName()]
  }

  /** A name that mostly exists. */
  #anyEntry(): [string, ModelNode, string] {
    const [path, node, name] = this.#anyPlace()
    const names = [...node.entries.keys()]
    return [path, node, names.length > 0 && this.#random.below(10) > 0 ? this.#random.pick(names) : name]
  }

  #anyName(): string {
    const choice = this.#random.below(100)
    if (choice < 4) return this.#random.pick(oddNames)
    if (choice < 15) return this.#random.pick(longNames)
    return choice < 60 ? this.#random.pick(shortNames) : `n${this.#random.below(200)}`
  }
}

function codeOf(work: () => void): Code | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof AfsError) return error.code
    throw error
  }
}
