/**
 * msgpack restricted to plain values: nil, booleans, 32-bit integers, doubles, strings, bytes and arrays of these.
 * msgpackr does the work; what a peer sent is first skimmed, so that nothing of msgpackr's extensions (records, classes,
 * dates, big integers), no deep nesting and no count beyond the bytes that are there ever reaches it. Its native part is left
 * out: it speeds up long strings, which no frame has, and loading it takes longer than a command's whole conversation.
 */
import { Packr, RESERVE_START_SPACE, Unpackr } from "msgpackr/pack"
import { FormatError } from "../common/error.ts"

/** Deepest nesting in a frame: answer, payload, rows, a record in a row, its lists. */
export const nestingMax = 8

const packer = new Packr({ useRecords: false })
const unpacker = new Unpackr({ useRecords: false, copyBuffers: true })

/** Packing takes its memory from slabs of this size; after a longer value it starts a new one, so that no long one is kept. */
const slabBytes = 16 << 10

/** The value with `reserved` bytes left free in front of it (at most 255). */
export function packPlain(value: unknown, reserved = 0): Buffer {
  const packed = packer.pack(value, RESERVE_START_SPACE | reserved)
  if (packed.length > slabBytes / 2) packer.useBuffer(Buffer.allocUnsafeSlow(slabBytes))
  return packed
}

/**
 * The one value that the bytes are.
 * @throws FormatError if they are anything but one plain value. Offsets count from the first byte.
 */
export function unpackPlain(bytes: Buffer): unknown {
  const end = skim(bytes, 0, 0)
  if (end !== bytes.length)
    throw new FormatError("msgpack", { offset: end }, `${bytes.length - end} more bytes`, "the end")
  try {
    return unpacker.unpack(bytes)
  } catch (cause) {
    throw new FormatError("msgpack", {}, cause instanceof Error ? cause.message : String(cause), "one plain value")
  }
}

function short(at: number): never {
  throw new FormatError("msgpack", { offset: at }, "the end of the frame", "more bytes")
}

/** Offset behind a value whose last byte is before `end`. */
function upTo(bytes: Uint8Array, at: number, end: number): number {
  return end <= bytes.length ? end : short(at)
}

function sized(bytes: Uint8Array, at: number, width: 1 | 2 | 4): number {
  upTo(bytes, at, at + 1 + width)
  let size = 0
  for (let index = 1; index <= width; index++) size = size * 256 + (bytes[at + index] ?? 0)
  return size
}

function skimArray(bytes: Uint8Array, first: number, length: number, depth: number): number {
  if (depth >= nestingMax) throw new FormatError("msgpack", { offset: first }, "deeper nesting", `${nestingMax} levels`)
  if (length > bytes.length - first) short(first)
  let at = first
  for (let index = 0; index < length; index++) {
    const tag = bytes[at]
    // rows are mostly small integers
    at = tag !== undefined && tag < 0x80 ? at + 1 : skim(bytes, at, depth + 1)
  }
  return at
}

/** Offset behind the value at `at`. @throws FormatError if it is not plain or not whole. */
function skim(bytes: Uint8Array, at: number, depth: number): number {
  const tag = bytes[at]
  if (tag === undefined) return short(at)
  if (tag < 0x80 || tag >= 0xe0) return at + 1
  if (tag >= 0xa0 && tag < 0xc0) return upTo(bytes, at, at + 1 + (tag & 0x1f))
  if (tag >= 0x90 && tag < 0xa0) return skimArray(bytes, at + 1, tag & 0xf, depth)
  return skimLong(bytes, at, tag, depth)
}

function skimLong(bytes: Uint8Array, at: number, tag: number, depth: number): number {
  switch (tag) {
    case 0xc0: // nil, false, true
    case 0xc2:
    case 0xc3:
      return at + 1
    case 0xcc: // u8, i8
    case 0xd0:
      return upTo(bytes, at, at + 2)
    case 0xcd: // u16, i16
    case 0xd1:
      return upTo(bytes, at, at + 3)
    case 0xce: // u32, i32
    case 0xd2:
      return upTo(bytes, at, at + 5)
    case 0xcb: // double
      return upTo(bytes, at, at + 9)
    case 0xc4: // bytes, string
    case 0xd9:
      return upTo(bytes, at, at + 2 + sized(bytes, at, 1))
    case 0xc5:
    case 0xda:
      return upTo(bytes, at, at + 3 + sized(bytes, at, 2))
    case 0xc6:
    case 0xdb:
      return upTo(bytes, at, at + 5 + sized(bytes, at, 4))
    case 0xdc: // array
      return skimArray(bytes, at + 3, sized(bytes, at, 2), depth)
    case 0xdd:
      return skimArray(bytes, at + 5, sized(bytes, at, 4), depth)
    default:
      throw new FormatError("msgpack", { offset: at }, `tag 0x${tag.toString(16)}`, "a plain value")
  }
}
