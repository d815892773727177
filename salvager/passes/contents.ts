/**
 * Tenth pass: what the directories will hold, and what the records of all vnodes have to say then: parent, link count, data
 * file, version. OpenAFS vol/vol-salvage.c (SalvageVolume), dir/dir.c.
 */
import { createHash } from "node:crypto"
import { tagCount } from "../../common/partition/inode-number.ts"
import { lengthHalves } from "../../common/vnode/vnode-record.ts"
import type { Fid, GroupModel, PlanOptions, VolumeModel } from "../model.ts"
import { readDirectory } from "../read-data.ts"
import { type EditedDirectory, fidOf, parentFid, plannedDirectory } from "./edits.ts"
import { rootVnode } from "./entry-accounts.ts"
import { versionStep } from "./records.ts"

/** Plans the content of changed directories and the fields of records that depend on the tree. */
export function planContents(group: GroupModel, volume: VolumeModel, options: PlanOptions): void {
  checkDots(group, volume)
  for (const directory of volume.edits.keys()) planDirectory(group, volume, directory)
  countSubdirectories(volume)
  for (const slot of volume.vnodes.inDoubt()) finishRecord(group, volume, slot, options)
}

const isSame = (a: Fid | undefined, b: Fid): boolean => a?.vnode === b.vnode && a.unique === b.unique

/** `.` and `..` of directories that are not rewritten anyway. */
function checkDots(group: GroupModel, volume: VolumeModel): void {
  for (const [directory, facts] of volume.directories) {
    const slot = volume.vnodes.find(directory)
    if (slot < 0 || facts.fault !== undefined || !volume.vnodes.has(slot, "reached")) continue
    const [self, parent] = [fidOf(volume, directory), parentFid(volume, directory)]
    if (isSame(facts.self, self) && isSame(facts.parent, parent)) continue
    if (!volume.edits.has(directory)) volume.edits.set(directory, [])
    const text = (fid: Fid | undefined): string => `${fid?.vnode}.${fid?.unique}`
    const detail = `. is ${text(facts.self)}, .. is ${text(facts.parent)}, should be ${text(self)} and ${text(parent)}`
    group.findings.add("directory-dots", { volume: volume.id, ...self, detail })
  }
}

/** What a record has to say now that all directories are settled. Incremental dumps and clients have to see what changed. */
function finishRecord(group: GroupModel, volume: VolumeModel, slot: number, options: PlanOptions): void {
  const { vnodes } = volume
  checkParent(group, volume, slot)
  checkLinks(group, volume, slot)
  if (!vnodes.has(slot, "contentChanged")) return
  vnodes.change(slot, { serverModifyTime: options.now })
  volume.contentChanged = true
}

function checkParent(group: GroupModel, volume: VolumeModel, slot: number): void {
  const { vnodes } = volume
  const parent = vnodes.holder(slot)
  const found = vnodes.parent(slot)
  if (found === parent) return
  const vnode = vnodes.vnode(slot)
  if (parent === 0 && vnode !== rootVnode) return
  vnodes.change(slot, { parent })
  vnodes.mark(slot, "contentChanged")
  if (vnodes.has(slot, "rebuilt")) return
  const detail = `vnode ${found}, should be ${parent}`
  group.findings.add("vnode-parent", { volume: volume.id, vnode, unique: vnodes.unique(slot), detail })
}

function planDirectory(group: GroupModel, volume: VolumeModel, directory: number): void {
  const slot = volume.vnodes.find(directory)
  if (slot < 0) {
    volume.edits.delete(directory)
    return
  }
  const edited = plannedDirectory(group, volume, directory)
  reportNames(group, volume, directory, edited)
  countNames(volume, directory, edited)
  const old = volume.vnodes.file(slot)
  if (old >= 0 && group.files.size(old) === edited.bytes.length && readDirectory(group, old).equals(edited.bytes)) {
    volume.edits.delete(directory)
    return
  }
  place(group, volume, slot, edited.bytes)
}

function reportNames(
  group: GroupModel,
  volume: VolumeModel,
  directory: number,
  { renamed, left }: EditedDirectory,
): void {
  const subject = { volume: volume.id, ...fidOf(volume, directory) }
  for (const { from, to, why } of renamed) {
    const repair = `renamed to ${JSON.stringify(to.toString())}`
    const code = why === "silly" ? "entry-unlinked" : why === "name" ? "entry-name" : "entry-duplicate"
    group.findings.add(code, { ...subject, detail: JSON.stringify(from.toString()), repair })
  }
  for (const name of left) group.findings.add("directory-full", { ...subject, detail: JSON.stringify(name.toString()) })
}

