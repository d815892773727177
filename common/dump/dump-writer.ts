/**
 * Writes a volume dump stream as `vos dump` does: same order, same attributes, same bytes. docs/formats/dump.md;
 * OpenAFS volser/dumpstuff.c.
 *
 * Small records are collected in a buffer; file data in large pieces goes to the sink as it is.
 */
import { findAccessListFault, turnAccessList } from "../vnode/access-list.ts"
import { accessListSize } from "../vnode/vnode-record.ts"
import {
  type Attribute,
  accessListTag,
  type DumpHeader,
  type DumpVnode,
  type DumpVolumeHeader,
  dataTag,
  dumpBeginMagic,
  dumpEndMagic,
  dumpEndSize,
  dumpHeaderAttributes,
  dumpSections,
  longDataTag,
  vnodeAttributes,
  volumeHeaderAttributes,
} from "./dump-tags.ts"

/** Takes the stream. */
export interface DumpSink {
  /** Must have taken or copied the bytes when it returns: they are overwritten afterwards. */
  write(bytes: Uint8Array): void
}

const bufferBytesDefault = 256 * 1024
/** Data pieces from this size on are not copied into the buffer. */
const directBytes = 16 * 1024
/** No record is longer: a volume header with all its texts takes 450 bytes. */
const recordBytesMax = 1024

/** Where vnodes of a dump differ from `from` on, seconds since 1970. */
export interface DumpExtent {
  /** 0 for a full dump. */
  readonly from: number
  /** Treat directories like files; otherwise they are always in full. */
  readonly omitDirectories: boolean
}

/** True if a vnode goes into a dump with all it has, false if only its number does. */
export function isDumpedInFull(vnode: Pick<DumpVnode, "type" | "serverModifyTime">, extent: DumpExtent): boolean {
  return vnode.serverModifyTime >= extent.from || (vnode.type === 2 && !extent.omitDirectories)
}

/** The date in a dump's header that says which state of the volume it holds; `type` is a `volumeTypes` number. */
export function dumpedState(
  info: Pick<DumpVolumeHeader, "type" | "updateDate" | "creationDate" | "backupDate">,
): number {
  if (info.type === 0) return info.updateDate
  return info.type === 2 && info.backupDate !== 0 ? info.backupDate : info.creationDate
}

type Row = readonly [key: string, attribute: Attribute<unknown>]
type Fields = Readonly<Record<string, unknown>>

/** Puts values behind one another, big-endian. */
class RecordBuffer {
  readonly bytes: Buffer
  at = 0

  constructor(size: number) {
    this.bytes = Buffer.alloc(size)
  }

  tag(tag: number): void {
    this.bytes[this.at++] = tag
  }

  u8(value: number): void {
    this.bytes[this.at++] = value
  }

  u16(value: number): void {
    this.at = this.bytes.writeUInt16BE(value & 0xffff, this.at)
  }

  u32(value: number): void {
    this.at = this.bytes.writeUInt32BE(value >>> 0, this.at)
  }

  /** @throws RangeError for a text that does not fit into its field or contains a NUL */
  text(value: string, room: number): void {
    if (value.length >= room || value.includes("\0")) {
      throw new RangeError(`text of ${value.length} characters in a field of ${room} bytes: ${JSON.stringify(value)}`)
    }
    this.at += this.bytes.write(value, this.at, "latin1")
    this.bytes[this.at++] = 0
  }

  words(values: readonly number[], count: number): void {
    this.u16(count)
    for (let index = 0; index < count; index++) this.u32(values[index] ?? 0)
  }

