/**
 * May a group be left out of a salvage that is not forced? Only if every volume says that it is known to be consistent, and
 * what can be seen without reading records agrees. OpenAFS vol/vol-salvage.c (QuickCheck), which trusts the mark alone.
 */
import { isDiskError } from "../common/disk/disk.ts"
import { FormatError, isAfsError } from "../common/error.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { headerPath } from "../common/partition/partition.ts"
import { openVolume } from "../common/volume/volume.ts"
import { newVolumeHeader, readHeaderBytes, volumeHeaderLayout } from "../common/volume/volume-header.ts"
import { dontSalvageMark } from "../common/volume/volume-info.ts"
import type { Survey } from "./survey.ts"

/** True if nothing tells against the group. Takes no locks: a group in use says no. */
export function needsNoSalvage(survey: Survey, group: number): boolean {
  const volumes = new InodeStore(survey.partition, group).volumes()
  const isKnown = survey.membersOf(group).every((id) => volumes.includes(id))
  return isKnown && volumes.length > 0 && volumes.every((id) => isConsistent(survey, group, id))
}

function isConsistent(survey: Survey, group: number, id: number): boolean {
  const header = readHeaderBytes(survey.partition, headerPath(survey.partition, id))
  const wanted = volumeHeaderLayout.encode(newVolumeHeader(id, group))
  const compared = volumeHeaderLayout.offsets["reserved"] ?? 0
  if (header === undefined || Buffer.compare(header.subarray(0, compared), wanted.subarray(0, compared)) !== 0)
    return false
  try {
    using volume = openVolume(survey.partition, id, "read")
    const { info, small, large } = volume
    const isWhole = [small, large].every(({ file, recordSize }) => hasWholeRecords(file.stat().size, recordSize))
    const isMarked = info.dontSalvage === dontSalvageMark && info.inUse === 0
    return isWhole && isMarked && info.needsSalvaged === 0 && info.destroyMe === 0
  } catch (error) {
    if (error instanceof FormatError || isAfsError(error) || isDiskError(error)) return false
    throw error
  }
}

const stampSize = 8
const hasWholeRecords = (size: number, recordSize: number): boolean => size === stampSize || size % recordSize === 0
