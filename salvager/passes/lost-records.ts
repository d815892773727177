/**
 * Sixth pass: records that are gone although their data files are there. A directory entry says that the object existed and
 * in which volume; another volume's record of the same object says what else it was. A data file that nobody names at all
 * gets a record too, and is attached later under a name of its own.
 */
import { specialInode } from "../../common/partition/inode-number.ts"
import { rootAccessList } from "../../common/vnode/access-list.ts"
import {
  accessListOffset,
  accessListSize,
  classOf,
  lengthHalves,
  newVnodeRecord,
  recordLength,
  recordOffset,
  type VnodeRecord,
  vnodeClasses,
  vnodeRecordLayout,
  vnodeTypes,
} from "../../common/vnode/vnode-record.ts"
import { hasSoundAccessList, mendedAccessList } from "../access-list-repair.ts"
import type { GroupModel, PlanOptions, VolumeModel } from "../model.ts"
import { readStart } from "../read-data.ts"
import { entriesOf } from "./edits.ts"
import { siblingOf, uncountedUsers } from "./records.ts"
import { indexType } from "./vnode-indexes.ts"

/**
 * Added to the data version of an object whose version is not known: clients that have an old copy must not take it for
 * the present one.
 */
const unknownVersionStep = 2 ** 20
/** Longer than nearly all links' texts, and any mount point's. */
const linkTextMax = 256
/** Control characters are in no link. */
const lastControl = 0x1f
const [hash, percent] = [0x23, 0x25]
const rootVnode = 1

/**
 * The best data file for an object that lost its record: that of the volume nearest in time if it is counted once more than
 * used, else nobody's, else any that is counted once more, else that of the nearest volume, else the newest.
 */
export function fileFor(group: GroupModel, volume: VolumeModel, vnode: number, unique: number): number {
  const { files } = group
  const candidates = files.ofVnode(vnode).filter((file) => files.unique(file) === unique)
  if (candidates.length <= 1) return candidates[0] ?? -1
  const sibling = siblingOf(group, volume, vnode, unique)
  const siblings = sibling === undefined ? -1 : sibling.volume.vnodes.file(sibling.slot)
  const rank = (file: number): number => {
    const isCounted = uncountedUsers(group, file) > 0
    const isNear = file === siblings
    const weight = isNear && isCounted ? 8 : files.users(file) === 0 ? 6 : isCounted ? 4 : isNear ? 2 : 0
    if (weight <= 2) return weight
    // of those that somebody misses, the newest is the read-write volume's; clones take the oldest, and ask in this order
    const age = 8 * files.version(file) + files.tag(file)
    return weight + 16 * (volume.isReadWrite ? 1 + age : 2 ** 35 - age)
  }
  return candidates.reduce((best, file) => (rank(file) > rank(best) ? file : best))
}

/**
 * Gives a data file a record in a volume. `parent` is the directory that names it, 0 if none is known.
 * @returns the slot of the new record
 */
export function rebuildRecord(
  group: GroupModel,
  volume: VolumeModel,
  file: number,
  parent: number,
  options: PlanOptions,
): number {
  const vnode = group.files.vnode(file)
  const unique = group.files.unique(file)
  const known = knownRecord(group, volume, file)
  const record = known === undefined ? guessedRecord(group, volume, file, parent, options) : fitted(group, known, file)
  const slot = volume.vnodes.add(vnode, vnodeRecordLayout.encode(record), file)
  volume.vnodes.mark(slot, "changed")
  volume.vnodes.mark(slot, "rebuilt")
  volume.vnodes.mark(slot, "contentChanged")
  volume.garbage.delete(vnode)
  volume.contentChanged = true
  group.files.use(file)
  const detail = `${group.files.size(file)} bytes`
  group.findings.add(known === undefined ? "vnode-guessed" : "vnode-rebuilt", {
    volume: volume.id,
    vnode,
    unique,
    detail,
  })
  if (classOf(vnode) === "large") restoreAccessList(group, volume, vnode, unique)
  return slot
}

