/**
 * A dump in two parts, by a second reader: what its headers say, and a hash of all its vnodes as they stand in the
 * stream. Takes a stream in pieces, of any length.
 */
import { createHash } from "node:crypto"

export interface DumpParts {
  /** Attributes of both headers by section and letter, `volume.n`; integers, texts and lists of integers. */
  readonly headers: Readonly<Record<string, number | string | readonly number[]>>
  /** Bytes of the vnodes and the end mark, and their hash. */
  readonly length: number
  readonly hash: string
}

/** More than both headers take, with every text at its longest. */
const headersMax = 2048
const sections: Readonly<Record<number, string>> = { 1: "dump", 2: "volume" }
const texts = new Set(["n", "O", "M"])
const bytes = new Set(["s", "b", "t"])
const lists = new Set(["W"])

function readText(piece: Buffer, at: number): { value: string; next: number } {
  const nul = piece.indexOf(0, at)
  return { value: piece.toString("latin1", at, nul), next: nul + 1 }
}

function readList(piece: Buffer, at: number): { value: number[]; next: number } {
  const count = piece.readUInt16BE(at)
  const value = Array.from({ length: count }, (_, index) => piece.readUInt32BE(at + 2 + 4 * index))
  return { value, next: at + 2 + 4 * count }
}

function readValue(
  section: string,
  tag: string,
  piece: Buffer,
  at: number,
): { value: number | string | number[]; next: number } {
  if (texts.has(tag)) return readText(piece, at)
  if (lists.has(tag) || (section === "dump" && tag === "t")) return readList(piece, at)
  if (section === "volume" && bytes.has(tag)) return { value: piece.readUInt8(at), next: at + 1 }
  return { value: piece.readUInt32BE(at), next: at + 4 }
}

function readHeaders(piece: Buffer): { headers: Record<string, number | string | number[]>; end: number } {
  const headers: Record<string, number | string | number[]> = {}
  let section = ""
  for (let at = 0; ; ) {
    const tag = piece.readUInt8(at)
    if (tag > 20) {
      const letter = String.fromCharCode(tag)
      const { value, next } = readValue(section, letter, piece, at + 1)
      headers[`${section}.${letter}`] = value
      at = next
      continue
    }
    const name = sections[tag]
    if (name === undefined) return { headers, end: at }
    section = name
    at += tag === 1 ? 9 : 1
  }
}

/** Takes a dump piece by piece. */
export class DumpSplitter {
  readonly #hash = createHash("sha256")
  #start: Buffer | undefined = Buffer.alloc(0)
  #headers: DumpParts["headers"] = {}
  #length = 0

  write(piece: Uint8Array): void {
    if (this.#start === undefined) return this.#body(piece)
    this.#start = Buffer.concat([this.#start, piece])
    if (this.#start.length >= headersMax) this.#split()
  }

  /** What it was, once all of it was written. */
  end(): DumpParts {
    this.#split()
    return { headers: this.#headers, length: this.#length, hash: this.#hash.digest("hex") }
  }

  #split(): void {
    if (this.#start === undefined) return
    const { headers, end } = readHeaders(this.#start)
    this.#headers = headers
    const rest = this.#start.subarray(end)
    this.#start = undefined
    this.#body(rest)
  }

  #body(piece: Uint8Array): void {
    this.#hash.update(piece)
    this.#length += piece.length
  }
}

/** The parts of a dump in memory. */
export function dumpParts(dump: Uint8Array): DumpParts {
  const splitter = new DumpSplitter()
  splitter.write(dump)
  return splitter.end()
}
