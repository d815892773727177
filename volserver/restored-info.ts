/** What VolumeInfo says after a restore. OpenAFS volser/dumpstuff.c (RestoreVolume). */
import type { DumpVolumeHeader } from "../common/dump/dump-tags.ts"
import { programTypes, volumeTypes } from "../common/protocol/codes.ts"
import { newVolumeInfo, type VolumeInfo } from "../common/volume/volume-info.ts"
import type { VolumeOperation } from "../fssync/volume-operation.ts"
import type { RestoredContents } from "./restored-vnodes.ts"
import { storedName } from "./volume-name.ts"

/** Where a date comes from: the dump, the volume as it was, or the present. */
type DateRule = "dump" | "keep" | "new"

/** What was asked for. */
export interface InfoRequest {
  /** Restores into a read-only volume; for an existing one it says what it has to be. */
  readonly readonly?: boolean | undefined
  readonly offline?: boolean | undefined
  /** Default: `new` for a new volume and a full overwrite, else `keep`. */
  readonly creation?: DateRule | undefined
  /** Default `dump`. */
  readonly lastUpdate?: DateRule | undefined
}

/** What came in. */
export interface Restored {
  readonly header: DumpVolumeHeader
  readonly contents: RestoredContents
  readonly name: string
  readonly overwritten: boolean
  readonly incremental: boolean
  /** Seconds since 1970. */
  readonly now: number
}

/** VolumeInfo after the restore: the dump's, but for identity, counts, dates and what the volume itself is to keep. */
export function restoredInfo(
  { volume, checkout }: VolumeOperation,
  request: InfoRequest,
  { header, contents, name, overwritten, incremental, now }: Restored,
): VolumeInfo {
  const old = volume.info
  const { stampVersion: _stamp, message: _message, ...fields } = header
  const { filecount, diskused } = contents
  return {
    ...newVolumeInfo({}),
    ...fields,
    ...(incremental ? usageOf(old) : noUsage),
    id: volume.id,
    parentId: volume.header.parent,
    name: storedName(name),
    type: typeAfter(request, old, overwritten),
    cloneId: overwritten ? old.cloneId : 0,
    backupId: overwritten ? old.backupId : 0,
    inUse: programTypes[checkout.claimant.program],
    inService: request.offline === true ? 0 : 1,
    uniquifier: Math.max(header.uniquifier, contents.highestUnique + 1, old.uniquifier, 2),
    filecount,
    diskused,
    copyDate: incremental ? old.copyDate : now,
    creationDate: dateBy(
      request.creation ?? (incremental ? "keep" : "new"),
      header.creationDate,
      old.creationDate,
      now,
    ),
    updateDate: dateBy(request.lastUpdate ?? "dump", header.updateDate, old.updateDate, now),
  }
}

const noUsage = { dayUse: 0, weekUse: [0, 0, 0, 0, 0, 0, 0], dayUseDate: 0 }

/** Usage counters, which an incremental restore leaves alone. */
function usageOf(info: VolumeInfo): Partial<VolumeInfo> & typeof noUsage {
  const { dayUse, weekUse, dayUseDate, statInitialized, statReads, statWrites } = info
  const { statFileSameAuthor, statFileDiffAuthor, statDirSameAuthor, statDirDiffAuthor } = info
  const authors = { statFileSameAuthor, statFileDiffAuthor, statDirSameAuthor, statDirDiffAuthor }
  return { dayUse, weekUse, dayUseDate, statInitialized, statReads, statWrites, ...authors }
}

function typeAfter(request: InfoRequest, old: VolumeInfo, overwritten: boolean): number {
  if (request.readonly === true) return volumeTypes.RO
  return overwritten ? old.type : volumeTypes.RW
}

/** A date that there is nothing to keep of is the present one. */
function dateBy(rule: DateRule, dumped: number, old: number, now: number): number {
  if (rule === "dump") return dumped
  return rule === "keep" && old !== 0 ? old : now
}
