/**
 * What a volume transaction does to a partition, as plain values: they can be listed, compared, logged and replayed.
 *
 * Applying one twice ends as applying it once, except those that count: `claim` raises, and `release` and `leaveGroup`
 * lower a count each time. A log that replays has to remember whether these were reached. A `header` that must not exist
 * is refused the second time.
 */
import type { Inode } from "../partition/inode-number.ts"

export type MetadataWrite =
  /** A file of the group was created: count raised (data files), owner data set. Nothing points to it yet. */
  | { readonly kind: "create"; readonly inode: Inode; readonly parameter: number }
  /** Bytes at an offset of a file of the group: vnode record, directory page, VolumeInfo, stamp. */
  | { readonly kind: "write"; readonly inode: Inode; readonly offset: number; readonly bytes: Uint8Array }
  /** A file of the group gets this size. */
  | { readonly kind: "truncate"; readonly inode: Inode; readonly size: number }
  /** A special file gets other owner data. */
  | { readonly kind: "owner"; readonly inode: Inode; readonly parameter: number; readonly number: number }
  /** The header file `V….vol` of a volume is made (must not exist), or replaced. */
  | { readonly kind: "header"; readonly volume: number; readonly bytes: Uint8Array; readonly replace: boolean }
  /** The header file is removed; `name` where it is not the name that belongs to the volume (salvage). */
  | { readonly kind: "removeHeader"; readonly volume: number; readonly name?: string }
  /** Counts of data files are raised: volumes that come to share them. */
  | { readonly kind: "claim"; readonly vnode: number; readonly tag: number; readonly delta: number }
  /** `claim` by one for many files: low halves of their inodes, ascending by vnode. */
  | { readonly kind: "claimAll"; readonly lows: Uint32Array }
  /** `release` for many files: halves of their inodes, ascending by vnode. */
  | { readonly kind: "releaseAll"; readonly lows: Uint32Array; readonly highs: Uint32Array }
  /** One volume less uses this data file; it is unlinked when none is left. */
  | { readonly kind: "release"; readonly inode: Inode }
  /** A count becomes exactly this (salvage); 0 unlinks nothing. */
  | { readonly kind: "count"; readonly vnode: number; readonly tag: number; readonly count: number }
  /** A special file (or a file that no count covers) is unlinked. */
  | { readonly kind: "unlink"; readonly inode: Inode }
  /** A second name for a special file of the group (conversion of a read-only volume). */
  | { readonly kind: "link"; readonly from: Inode; readonly to: Inode }
  /** A data file that nothing points to gets another name, with the owner data that goes with it (salvage). */
  | { readonly kind: "move"; readonly from: Inode; readonly to: Inode; readonly parameter: number }
  /** A prepared draft (volume-draft.ts) takes the place of a volume's indexes and VolumeInfo, all or nothing. */
  | { readonly kind: "install"; readonly volume: number }
  /** One volume less in the group: row 0 is lowered; with the last volume the link table and the empty folders go. */
  | { readonly kind: "leaveGroup" }

export type MetadataWriteKind = MetadataWrite["kind"]

/**
 * The order in which kinds are applied, which makes a crash at any point repairable without loss: counts are raised before
 * anything points to a file; what is pointed to exists before what points; the pointer goes before the count is lowered,
 * the count before the bytes, and a volume's header file last. A count that is too high, a file without a pointer and a marked, half-made volume are
 * all that a crash can leave, and a salvage clears each of these.
 */
export const stageOf: Readonly<Record<MetadataWriteKind, number>> = {
  claim: 0,
  claimAll: 0,
  create: 1,
  link: 2,
  move: 2,
  owner: 2,
  write: 3,
  install: 4,
  truncate: 4,
  header: 5,
  count: 6,
  release: 7,
  releaseAll: 7,
  unlink: 8,
  leaveGroup: 9,
  removeHeader: 10,
}

/** The list in the order of application; a stable sort. */
export function inStages(writes: readonly MetadataWrite[]): readonly MetadataWrite[] {
  if (isInStages(writes)) return writes
  return [...writes].sort((a, b) => stageOf[a.kind] - stageOf[b.kind])
}

function isInStages(writes: readonly MetadataWrite[]): boolean {
  let stage = 0
  for (const { kind } of writes) {
    if (stageOf[kind] < stage) return false
    stage = stageOf[kind]
  }
  return true
}

/** Behind the last of those of one kind that stand together from `start` on. */
export function endOfRun(writes: readonly MetadataWrite[], start: number): number {
  let end = start + 1
  while (end < writes.length && writes[end]?.kind === writes[start]?.kind) end++
  return end
}
