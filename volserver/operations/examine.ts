/**
 * What a volume is and whether clients get it: from the fileserver's copy in core where it has one, else from the disk. Takes
 * no lock and checks nothing out. OpenAFS volser/volprocs.c (VolListOneVolume).
 */
import { isDiskError } from "../../common/disk/disk.ts"
import { AfsError, FormatError } from "../../common/error.ts"
import { headerPath, listHeaderNames, type Partition } from "../../common/partition/partition.ts"
import { attachModes, programTypeName } from "../../common/protocol/codes.ts"
import { destroyMeMark, type VolumeInfo } from "../../common/volume/volume-info.ts"
import { volumeStates } from "../../common/volume/volume-state.ts"
import type { FssyncClient } from "../../fssync/fssync-client.ts"
import { fssyncCommands, fssyncReasons, responses, type VolumeOperationInfo } from "../../fssync/message.ts"
import type { VolserverContext } from "../context.ts"
import { readVolume, type VolumePlace } from "../volume-list.ts"
import { shownName, volumeTypeName } from "../volume-name.ts"

/**
 * `online`: clients are served. `offline`: they are not, `why` says it. `busy`: an operation has it. `unfinished`: never
 * completed, or half removed. `unreadable`: header or VolumeInfo is damaged.
 */
export type VolumeCondition = "online" | "offline" | "busy" | "unfinished" | "unreadable"

/** A volume as `examine` and `listvol` show it. Dates are seconds since 1970, 0 = never. */
export interface VolumeStatus {
  readonly id: number
  readonly name: string
  /** `RW`, `RO` or `BK`. */
  readonly type: string
  readonly partition: string
  readonly path: string
  readonly condition: VolumeCondition
  /** Why it is not online, in words; who has it. */
  readonly why: string | undefined
  /** Where the fields come from. */
  readonly source: "fileserver" | "disk" | "none"
  readonly parentId: number
  readonly cloneId: number
  readonly backupId: number
  /** KiB. */
  readonly diskused: number
  readonly maxquota: number
  readonly minquota: number
  readonly filecount: number
  readonly owner: number
  readonly accountNumber: number
  readonly uniquifier: number
  readonly inUse: string
  readonly inService: boolean
  readonly blessed: boolean
  readonly needsSalvaged: boolean
  readonly destroyMe: boolean
  readonly creationDate: number
  readonly copyDate: number
  readonly backupDate: number
  readonly accessDate: number
  readonly updateDate: number
  readonly expirationDate: number
  /** 0 if the day's count is more than a day old. */
  readonly dayUse: number
  readonly weekUse: number
  readonly updateCounter: number
  readonly offlineMessage: string
  readonly statistics: VolumeStatistics
}

/** Counts of reads and writes: see VolumeInfo. */
interface VolumeStatistics {
  readonly reads: readonly number[]
  readonly writes: readonly number[]
  readonly fileSameAuthor: readonly number[]
  readonly fileDiffAuthor: readonly number[]
  readonly dirSameAuthor: readonly number[]
  readonly dirDiffAuthor: readonly number[]
}

const secondsOfDay = 86_400
/** Volume states (common/volume/volume-state.ts) in which clients are refused for a reason that lasts. */
const offlineStates: ReadonlyMap<number, string> = new Map([
  [volumeStates.UNATTACHED, "taken offline"],
  [volumeStates.SALVSYNC_REQ, "a salvage has been asked for"],
  [volumeStates.SALVAGING, "being salvaged"],
  [volumeStates.ERROR, "in the error state"],
  [volumeStates.DELETED, "deleted"],
  [volumeStates.SALVAGE_REQ, "a salvage has been asked for"],
])

/** What the fileserver says of a volume. */
interface FileserverView {
  readonly info: VolumeInfo | undefined
  /** Undefined: it does not know the volume. */
  readonly state: number | undefined
  readonly operation: VolumeOperationInfo | undefined
}

/** @throws AfsError VNOVOL if there is no such volume; UNREACHABLE */
export async function examineVolume(context: VolserverContext, place: VolumePlace): Promise<VolumeStatus> {
  const { partition, id } = place
  if (partition.disk.stat(headerPath(partition, id)) === undefined) {
    throw new AfsError("VNOVOL", "examine", { volume: id, partition: partition.name })
  }
  const { fileserver } = context.claimant
  const view = fileserver === undefined ? undefined : await askFileserver(fileserver, place)
  return statusOf(place, view, context.now())
}

/** All volumes of a partition by ascending id. */
export async function listVolumeStatus(context: VolserverContext, partition: Partition): Promise<VolumeStatus[]> {
  const ids = listHeaderNames(partition).map(({ volume }) => volume)
  const { fileserver } = context.claimant
  const places = ids.map((id) => ({ partition, id }))
  if (fileserver === undefined) return places.map((place) => statusOf(place, undefined, context.now()))
  const views = await Promise.all(places.map((place) => askFileserver(fileserver, place)))
  return places.map((place, index) => statusOf(place, views[index], context.now()))
}

/** Three questions, sent together. */
async function askFileserver(fileserver: FssyncClient, { partition, id }: VolumePlace): Promise<FileserverView> {
  const [header, volume, operation] = await Promise.all([
    fileserver.queryHeader(id, partition.name),
    fileserver.queryVolume(id, partition.name),
    fileserver.queryVolumeOperation(id, partition.name),
  ])
  return {
    info: header.response === responses.OK ? header.payload : undefined,
    state: volume.response === responses.OK ? volume.payload?.attach_state : undefined,
    operation: operation.response === responses.OK ? operation.payload : undefined,
  }
}

