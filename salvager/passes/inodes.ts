/**
 * First pass: the files of the group. Lists every folder once, takes one stat for each file and reads the link table.
 * OpenAFS vol/namei_ops.c (ListViceInodes).
 */
import type { DiskStat } from "../../common/disk/disk.ts"
import { listFolder } from "../../common/disk/folder-reader.ts"
import {
  dataInode,
  type Inode,
  inodeParts,
  type SpecialType,
  specialInode,
  specialTypes,
  tagCount,
  vnodeMask,
} from "../../common/partition/inode-number.ts"
import { isHidden } from "../../common/partition/inode-store.ts"
import {
  linkTableMagic,
  linkTableStamp,
  linkTableVersion,
  rowOffset,
} from "../../common/partition/link-table-format.ts"
import { decodeInode, decodeNumber, specialFolder } from "../../common/partition/namei-path.ts"
import type { DataFolder, Oddity, ScanSink } from "../folder-scan.ts"
import { type GroupModel, inodeKey, VolumeModel } from "../model.ts"
import { beginScan, type FolderScan, type ScanThreads } from "../scan-threads.ts"

const typeOf = new Map<number, SpecialType>()
for (const type of ["volumeInfo", "smallIndex", "largeIndex", "accessList", "mountTable", "linkTable"] as const)
  typeOf.set(specialTypes[type], type)

/** Lists the group's folders and reads its special files; threads may begin with the data files. @returns what ends the scan */
export function beginInodes(group: GroupModel, threads?: ScanThreads): FolderScan {
  const { disk, ownerEncoding } = group.partition
  const top = listFolder(disk, group.store.root)
  const folders: DataFolder[] = []
  group.hasFolder = top !== undefined
  for (const first of top ?? []) {
    if (isHidden(first)) group.hiddenNames.push(first.name)
    else if (!first.isDirectory) foreign(group, `${group.store.root}/${first.name}`)
    else if (first.name !== specialFolder) scanFirst(group, first.name, folders)
  }
  const scan = beginScan(disk, folders, ownerEncoding === "development", threads)
  if (top?.some(({ name, isDirectory }) => isDirectory && name === specialFolder) === true) scanSpecial(group)
  group.volumes.sort((a, b) => Number(b.isReadWrite) - Number(a.isReadWrite) || a.id - b.id)
  return scan
}

/** Reads the names of all data files, their owner data, and the link table. */
export function endInodes(group: GroupModel, scan: FolderScan): void {
  const sink: ScanSink = { files: group.files.scanned, odd: (oddity) => takeOddity(group, oddity) }
  scan.finish(sink, (done, total) => group.advance(done, total))
  group.files.sort()
  for (const { path, inode } of group.misplaced.values()) {
    const { vnode, high, tag } = inodeParts(inode)
    group.elsewhere.set(group.files.find(vnode, high, tag), path)
  }
  readLinkTable(group)
}

function foreign(group: GroupModel, file: string): void {
  group.findings.add("file-foreign", { file })
}

function misplaced(group: GroupModel, file: string, inode: Inode): void {
  group.findings.add("file-misplaced", { file, detail: `it would belong to ${group.store.path(inode)}` })
}

function scanSpecial(group: GroupModel): void {
  const folder = `${group.store.root}/${specialFolder}`
  for (const { name, isDirectory, facts } of group.survey.specialOf(group.id)) {
    const path = `${folder}/${name}`
    const inode = decodeInode(name)
    const stat = isDirectory ? undefined : (facts ?? group.partition.disk.stat(path))
    if (inode === undefined || stat?.isFile !== true) foreign(group, path)
    else if (!inodeParts(inode).special) takeMisplaced(group, path, inode)
    else if (inodeParts(inode).rest !== 0) misplaced(group, path, inode)
    else takeSpecial(group, inode, stat)
  }
}

function takeSpecial(group: GroupModel, inode: Inode, stat: Pick<DiskStat, "size" | "uid" | "gid" | "mode">): void {
  const { high: id, tag } = inodeParts(inode)
  const type = typeOf.get(tag)
  const ownerRight = group.store.ownerMatches(stat, { parameter: id, number: tag })
  if (type === "linkTable" && id === group.id) {
    group.linkTable = "sound"
    group.linkTableSize = stat.size
    group.linkTableOwnerRight = ownerRight
  } else if (type === "volumeInfo" || type === "smallIndex" || type === "largeIndex") {
    volumeOf(group, id).specials.set(type, { size: stat.size, ownerRight })
  } else {
    group.rubbish.push(inode)
    group.findings.add("special-obsolete", { file: group.store.path(inode) })
  }
}

/** The model of a volume, made at first need. */
export function volumeOf(group: GroupModel, id: number): VolumeModel {
  const known = group.volume(id)
  if (known !== undefined) return known
  const volume = new VolumeModel(id, group.id)
  group.volumes.push(volume)
  return volume
}