/** What is left of the record, or what another volume has of the same object. */
function knownRecord(group: GroupModel, volume: VolumeModel, file: number): VnodeRecord | undefined {
  const vnode = group.files.vnode(file)
  const unique = group.files.unique(file)
  const leftover = leftoverOf(volume, vnode)
  if (leftover?.uniquifier === unique) return leftover
  const sibling = siblingOf(group, volume, vnode, unique)
  if (sibling !== undefined) return sibling.volume.vnodes.record(sibling.slot)
  const isMisnumbered = leftover !== undefined && isOfNoOther(group, leftover, file)
  return isMisnumbered ? { ...leftover, uniquifier: unique } : undefined
}

/** What is left of the record of a vnode, if anything is. */
export function leftoverOf({ leftovers }: VolumeModel, vnode: number): VnodeRecord | undefined {
  const bytes = leftovers.get(vnode)
  return bytes === undefined ? undefined : vnodeRecordLayout.read(bytes)
}

/** Only the numbers of the record are not the file's: the object that it would be of has no file, and the length is right or lost. */
function isOfNoOther({ files }: GroupModel, record: VnodeRecord, file: number): boolean {
  const length = recordLength(record)
  const hasOwn = files.ofVnode(files.vnode(file)).some((one) => files.unique(one) === record.uniquifier)
  return !hasOwn && (length === files.size(file) || length === 0)
}

/** A known record with what the data file says. */
export function fitted(group: GroupModel, known: VnodeRecord, file: number): VnodeRecord {
  const { files } = group
  const { high: inodeHigh, low: inodeLow } = files.inode(file)
  const sameFile = known.inodeHigh === inodeHigh && known.inodeLow === inodeLow
  const step = sameFile ? 0 : unknownVersionStep
  const cls = classOf(files.vnode(file))
  const base = {
    ...known,
    inodeHigh,
    inodeLow,
    ...lengthHalves(files.size(file)),
    cloned: 0,
    lockCount: 0,
    lockTime: 0,
  }
  const dataVersion = Math.max(known.dataVersion, files.version(file)) + step
  const type = cls === "large" ? vnodeTypes.directory : known.type === vnodeTypes.symlink ? known.type : vnodeTypes.file
  return { ...base, magic: vnodeClasses[cls].recordMagic, dataVersion, type }
}

/** A record of which only the data file is known: class and content tell the type, the directory the owner. */
function guessedRecord(
  group: GroupModel,
  volume: VolumeModel,
  file: number,
  parent: number,
  options: PlanOptions,
): VnodeRecord {
  const { files } = group
  const { high: inodeHigh, low: inodeLow } = files.inode(file)
  const cls = classOf(files.vnode(file))
  const holder = volume.vnodes.find(parent)
  const owner = holder < 0 ? 0 : volume.vnodes.record(holder).owner
  const stat = group.partition.disk.stat(group.presentPath(file))
  const modified = stat?.modified ?? options.now
  return newVnodeRecord(cls, {
    uniquifier: files.unique(file),
    dataVersion: files.version(file) + unknownVersionStep,
    inodeHigh,
    inodeLow,
    unixModifyTime: modified,
    serverModifyTime: options.now,
    author: owner,
    owner,
    parent,
    linkCount: 1,
    ...guessedKind(group, volume, file, parent),
    ...lengthHalves(files.size(file)),
  })
}

function guessedKind(
  group: GroupModel,
  volume: VolumeModel,
  file: number,
  parent: number,
): { type: number; mode: number } {
  const vnode = group.files.vnode(file)
  if (classOf(vnode) === "large") return { type: vnodeTypes.directory, mode: vnode === rootVnode ? 0o777 : 0o755 }
  const text = linkTextOf(group, file)
  if (isMountPoint(text)) return { type: vnodeTypes.symlink, mode: 0o644 }
  if (text.length > 0 && leadsSomewhere(group, volume, vnode, parent, text))
    return { type: vnodeTypes.symlink, mode: 0o755 }
  return { type: vnodeTypes.file, mode: 0o644 }
}

