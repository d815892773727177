/** Numbers in network order (big-endian) in bytes of any length; bytes behind the end count as 0. */

export const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0

/** 16 bits, unsigned. */
export const halfAt = (bytes: Uint8Array, at: number): number => (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1)

/** 32 bits, unsigned. */
export const wordAt = (bytes: Uint8Array, at: number): number =>
  ((halfAt(bytes, at) << 16) | halfAt(bytes, at + 2)) >>> 0
