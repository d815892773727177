/**
 * Ninth pass: vnodes that no chain of directories connects with the root. Lost entries of damaged directories are looked up
 * in other versions of the same directory; what is left is attached, removed or left alone, as the options say.
 *
 * An orphan is attached in the directory that its own record names, where that can be reached: there it can be found, and
 * the access list that guarded it still does. Else in the root, as OpenAFS does. A volume that lost its root gets a new one,
 * and everything is attached whatever the options say: without that nobody could use it.
 */

import { findDirectoryFault } from "../../common/directory/directory-check.ts"
import { rootAccessList } from "../../common/vnode/access-list.ts"
import { newVnodeRecord, vnodeRecordLayout, vnodeTypes } from "../../common/vnode/vnode-record.ts"
import { orphanName, readEntries } from "../directory-image.ts"
import type { GroupModel, PlanOptions, VolumeModel } from "../model.ts"
import { readDirectory } from "../read-data.ts"
import { entriesOf } from "./edits.ts"
import { rootVnode } from "./entry-accounts.ts"
import { siblingOf } from "./records.ts"
import { isReached, markReached } from "./tree.ts"

/** Rounds in which orphans wait for the directories that their records name. */
const roundsMax = 64
const newRootVersion = 2 ** 30

/** Connects with the root whatever is to be connected. */
export function settleOrphans(group: GroupModel, volume: VolumeModel, options: PlanOptions): void {
  if (volume.vnodes.find(rootVnode) < 0) makeRoot(group, volume, options)
  recoverEntriesOf(group, volume)
  markReached(volume)
  if (!volume.hasOrphans) return
  const root = volume.vnodes.find(rootVnode)
  const isRootLost = volume.rootMade || volume.vnodes.file(root) < 0
  if (options.orphans === "attach" || isRootLost) attachAll(group, volume, () => true)
  else if (options.orphans === "ignore") {
    const unnamed = new Set(volume.unnamed)
    attachAll(group, volume, (slot) => unnamed.has(volume.vnodes.vnode(slot)))
    forEachOrphan(volume, (slot) => report(group, volume, "orphan-left", slot))
  } else forEachOrphan(volume, (slot) => removeOrphan(group, volume, slot))
}

function report(group: GroupModel, volume: VolumeModel, code: "orphan-left" | "orphan-removed", slot: number): void {
  const { vnodes } = volume
  const kind = vnodes.isDirectory(slot) ? "directory" : vnodes.isSymlink(slot) ? "symbolic link" : "file"
  const detail = `a ${kind} of ${group.files.size(vnodes.file(slot))} bytes`
  group.findings.add(code, { volume: volume.id, vnode: vnodes.vnode(slot), unique: vnodes.unique(slot), detail })
}

function forEachOrphan(volume: VolumeModel, work: (slot: number) => void): void {
  const { vnodes } = volume
  for (const slot of vnodes.live()) if (!isReached(volume, slot)) work(slot)
}

function removeOrphan(group: GroupModel, volume: VolumeModel, slot: number): void {
  report(group, volume, "orphan-removed", slot)
  volume.vnodes.mark(slot, "freed")
  volume.edits.delete(volume.vnodes.vnode(slot))
  volume.contentChanged = true
  const file = volume.vnodes.file(slot)
  if (file >= 0) group.giveUp(file)
}

/** A root directory without content; its record is another volume's root's, if there is one. */
function makeRoot(group: GroupModel, volume: VolumeModel, options: PlanOptions): void {
  const sibling = siblingOf(group, volume, rootVnode, 1)
  const model = sibling?.volume.vnodes.record(sibling.slot) ?? newVnodeRecord("large", { mode: 0o777 })
  const record = {
    ...model,
    type: vnodeTypes.directory,
    cloned: 0,
    linkCount: 2,
    uniquifier: 1,
    parent: 0,
    dataVersion: newRootVersion,
    inodeHigh: 0,
    inodeLow: 0,
    unixModifyTime: options.now,
    serverModifyTime: options.now,
  }
  const slot = volume.vnodes.add(rootVnode, vnodeRecordLayout.encode(record), -1)
  for (const flag of ["changed", "rebuilt", "contentChanged", "damaged"] as const) volume.vnodes.mark(slot, flag)
  volume.garbage.delete(rootVnode)
  volume.accessLists.set(rootVnode, rootAccessList())
  volume.directories.set(rootVnode, { fault: "it is new", self: undefined, parent: undefined })
  volume.edits.set(rootVnode, [])
  volume.rootMade = true
  volume.contentChanged = true
  group.findings.add("root-missing", { volume: volume.id, vnode: rootVnode, unique: 1 })
}

/** Entries that a damaged directory lost, as far as another version of it still has them. */
function recoverEntriesOf(group: GroupModel, volume: VolumeModel): void {
  const { vnodes } = volume
  for (const slot of vnodes.directories()) {
    if (!vnodes.has(slot, "damaged")) continue
    for (const file of otherVersions(group, volume, slot)) recoverFrom(group, volume, vnodes.vnode(slot), file)
  }
}

