/** A second reader of the fixed structures of a partition, written from the description of the format alone. */
import { createHash } from "node:crypto"
import { closeSync, openSync, readFileSync, readSync } from "node:fs"

export const magics = {
  header: 0x88a1bb3c,
  info: 0x78a1b2c5,
  small: 0x99776655,
  large: 0x88664433,
  link: 0x99877712,
} as const

export const recordMagics = { small: 0xda8c041f, large: 0xad8765fe } as const
export const recordSizes = { small: 64, large: 256 } as const
export const infoSize = 552

/** What a volume's header file says; inodes as 64-bit numbers, 0 where none is named. */
export interface HeaderState {
  readonly version: number
  readonly id: number
  readonly parent: number
  readonly info: bigint
  readonly small: bigint
  readonly large: bigint
  readonly link: bigint
}

export interface InfoState {
  readonly version: number
  readonly magic: number
  readonly id: number
  readonly name: string
  readonly inUse: number
  readonly inService: number
  readonly blessed: number
  readonly needsSalvaged: number
  readonly uniquifier: number
  readonly type: number
  readonly parentId: number
  readonly cloneId: number
  readonly backupId: number
  readonly restoredFromId: number
  readonly needsCallback: number
  readonly destroyMe: number
  readonly dontSalvage: number
  readonly maxQuota: number
  readonly fileCount: number
  readonly diskUsed: number
  readonly creationDate: number
  readonly updateDate: number
  readonly backupDate: number
  readonly copyDate: number
}

export type VnodeKind = "none" | "file" | "dir" | "link"

export interface RecordState {
  /** 0..7 as on disk. */
  readonly type: number
  readonly cloned: boolean
  readonly mode: number
  /** Signed, as OpenAFS counts. */
  readonly links: number
  /** Bytes; exact below 2^53. */
  readonly length: number
  /** KiB that the length counts for, exact however long. */
  readonly blocks: bigint
  readonly unique: number
  readonly dataVersion: number
  readonly modTime: number
  readonly author: number
  readonly owner: number
  readonly parent: number
  readonly magic: number
  readonly group: number
  readonly serverModTime: number
  /** Number of the data file. */
  readonly inode: bigint
  /** `id:rights` entries, positive then negative after a bar; undefined outside directories or if it makes no sense. */
  readonly accessList: string | undefined
}

const kinds: readonly VnodeKind[] = ["none", "file", "dir", "link"]

/** The name of a vnode type; undefined for a number that is none. */
export const kindOf = (type: number): VnodeKind | undefined => kinds[type]

const join64 = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low)

/** The file's bytes, or undefined if there is none. */
export function readWhole(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw error
  }
}

/** Undefined if it is no header at all. A file that ends after the last inode number still counts. */
export function readHeader(bytes: Buffer): HeaderState | undefined {
  if (bytes.length < 64 || bytes.readUInt32LE(0) !== magics.header) return undefined
  const word = (at: number): number => bytes.readUInt32LE(at)
  return {
    version: word(4),
    id: word(8),
    parent: word(12),
    info: join64(word(16), word(36)),
    small: join64(word(20), word(40)),
    large: join64(word(24), word(44)),
    link: join64(word(56), word(60)),
  }
}

/** Undefined if the file is too short to be a volume's info. */
export function readInfo(bytes: Buffer): InfoState | undefined {
  if (bytes.length < infoSize) return undefined
  const word = (at: number): number => bytes.readUInt32LE(at)
  return {
    magic: word(0),
    version: word(4),
    id: word(8),
    name: bytes.toString("latin1", 12, 44).replace(/\0.*$/s, ""),
    inUse: bytes.readUInt8(44),
    inService: bytes.readUInt8(45),
    blessed: bytes.readUInt8(46),
    needsSalvaged: bytes.readUInt8(47),
    uniquifier: word(48),
    type: bytes.readInt32LE(52),
    parentId: word(56),
    cloneId: word(60),
    backupId: word(64),
    restoredFromId: word(68),
    needsCallback: bytes.readUInt8(72),
    destroyMe: bytes.readUInt8(73),
    dontSalvage: bytes.readUInt8(74),
    maxQuota: bytes.readInt32LE(100),
    fileCount: bytes.readInt32LE(152),
    diskUsed: bytes.readInt32LE(156),
    ...readDates(bytes),
  }
}

function readDates(bytes: Buffer): Pick<InfoState, "creationDate" | "updateDate" | "backupDate" | "copyDate"> {
  return {
    creationDate: bytes.readUInt32LE(240),
    updateDate: bytes.readUInt32LE(248),
    backupDate: bytes.readUInt32LE(256),
    copyDate: bytes.readUInt32LE(260),
  }
}

function readAccessList(record: Buffer): string | undefined {
  const [version, total, positive, negative] = [68, 72, 76, 80].map((at) => record.readInt32LE(at)) as [
    number,
    number,
    number,
    number,
  ]
  const counts = total >= 0 && total <= 20 && positive >= 0 && negative >= 0 && positive + negative === total
  if (version !== 1 || !counts) return undefined
  const entries = Array.from({ length: total }, (_, index) => {
    const at = 84 + 8 * index
    return `${record.readInt32LE(at)}:${record.readUInt32LE(at + 4)}`
  })
  return [entries.slice(0, positive).join(" "), entries.slice(positive).join(" ")].join("|")
}

/** One record of a vnode index. */
export function readRecord(record: Buffer): RecordState {
  const word = (at: number): number => record.readUInt32LE(at)
  const first = word(0)
  const length = join64(word(4), word(60))
  return {
    type: first & 7,
    cloned: ((first >>> 3) & 1) === 1,
    mode: (first >>> 4) & 0xfff,
    links: first >> 16,
    length: Number(length),
    blocks: length === 0n ? 1n : (length + 1023n) / 1024n,
    unique: word(8),
    dataVersion: word(12),
    inode: join64(word(16), word(56)),
    modTime: word(20),
    author: word(24),
    owner: word(28),
    parent: word(32),
    magic: word(36),
    serverModTime: word(40),
    group: word(52),
    accessList: record.length === recordSizes.large ? readAccessList(record) : undefined,
  }
}

/** Hash of the first `length` bytes of a file, marked when there are fewer. Reads in pieces: files may be of any size. */
export function hashContent(path: string, length: number): string {
  const hash = createHash("sha256")
  const piece = Buffer.alloc(1 << 20)
  const descriptor = openSync(path, "r")
  try {
    let at = 0
    while (at < length) {
      const count = readSync(descriptor, piece, 0, Math.min(piece.length, length - at), at)
      if (count === 0) return `${hash.digest("hex")} short`
      hash.update(piece.subarray(0, count))
      at += count
    }
    return hash.digest("hex")
  } finally {
    closeSync(descriptor)
  }
}
