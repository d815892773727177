/**
 * Seventh pass: every directory of every volume that stays is read once: is it sound, and which vnodes does it name? Only
 * counts are kept; entries that do not fit are remembered one by one. Records that a directory shows to be missing are
 * rebuilt on the way, and directories among them read in turn.
 */
import { checkDirectory, type DirectoryReading } from "../../common/directory/directory-check.ts"
import { dotBlob, dotDotBlob } from "../../common/directory/directory-page.ts"
import { recoverEntries } from "../../common/directory/directory-recovery.ts"
import { inodeParts, vnodeMask } from "../../common/partition/inode-number.ts"
import { classOf, vnodeRecordLayout, vnodeTypes } from "../../common/vnode/vnode-record.ts"
import { DirectoriesAhead } from "../directories-ahead.ts"
import { entryWords, fidAt, isDots, withoutDots } from "../directory-image.ts"
import type { EntryPlace, GroupModel, PlanOptions, VolumeModel } from "../model.ts"
import { readDirectory } from "../read-data.ts"
import { rememberEntries } from "./edits.ts"
import { rootVnode, takeEntries, takeEntry } from "./entry-accounts.ts"
import { returnForeignRecords } from "./foreign-records.ts"
import { hasLostPlace, rebuildKnownElsewhere } from "./known-elsewhere.ts"
import { fileFor, leftoverOf, rebuildRecord } from "./lost-records.ts"
import { misnamedFile } from "./misnamed-files.ts"
import { checkFields, uncountedUsers } from "./records.ts"

/** Reads the directories that records name, as far as they are sound. Which data files there are need not be known. */
export function readDirectoriesAhead(group: GroupModel): void {
  const ahead = new DirectoriesAhead()
  for (const { vnodes } of group.volumes)
    for (const slot of vnodes.directories()) {
      const inode = vnodes.inode(slot)
      const { special, vnode, rest } = inodeParts(inode)
      if (!special && rest === 0 && vnode === vnodes.vnode(slot)) ahead.read(group.store, inode)
    }
  group.ahead = ahead
}

/** Reads all directories, rebuilds what they show to be missing, and finds a use for data files that nobody names. */
export function readTrees(group: GroupModel, options: PlanOptions): void {
  const total = group.kept.reduce((sum, volume) => sum + directoriesOf(volume), 0)
  let done = 0
  for (const volume of byAge(group)) {
    findRoot(group, volume, options)
    for (const slot of volume.vnodes.directories()) {
      group.advance(done++, total)
      readOne(group, volume, slot, options)
    }
    rebuildMissing(group, volume, options)
  }
  group.ahead = undefined
  returnForeignRecords(group, "small")
  const wanting = filesInWant(group)
  rebuildCounted(group, wanting, options)
  rebuildKnownElsewhere(group, (volume, file, parent) => adopt(group, volume, file, parent, options))
  rebuildUnused(group, wanting, options)
}

function directoriesOf({ vnodes }: VolumeModel): number {
  let count = 0
  for (const _slot of vnodes.directories()) count++
  return count
}

/** The newest first, then from the oldest: in this order they take the versions of files that nobody claims. */
function byAge(group: GroupModel): VolumeModel[] {
  const age = ({ isReadWrite, info }: VolumeModel): number => (isReadWrite ? 0 : (info?.creationDate ?? 1))
  return group.kept.sort((a, b) => age(a) - age(b))
}

/** A volume without a record for its root, but with a data file of one. */
function findRoot(group: GroupModel, volume: VolumeModel, options: PlanOptions): void {
  if (volume.vnodes.find(rootVnode) >= 0) return
  const file = fileFor(group, volume, rootVnode, 1)
  if (file >= 0) rebuildRecord(group, volume, file, 0, options)
}

/** Reads one directory, once. */
function readOne(group: GroupModel, volume: VolumeModel, slot: number, options: PlanOptions): void {
  const vnode = volume.vnodes.vnode(slot)
  if (volume.directories.has(vnode)) return
  const file = volume.vnodes.file(slot)
  if (file < 0) {
    volume.directories.set(vnode, { fault: "its data file is missing", self: undefined, parent: undefined })
    volume.vnodes.mark(slot, "damaged")
    volume.edits.set(vnode, volume.edits.get(vnode) ?? [])
    return
  }
  const isSound = readAhead(group, volume, vnode, file) || readNow(group, volume, slot, file)
  if (isSound && options.salvageDirs) {
    group.findings.add("directory-redone", { volume: volume.id, vnode, unique: volume.vnodes.unique(slot) })
    volume.edits.set(vnode, volume.edits.get(vnode) ?? [])
  }
}

