/**
 * Writing file data with holes: a block of 4 KiB that is all zero is not written, since dumps carry the zeros of holes. The
 * length comes out exactly.
 */
import type { DiskFile } from "../common/disk/disk.ts"

/** Blocks of this size, at multiples of it, become holes; most file systems allocate in these. */
const holeBytes = 4096
const zeros = Buffer.alloc(holeBytes)

function isZero(block: Uint8Array): boolean {
  return Buffer.compare(zeros, block) === 0
}

/**
 * Writes `bytes` at `position`, a multiple of 4096, leaving out zero blocks.
 * @returns the end of what was written, 0 if nothing was
 */
export function writeSparse(file: DiskFile, bytes: Uint8Array, position: number): number {
  let written = 0
  for (let at = 0; at < bytes.length; ) {
    const end = endOfRun(bytes, at)
    if (end > at) {
      file.write(bytes.subarray(at, end), position + at)
      written = position + end
    }
    at = Math.max(end, at)
    while (at + holeBytes <= bytes.length && isZero(bytes.subarray(at, at + holeBytes))) at += holeBytes
  }
  return written
}

/** End of the blocks from `at` on that are to be written. */
function endOfRun(bytes: Uint8Array, at: number): number {
  let end = at
  while (end < bytes.length) {
    const next = end + holeBytes
    if (next <= bytes.length && isZero(bytes.subarray(end, next))) break
    end = Math.min(next, bytes.length)
  }
  return end
}