function statusOf(place: VolumePlace, view: FileserverView | undefined, now: number): VolumeStatus {
  try {
    const info = view?.info ?? readVolume(place.partition, place.id).info
    return fullStatus(place, info, view, now)
  } catch (error) {
    if (error instanceof FormatError || error instanceof AfsError || isDiskError(error)) {
      return unreadableStatus(place, error.message)
    }
    throw error
  }
}

function fullStatus(
  { partition, id }: VolumePlace,
  info: VolumeInfo,
  view: FileserverView | undefined,
  now: number,
): VolumeStatus {
  const { condition, why } = conditionOf(info, view)
  const isToday = now - info.dayUseDate <= secondsOfDay
  const { parentId, cloneId, backupId, diskused, maxquota, minquota, filecount, owner, accountNumber } = info
  const { uniquifier, creationDate, copyDate, backupDate, accessDate, updateDate, expirationDate } = info
  return {
    id,
    name: shownName(info.name),
    type: volumeTypeName(info.type) ?? String(info.type),
    partition: partition.name,
    path: partition.path,
    condition,
    why,
    source: view?.info === undefined ? "disk" : "fileserver",
    ...{ parentId, cloneId, backupId, diskused, maxquota, minquota, filecount, owner, accountNumber },
    ...{ uniquifier, creationDate, copyDate, backupDate, accessDate, updateDate, expirationDate },
    inUse: programTypeName(info.inUse),
    inService: info.inService !== 0,
    blessed: info.blessed !== 0,
    needsSalvaged: info.needsSalvaged !== 0,
    destroyMe: info.destroyMe === destroyMeMark,
    dayUse: isToday ? info.dayUse : 0,
    weekUse: info.weekUse.reduce((sum, day) => sum + day, 0),
    updateCounter: info.volUpdateCounter,
    offlineMessage: shownName(info.offlineMessage),
    statistics: statisticsOf(info, isToday),
  }
}

function statisticsOf(info: VolumeInfo, isToday: boolean): VolumeStatistics {
  const counted = (counts: readonly number[]): number[] => (isToday ? [...counts] : counts.map(() => 0))
  return {
    reads: counted(info.statReads),
    writes: counted(info.statWrites),
    fileSameAuthor: counted(info.statFileSameAuthor),
    fileDiffAuthor: counted(info.statFileDiffAuthor),
    dirSameAuthor: counted(info.statDirSameAuthor),
    dirDiffAuthor: counted(info.statDirDiffAuthor),
  }
}

interface Condition {
  readonly condition: VolumeCondition
  readonly why: string | undefined
}

function conditionOf(info: VolumeInfo, view: FileserverView | undefined): Condition {
  if (info.destroyMe === destroyMeMark) return { condition: "unfinished", why: "never completed, or half removed" }
  const operation = view?.operation
  if (operation !== undefined && !staysOnline(operation, info)) return { condition: "busy", why: holderOf(operation) }
  const why = whyOffline(info, view)
  return why === undefined ? { condition: "online", why } : { condition: "offline", why }
}

function whyOffline(info: VolumeInfo, view: FileserverView | undefined): string | undefined {
  if (info.needsSalvaged !== 0) return "marked for a salvage"
  if (info.blessed === 0) return "not blessed: its VolumeInfo was made by a salvager"
  if (info.inService === 0) return "out of service"
  if (view === undefined) return "no fileserver was asked"
  if (view.state === undefined) return "the fileserver does not know it"
  return offlineStates.get(view.state)
}

/** OpenAFS vol/volume_inline.h (VVolOpLeaveOnline_r). */
function staysOnline({ request }: VolumeOperationInfo, info: VolumeInfo): boolean {
  if (request.command !== fssyncCommands.VOL_NEEDVOLUME) return false
  if (request.reason === attachModes.READONLY) return true
  return info.type !== 0 && (request.reason === attachModes.CLONE || request.reason === attachModes.DUMP)
}

function holderOf({ request }: VolumeOperationInfo): string {
  const salvage = request.command === fssyncCommands.VOL_OFF && request.reason === fssyncReasons.SALVAGE
  return `${salvage ? "being salvaged by" : "checked out by"} pid ${request.pid} (${programTypeName(request.programType)})`
}

/** All fields 0 but those that the header file's name tells. */
function unreadableStatus({ partition, id }: VolumePlace, why: string): VolumeStatus {
  const none = { parentId: 0, cloneId: 0, backupId: 0, diskused: 0, maxquota: 0, minquota: 0, filecount: 0, owner: 0 }
  const dates = { creationDate: 0, copyDate: 0, backupDate: 0, accessDate: 0, updateDate: 0, expirationDate: 0 }
  const flags = { inService: false, blessed: false, needsSalvaged: false, destroyMe: false }
  const authors = { fileSameAuthor: [], fileDiffAuthor: [], dirSameAuthor: [], dirDiffAuthor: [] }
  return {
    id,
    name: headerPath(partition, id).slice(partition.path.length + 1),
    type: "",
    partition: partition.name,
    path: partition.path,
    condition: "unreadable",
    why,
    source: "none",
    ...none,
    ...dates,
    ...flags,
    accountNumber: 0,
    uniquifier: 0,
    inUse: "none",
    dayUse: 0,
    weekUse: 0,
    updateCounter: 0,
    offlineMessage: "",
    statistics: { reads: [], writes: [], ...authors },
  }
}
