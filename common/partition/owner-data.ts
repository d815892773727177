/**
 * Unix owner, group and permission bits of a partition's files are data: a 32-bit parameter and a 3-bit number.
 *
 *     uid = p & 0x7fff    gid = p >> 15 & 0x7fff    mode = (p >> 27 & 0x18) | number
 *
 * The parameter of a special file is its volume id, the number its type; of a data file the data version it was created
 * with and its tag. OpenAFS vol/namei_ops.c (SetOGM, GetOGMFromStat); docs/formats/namei.md.
 */
import type { DiskStat } from "../disk/disk.ts"

export interface OwnerData {
  /** Volume id or data version, unsigned 32 bits. */
  readonly parameter: number
  /** Special type or tag, 0..7. */
  readonly number: number
}

/** The Unix owner, group and permissions that say this. */
export function encodeOwner(data: OwnerData): { uid: number; gid: number; mode: number } {
  const { parameter, number } = data
  return { uid: parameter & 0x7fff, gid: (parameter >>> 15) & 0x7fff, mode: ((parameter >>> 27) & 0x18) | (number & 7) }
}

/** What owner, group and permissions of a file say. */
export function decodeOwner(stat: Pick<DiskStat, "uid" | "gid" | "mode">): OwnerData {
  return { parameter: ownerParameter(stat.uid, stat.gid, stat.mode), number: stat.mode & 7 }
}

/** The parameter alone. */
export function ownerParameter(uid: number, gid: number, mode: number): number {
  return ((uid & 0x7fff) | ((gid & 0x7fff) << 15) | ((mode & 0x18) << 27)) >>> 0
}

/** True if the file's owner, group and permissions are exactly those that `data` is written with. */
export function ownerIs(stat: Pick<DiskStat, "uid" | "gid" | "mode">, data: OwnerData): boolean {
  return isOwnerOf(stat.uid, stat.gid, stat.mode, data.parameter, data.number)
}

/** The same, without an object for each of a great number of files. */
export function isOwnerOf(uid: number, gid: number, mode: number, parameter: number, number: number): boolean {
  const wanted = ((parameter >>> 27) & 0x18) | (number & 7)
  return uid === (parameter & 0x7fff) && gid === ((parameter >>> 15) & 0x7fff) && (mode & 0o777) === wanted
}