/** Data files of the same directory in other volumes, and those that nobody uses. */
function otherVersions(group: GroupModel, volume: VolumeModel, slot: number): number[] {
  const { vnodes } = volume
  return group.files
    .ofVnode(vnodes.vnode(slot))
    .filter((file) => file < group.files.found && file !== vnodes.file(slot))
    .filter((file) => group.files.unique(file) === vnodes.unique(slot))
    .sort((a, b) => group.files.version(b) - group.files.version(a))
}

function recoverFrom(group: GroupModel, volume: VolumeModel, directory: number, file: number): void {
  const { vnodes } = volume
  const image = readDirectory(group, file)
  const names = new Set(entriesOf(group, volume, directory).map(({ name }) => name.toString("latin1")))
  for (const { name, vnode, unique } of readEntries(image, findDirectoryFault(image) === undefined)) {
    const slot = vnodes.find(vnode)
    const isOrphan = slot >= 0 && vnodes.unique(slot) === unique && vnodes.holder(slot) === 0 && vnode !== rootVnode
    if (!isOrphan || vnodes.parent(slot) !== directory || names.has(name.toString("latin1"))) continue
    volume.edit(directory, { kind: "add", name, vnode, unique })
    vnodes.setHolder(slot, directory, 1)
    group.findings.add("entry-recovered", { volume: volume.id, vnode, unique, detail: JSON.stringify(name.toString()) })
  }
}

/** Attaches the orphans that `wanted` accepts, with all that hangs below them. */
function attachAll(group: GroupModel, volume: VolumeModel, wanted: (slot: number) => boolean): void {
  const { vnodes } = volume
  cutCycles(group, volume, wanted)
  let waiting: number[] = []
  for (const slot of vnodes.inDoubt())
    if (vnodes.holder(slot) === 0 && vnodes.vnode(slot) !== rootVnode && wanted(slot)) waiting.push(slot)
  // directories first, so that what belongs into them finds them
  waiting.sort(
    (a, b) => Number(vnodes.isDirectory(b)) - Number(vnodes.isDirectory(a)) || vnodes.vnode(a) - vnodes.vnode(b),
  )
  for (let round = 0; waiting.length > 0; round++) waiting = attachRound(group, volume, waiting, round >= roundsMax)
  markReached(volume)
}

/** Attaches those whose directory can be reached by now. If there are none, the first in the root. @returns the others */
function attachRound(group: GroupModel, volume: VolumeModel, waiting: readonly number[], all: boolean): number[] {
  const { vnodes } = volume
  const left: number[] = []
  for (const slot of waiting) {
    const directory = vnodes.find(vnodes.parent(slot))
    const hasDirectory = directory >= 0 && vnodes.isDirectory(directory) && directory !== slot
    if (hasDirectory && vnodes.has(directory, "reached")) attach(group, volume, slot, vnodes.vnode(directory))
    else if (!hasDirectory || all) attach(group, volume, slot, rootVnode)
    else left.push(slot)
  }
  const [first] = left
  if (first !== undefined && left.length === waiting.length) {
    attach(group, volume, first, rootVnode)
    left.shift()
  }
  markReached(volume)
  return left
}

function attach(group: GroupModel, volume: VolumeModel, slot: number, directory: number): void {
  const { vnodes } = volume
  const [vnode, unique] = [vnodes.vnode(slot), vnodes.unique(slot)]
  const name = orphanName({ vnode, unique })
  volume.edit(directory, { kind: "add", name, vnode, unique })
  vnodes.setHolder(slot, directory, 1)
  vnodes.mark(slot, "contentChanged")
  group.findings.add("orphan-attached", { volume: volume.id, vnode, unique, repair: `attached as ${name}` })
}

/** Directories that contain one another: the lowest vnode number of each circle loses its name there. */
function cutCycles(group: GroupModel, volume: VolumeModel, wanted: (slot: number) => boolean): void {
  const { vnodes } = volume
  const state = new Uint32Array(vnodes.count)
  let walk = 0
  for (const start of vnodes.directories()) {
    if (vnodes.has(start, "reached") || state[start] !== 0) continue
    walk++
    let at = start
    while (at >= 0 && state[at] === 0) {
      state[at] = walk
      at = vnodes.holder(at) === 0 ? -1 : vnodes.find(vnodes.holder(at))
    }
    if (at >= 0 && state[at] === walk && !vnodes.has(at, "reached")) cutCycle(group, volume, at, wanted)
  }
}

function cutCycle(group: GroupModel, volume: VolumeModel, member: number, wanted: (slot: number) => boolean): void {
  const { vnodes } = volume
  let lowest = member
  for (let at = vnodes.find(vnodes.holder(member)); at !== member; at = vnodes.find(vnodes.holder(at)))
    if (vnodes.vnode(at) < vnodes.vnode(lowest)) lowest = at
  if (!wanted(lowest)) return
  const [vnode, unique] = [vnodes.vnode(lowest), vnodes.unique(lowest)]
  const holder = vnodes.holder(lowest)
  for (const entry of entriesOf(group, volume, holder))
    if (entry.vnode === vnode && entry.unique === unique) volume.edit(holder, { kind: "drop", blob: entry.blob })
  vnodes.setHolder(lowest, 0, 0)
  vnodes.change(lowest, { parent: 0 })
  group.findings.add("directory-cycle", { volume: volume.id, vnode, unique, detail: `vnode ${holder} contained it` })
}
