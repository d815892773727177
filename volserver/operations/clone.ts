/**
 * Clones: a new one, and an existing one made equal to its source again. OpenAFS volser/volprocs.c (VolClone, VolReClone).
 *
 * The source is checked out for cloning and write-locked, the clone is locked inside that.
 */
import { AfsError } from "../../common/error.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import type { Partition } from "../../common/partition/partition.ts"
import { programTypes, type VolumeType, volumeTypes } from "../../common/protocol/codes.ts"
import { VolumeDraft } from "../../common/volume/volume-draft.ts"
import { destroyMeMark, type VolumeInfo } from "../../common/volume/volume-info.ts"
import { type VolumeOperation, withVolume } from "../../fssync/volume-operation.ts"
import { type Contents, copyRecords, sameContents } from "../clone-contents.ts"
import type { VolserverContext } from "../context.ts"
import { InodeList, takeBack } from "../inode-list.ts"
import { withNewVolume } from "../new-volume.ts"
import { switchContents } from "../switch-contents.ts"
import { readVolume, type VolumePlace } from "../volume-list.ts"
import { requireStoredName, storedName } from "../volume-name.ts"

/** `RO` or `BK`: clones that can be written to would leave the group's folder (OpenAFS then loses their files). */
export type CloneType = Exclude<VolumeType, "RW">

export interface CloneRequest {
  readonly source: VolumePlace
  readonly type: CloneType
  readonly name: string
  /** A volume of this id that exists is made equal to the source; else it is the new clone's. Default: the next free id. */
  readonly id?: number | undefined
  /** Leaves a new clone offline. */
  readonly offline?: boolean | undefined
  /**
   * The clone is soon removed: the source does not take note of it, and it keeps the destroy mark, so that the next salvage
   * removes it if its maker cannot. OpenAFS volser/vos.c sets VTDeleteOnSalvage for such clones.
   */
  readonly temporary?: boolean | undefined
}

export interface ClonedVolume {
  readonly id: number
  readonly name: string
  readonly partition: string
  readonly source: number
  /** It existed before. */
  readonly again: boolean
}

/**
 * Makes a clone, or renews the one with the requested id.
 * @throws AfsError VOFFLINE if the source is out of service; EXDEV, EINVAL if the id belongs to another volume; EMLINK at the
 * eighth volume that shares a file; and what attaching throws. The source and an existing clone are then as before.
 */
export async function cloneVolume(context: VolserverContext, request: CloneRequest): Promise<ClonedVolume> {
  const { partition, id: sourceId } = request.source
  requireStoredName(request.name)
  return withVolume(
    context.claimant,
    partition,
    sourceId,
    "CLONE",
    (source) => {
      requireInService(source)
      const existing = existingClone(partition, source, request)
      return existing ? renew(context, source, request) : make(context, source, request)
    },
    context.patience,
  )
}

function requireInService({ volume }: VolumeOperation): void {
  const { inService, destroyMe } = volume.info
  if (inService !== 0 && destroyMe !== destroyMeMark) return
  const detail = destroyMe === destroyMeMark ? "it is unfinished" : "it is out of service: put it online first"
  throw new AfsError("VOFFLINE", "clone", { volume: volume.id, partition: volume.partition.name }, { detail })
}

/** @throws AfsError EINVAL, EXDEV if the id is taken by something that is no clone of this source */
function existingClone(partition: Partition, source: VolumeOperation, request: CloneRequest): boolean {
  const { id } = request
  if (id === undefined || partition.disk.stat(`${partition.path}/${headerFile(id)}`) === undefined) return false
  const found = readVolume(partition, id)
  const subject = { volume: id, partition: partition.name }
  if (id === source.volume.id) throw new AfsError("EINVAL", "clone", subject, { detail: "it is the source itself" })
  if (found.header.parent !== source.volume.header.parent) {
    throw new AfsError("EXDEV", "clone", subject, { detail: `it belongs to volume group ${found.header.parent}` })
  }
  if (found.info.type === volumeTypes.RW) {
    throw new AfsError("EINVAL", "clone", subject, { detail: "it is a read-write volume" })
  }
  return true
}

const headerFile = (id: number): string => `V${String(id).padStart(10, "0")}.vol`

