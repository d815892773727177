/**
 * Third pass: VolumeInfo of each volume, as far as it can be judged by itself: stamps, ids, type, name. A lost VolumeInfo
 * is made again from what another volume of the group says. Counts, uniquifier and flags follow in the last pass.
 */
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { volumeTypes } from "../../common/protocol/codes.ts"
import {
  destroyMeMark,
  newVolumeInfo,
  type VolumeInfo,
  volumeInfoLayout,
  volumeInfoMagic,
  volumeInfoVersion,
  volumeNameMax,
} from "../../common/volume/volume-info.ts"
import type { GroupModel, VolumeModel } from "../model.ts"

const size = volumeInfoLayout.size
const suffixes = { [volumeTypes.RO]: ".readonly", [volumeTypes.BK]: ".backup" } as const

/** Reads every VolumeInfo as it is on disk; nothing is judged yet but whether it can be used at all. */
export function readInfos(group: GroupModel): void {
  for (const volume of group.volumes) readInfo(group, volume)
  for (const volume of group.volumes) takeExchanged(group, volume)
}

/** Two volumes of the group have one another's: both get their own back. */
function takeExchanged(group: GroupModel, volume: VolumeModel): void {
  const { info } = volume
  const other = info === undefined || info.id === volume.id ? undefined : group.volume(info.id)
  if (other?.info?.id !== volume.id) return
  for (const [one, { id }] of [
    [volume, other],
    [other, volume],
  ] as const) {
    const file = group.store.path(specialInode(one.id, "volumeInfo"))
    group.findings.add("info-damaged", { volume: one.id, file, detail: `it is that of volume ${id}` })
  }
  volume.info = other.info
  other.info = info
}

function readInfo(group: GroupModel, volume: VolumeModel): void {
  const special = volume.specials.get("volumeInfo")
  if (special === undefined) return
  const bytes = new Uint8Array(size)
  using file = group.store.open(specialInode(volume.id, "volumeInfo"), "read")
  const length = file.read(bytes, 0)
  if (length === size) volume.infoOnDisk = bytes
  const info = volumeInfoLayout.read(bytes)
  const stampRight = info.magic === volumeInfoMagic && info.version === volumeInfoVersion
  const subject = { volume: volume.id, file: file.path }
  if (length < size) {
    const isUsable = length >= usableLength && info.magic === volumeInfoMagic && info.id === volume.id
    group.findings.add("info-damaged", { ...subject, detail: `it has ${length} bytes of ${size}` })
    if (isUsable) volume.info = { ...info, offlineMessage: "" }
  } else if (isOthers(group, volume, info)) {
    group.findings.add("info-damaged", { ...subject, detail: `it is that of volume ${info.id}` })
  } else if (stampRight || isPlausible(info, volume)) {
    const stamp = `magic 0x${info.magic.toString(16)}, version ${info.version}`
    if (!stampRight) group.findings.add("info-stamp", { ...subject, detail: stamp })
    volume.info = info
  } else group.findings.add("info-damaged", { ...subject, detail: `magic 0x${info.magic.toString(16)}` })
}

/** With so many bytes, name, flags, ids, quota and counts are there. */
const usableLength = volumeInfoLayout.offsets["dayUse"] ?? size

/** Without its stamp VolumeInfo is believed if two of its own statements about itself are right. */
function isPlausible(info: VolumeInfo, { id, group }: VolumeModel): boolean {
  const said = [info.magic === volumeInfoMagic, info.id === id, info.parentId === group, isVolumeName(info.name)]
  return said.filter(Boolean).length >= 2
}

/** Another volume's was written over it: it says that volume's id and name. A wrong id alone is a wrong field. */
function isOthers({ partition, survey }: GroupModel, volume: VolumeModel, { id, name }: VolumeInfo): boolean {
  if (id === volume.id || name === "") return false
  return survey.homesOf(id).some((home) => {
    const store = new InodeStore(partition, home)
    const inode = specialInode(id, "volumeInfo")
    if (store.stat(inode) === undefined) return false
    const bytes = new Uint8Array(size)
    using file = store.open(inode, "read")
    file.read(bytes, 0)
    const other = volumeInfoLayout.read(bytes)
    return other.id === id && other.name === name
  })
}

/** Printable, not empty, no spaces: what every program of a cell accepts. */
export function isVolumeName(name: string): boolean {
  return /^[\x21-\x7e]+$/.test(name) && name.length <= volumeNameMax
}

