/**
 * What lies in one folder of data files: each name decoded, each file's size and owner data read by one stat. Pure reading,
 * so that it may run in any thread; nothing here opens a file.
 */
import { isDiskError } from "../common/disk/disk.ts"
import type { ReadFolder } from "../common/disk/folder-reader.ts"
import { inodeParts } from "../common/partition/inode-number.ts"
import { decodeInode } from "../common/partition/namei-path.ts"
import { decodeOwner, ownerIs } from "../common/partition/owner-data.ts"

/** A folder of data files. */
export interface DataFolder {
  readonly path: string
  /** The vnode numbers >> 9 that belong into it, as far as folders tell; -1 if it is none of a server's. */
  readonly place: number
}

/** Something that is not as a server makes it. */
export type Oddity =
  | { readonly kind: "foreign" | "misplaced"; readonly path: string }
  | {
      readonly kind: "owner"
      readonly path: string
      /** Data version that the owner data says. */
      readonly parameter: number
    }

/** Takes what is found. */
export interface ScanSink {
  add(vnode: number, unique: number, tag: number, size: number, version: number): void
  odd(oddity: Oddity): void
}

/** The folders of a vnode as one number: two levels of 8 and 9 bits. */
const placeOf = (vnode: number): number => ((vnode >>> 14) & 0xff) * 512 + ((vnode >>> 9) & 0x1ff)

/**
 * Reads one folder. `isDevelopment`: its files carry no owner data.
 * @throws DiskError if it cannot be read
 */
export function scanFolder(
  read: ReadFolder,
  { path, place }: DataFolder,
  isDevelopment: boolean,
  sink: ScanSink,
): void {
  read(path, (entry) => {
    const inode = entry.isDirectory ? undefined : decodeInode(entry.name)
    if (inode === undefined) {
      sink.odd({ kind: "foreign", path: `${path}/${entry.name}` })
      return
    }
    const { special, vnode, high: unique, tag, rest } = inodeParts(inode)
    if (special || rest !== 0 || placeOf(vnode) !== place) {
      sink.odd({ kind: "misplaced", path: `${path}/${entry.name}` })
      return
    }
    const stat = entry.stat()
    if (stat?.isFile !== true) return // gone meanwhile, or no file at all
    const version = isDevelopment ? 0 : decodeOwner(stat).parameter
    sink.add(vnode, unique, tag, stat.size, version)
    if (!isDevelopment && !ownerIs(stat, { parameter: version, number: tag }))
      sink.odd({ kind: "owner", path: `${path}/${entry.name}`, parameter: version })
  })
}

/** True for a failure of the disk; what else is thrown is a mistake of this program. */
export const isScanFailure = (error: unknown): boolean => isDiskError(error)