/** Names of vnodes that this directory has, from its planned entries. */
function countNames(volume: VolumeModel, directory: number, { entries }: EditedDirectory): void {
  const { vnodes } = volume
  const counts = new Map<number, number>()
  for (const { vnode } of entries) counts.set(vnode, (counts.get(vnode) ?? 0) + 1)
  for (const [vnode, count] of counts) {
    const slot = vnodes.find(vnode)
    if (slot >= 0 && vnodes.holder(slot) === directory) vnodes.setHolder(slot, directory, count)
  }
}

/** Finds a data file for a directory's new content: one that has it already, else a new one, else its present one. */
function place(group: GroupModel, volume: VolumeModel, slot: number, bytes: Uint8Array): void {
  const { vnodes } = volume
  const { files } = group
  const directory = vnodes.vnode(slot)
  const old = vnodes.file(slot)
  // only another volume can have the same directory
  const content = group.kept.length === 1 ? "" : createHash("sha256").update(bytes).digest("hex")
  const key = `${old} ${directory}.${vnodes.unique(slot)} ${content}`
  const file = group.rewritten.get(key) ?? unusedWith(group, volume, slot, bytes) ?? newFile(group, volume, slot, bytes)
  if (file === undefined && (old < 0 || files.users(old) > 1)) {
    group.findings.add("directory-waiting", { volume: volume.id, ...fidOf(volume, directory) })
    volume.edits.delete(directory)
    return
  }
  volume.sources.set(directory, old)
  const { dataVersion } = vnodes.record(slot)
  const version = { dataVersion: (dataVersion + versionStep) >>> 0, ...lengthHalves(bytes.length) }
  vnodes.mark(slot, "contentChanged")
  if (file === undefined) {
    group.overwrites.push({ volume, directory, size: bytes.length })
    vnodes.change(slot, version)
    return
  }
  group.rewritten.set(key, file)
  const { high: inodeHigh, low: inodeLow } = files.inode(file)
  vnodes.change(slot, { ...version, inodeHigh, inodeLow, cloned: 0 })
  vnodes.setFile(slot, file)
  if (old >= 0) group.giveUp(old)
  files.use(file)
}

/** A data file of the directory that nobody uses and that holds exactly this: an earlier salvage that was broken off made it. */
function unusedWith(group: GroupModel, volume: VolumeModel, slot: number, bytes: Uint8Array): number | undefined {
  const { files } = group
  return files.ofVnode(volume.vnodes.vnode(slot)).find((file) => {
    const isCandidate =
      file < files.found && files.users(file) === 0 && files.unique(file) === volume.vnodes.unique(slot)
    return isCandidate && files.size(file) === bytes.length && readDirectory(group, file).equals(bytes)
  })
}

/** A new data file with a tag that nobody has; undefined if all are taken. */
function newFile(group: GroupModel, volume: VolumeModel, slot: number, bytes: Uint8Array): number | undefined {
  const { files } = group
  const vnode = volume.vnodes.vnode(slot)
  const taken = new Set(files.ofVnode(vnode).map((file) => files.tag(file)))
  for (let tag = 0; tag < tagCount; tag++) {
    if (taken.has(tag)) continue
    const version = volume.vnodes.record(slot).dataVersion
    const file = files.plan({ vnode, unique: volume.vnodes.unique(slot), tag, size: bytes.length, version })
    group.newFiles.push({ file, volume, directory: vnode })
    return file
  }
  return undefined
}

function countSubdirectories({ vnodes }: VolumeModel): void {
  vnodes.clearSubdirectories()
  for (const slot of vnodes.directories()) {
    const holder = vnodes.holder(slot) === 0 ? -1 : vnodes.find(vnodes.holder(slot))
    if (holder >= 0) vnodes.addSubdirectory(holder)
  }
}

/** A file has as many links as names; a directory two, and one for each directory in it. */
function checkLinks(group: GroupModel, volume: VolumeModel, slot: number): void {
  const { vnodes } = volume
  const isHeld = vnodes.holder(slot) !== 0 || vnodes.vnode(slot) === rootVnode
  const wanted = vnodes.isDirectory(slot) ? vnodes.subdirectories(slot) + (isHeld ? 2 : 1) : vnodes.names(slot)
  const stored = (wanted << 16) >> 16 // the field has 16 bits
  const found = vnodes.linkCount(slot)
  if (found === stored) return
  vnodes.change(slot, { linkCount: stored })
  vnodes.mark(slot, "contentChanged")
  if (vnodes.has(slot, "rebuilt")) return
  const subject = { volume: volume.id, vnode: vnodes.vnode(slot), unique: vnodes.unique(slot) }
  group.findings.add("vnode-links", { ...subject, detail: `${found}, should be ${wanted}` })
}
