/**
 * What VolumeInfo counts of a volume's traffic (`vos examine -extended`): reads and writes, by where they come from and whether
 * from somebody with a name; and changes, by how long after whose change they came. Counted in core, on disk with the next write
 * of VolumeInfo. OpenAFS viced/afsfileprocs.c (Update_TargetVnodeStatus, Update_ParentVnodeStatus), vol/volume.h (VOL_STATS).
 */
import type { VnodeRecord } from "../vnode/vnode-record.ts"
import type { Attachment } from "./attachment.ts"
import type { InfoCounters } from "./info-fields.ts"

/** Who reads or writes. */
export interface TrafficBy {
  readonly author: number
  /** Seconds since 1970. */
  readonly now: number
  /** From the server's own network. */
  readonly isNear: boolean
  /** Not anonymous. */
  readonly isNamed: boolean
}

/** An object as it was before a change. */
export type Before = Pick<VnodeRecord, "author" | "unixModifyTime">

/** Seconds after the change before, the last slot aside: more. Part of the format. */
const ages = [60, 600, 3_600, 86_400, 604_800] as const
/** In the counters of reads and of writes: all, then those of named callers, of each kind of network. Part of the format. */
const farSlot = 2

/** Bytes of an object were asked for. */
export function countRead(attachment: Attachment, by: TrafficBy): void {
  count(attachment, "statReads", by)
}

/** An object was made, or its status was stored. */
export function countWrite(attachment: Attachment, by: TrafficBy): void {
  count(attachment, "statWrites", by)
}

/** Bytes of a file were stored. */
export function countStore(attachment: Attachment, by: TrafficBy, before: Before): void {
  countWrite(attachment, by)
  const isSame = before.author === by.author
  attachment.count(isSame ? "statFileSameAuthor" : "statFileDiffAuthor", ageSlot(by.now, before))
}

/** Names of a directory were changed. */
export function countNames(attachment: Attachment, by: TrafficBy, before: Before): void {
  countWrite(attachment, by)
  const isSame = before.author === by.author
  attachment.count(isSame ? "statDirSameAuthor" : "statDirDiffAuthor", ageSlot(by.now, before))
}

function count(attachment: Attachment, field: InfoCounters, { isNear, isNamed }: TrafficBy): void {
  const slot = isNear ? 0 : farSlot
  attachment.count(field, slot)
  if (isNamed) attachment.count(field, slot + 1)
}

/** A time to come counts as one long ago: OpenAFS subtracts without a sign. */
function ageSlot(now: number, { unixModifyTime }: Before): number {
  const age = (now - unixModifyTime) >>> 0
  const slot = ages.findIndex((limit) => age < limit)
  return slot < 0 ? ages.length : slot
}
