/**
 * The numbers AFS names things by. Branded, so that the compiler keeps a vnode number apart from an offset or an index.
 * All are unsigned 32-bit integers held in a `number`.
 */

declare const brand: unique symbol
type Branded<Name extends string> = number & { readonly [brand]: Name }

/** Volume id, 1 to 2^32-1. Also the offset of the volume's byte in `.volume.lock`. */
export type VolumeId = Branded<"VolumeId">
/** Vnode number inside a volume: odd for directories, even for files and symbolic links; 1 is the root directory. */
export type VnodeNumber = Branded<"VnodeNumber">
/** Uniquifier: tells successive users of one vnode slot apart. */
export type Unique = Branded<"Unique">

const uint32Max = 0xffff_ffff

function uint32(value: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value > uint32Max)
    throw new RangeError(`${what} ${value} is not in 0..${uint32Max}`)
  return value
}

/** @throws RangeError if the number does not fit in 32 bits. */
export const volumeId = (value: number): VolumeId => uint32(value, "volume id") as VolumeId
/** @throws RangeError if the number does not fit in 32 bits. */
export const vnodeNumber = (value: number): VnodeNumber => uint32(value, "vnode number") as VnodeNumber
/** @throws RangeError if the number does not fit in 32 bits. */
export const unique = (value: number): Unique => uint32(value, "uniquifier") as Unique

/** What names a file system object inside a volume. */
export interface VnodeId {
  readonly vnode: VnodeNumber
  readonly unique: Unique
}