/** Judges what was read, and makes again what is lost. Needs the fates of the volumes. */
export function checkInfos(group: GroupModel): void {
  // Those that are there first: the others are made from them.
  const ordered = [...group.kept].sort((a, b) => Number(a.info === undefined) - Number(b.info === undefined))
  for (const volume of ordered) {
    if (volume.info === undefined) volume.info = madeAgain(group, volume)
    else correct(group, volume, volume.info)
  }
}

type CheckedField = "id" | "parentId" | "type" | "name" | "blessed" | "inService"

function correct(group: GroupModel, volume: VolumeModel, info: VolumeInfo): void {
  const wanted = { ...info, magic: volumeInfoMagic, version: volumeInfoVersion }
  const change = (field: CheckedField, value: number | string): void => {
    const detail = `${field} is ${JSON.stringify(info[field])}, should be ${JSON.stringify(value)}`
    group.findings.add("info-field", { volume: volume.id, detail })
    Object.assign(wanted, { [field]: value })
  }
  if (info.id !== volume.id) change("id", volume.id)
  if (info.parentId !== volume.group) change("parentId", volume.group)
  // the flags between two fields that are never 0 were wiped with them: nobody took the volume out of service
  if (info.parentId === 0 && info.uniquifier === 0)
    for (const flag of ["blessed", "inService"] as const) if (info[flag] === 0) change(flag, 1)
  const type = typeOf(group, volume, info)
  if (info.type !== type) change("type", type)
  if (!isVolumeName(info.name)) change("name", nameFor(group, volume, type) ?? madeUpName(volume))
  volume.info = wanted
}

/** The type that a volume must have: its own if that is possible. */
function typeOf(group: GroupModel, volume: VolumeModel, info: VolumeInfo | undefined): number {
  const said = info?.type
  const isClone = said === volumeTypes.RO || said === volumeTypes.BK
  // a read-only volume that was restored alone is its own group
  if (volume.isReadWrite) return said === volumeTypes.RO && group.kept.length === 1 ? said : volumeTypes.RW
  if (isClone) return said
  const master = group.volume(group.id)?.info
  if (info?.name.endsWith(".backup") === true || master?.backupId === volume.id) return volumeTypes.BK
  if (info?.name.endsWith(".readonly") === true || master?.cloneId === volume.id) return volumeTypes.RO
  // a read-write clone (vos clone -readwrite) is rare, but it exists
  return said === volumeTypes.RW ? volumeTypes.RW : volumeTypes.RO
}

/** A volume's name as the other volumes of its group have it. */
function nameFor(group: GroupModel, volume: VolumeModel, type: number): string | undefined {
  for (const other of group.volumes) {
    if (other === volume || other.info === undefined || !isVolumeName(other.info.name)) continue
    const base = other.info.name.replace(/\.(readonly|backup)$/, "")
    const name = base + (type === volumeTypes.RO || type === volumeTypes.BK ? suffixes[type] : "")
    if (isVolumeName(name)) return name
  }
  return undefined
}

const madeUpName = (volume: VolumeModel): string => `bogus.${volume.id}`

/**
 * A VolumeInfo for a volume that has none. With another volume of the group as a model it goes online as before; without
 * one it does so too, under a made-up name, if there is anything in it: clients find volumes by number.
 */
function madeAgain(group: GroupModel, volume: VolumeModel): VolumeInfo {
  const type = typeOf(group, volume, undefined)
  const name = nameFor(group, volume, type)
  const model = group.volumes.find((other) => other !== volume && other.info !== undefined && other.fate === "keep")
  const subject = { volume: volume.id, file: group.store.path(specialInode(volume.id, "volumeInfo")) }
  if (!volume.specials.has("volumeInfo")) group.findings.add("info-missing", subject)
  if (name === undefined) group.findings.add("info-lost", subject)
  volume.infoInvented = true
  const identity = { id: volume.id, parentId: volume.group, type, name: name ?? madeUpName(volume) }
  const state = { inUse: 0, needsSalvaged: 0, destroyMe: 0, restoredFromId: 0, blessed: 1, inService: 1 }
  const ids = clonesOf(group)
  if (model?.info === undefined) return newVolumeInfo({ ...identity, ...state, ...ids })
  return { ...model.info, ...identity, ...state, ...ids }
}

/** Ids of the latest clones, as far as they exist. */
function clonesOf(group: GroupModel): { cloneId: number; backupId: number } {
  const latest = (type: number): number =>
    group.volumes.find((volume) => volume.info?.type === type && !volume.isReadWrite)?.id ?? 0
  return { cloneId: latest(volumeTypes.RO), backupId: latest(volumeTypes.BK) }
}

/** True if VolumeInfo carries the mark of unfinished volumes. */
export const isMarkedUnfinished = (volume: VolumeModel): boolean => volume.info?.destroyMe === destroyMeMark
