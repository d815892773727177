/**
 * Which volumes stay. A volume is deleted only if nothing is lost by it: it was never finished, somebody was deleting it,
 * or nothing of it exists.
 *
 * The mark of unfinished volumes (destroyMe) is set while a volume is created, restored or deleted. OpenAFS deletes what
 * carries it, whole trees included: an incremental restore that is broken off, or one wrong byte, costs the volume. Here a
 * marked volume goes only if VolumeInfo is still as creation wrote it, its root is gone already (a deletion begins there), it
 * is a clone beside its read-write volume, or all its content is in other volumes too. Any other is kept out of service.
 */
import { recoverEntries } from "../../common/directory/directory-recovery.ts"
import { programTypes } from "../../common/protocol/codes.ts"
import { findDraft, volumesInSwitch } from "../../common/volume/volume-draft.ts"
import type { VolumeInfo } from "../../common/volume/volume-info.ts"
import { isDots } from "../directory-image.ts"
import type { GroupModel, VolumeModel } from "../model.ts"
import { readDirectory } from "../read-data.ts"
import { uncountedUsers } from "./records.ts"
import { isMarkedUnfinished } from "./volume-info.ts"

const rootVnode = 1
/** Uniquifier of a volume that has only its root, or nothing. */
const newUniquifier = 2

/** Decides about every volume; those that go no longer count as users of data files. */
export function decideFates(group: GroupModel): void {
  const isBrokenOff = group.volumes.some(({ info }) => info?.inUse === programTypes.volumeServer)
  if (isBrokenOff) group.unfinished = true // what a volserver was making when it was killed is not to be kept
  for (const volume of [...group.volumes].reverse()) {
    if (volume.fate === "foreign") continue
    if (volume.specials.size === 0 && !hasUnclaimedData(group)) dropHeader(group, volume)
    else decide(group, volume)
  }
}

/** There is a header, and nothing else. */
function dropHeader(group: GroupModel, volume: VolumeModel): void {
  group.volumes.splice(group.volumes.indexOf(volume), 1)
  if (volume.headerFile === undefined) return
  group.headersToRemove.push(volume.headerFile.name)
  group.findings.add("header-without-data", {
    volume: volume.id,
    file: `${group.partition.path}/${volume.headerFile.name}`,
  })
}

/** Data files that must be those of a volume without any index. */
function hasUnclaimedData(group: GroupModel): boolean {
  const { files } = group
  for (let file = 0; file < files.found; file++) {
    if (group.rowsTrusted ? uncountedUsers(group, file) > 0 : files.users(file) === 0) return true
  }
  return false
}

function decide(group: GroupModel, volume: VolumeModel): void {
  const subject = { volume: volume.id }
  if (isMarkedUnfinished(volume)) {
    const why = whyUnfinished(group, volume)
    if (why === undefined) {
      group.findings.add("volume-unfinished-kept", subject)
      keepOutOfService(volume)
      return
    }
    group.findings.add("volume-unfinished", { ...subject, detail: why })
  } else if (isHalfCreated(group, volume)) {
    group.findings.add("volume-unfinished", {
      ...subject,
      detail: "it has no VolumeInfo, no root and no data of its own",
    })
  } else if (isLeftover(group, volume)) {
    group.findings.add("volume-leftover", subject)
  } else return
  remove(group, volume)
}

function keepOutOfService(volume: VolumeModel): void {
  if (volume.info !== undefined) volume.info = { ...volume.info, destroyMe: 0, inService: 0 }
}

/** Why a marked volume may go, in words; undefined if it may not. */
function whyUnfinished(group: GroupModel, volume: VolumeModel): string | undefined {
  if (volume.info !== undefined && isAsCreated(volume.info)) return "it was being made"
  const root = volume.vnodes.find(rootVnode)
  if (root < 0 || volume.vnodes.file(root) < 0) return "its root directory is gone"
  const master = group.volume(group.id)
  if (master !== undefined && master !== volume && master.fate === "keep" && master.specials.size > 0)
    return "it is a clone"
  if (!hasOwnContent(group, volume)) return "it has no content of its own"
  return undefined
}

function isAsCreated(info: VolumeInfo): boolean {
  return info.uniquifier <= newUniquifier && info.filecount <= 1 && info.diskused <= 2
}

/** True if something would be lost with the volume: a data file that no other uses, other than an empty root. */
function hasOwnContent(group: GroupModel, volume: VolumeModel): boolean {
  for (const slot of volume.vnodes.live()) {
    const file = volume.vnodes.file(slot)
    if (file < 0 || group.files.users(file) > 1) continue
    if (volume.vnodes.vnode(slot) !== rootVnode || !isEmptyDirectory(group, file)) return true
  }
  return false
}

function isEmptyDirectory(group: GroupModel, file: number): boolean {
  return recoverEntries(readDirectory(group, file)).every(({ name }) => isDots(name))
}

/** Broken off while it was being made, before VolumeInfo said anything. */
function isHalfCreated(group: GroupModel, volume: VolumeModel): boolean {
  if (volume.info !== undefined || volume.vnodes.find(rootVnode) >= 0) return false
  if (volume.isReadWrite) return !volume.hasVnodes && !hasUnclaimedData(group)
  return !hasOwnContent(group, volume) && !isCounted(group, volume)
}

/** A clone's special files without a header, which the link table knows nothing of: what is left of a deletion. */
function isLeftover(group: GroupModel, volume: VolumeModel): boolean {
  if (volume.headerFile !== undefined || volume.isReadWrite || !group.rowsTrusted) return false
  return !hasOwnContent(group, volume) && !isCounted(group, volume)
}

/** The link table counts this volume among the users of at least one of its files. */
function isCounted(group: GroupModel, volume: VolumeModel): boolean {
  for (const slot of volume.vnodes.live()) {
    const file = volume.vnodes.file(slot)
    if (file >= 0 && uncountedUsers(group, file) >= 0) return true
  }
  return !group.rowsTrusted
}

/** Takes the volume out of the accounts. */
function remove(group: GroupModel, volume: VolumeModel): void {
  volume.fate = "delete"
  group.unfinished = true
  for (const slot of volume.vnodes.live()) {
    const file = volume.vnodes.file(slot)
    if (file < 0) continue
    group.files.use(file, -1)
    group.files.markUnfinished(file)
  }
}

/**
 * Restores and clones that were broken off: what they had made goes with them.
 * @returns true if a complete one waits to be put into place, so that there is no point in looking further
 */
export function checkDrafts(group: GroupModel): boolean {
  let waits = false
  const known = group.volumes.map(({ id }) => id)
  const gone = volumesInSwitch(group.hiddenNames).filter((volume) => !known.includes(volume))
  for (const volume of [...known, ...gone]) {
    if (group.survey.isWithoutDraft(volume)) continue
    const found = findDraft(group.store, volume)
    if (found === "none") continue
    group.unfinished = true
    const isWaiting = found === "complete" && known.includes(volume)
    waits ||= isWaiting
    if (!isWaiting) group.draftsToDiscard.push(volume)
    group.findings.add(isWaiting ? "draft-waiting" : "draft-discarded", { volume })
  }
  return waits
}