  copy(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  attribute(row: Row, fields: Fields): void {
    const [key, { tag, form, room }] = row
    const value = fields[key]
    this.tag(tag)
    if (form === "text") this.text(String(value), room)
    else if (form === "words") this.words(Array.isArray(value) ? value : [], room)
    else this.integer(form, Number(value))
  }

  integer(form: Attribute<unknown>["form"], value: number): void {
    if (form === "u8") this.u8(value)
    else if (form === "u16" || form === "i16") this.u16(value)
    else this.u32(value)
  }
}

const dumpHeaderRows: readonly Row[] = Object.entries(dumpHeaderAttributes)
const volumeHeaderRows: readonly Row[] = Object.entries(volumeHeaderAttributes)
const vnodeRows: readonly Row[] = Object.entries(vnodeAttributes)

function putDumpHeader(out: RecordBuffer, header: DumpHeader): void {
  out.tag(dumpSections.dumpHeader)
  out.u32(dumpBeginMagic)
  out.u32(header.version)
  const fields = { volume: header.volume, name: header.name, dates: [header.from, header.to] }
  for (const row of dumpHeaderRows) out.attribute(row, fields)
}

function putVolumeHeader(out: RecordBuffer, header: DumpVolumeHeader): void {
  const fields: Fields = { ...header }
  out.tag(dumpSections.volumeHeader)
  for (const row of volumeHeaderRows) out.attribute(row, fields)
}

function putUnchanged(out: RecordBuffer, vnode: number, unique: number): void {
  out.tag(dumpSections.vnode)
  out.u32(vnode)
  out.u32(unique)
}

function putVnode(out: RecordBuffer, vnode: DumpVnode): void {
  const fields: Fields = { ...vnode }
  putUnchanged(out, vnode.vnode, vnode.unique)
  for (const row of vnodeRows) if (row[0] !== "group" || vnode.group !== 0) out.attribute(row, fields)
  if (vnode.accessList !== undefined) putAccessList(out, vnode.accessList)
  if (vnode.dataLength !== undefined) putDataLength(out, vnode.dataLength)
}

/** An access list that nobody could restore is left out. */
function putAccessList(out: RecordBuffer, list: Uint8Array): void {
  if (findAccessListFault(list, "disk") !== undefined) return
  const area = new Uint8Array(list.subarray(0, accessListSize))
  turnAccessList(area, "disk")
  out.tag(accessListTag)
  out.copy(area)
}

function putDataLength(out: RecordBuffer, length: number): void {
  const high = Math.floor(length / 2 ** 32)
  out.tag(high === 0 ? dataTag : longDataTag)
  if (high !== 0) out.u32(high)
  out.u32(length % 2 ** 32)
}

const scratch = new RecordBuffer(recordBytesMax)

function sizeOf(put: (out: RecordBuffer) => void): number {
  scratch.at = 0
  put(scratch)
  return scratch.at
}

/** Bytes that a vnode takes in a dump in full, file data included. */
export function dumpVnodeSize(vnode: DumpVnode): number {
  return sizeOf((out) => putVnode(out, vnode)) + (vnode.dataLength ?? 0)
}

/** Bytes that an unchanged vnode takes in a dump. */
export const unchangedVnodeSize = 9

/** Bytes of a dump before its first vnode. */
export function dumpHeadersSize(header: DumpHeader, volume: DumpVolumeHeader): number {
  return sizeOf((out) => putDumpHeader(out, header)) + sizeOf((out) => putVolumeHeader(out, volume))
}

type Stage = "begin" | "volume" | "vnodes" | "data" | "ended"

/**
 * Calls come in the order of the stream: `begin`, `volume`, then for each vnode `vnode` (and `data` until its length is
 * reached) or `unchanged`, then `end`. Directories come first, then files and links, each ascending by vnode number; that is
 * the caller's part. A call out of order, or more or less data than announced, is a bug and throws a plain Error.
 */
export class DumpWriter {
  readonly #sink: DumpSink
  readonly #buffer: RecordBuffer
  #stage: Stage = "begin"
  /** Bytes of file data that are still to come. */
  #dataLeft = 0
  #flushed = 0

  constructor(sink: DumpSink, options: { readonly bufferBytes?: number | undefined } = {}) {
    this.#sink = sink
    this.#buffer = new RecordBuffer(Math.max(2 * recordBytesMax, options.bufferBytes ?? bufferBytesDefault))
  }

  /** Bytes of the stream so far. */
  get length(): number {
    return this.#flushed + this.#buffer.at
  }

  begin(header: DumpHeader): void {
    this.#enter("begin", "volume")
    putDumpHeader(this.#buffer, header)
  }

  volume(header: DumpVolumeHeader): void {
    this.#enter("volume", "vnodes")
    putVolumeHeader(this.#roomFor(recordBytesMax), header)
  }

  /** A vnode that changed. If it has a `dataLength`, so many bytes must come by `data` before the next call. */
  vnode(vnode: DumpVnode): void {
    this.#enter("vnodes", (vnode.dataLength ?? 0) > 0 ? "data" : "vnodes")
    putVnode(this.#roomFor(recordBytesMax), vnode)
    this.#dataLeft = vnode.dataLength ?? 0
  }

  /** A vnode that exists and has not changed. */
  unchanged(vnode: number, unique: number): void {
    this.#enter("vnodes", "vnodes")
    putUnchanged(this.#roomFor(recordBytesMax), vnode, unique)
  }

  /** The next bytes of the last vnode's file data. */
  data(bytes: Uint8Array): void {
    if (bytes.length > this.#dataLeft)
      throw new Error(`dump writer: ${bytes.length} bytes of data, ${this.#dataLeft} left`)
    this.#dataLeft -= bytes.length
    if (this.#stage === "data" && this.#dataLeft === 0) this.#stage = "vnodes"
    if (bytes.length < directBytes && bytes.length < this.#buffer.bytes.length) {
      this.#roomFor(bytes.length).copy(bytes)
      return
    }
    this.flush()
    this.#sink.write(bytes)
    this.#flushed += bytes.length
  }

  /** End mark; everything is with the sink when this returns. */
  end(): void {
    this.#enter("vnodes", "ended")
    const out = this.#roomFor(dumpEndSize)
    out.tag(dumpSections.end)
    out.u32(dumpEndMagic)
    this.flush()
  }

  /** Gives the sink all that is collected. */
  flush(): void {
    if (this.#buffer.at === 0) return
    this.#sink.write(this.#buffer.bytes.subarray(0, this.#buffer.at))
    this.#flushed += this.#buffer.at
    this.#buffer.at = 0
  }

  #enter(wanted: Stage, next: Stage): void {
    if (this.#stage !== wanted)
      throw new Error(`dump writer: at ${this.#stage}, not at ${wanted}; ${this.#dataLeft} data left`)
    this.#stage = next
  }

  #roomFor(size: number): RecordBuffer {
    if (this.#buffer.at + size > this.#buffer.bytes.length) this.flush()
    return this.#buffer
  }
}
