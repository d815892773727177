/**
 * What lies in one folder of data files: each name decoded, each file's size and owner data read by one stat. Pure reading,
 * so that it may run in any thread; nothing here opens a file.
 */
import { isDiskError } from "../common/disk/disk.ts"
import type { FolderCursor, OpenFolder } from "../common/disk/folder-reader.ts"
import { type Inode, tagCount, vnodeMask } from "../common/partition/inode-number.ts"
import { decodeInodeInto } from "../common/partition/namei-path.ts"
import { isOwnerOf, ownerParameter } from "../common/partition/owner-data.ts"
import type { FileColumns } from "./file-columns.ts"

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
  readonly files: FileColumns
  odd(oddity: Oddity): void
}

/** The folders of a vnode as one number: two levels of 8 and 9 bits. */
const placeOf = (vnode: number): number => ((vnode >>> 14) & 0xff) * 512 + ((vnode >>> 9) & 0x1ff)

/**
 * Reads one folder. `isDevelopment`: its files carry no owner data.
 * @throws DiskError if it cannot be read
 */
export function scanFolder(
  open: OpenFolder,
  { path, place }: DataFolder,
  isDevelopment: boolean,
  sink: ScanSink,
): void {
  using folder = open(path)
  while (folder.next()) takeFile(folder, path, place, isDevelopment, sink)
}

/** Of the file in hand: a great volume has too many for an object each. */
const inode: { -readonly [Half in keyof Inode]: Inode[Half] } = { high: 0, low: 0 }

function takeFile(file: FolderCursor, path: string, place: number, isDevelopment: boolean, sink: ScanSink): void {
  if (file.isDirectory || !decodeInodeInto(inode, file.bytes, file.start, file.end)) {
    sink.odd({ kind: "foreign", path: `${path}/${file.name}` })
    return
  }
  const { low } = inode
  const vnode = low & vnodeMask
  if (vnode === vnodeMask || low >>> 26 >= tagCount || placeOf(vnode) !== place) {
    sink.odd({ kind: "misplaced", path: `${path}/${file.name}` })
    return
  }
  const stat = file.stat()
  if (stat === undefined) return // gone meanwhile
  if (!stat.isFile) {
    sink.odd({ kind: "foreign", path: `${path}/${file.name}` })
    return
  }
  const { uid, gid, mode } = stat
  const tag = low >>> 26 // the bits above it are 0
  const version = isDevelopment ? 0 : ownerParameter(uid, gid, mode)
  sink.files.add(vnode, inode.high, tag, stat.size, version)
  if (!isDevelopment && !isOwnerOf(uid, gid, mode, version, tag))
    sink.odd({ kind: "owner", path: `${path}/${file.name}`, parameter: version })
}

/** True for a failure of the disk; what else is thrown is a mistake of this program. */
export const isScanFailure = (error: unknown): boolean => isDiskError(error)