async function make(context: VolserverContext, source: VolumeOperation, request: CloneRequest): Promise<ClonedVolume> {
  const { partition, header } = source.volume
  const wanted = { partition, id: request.id, parent: header.parent }
  const made = await withNewVolume(context, wanted, async (clone) => {
    const now = context.now()
    const type = request.temporary === true ? undefined : request.type
    await fill(context, source, clone, type, now, () => newCloneInfo(request, now))
    return {
      id: clone.volume.id,
      name: request.name,
      partition: partition.name,
      source: source.volume.id,
      again: false,
    }
  })
  await context.claimant.fileserver?.breakCallbacks(made.id)
  return made
}

async function renew(context: VolserverContext, source: VolumeOperation, request: CloneRequest): Promise<ClonedVolume> {
  const { partition } = source.volume
  const id = request.id ?? 0
  const work = async (clone: VolumeOperation): Promise<ClonedVolume> => {
    const now = context.now()
    const type = clone.volume.info.type === volumeTypes.BK ? "BK" : "RO"
    await fill(context, source, clone, type, now, () => ({
      ...renewedInfo(clone.volume.info, now),
      name: storedName(request.name),
    }))
    return { id, name: request.name, partition: partition.name, source: source.volume.id, again: true }
  }
  const renewed = await withVolume(context.claimant, partition, id, "VOLUPD", work, context.patience)
  await context.claimant.fileserver?.breakCallbacks(id, partition.name)
  return renewed
}

/** Copies the records and installs them; gives the raised counts back if that fails before anything was installed. */
async function fill(
  context: VolserverContext,
  source: VolumeOperation,
  clone: VolumeOperation,
  type: CloneType | undefined,
  now: number,
  own: () => Partial<VolumeInfo>,
): Promise<void> {
  const { backupId } = source.volume.info
  const infoAfter = (contents: Contents): VolumeInfo => {
    tellSource(source, type, clone.volume.id, contents, now)
    // A backup clone says of itself what the source said before: at the first one, that there is none.
    return { ...source.volume.info, ...contents, backupId, ...identityOf(clone), ...own() }
  }
  const same = sameContents(source.volume, clone.volume)
  if (same !== undefined) {
    clone.volume.info = infoAfter(same)
    clone.writeInfo()
    return
  }
  const store = new InodeStore(source.volume.partition, source.volume.header.parent)
  using draft = VolumeDraft.begin(store, clone.volume.header)
  const claimed = new InodeList()
  try {
    const contents = await copyRecords(context, source, clone.volume, draft, claimed)
    await switchContents(context, clone, draft, infoAfter(contents))
  } catch (error) {
    takeBack(clone, store, claimed)
    throw error
  }
}

/**
 * Records the clone in a read-write source, before the clone is whole: an id that leads nowhere is harmless, a clone that
 * nobody knows is not.
 */
function tellSource(
  source: VolumeOperation,
  type: CloneType | undefined,
  id: number,
  contents: Contents,
  now: number,
): void {
  const { info } = source.volume
  if (info.type !== volumeTypes.RW) return
  info.filecount = contents.filecount
  info.diskused = contents.diskused
  if (type === "RO") info.cloneId = id
  if (type === "BK") {
    info.backupId = id
    info.backupDate = now
  }
  source.writeInfo()
}

/** What of a clone's VolumeInfo never comes from its source. */
function identityOf({ volume, checkout }: VolumeOperation): Partial<VolumeInfo> {
  return {
    id: volume.id,
    parentId: volume.header.parent,
    inUse: programTypes[checkout.claimant.program],
    needsSalvaged: 0,
    destroyMe: 0,
    inService: 1,
    offlineMessage: "",
  }
}

function newCloneInfo(request: CloneRequest, now: number): Partial<VolumeInfo> {
  return {
    name: storedName(request.name),
    type: volumeTypes[request.type],
    copyDate: now,
    creationDate: now,
    dayUse: 0,
    weekUse: [0, 0, 0, 0, 0, 0, 0],
    dayUseDate: 0,
    inService: request.offline === true ? 0 : 1,
    destroyMe: request.temporary === true ? destroyMeMark : 0,
  }
}

/** A renewed clone keeps its type, its statistics, and the date on which it came to this partition. */
function renewedInfo(old: VolumeInfo, now: number): Partial<VolumeInfo> {
  const { type, copyDate, dayUse, weekUse, dayUseDate, statInitialized, statReads, statWrites } = old
  const { statFileSameAuthor, statFileDiffAuthor, statDirSameAuthor, statDirDiffAuthor } = old
  const statistics = { dayUse, weekUse, dayUseDate, statInitialized, statReads, statWrites }
  const authors = { statFileSameAuthor, statFileDiffAuthor, statDirSameAuthor, statDirDiffAuthor }
  return { type, copyDate, ...statistics, ...authors, creationDate: now }
}
