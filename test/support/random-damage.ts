/**
 * Damages a sound partition at random places: any file of its metadata, any field, in many ways. Repeatable by seed.
 */
import {
  chownSync,
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join, relative } from "node:path"
import { inodeParts, specialTypes } from "../../common/partition/inode-number.ts"
import { decodeInode, encodeInode } from "../../common/partition/namei-path.ts"
import { vnodeRecordLayout } from "../../common/vnode/vnode-record.ts"
import { volumeInfoLayout } from "../../common/volume/volume-info.ts"
import type { Random } from "./random.ts"

type Kind = "header" | "info" | "small" | "large" | "links" | "directory" | "data"

interface Target {
  readonly path: string
  readonly kind: Kind
}

const kindOfType = new Map<number, Kind>([
  [specialTypes.volumeInfo, "info"],
  [specialTypes.smallIndex, "small"],
  [specialTypes.largeIndex, "large"],
  [specialTypes.linkTable, "links"],
])

/** All files of a partition that a server knows. */
function targetsOf(partition: string): Target[] {
  const found: Target[] = []
  for (const entry of readdirSync(partition, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    if (/^V\d+\.vol$/.test(entry.name)) found.push({ path, kind: "header" })
    const inode = decodeInode(entry.name)
    if (inode === undefined || !path.includes("AFSIDat")) continue
    const { special, vnode, tag } = inodeParts(inode)
    const kind = special ? kindOfType.get(tag) : vnode % 2 === 1 ? "directory" : "data"
    if (kind !== undefined) found.push({ path, kind })
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** What was done, in words; `touched` are files of which nothing is left of what they were, contents among them. */
export interface Damage {
  readonly words: string
  readonly touched: readonly string[]
}

const kinds: readonly Kind[] = [
  "header",
  "info",
  "small",
  "small",
  "large",
  "large",
  "links",
  "directory",
  "directory",
  "data",
]

/** Makes one damage. */
export function damageAtRandom(partition: string, random: Random): Damage {
  const targets = targetsOf(partition)
  const kind = random.pick(kinds)
  const ofKind = targets.filter((target) => target.kind === kind)
  if (ofKind.length === 0) return { words: `no ${kind} left`, touched: [] }
  const target = random.pick(ofKind)
  const words = `${relative(partition, target.path)} (${kind}): ${damageFile(target, random, ofKind)}`
  return { words, touched: kind === "data" ? [target.path] : [] }
}

function damageFile({ path, kind }: Target, random: Random, others: readonly Target[]): string {
  const size = statSync(path).size
  const way = random.below(kind === "data" ? 3 : 17)
  if (way === 0) {
    unlinkSync(path)
    return "removed"
  }
  if (way === 1) {
    const to = random.below(size + 1)
    truncateSync(path, to)
    return `truncated from ${size} to ${to}`
  }
  if (way === 2) return damageOwner(path, random)
  if (way === 3) return extend(path, size, random)
  if (way === 4) return overwrite(path, random.below(size + 1), new Uint8Array(1 + random.below(600)), "zeros")
  if (way === 5) return overwrite(path, random.below(size + 1), random.bytes(1 + random.below(64)), "garbage")
  if (way === 6) return rename(path, random)
  if (way === 7) return flipBit(path, size, random)
  if (way === 8) return copyOver(path, random.pick(others).path)
  if (way === 9) return exchange(path, size, kind, random)
  if (way === 10) return shift(path, size, random)
  if (way === 11) return overwrite(path, 2048 * random.below(1 + Math.ceil(size / 2048)), new Uint8Array(2048), "zeros")
  if (way === 12) return strayFile(path, random)
  return damageField(path, kind, size, random)
}

/** The content of another file of the kind, as if a block had been written to the wrong place. */
function copyOver(path: string, other: string): string {
  const bytes = readFileSync(other)
  const file = openSync(path, "r+")
  try {
    ftruncateSync(file, 0)
    writeSync(file, bytes, 0, bytes.length, 0)
    return `now what ${other.slice(other.lastIndexOf("/") + 1)} is, ${bytes.length} bytes`
  } finally {
    closeSync(file)
  }
}

const unitOf: Readonly<Partial<Record<Kind, number>>> = { small: 64, large: 256, directory: 32 }

/** Two records, or two blobs of a directory, change places. */
function exchange(path: string, size: number, kind: Kind, random: Random): string {
  const unit = unitOf[kind] ?? 4
  const count = Math.floor(size / unit)
  if (count < 2) return "nothing"
  const [first, second] = [unit * random.below(count), unit * random.below(count)]
  const bytes = readFileSync(path)
  const [a, b] = [Buffer.from(bytes.subarray(first, first + unit)), Buffer.from(bytes.subarray(second, second + unit))]
  overwrite(path, first, b, "")
  overwrite(path, second, a, "")
  return `${unit} bytes at ${first} and at ${second} exchanged`
}

/** Bytes are missing, or there are some too many, and all that follows is moved. */
function shift(path: string, size: number, random: Random): string {
  const at = random.below(size + 1)
  const by = 1 + random.below(random.below(2) === 0 ? 8 : 300)
  const bytes = readFileSync(path)
  const isCut = random.below(2) === 0
  const middle = isCut ? Buffer.alloc(0) : Buffer.from(random.bytes(by))
  const moved = Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(isCut ? at + by : at)])
  const file = openSync(path, "r+")
  try {
    ftruncateSync(file, 0)
    writeSync(file, moved, 0, moved.length, 0)
    return `${by} bytes ${isCut ? "cut out" : "put in"} at ${at}`
  } finally {
    closeSync(file)
  }
}

/** A file beside it that has a name like a server's. */
function strayFile(path: string, random: Random): string {
  const [vnode, unique, tag] = [random.below(600), 1 + random.below(300), random.below(8)]
  const name = encodeInode({ high: unique, low: (vnode | (tag << 26)) >>> 0 })
  const stray = join(path, "..", name)
  if (existsSync(stray)) return "nothing"
  const bytes = random.bytes(random.below(3000))
  writeFileSync(stray, bytes, { mode: random.below(8) })
  return `beside it ${name} (${vnode}.${unique}, tag ${tag}), ${bytes.length} bytes`
}

function overwrite(path: string, at: number, bytes: Uint8Array, what: string): string {
  const file = openSync(path, "r+")
  try {
    const { size } = fstatSync(file)
    const length = Math.min(bytes.length, Math.max(0, size - at))
    writeSync(file, bytes, 0, length, at)
    return `${length} bytes of ${what} at ${at}: ${Buffer.from(bytes.subarray(0, Math.min(length, 16))).toString("hex")}`
  } finally {
    closeSync(file)
  }
}

function extend(path: string, size: number, random: Random): string {
  const file = openSync(path, "r+")
  try {
    const by = 1 + random.below(3000)
    if (random.below(2) === 0) ftruncateSync(file, size + by)
    else writeSync(file, random.bytes(by), 0, by, size)
    return `extended from ${size} by ${by}`
  } finally {
    closeSync(file)
  }
}

function damageOwner(path: string, random: Random): string {
  if (process.geteuid?.() !== 0) return "nothing"
  const [uid, gid] = [random.below(3) * random.below(0x7fff), random.below(2) * random.below(0x7fff)]
  chownSync(path, uid, gid)
  return `owner ${uid}:${gid}`
}

/** Another name among the same files, or one that means nothing. */
function rename(path: string, random: Random): string {
  const name = random.below(2) === 0 ? "lost+found" : `${path.slice(path.lastIndexOf("/") + 1)}0`
  const to = join(path, "..", name)
  renameSync(path, to)
  return `renamed to ${name}`
}

function flipBit(path: string, size: number, random: Random): string {
  if (size === 0) return "nothing"
  const at = random.below(size)
  const byte = new Uint8Array(1)
  const file = openSync(path, "r+")
  try {
    readSync(file, byte, 0, 1, at)
    byte[0] = (byte[0] ?? 0) ^ (1 << random.below(8))
    writeSync(file, byte, 0, 1, at)
    return `bit flipped at ${at}, now 0x${byte[0]?.toString(16)}`
  } finally {
    closeSync(file)
  }
}

/** A field of a structure gets a value that is often a plausible one. */
function damageField(path: string, kind: Kind, size: number, random: Random): string {
  const at = fieldAt(kind, size, random)
  const values = [0, 1, 2, 3, 7, 0xff, 0xffff, 0xffff_ffff, random.below(64), random.below(400), random.below(2 ** 32)]
  const value = random.pick(values)
  const word = Buffer.alloc(4)
  if (kind === "directory") word.writeUInt32BE(value)
  else word.writeUInt32LE(value)
  const width = random.pick([1, 2, 4])
  return overwrite(path, at, kind === "directory" ? word.subarray(4 - width) : word.subarray(0, width), "a field")
}

function fieldAt(kind: Kind, size: number, random: Random): number {
  const pick = (offsets: Readonly<Record<string, number>>): number => random.pick(Object.values(offsets))
  switch (kind) {
    case "info":
      return pick(volumeInfoLayout.offsets)
    case "small":
    case "large": {
      const recordSize = kind === "small" ? 64 : 256
      // most records are at the beginning
      const slot = random.below(Math.min(size / recordSize, random.below(2) === 0 ? 16 : 160))
      const inRecord =
        kind === "large" && random.below(4) === 0 ? 64 + 4 * random.below(6) : pick(vnodeRecordLayout.offsets)
      return slot * recordSize + inRecord
    }
    case "links":
      return random.below(4) === 0 ? 4 * random.below(3) : 8 + 2 * random.below(Math.max(1, (size - 8) / 2))
    case "directory":
      return random.below(2) === 0
        ? random.below(Math.min(size, 416))
        : 416 + 4 * random.below(Math.max(1, (size - 416) / 4))
    case "header":
    case "data":
      return 4 * random.below(Math.max(1, size / 4))
  }
}
