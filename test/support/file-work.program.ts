/**
 * Works on a folder as the programs of a file server's users do, through the operating system, and judges what comes back
 * against what it did. `file-work.program.js WORK FOLDER [NUMBER] [SEED]`; ends with status 1 and the first difference.
 *
 *     tree     NUMBER small files, a hundred to a folder, with folders in folders
 *     crowd    NUMBER files in one folder; every third is removed, every fifth renamed
 *     random   reads, writes, truncations and renames against a model in memory, for NUMBER seconds
 *     digest   prints one SHA-256 over names, kinds, sizes, link targets and contents
 */
import { createHash, type Hash } from "node:crypto"
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { type Random, randomOf } from "./random.ts"

function requireSame(what: string, found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`${what}: ${String(found)} found, ${String(wanted)} wanted`)
}

function requireBytes(path: string, wanted: Uint8Array): void {
  const found = readFileSync(path)
  requireSame(`length of ${path}`, found.length, wanted.length)
  const at = found.findIndex((byte, index) => byte !== wanted[index])
  if (at !== -1) throw new Error(`${path} at ${at}: ${found[at]} found, ${wanted[at]} wanted`)
}

const contentOf = (index: number): Buffer => Buffer.from(`file ${index}\n`.repeat((index % 97) + 1))
const filesPerFolder = 100
const foldersPerFolder = 20

function folderOf(top: string, index: number): string {
  const folder = Math.floor(index / filesPerFolder)
  return join(top, `d${Math.floor(folder / foldersPerFolder)}`, `d${folder}`)
}

function tree(top: string, count: number): void {
  for (let index = 0; index < count; index++) {
    if (index % filesPerFolder === 0) mkdirSync(folderOf(top, index), { recursive: true })
    writeFileSync(join(folderOf(top, index), `f${index}`), contentOf(index))
  }
  for (let index = 0; index < count; index++) requireBytes(join(folderOf(top, index), `f${index}`), contentOf(index))
}

function requireNames(top: string, wanted: readonly string[]): void {
  const found = readdirSync(top).sort()
  requireSame(`names in ${top}`, found.length, wanted.length)
  for (const [index, name] of [...wanted].sort().entries()) requireSame(`name ${index} in ${top}`, found[index], name)
}

function crowd(top: string, count: number): void {
  const names = Array.from({ length: count }, (_, index) => `a file among many, number ${index}`)
  for (const name of names) writeFileSync(join(top, name), name)
  requireNames(top, names)
  const left: string[] = []
  for (const [index, name] of names.entries()) {
    if (index % 3 === 0) unlinkSync(join(top, name))
    else if (index % 5 === 0) renameSync(join(top, name), join(top, `renamed ${index}`))
    if (index % 3 !== 0) left.push(index % 5 === 0 ? `renamed ${index}` : name)
  }
  requireNames(top, left)
  for (const name of left.slice(0, 200)) statSync(join(top, name))
}

const modelMax = 1 << 20
const pieceMax = 100_000
const filesMax = 12

/** One change of a file of the model and of the real one. */
function changeOne(random: Random, path: string, model: Uint8Array): Uint8Array {
  if (random.below(4) === 0) {
    const length = random.below(modelMax)
    truncateSync(path, length)
    const cut = new Uint8Array(length)
    cut.set(model.subarray(0, length))
    return cut
  }
  const offset = random.below(Math.min(modelMax, model.length + pieceMax))
  const piece = random.bytes(1 + random.below(pieceMax))
  const file = openSync(path, "r+")
  writeSync(file, piece, 0, piece.length, offset)
  closeSync(file)
  const grown = new Uint8Array(Math.max(model.length, offset + piece.length))
  grown.set(model)
  grown.set(piece, offset)
  return grown
}

function readPiece(random: Random, path: string, model: Uint8Array): void {
  const offset = random.below(model.length + 1)
  const wanted = model.subarray(offset, offset + random.below(pieceMax))
  const found = new Uint8Array(wanted.length)
  const file = openSync(path, "r")
  requireSame(`bytes read of ${path} at ${offset}`, readSync(file, found, 0, found.length, offset), found.length)
  closeSync(file)
  requireSame(`${path} at ${offset}`, Buffer.compare(found, wanted), 0)
}

function randomWork(top: string, seconds: number, seed: number): void {
  const random = randomOf(seed)
  const models = new Map<string, Uint8Array>()
  const end = Date.now() + seconds * 1000
  let names = 0
  while (Date.now() < end) {
    const known = [...models.keys()]
    const path = known[random.below(known.length)]
    const model = path === undefined ? undefined : models.get(path)
    if (path === undefined || model === undefined || (known.length < filesMax && random.below(10) === 0)) {
      const fresh = join(top, `m${names++}`)
      writeFileSync(fresh, "")
      models.set(fresh, new Uint8Array(0))
      continue
    }
    const choice = random.below(20)
    if (choice === 0) {
      rmSync(path)
      models.delete(path)
    } else if (choice === 1) {
      const name = join(top, `m${names++}`)
      renameSync(path, name)
      models.delete(path)
      models.set(name, model)
    } else if (choice < 10) models.set(path, changeOne(random, path, model))
    else if (choice < 12) requireBytes(path, model)
    else readPiece(random, path, model)
  }
  for (const [path, model] of models) requireBytes(path, model)
}

function addTo(hash: Hash, top: string, path: string): void {
  const stat = lstatSync(join(top, path))
  const kind = stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "link" : "file"
  hash.update(`${path}\0${kind}\0`)
  if (kind === "link") hash.update(readlinkSync(join(top, path)))
  else if (kind === "file") hash.update(`${stat.size}\0`).update(readFileSync(join(top, path)))
  else for (const name of readdirSync(join(top, path)).sort()) addTo(hash, top, join(path, name))
}

function digest(top: string): string {
  const hash = createHash("sha256")
  addTo(hash, top, ".")
  return hash.digest("hex")
}

const [, , work = "", top = "", number = "0", seed = "1"] = process.argv
switch (work) {
  case "tree":
    tree(top, Number(number))
    break
  case "crowd":
    crowd(top, Number(number))
    break
  case "random":
    randomWork(top, Number(number), Number(seed))
    break
  case "digest":
    process.stdout.write(`${digest(top)}\n`)
    break
  default:
    throw new Error(`no work ${work}`)
}
