/** A dump stream as a list of lines, and streams put together by hand. */
import { createHash } from "node:crypto"
import type { DumpEvent } from "../../common/dump/dump-parser.ts"
import { DumpReader, type DumpReaderLater } from "../../common/dump/dump-reader.ts"
import type { DumpVnode } from "../../common/dump/dump-tags.ts"
import { DumpWriter } from "../../common/dump/dump-writer.ts"
import { sourceOf } from "./dump-samples.ts"

function vnodeText(vnode: DumpVnode): string {
  const { accessList, ...fields } = vnode
  const list = accessList === undefined ? "" : ` list ${Buffer.from(accessList).toString("hex")}`
  return `${JSON.stringify(fields)}${list}`
}

function line(event: DumpEvent): string {
  switch (event.kind) {
    case "dump":
    case "volume":
      return `${event.kind} ${JSON.stringify(event.header)}`
    case "data":
      return `data of ${event.vnode.vnode}.${event.vnode.unique}, ${event.length} bytes`
    case "vnode":
      return `vnode ${event.hasAttributes ? vnodeText(event.vnode) : `${event.vnode.vnode}.${event.vnode.unique} unchanged`}`
    case "end":
      return `end after ${event.length}`
  }
}

/** Where two transcripts part, or undefined: a whole one is too long to print. */
export function difference(found: readonly string[], wanted: readonly string[]): string | undefined {
  const length = Math.max(found.length, wanted.length)
  for (let index = 0; index < length; index++) {
    if (found[index] !== wanted[index]) return `line ${index}: found ${found[index]}\nwanted ${wanted[index]}`
  }
  return undefined
}

/** Lines of a stream, data as checksums; the last one tells how it ended. `into` is the buffer that data is read with. */
export function transcript(reader: DumpReader, into?: Uint8Array): string[] {
  const lines: string[] = []
  try {
    for (;;) {
      const event = reader.next()
      lines.push(line(event))
      if (event.kind === "end") return lines
      if (event.kind !== "data") continue
      const hash = createHash("sha256")
      for (;;) {
        const bytes = into === undefined ? reader.piece() : into.subarray(0, reader.read(into))
        if (bytes.length === 0) break
        hash.update(bytes)
      }
      lines.push(`sha256 ${hash.digest("hex")}`)
    }
  } catch (error) {
    return [...lines, `${error}`]
  }
}

/** The same over chunks. */
export async function transcriptLater(reader: DumpReaderLater, into?: Uint8Array): Promise<string[]> {
  const lines: string[] = []
  try {
    for (;;) {
      const event = await reader.next()
      lines.push(line(event))
      if (event.kind === "end") return lines
      if (event.kind !== "data") continue
      const hash = createHash("sha256")
      for (;;) {
        const bytes = into === undefined ? await reader.piece() : into.subarray(0, await reader.read(into))
        if (bytes.length === 0) break
        hash.update(bytes)
      }
      lines.push(`sha256 ${hash.digest("hex")}`)
    }
  } catch (error) {
    return [...lines, `${error}`]
  }
}

/** Reads a dump and writes what it says. */
export function rewritten(dump: Uint8Array, bufferBytes?: number): Buffer {
  const pieces: Buffer[] = []
  const writer = new DumpWriter({ write: (bytes) => void pieces.push(Buffer.from(bytes)) }, { bufferBytes })
  const reader = new DumpReader(sourceOf(dump))
  let hasData = false
  for (;;) {
    const event = reader.next()
    if (event.kind === "dump") writer.begin(event.header)
    else if (event.kind === "volume") writer.volume(event.header)
    else if (event.kind === "data") {
      hasData = true
      writer.vnode(event.vnode)
      for (let bytes = reader.piece(); bytes.length > 0; bytes = reader.piece()) writer.data(bytes)
    } else if (event.kind === "vnode") {
      if (!event.hasAttributes) writer.unchanged(event.vnode.vnode, event.vnode.unique)
      else if (!hasData) writer.vnode(event.vnode)
      hasData = false
    } else {
      writer.end()
      return Buffer.concat(pieces)
    }
  }
}

/** Bytes of a stream: hex digits (blanks are left out) and bytes, in turn. */
export function stream(...parts: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part.replaceAll(/\s/g, ""), "hex") : part)),
  )
}

export const u32 = (value: number): string => (value >>> 0).toString(16).padStart(8, "0")
export const u16 = (value: number): string => value.toString(16).padStart(4, "0")
/** A tag as hex digits. */
export const tag = (letter: string): string => letter.charCodeAt(0).toString(16).padStart(2, "0")
/** Text with its NUL as hex digits. */
export const text = (value: string): string => Buffer.from(`${value}\0`, "latin1").toString("hex")

/** A dump header as `vos dump` writes it, of volume 5. */
export const dumpHeader = `01 b3a11322 00000001 ${tag("v")}00000005 ${tag("n")}${text("v.x")} ${tag("t")}0002 00000000 00000007`
/** A volume header without attributes. */
export const volumeHeader = "02"
export const end = "04 3a214b6e"