/** What was read while threads scanned. @returns false if it was not, or is not sound */
function readAhead(group: GroupModel, volume: VolumeModel, vnode: number, file: number): boolean {
  const found = file < group.files.found ? group.ahead?.find(group.files.inode(file)) : undefined
  if (found === undefined) return false
  volume.directories.set(vnode, found.facts)
  if (hasOddName(volume, found) && !volume.edits.has(vnode)) volume.edits.set(vnode, [])
  takeEntries(volume, vnode, found.entries)
  return true
}

/** Some name will be another one. In clones nobody has files open for writing, and OpenAFS lets all names be. */
function hasOddName(
  { isReadWrite }: VolumeModel,
  { hasSlash, hasSillyName }: Pick<DirectoryReading, "hasSlash" | "hasSillyName">,
): boolean {
  return hasSlash || (hasSillyName && isReadWrite)
}

/** @returns false if it is damaged */
function readNow(group: GroupModel, volume: VolumeModel, slot: number, file: number): boolean {
  const image = readDirectory(group, file)
  const reading = checkDirectory(image)
  const { fault, nameLengths } = reading
  if (fault !== undefined) {
    readDamaged(group, volume, slot, image, fault.text)
    return false
  }
  const vnode = volume.vnodes.vnode(slot)
  volume.directories.set(vnode, { fault, self: fidAt(image, dotBlob), parent: fidAt(image, dotDotBlob) })
  if (hasOddName(volume, reading) && !volume.edits.has(vnode)) volume.edits.set(vnode, [])
  takeEntries(volume, vnode, entryWords(image, nameLengths))
  return true
}

function readDamaged(group: GroupModel, volume: VolumeModel, slot: number, image: Buffer, fault: string): void {
  const vnode = volume.vnodes.vnode(slot)
  const { vnodes } = volume
  vnodes.mark(slot, "damaged")
  const all = recoverEntries(image)
  const dotDot = all.find(({ name }) => name.length === 2 && isDots(name))
  volume.directories.set(vnode, { fault, self: undefined, parent: dotDot })
  const entries = withoutDots(all)
  rememberEntries(volume, vnode, entries)
  const detail = `${fault}; ${entries.length} entries can be read`
  group.findings.add("directory-damaged", { volume: volume.id, vnode, unique: vnodes.unique(slot), detail })
  volume.edits.set(vnode, volume.edits.get(vnode) ?? [])
  for (const { blob, vnode: target, unique, isChained } of entries) {
    const place = { directory: vnode, blob, vnode: target, unique }
    // what is only found by its looks may be part of a long name: it counts if there is such an object
    if (isChained || exists(group, volume, place)) takeEntry(volume, place)
    else volume.edit(vnode, { kind: "drop", blob })
  }
}

function exists(group: GroupModel, volume: VolumeModel, { vnode, unique }: EntryPlace): boolean {
  const slot = volume.vnodes.find(vnode)
  return slot >= 0 ? volume.vnodes.unique(slot) === unique : fileFor(group, volume, vnode, unique) >= 0
}

/** Works off the entries that lead to no record; a rebuilt directory may bring more of them. */
function rebuildMissing(group: GroupModel, volume: VolumeModel, options: PlanOptions): void {
  const { missing, vnodes } = volume
  // not for…of with a copy: the list grows while it is worked off
  for (let index = 0; index < missing.length; index++) {
    const place = missing[index]
    if (place === undefined) continue
    if (vnodes.find(place.vnode) < 0 && !rebuildFor(group, volume, place, options)) {
      volume.edit(place.directory, { kind: "drop", blob: place.blob })
      volume.dangling.push(place)
    } else takeEntry(volume, place)
  }
  missing.length = 0
}

/** Makes the record that an entry leads to. False if there is no data file for it. */
function rebuildFor(group: GroupModel, volume: VolumeModel, place: EntryPlace, options: PlanOptions): boolean {
  const isPossible = place.vnode > 0 && place.vnode < vnodeMask
  const file = isPossible ? fileFor(group, volume, place.vnode, place.unique) : -1
  const slot = takeBack(group, volume, place, file < 0) ?? rebuilt(group, volume, place, file, options)
  if (slot === undefined) return false
  if (classOf(place.vnode) === "large") readOne(group, volume, slot, options)
  return true
}

function rebuilt(
  group: GroupModel,
  volume: VolumeModel,
  { directory }: EntryPlace,
  file: number,
  options: PlanOptions,
): number | undefined {
  return file < 0 ? undefined : rebuildRecord(group, volume, file, directory, options)
}

/**
 * The entry agrees with a record that was set aside: its numbers are right, and its data file has another name; of a directory it
 * may be lost. @returns the record's slot
 */
