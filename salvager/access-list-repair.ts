/**
 * Mends the head of an access list: size, total and the two parts say the same thing several times, so that one wrong
 * number can be told from the others. Entries are never made up.
 */
import { i32le, struct } from "../common/codec/struct.ts"
import { accessEntriesMax, findAccessCheckFault } from "../common/vnode/access-list.ts"

const head = struct("AccessListHead", 20, {
  size: i32le,
  version: i32le,
  total: i32le,
  positive: i32le,
  negative: i32le,
})
const entrySize = 8
const listVersion = 1

/** True for a list that every program accepts. */
export function hasSoundAccessList(area: Uint8Array): boolean {
  return findAccessCheckFault(area) === undefined && head.read(area).version === listVersion
}

/** The list with its head put right, or undefined if the head contradicts itself too much. */
export function mendedAccessList(area: Uint8Array): Uint8Array | undefined {
  const { size, total, positive, negative } = head.read(area)
  const bySize = (size - head.size) / entrySize
  const candidates = [
    { positive, negative },
    { positive, negative: total - positive },
    { positive: total - negative, negative },
    { positive, negative: bySize - positive },
    { positive: bySize - negative, negative },
  ]
  // Where both parts may be the wrong one, the reading that gives fewer rights.
  candidates.sort((a, b) => a.positive - b.positive)
  const found = { positive, negative }
  const agreed = candidates.find((parts) => isPossible(parts) && agreement(parts, total, bySize, found) >= 3)
  if (agreed === undefined) return undefined
  const sum = agreed.positive + agreed.negative
  const mended = area.slice()
  head.write({ size: head.size + entrySize * sum, version: listVersion, total: sum, ...agreed }, mended)
  return mended
}

interface Parts {
  readonly positive: number
  readonly negative: number
}

function isPossible({ positive, negative }: Parts): boolean {
  const areCounts = [positive, negative].every((count) => Number.isInteger(count) && count >= 0)
  return areCounts && positive + negative <= accessEntriesMax
}

/** How many of the four numbers on disk say the same as these parts. */
function agreement(parts: Parts, total: number, bySize: number, found: Parts): number {
  const sum = parts.positive + parts.negative
  const said = [total === sum, bySize === sum, found.positive === parts.positive, found.negative === parts.negative]
  return said.filter(Boolean).length
}
