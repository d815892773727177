/**
 * Last pass: the fields of VolumeInfo that sum up the volume, and its flags. OpenAFS vol/vol-salvage.c (SalvageVolume).
 *
 * A volume goes online after a salvage if it was to be online before: `inService` and `blessed` stay as they are. OpenAFS
 * turns `inService` on, also where an operator had turned it off.
 */
import { programTypeName } from "../../common/protocol/codes.ts"
import { blocksOf, destroyMeMark, dontSalvageMark, type VolumeInfo } from "../../common/volume/volume-info.ts"
import type { GroupModel, PlanOptions, VolumeModel } from "../model.ts"

/** Room above the highest uniquifier in use, as OpenAFS leaves: numbers promised before a crash are not given again. */
const uniquifierStep = 2000
const uniquifierMax = 0xffff_ffff

/** Plans the counts, the next uniquifier and the flags. */
export function planSummary(group: GroupModel, volume: VolumeModel, options: PlanOptions): void {
  if (volume.info === undefined) return
  const sums = sumsOf(group, volume)
  checkCounts(group, volume, volume.info, sums)
  checkUniquifier(group, volume, volume.info, sums)
  checkFlags(group, volume, volume.info)
  releaseState(group, volume, volume.info)
  checkDates(group, volume, volume.info, options)
}

interface Sums {
  readonly filecount: number
  /** KiB. */
  readonly diskused: number
  /** Uniquifier. */
  readonly highest: number
}

function sumsOf({ files }: GroupModel, { vnodes }: VolumeModel): Sums {
  const fileOf = vnodes.columns.file
  const sizes = files.columns.size
  let diskused = 0
  let highest = 0
  for (let slot = 0; slot < vnodes.count; slot++) {
    if (vnodes.has(slot, "freed")) continue
    const file = fileOf[slot] ?? -1
    diskused += blocksOf(file < 0 ? 0 : (sizes[file] ?? 0))
    highest = Math.max(highest, vnodes.unique(slot))
  }
  return { filecount: vnodes.liveCount, diskused: diskused | 0, highest } // beyond 2 TiB the field wraps, in every program
}

function checkCounts(group: GroupModel, volume: VolumeModel, info: VolumeInfo, { filecount, diskused }: Sums): void {
  // volumes that were never cloned do not count their root
  const isCountRight = info.filecount === filecount || info.filecount === filecount - 1
  if (isCountRight && info.diskused === diskused) return
  volume.info = { ...info, filecount, diskused }
  if (volume.infoInvented) return
  const detail = `${info.filecount} files and ${info.diskused} KiB, there are ${filecount} and ${diskused}`
  group.findings.add("info-counts", { volume: volume.id, detail })
}

function checkUniquifier(group: GroupModel, volume: VolumeModel, { uniquifier }: VolumeInfo, { highest }: Sums): void {
  if (uniquifier > highest || volume.info === undefined) return
  volume.info = { ...volume.info, uniquifier: Math.min(highest + uniquifierStep + 1, uniquifierMax) }
  if (volume.infoInvented) return
  group.findings.add("info-uniquifier", { volume: volume.id, detail: `${uniquifier}, ${highest} is in use` })
}

function checkFlags(group: GroupModel, volume: VolumeModel, info: VolumeInfo): void {
  const wanted = {
    inService: Math.min(info.inService, 1),
    blessed: Math.min(info.blessed, 1),
    needsCallback: Math.min(info.needsCallback, 1),
    destroyMe: info.destroyMe === destroyMeMark ? destroyMeMark : 0,
    dontSalvage: info.dontSalvage === dontSalvageMark ? dontSalvageMark : 0,
    maxquota: Math.max(info.maxquota, 0),
  }
  for (const field of ["inService", "blessed", "needsCallback", "destroyMe", "dontSalvage", "maxquota"] as const) {
    if (info[field] === wanted[field]) continue
    group.findings.add("info-flag", { volume: volume.id, detail: `${field} is ${info[field]}` })
  }
  if (volume.info !== undefined) volume.info = { ...volume.info, ...wanted }
}

function releaseState(group: GroupModel, volume: VolumeModel, { inUse, needsSalvaged }: VolumeInfo): void {
  const said = [
    ...(inUse === 0 ? [] : [`in use by ${programTypeName(inUse)}`]),
    ...(needsSalvaged === 0 ? [] : ["marked for a salvage"]),
  ]
  if (said.length > 0) group.findings.add("info-state", { volume: volume.id, detail: said.join(", ") })
  if (volume.info !== undefined) volume.info = { ...volume.info, inUse: 0, needsSalvaged: 0 }
}

/** A volume that was never made or never changed there is not: what is left of its dates says when, else it is now. */
function checkDates(group: GroupModel, volume: VolumeModel, info: VolumeInfo, { now }: PlanOptions): void {
  const { creationDate, updateDate, copyDate } = info
  if (creationDate !== 0 && updateDate !== 0 && !volume.infoInvented) return
  const known = creationDate || copyDate || updateDate || now
  volume.info = { ...info, creationDate: known, updateDate: updateDate || known, copyDate: copyDate || known }
  if (!volume.infoInvented) group.findings.add("info-field", { volume: volume.id, detail: "a date is lost" })
}