/** Lists the folders of data files, two levels down. */
function scanFirst(group: GroupModel, first: string, folders: DataFolder[]): void {
  const high = decodeNumber(first)
  for (const { name, isDirectory } of listFolder(group.partition.disk, `${group.store.root}/${first}`) ?? []) {
    const path = `${group.store.root}/${first}/${name}`
    const low = decodeNumber(name)
    if (!isDirectory) foreign(group, path)
    else folders.push({ path, place: high === undefined || low === undefined ? -1 : high * 512 + low })
  }
}

function takeOddity(group: GroupModel, oddity: Oddity): void {
  const { path } = oddity
  const inode = decodeInode(path.slice(path.lastIndexOf("/") + 1))
  if (inode === undefined) group.strangers.add(path)
  else if (oddity.kind === "owner") {
    group.wrongOwners.push({ inode, parameter: oddity.parameter })
    group.findings.add("file-owner", { file: path })
  } else if (oddity.kind === "misplaced") takeMisplaced(group, path, inode)
  else group.strangers.add(path)
}

/** What is missing where it belongs counts as if it were there; the repair puts it there if somebody uses it. */
function takeMisplaced(group: GroupModel, path: string, inode: Inode): void {
  const stat = group.partition.disk.stat(path)
  const right = stat?.isFile === true ? rightInode(group, inode, stat) : undefined
  if (right === undefined || stat === undefined) {
    misplaced(group, path, inode)
    return
  }
  const { vnode, high: unique, tag } = inodeParts(right)
  group.misplaced.set(inodeKey(right), { path, inode: right })
  if (group.store.stat(right) !== undefined) return // an earlier salvage was broken off between its two names
  const owner = group.store.ownerOf(stat)
  group.files.scanned.add(vnode, unique, tag, stat.size, owner?.parameter ?? 0)
  if (owner !== undefined && !group.store.ownerMatches(stat, { parameter: owner.parameter, number: tag }))
    group.wrongOwners.push({ inode: right, parameter: owner.parameter })
}

/**
 * The name that a misplaced data file shall have: its own, or, where that has bits that no server sets, the one that its owner
 * data says, else one that is free. Undefined if there is none.
 */
function rightInode(group: GroupModel, inode: Inode, stat: DiskStat): Inode | undefined {
  const { special, vnode, high: unique, tag, rest } = inodeParts(inode)
  if (special || vnode === 0) return undefined
  const said = group.store.ownerOf(stat)?.number
  const tags = rest === 0 && tag < tagCount ? [tag] : [tag, ...(said === undefined ? [] : [said]), 0, 1, 2, 3, 4]
  return tags
    .filter((one) => one < tagCount)
    .map((one) => dataInode(vnode, unique, one))
    .find((one) => {
      const present = group.store.stat(one)
      return (present === undefined || present.identity === stat.identity) && !group.misplaced.has(inodeKey(one))
    })
}

/** Files that turned out to be nobody's. */
export function reportStrangers(group: GroupModel): void {
  for (const path of group.strangers) foreign(group, path)
}

/** Rows for higher vnode numbers than a data file can have mean nothing. */
const tableBytesMax = rowOffset(vnodeMask)

function readLinkTable(group: GroupModel): void {
  const file = group.store.path(specialInode(group.id, "linkTable"))
  if (group.linkTable === "missing") {
    if (group.files.found > 0 || group.volumes.length > 0) group.findings.add("link-table-missing", { file })
    return
  }
  const bytes = readTable(group)
  if (bytes.length < linkTableStamp.size) {
    group.linkTable = "empty"
    group.findings.add("link-table-missing", { file, detail: `the file has ${bytes.length} bytes` })
    return
  }
  const { magic, version } = linkTableStamp.read(bytes)
  group.rows = rowsOf(bytes)
  if ((bytes.length - linkTableStamp.size) % 2 === 1) {
    group.linkTablePad = bytes.length
    group.findings.add("link-table-cut", { file, detail: `it has ${bytes.length} bytes` })
  }
  if (magic === linkTableMagic && version === linkTableVersion) return
  group.linkTable = "stamp"
  group.findings.add("link-table-damaged", { file, detail: `magic 0x${magic.toString(16)}, version ${version}` })
}

function readTable(group: GroupModel): Uint8Array {
  using file = group.store.open(specialInode(group.id, "linkTable"), "read")
  const size = group.linkTableSize
  if (size > tableBytesMax) {
    group.linkTableTooLong = true
    group.findings.add("link-table-long", { file: file.path, detail: `${size} bytes` })
  }
  const bytes = new Uint8Array(Math.min(size, tableBytesMax))
  return bytes.subarray(0, file.read(bytes, 0))
}

function rowsOf(table: Uint8Array): Uint16Array {
  const rows = new Uint16Array((table.length - linkTableStamp.size + 1) >>> 1) // half a row counts with a zero
  for (let row = 0; row < rows.length; row++) {
    const at = rowOffset(row)
    rows[row] = (table[at] ?? 0) | ((table[at + 1] ?? 0) << 8)
  }
  return rows
}