/** What a file would say if it were a link; nothing of a file that cannot be one. Most are told apart by their length. */
function linkTextOf(group: GroupModel, file: number): Buffer {
  const size = group.files.size(file)
  const text = size === 0 || size >= linkTextMax ? Buffer.alloc(0) : readStart(group, file, linkTextMax)
  return text.every((byte) => byte > lastControl) ? text : Buffer.alloc(0)
}

const isMountPoint = (text: Buffer): boolean =>
  (text[0] === hash || text[0] === percent) && /^[#%][\w.:-]+\.$/.test(text.toString("latin1"))

/**
 * A text without an end of line that is the path of something else in the volume is a symbolic link's: whoever writes a name into
 * a file ends the line.
 */
function leadsSomewhere(group: GroupModel, volume: VolumeModel, vnode: number, parent: number, text: Buffer): boolean {
  const { vnodes } = volume
  let directory = parent
  let isFound = false
  for (const name of text.toString("latin1").split("/")) {
    if (!volume.directories.has(directory) || vnodes.find(directory) < 0) return isFound // it may be read later
    if (name === ".") continue
    if (name === "..") {
      directory = vnodes.parent(vnodes.find(directory))
      continue
    }
    const entry = entriesOf(group, volume, directory).find((one) => one.name.toString("latin1") === name)
    if (entry === undefined || entry.vnode === vnode) return false
    isFound = true
    directory = entry.vnode
  }
  return isFound
}

/** The access list on disk if it is sound, else that of another volume, else one that lets in administrators alone. */
function restoreAccessList(group: GroupModel, volume: VolumeModel, vnode: number, unique: number): void {
  const own = readAccessList(group, volume, vnode)
  if (own !== undefined && hasSoundAccessList(own) && hasEntries(own)) {
    volume.accessLists.set(vnode, own)
    return
  }
  const found = siblingAccessList(group, volume, vnode, unique)
  if (found === undefined) group.findings.add("acl-lost", { volume: volume.id, vnode, unique })
  volume.accessLists.set(vnode, found ?? rootAccessList())
}

const hasEntries = (area: Uint8Array): boolean => area.subarray(8, 12).some((byte) => byte !== 0)

function siblingAccessList(
  group: GroupModel,
  volume: VolumeModel,
  vnode: number,
  unique: number,
): Uint8Array | undefined {
  const sibling = siblingOf(group, volume, vnode, unique)
  if (sibling === undefined || sibling.volume.badAccessLists.has(vnode)) return undefined
  const found = readAccessList(group, sibling.volume, vnode)
  return found !== undefined && hasSoundAccessList(found) ? found : undefined
}

function readAccessList(group: GroupModel, volume: VolumeModel, vnode: number): Uint8Array | undefined {
  if (!volume.specials.has(indexType.large)) return undefined
  const area = new Uint8Array(accessListSize)
  using file = group.store.open(specialInode(volume.id, indexType.large), "read")
  return file.read(area, recordOffset(vnode) + accessListOffset) === accessListSize ? area : undefined
}

/** Access lists of records that are there, but make no sense. */
export function checkAccessLists(group: GroupModel): void {
  for (const volume of group.kept) {
    for (const [vnode, area] of volume.badAccessLists) {
      const slot = volume.vnodes.find(vnode)
      if (slot >= 0 && !volume.accessLists.has(vnode)) mendAccessList(group, volume, slot, area)
    }
  }
}

function mendAccessList(group: GroupModel, volume: VolumeModel, slot: number, area: Uint8Array): void {
  const vnode = volume.vnodes.vnode(slot)
  const unique = volume.vnodes.unique(slot)
  const subject = { volume: volume.id, vnode, unique }
  const sibling = siblingAccessList(group, volume, vnode, unique)
  const mended = mendedAccessList(area) ?? sibling
  const repair = mended === sibling ? { repair: "taken from another volume of the group" } : {}
  group.findings.add(mended === undefined ? "acl-lost" : "acl-damaged", {
    ...subject,
    ...(mended === undefined ? {} : repair),
  })
  volume.accessLists.set(vnode, mended ?? rootAccessList())
  volume.vnodes.mark(slot, "contentChanged")
}