function takeBack(
  group: GroupModel,
  volume: VolumeModel,
  { vnode, unique }: EntryPlace,
  mayBeLost: boolean,
): number | undefined {
  const record = leftoverOf(volume, vnode)
  if (record === undefined || record.uniquifier !== unique || record.type === vnodeTypes.free) return undefined
  const file = misnamedFile(group, vnode, record)
  if (file < 0 && !(mayBeLost && classOf(vnode) === "large")) return undefined
  const slot = volume.vnodes.add(vnode, vnodeRecordLayout.encode(record), file)
  volume.garbage.delete(vnode)
  if (file < 0) group.findings.add("directory-lost", { volume: volume.id, vnode, unique })
  else group.files.use(file)
  checkFields(group, volume, slot)
  return slot
}

/** Data files that nobody uses, or more of the link table's count than records do. What follows only makes them fewer. */
function filesInWant(group: GroupModel): number[] {
  const { files } = group
  const wanting: number[] = []
  for (let file = 0; file < files.found; file++)
    if (!group.isMoving(file) && (files.users(file) === 0 || uncountedUsers(group, file) > 0)) wanting.push(file)
  return wanting
}

/**
 * Data files that the link table counts once more than records use them, and that no directory names: another volume's
 * record says what the object was. Only where the index has lost the record's place: a count alone is often too high.
 */
function rebuildCounted(group: GroupModel, wanting: readonly number[], options: PlanOptions): void {
  const { files } = group
  if (group.unfinished) return // what is thrown away is counted too
  for (const file of wanting) {
    if (uncountedUsers(group, file) <= 0) continue
    const vnode = files.vnode(file)
    const loser = group.kept.find((volume) => volume.vnodes.find(vnode) < 0 && hasLostPlace(volume, vnode))
    if (loser === undefined) continue
    adopt(group, loser, file, 0, options)
  }
}

/** Makes a record for a data file; a directory is read, and what it names rebuilt in turn. */
function adopt(group: GroupModel, volume: VolumeModel, file: number, parent: number, options: PlanOptions): void {
  const slot = rebuildRecord(group, volume, file, parent, options)
  if (volume.vnodes.isDirectory(slot)) readOne(group, volume, slot, options)
  rebuildMissing(group, volume, options)
}

/** Data files that no record uses, now that all directories were asked. */
function rebuildUnused(group: GroupModel, wanting: readonly number[], options: PlanOptions): void {
  const { home } = group
  if (home === undefined) return
  for (const cls of ["large", "small"] as const) {
    for (const file of wanting) {
      if (group.isMoving(file) || group.files.users(file) > 0 || classOf(group.files.vnode(file)) !== cls) continue
      if (!isWorthKeeping(group, home, file)) continue
      const isTaken = home.vnodes.find(group.files.vnode(file)) >= 0
      const kept = isTaken ? planMove(group, home, file) : file
      home.unnamed.push(group.files.vnode(kept))
      adopt(group, home, kept, parentOf(group, file), options)
    }
  }
}

/** The directory that a directory's own `..` names. */
function parentOf(group: GroupModel, file: number): number {
  if (classOf(group.files.vnode(file)) === "small") return 0
  const image = readDirectory(group, file)
  return recoverEntries(image).find(({ name }) => name.length === 2 && isDots(name))?.vnode ?? 0
}

/**
 * False for what somebody meant to be gone, and for what is there in a better version: files of something unfinished, files
 * that are empty or no longer counted, and other versions of an object that the volume has.
 */
function isWorthKeeping(group: GroupModel, home: VolumeModel, file: number): boolean {
  const { files } = group
  if (group.unfinished || files.size(file) === 0) return false
  if (group.rowsTrusted && isUncounted(group, file)) return false
  const slot = home.vnodes.find(files.vnode(file))
  if (classOf(files.vnode(file)) === "large") return slot < 0 && holdsEntries(group, file)
  return slot < 0 || home.vnodes.unique(slot) !== files.unique(file)
}

/** The vnode number is another object's now: the data file gets a number of its own. @returns the planned file */
function planMove(group: GroupModel, home: VolumeModel, file: number): number {
  const { files } = group
  const vnode = group.freshVnode("small")
  const to = files.plan({
    vnode,
    unique: group.freshUnique(home),
    tag: 0,
    size: files.size(file),
    version: files.version(file),
  })
  group.move(file, to, "data-moved")
  return to
}

function isUncounted(group: GroupModel, file: number): boolean {
  const row = group.rows[group.files.vnode(file)] ?? 0
  return ((row >>> (3 * group.files.tag(file))) & 7) === 0
}

function holdsEntries(group: GroupModel, file: number): boolean {
  return recoverEntries(readDirectory(group, file)).some(({ name }) => !isDots(name))
}
