/**
 * Second pass: the header files of the group's volumes. A header says nothing that its volume's special files do not say
 * by their names, so that any header can be made again.
 */
import { headerName } from "../../common/partition/partition.ts"
import { newVolumeHeader, type VolumeHeader } from "../../common/volume/volume-header.ts"
import type { GroupModel, VolumeModel } from "../model.ts"
import type { HeaderFile } from "../survey.ts"
import { volumeOf } from "./inodes.ts"

/** Matches header files with volumes; volumes whose files lie in two groups get the fate `foreign` in one of them. */
export function matchHeaders(group: GroupModel): void {
  const ours = new Set(group.volumes.map(({ id }) => id))
  for (const member of group.survey.membersOf(group.id)) ours.add(member)
  for (const id of [...ours].sort((a, b) => a - b))
    for (const file of group.survey.headersOf(id)) takeHeader(group, file)
  for (const file of group.survey.misnamed)
    if (!ours.has(file.volume) && file.header !== undefined && ours.has(file.header.id)) misnamed(group, file)
  // data without any volume: the group has one, of which nothing else is left
  if (ours.size === 0 && group.files.found > 0) volumeOf(group, group.id)
  for (const volume of group.volumes) checkHome(group, volume)
}

/** Judges the header files of the volumes that stay. */
export function checkHeaders(group: GroupModel): void {
  for (const volume of group.kept) judge(group, volume)
}

function checkHome(group: GroupModel, volume: VolumeModel): void {
  const home = volume.specials.size > 0 ? group.survey.groupOf(volume.id) : group.id
  if (home === group.id) return
  volume.fate = "foreign"
  group.findings.add("special-foreign", { volume: volume.id, detail: `it belongs to group ${home}` })
}

function takeHeader(group: GroupModel, file: HeaderFile): void {
  if (!file.isNamedRight) misnamed(group, file)
  else if (group.volume(file.volume) !== undefined) volumeOf(group, file.volume).headerFile = file
  else if (file.volume === group.id && group.files.found > 0) volumeOf(group, file.volume).headerFile = file
  else remove(group, file, "header-without-data")
}

function misnamed(group: GroupModel, file: HeaderFile): void {
  remove(group, file, "header-misnamed")
}

function remove(group: GroupModel, file: HeaderFile, code: "header-misnamed" | "header-without-data"): void {
  group.headersToRemove.push(file.name)
  group.findings.add(code, { volume: file.volume, file: `${group.partition.path}/${file.name}` })
}

function judge(group: GroupModel, volume: VolumeModel): void {
  const { headerFile } = volume
  const file = `${group.partition.path}/${headerName(volume.id)}`
  const found = headerFile?.header
  if (found !== undefined && headerFaultOf(found, volume) === undefined) return
  volume.headerWrong = true
  const code = headerFile === undefined ? "header-missing" : found === undefined ? "header-unreadable" : "header-wrong"
  const fault = found === undefined ? undefined : headerFaultOf(found, volume)
  group.findings.add(code, { volume: volume.id, file, ...(fault === undefined ? {} : { detail: fault }) })
}

const compared = [
  ["version", "version"],
  ["id", "volume id"],
  ["parent", "group"],
  ["infoLow", "VolumeInfo"],
  ["infoHigh", "VolumeInfo"],
  ["smallLow", "small vnode index"],
  ["smallHigh", "small vnode index"],
  ["largeLow", "large vnode index"],
  ["largeHigh", "large vnode index"],
  ["accessListLow", "access list"],
  ["accessListHigh", "access list"],
  ["mountTableLow", "mount table"],
  ["mountTableHigh", "mount table"],
  ["linkTableLow", "link table"],
  ["linkTableHigh", "link table"],
] as const

/** The first field that is not what it should be; reserved words do not matter. */
function headerFaultOf(header: VolumeHeader, volume: VolumeModel): string | undefined {
  const wanted = newVolumeHeader(volume.id, volume.group)
  for (const [field, name] of compared) {
    if (header[field] !== wanted[field]) return `${name} is ${header[field]}, should be ${wanted[field]}`
  }
  return undefined
}
