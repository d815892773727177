/**
 * A folder as one value: names, owners, modes, times and bytes, holes left out. It is how fixtures travel in the
 * repository, so that plain Node without root can unpack what was once a real partition. One image is a file of msgpack,
 * compressed with brotli.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib"
import { Packr, Unpackr } from "msgpackr"

/** Bytes of a file from offset `at`; what no chunk covers is a hole. */
interface Chunk {
  readonly at: number
  readonly bytes: Uint8Array
}

interface ImageEntry {
  /** Relative to the folder; the folder itself is `.`. */
  readonly path: string
  readonly kind: "file" | "folder"
  /** Permission bits, 07777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Seconds since 1970. */
  readonly modified: number
  /** Bytes, holes included; 0 for a folder. */
  readonly size: number
  readonly chunks: readonly Chunk[]
}

/** What an image holds, folders before what is in them. */
export interface FolderImage {
  readonly version: 1
  readonly entries: readonly ImageEntry[]
}

const blockSize = 4096
const pieceSize = 1 << 20
const zeroBlock = Buffer.alloc(blockSize)

const packr = new Packr({ useRecords: false, variableMapSize: true })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })

/** The runs of blocks of `piece` that hold anything but zeros. */
function* dataRuns(piece: Uint8Array): Generator<{ from: number; to: number }> {
  let from = -1
  for (let at = 0; at < piece.length; at += blockSize) {
    const block = piece.subarray(at, at + blockSize)
    const isZero = zeroBlock.subarray(0, block.length).equals(block)
    if (!isZero && from < 0) from = at
    if (isZero && from >= 0) {
      yield { from, to: at }
      from = -1
    }
  }
  if (from >= 0) yield { from, to: piece.length }
}

function readChunks(path: string, size: number): Chunk[] {
  const chunks: Chunk[] = []
  const descriptor = openSync(path, "r")
  try {
    const buffer = Buffer.alloc(pieceSize)
    for (let at = 0; at < size; at += pieceSize) {
      const piece = buffer.subarray(0, readSync(descriptor, buffer, 0, Math.min(pieceSize, size - at), at))
      for (const { from, to } of dataRuns(piece))
        chunks.push({ at: at + from, bytes: Uint8Array.from(piece.subarray(from, to)) })
    }
  } finally {
    closeSync(descriptor)
  }
  return chunks
}

function* entriesOf(folder: string, path: string): Generator<ImageEntry> {
  const full = join(folder, path)
  const stat = lstatSync(full)
  const { uid, gid } = stat
  const facts = { path, mode: stat.mode & 0o7777, uid, gid, modified: Math.floor(stat.mtimeMs / 1000) }
  if (stat.isFile()) {
    yield { ...facts, kind: "file", size: stat.size, chunks: readChunks(full, stat.size) }
  } else if (stat.isDirectory()) {
    yield { ...facts, kind: "folder", size: 0, chunks: [] }
    for (const name of readdirSync(full).sort()) yield* entriesOf(folder, path === "." ? name : join(path, name))
  } else {
    throw new Error(`${full} is neither file nor folder`)
  }
}

/** Reads a folder with all in it. Root only where the files are. @throws Error for anything but files and folders. */
export function readFolder(folder: string): FolderImage {
  return { version: 1, entries: [...entriesOf(folder, ".")] }
}

function compress(bytes: Uint8Array): Uint8Array {
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  })
}

/** Writes any value that msgpack can hold, compressed. */
export function writePacked(file: string, value: unknown): void {
  writeFileSync(file, compress(packr.pack(value)))
}

/** Reads what `writePacked` wrote. */
export function readPacked(file: string): unknown {
  return unpackr.unpack(brotliDecompressSync(readFileSync(file)))
}

/** Reads an image file. @throws Error if it is none of this version. */
export function readImage(file: string): FolderImage {
  const image = readPacked(file)
  if (!isImage(image)) throw new Error(`${file} is not a folder image of version 1`)
  return image
}

function isImage(value: unknown): value is FolderImage {
  return typeof value === "object" && value !== null && "version" in value && value.version === 1 && "entries" in value
}

/** How owners, modes and times are laid down. */
export interface UnpackOptions {
  /** Set owners and modes as they were (root only); otherwise files are 0600, folders 0700, of whoever unpacks. */
  readonly owners: boolean
}

function unpackFile(entry: ImageEntry, path: string): void {
  const descriptor = openSync(path, "wx", 0o600)
  try {
    ftruncateSync(descriptor, entry.size)
    for (const { at, bytes } of entry.chunks) writeSync(descriptor, bytes, 0, bytes.length, at)
  } finally {
    closeSync(descriptor)
  }
}

function setFacts(entry: ImageEntry, path: string, options: UnpackOptions): void {
  if (options.owners) {
    chownSync(path, entry.uid, entry.gid)
    chmodSync(path, entry.mode) // after chown, which clears set-id bits
  } else {
    chmodSync(path, entry.kind === "folder" ? 0o700 : 0o600)
  }
  utimesSync(path, entry.modified, entry.modified)
}

/** Lays an image down as `folder`, which must not exist or be empty. Holes are holes again. */
export function unpackFolder(image: FolderImage, folder: string, options: UnpackOptions): void {
  for (const entry of image.entries) {
    const path = join(folder, entry.path)
    if (entry.kind === "folder") mkdirSync(path, { recursive: true, mode: 0o700 })
    else unpackFile(entry, path)
  }
  for (const entry of image.entries.toReversed()) setFacts(entry, join(folder, entry.path), options)
}
