/**
 * Eighth pass: one tree for each volume. Every vnode gets exactly one directory that has it; whatever the directories say
 * beyond that is corrected. What cannot be reached from the root is dealt with in orphans.ts.
 *
 * Nothing recurses, however directories contain one another.
 */
import type { FindingCode } from "../finding.ts"
import type { EntryPlace, GroupModel, VolumeModel } from "../model.ts"
import { entriesOf } from "./edits.ts"
import { rootVnode, takeEntry } from "./entry-accounts.ts"

/** Settles which directory has which vnode, and marks what can be reached from the root. */
export function settleTree(group: GroupModel, volume: VolumeModel): void {
  settleMisled(group, volume)
  reportDangling(group, volume)
  dropImpossible(group, volume)
  settleMismatched(group, volume)
  settleContested(group, volume)
  dropSecondNames(group, volume)
}

const quote = (name: Uint8Array): string => JSON.stringify(Buffer.from(name).toString())

/** The name of an entry, for a finding. */
function nameAt(group: GroupModel, volume: VolumeModel, { directory, blob }: EntryPlace): string {
  const entry = entriesOf(group, volume, directory).find((one) => one.blob === blob)
  return entry === undefined ? "an entry" : quote(entry.name)
}

function report(group: GroupModel, volume: VolumeModel, code: FindingCode, place: EntryPlace, what: string): void {
  const detail = `${nameAt(group, volume, place)} leads to ${place.vnode}.${place.unique}${what}`
  const slot = volume.vnodes.find(place.directory)
  group.findings.add(code, {
    volume: volume.id,
    vnode: place.directory,
    unique: slot < 0 ? 0 : volume.vnodes.unique(slot),
    detail,
  })
}

function drop(volume: VolumeModel, place: EntryPlace): void {
  volume.edit(place.directory, { kind: "drop", blob: place.blob })
}

/**
 * An entry whose vnode number is damaged: its uniquifier is that of a vnode that has no name and that names this directory as
 * its parent. Uniquifiers are given once in a volume.
 */
function settleMisled(group: GroupModel, volume: VolumeModel): void {
  const { vnodes, dangling, mismatched, impossible } = volume
  if (dangling.length + mismatched.length + impossible.length === 0) return
  const nameless = namelessVnodes(volume)
  for (const places of [dangling, mismatched, impossible]) {
    for (const place of places.splice(0)) {
      const slot = nameless.get(place.unique) ?? -1
      const isMisled = slot >= 0 && vnodes.unique(slot) !== vnodes.unique(vnodes.find(place.vnode))
      if (isMisled && mayBeIn(volume, slot, place.directory)) {
        lead(group, volume, place, vnodes.vnode(slot))
        nameless.delete(place.unique)
      } else places.push(place)
    }
  }
}

/** Slots of vnodes without a name, by uniquifier. */
function namelessVnodes({ vnodes }: VolumeModel): Map<number, number> {
  const nameless = new Map<number, number>()
  for (const slot of vnodes.inDoubt())
    if (vnodes.holder(slot) === 0 && vnodes.vnode(slot) !== rootVnode) nameless.set(vnodes.unique(slot), slot)
  return nameless
}

/** Of a file whose record had to be guessed nobody knows where it was. */
function mayBeIn({ vnodes }: VolumeModel, slot: number, directory: number): boolean {
  const parent = vnodes.parent(slot)
  return vnodes.vnode(slot) !== directory && (parent === directory || (parent === 0 && vnodes.has(slot, "rebuilt")))
}

function lead(group: GroupModel, volume: VolumeModel, place: EntryPlace, vnode: number): void {
  report(group, volume, "entry-vnode", place, `, should be vnode ${vnode}`)
  const edits = volume.edits.get(place.directory) ?? []
  const others = edits.filter((edit) => !(edit.kind === "drop" && edit.blob === place.blob))
  volume.edits.set(place.directory, [...others, { kind: "lead", blob: place.blob, vnode, unique: place.unique }])
  takeEntry(volume, { ...place, vnode })
}

function reportDangling(group: GroupModel, volume: VolumeModel): void {
  for (const place of volume.dangling) report(group, volume, "entry-dangling", place, "")
}

function dropImpossible(group: GroupModel, volume: VolumeModel): void {
  for (const place of volume.impossible) {
    report(group, volume, "entry-surplus", place, place.vnode === rootVnode ? ", the root" : ", itself")
    drop(volume, place)
  }
}

/**
 * An entry with a wrong uniquifier is a good one with a damaged number if nothing else names the vnode; otherwise it is
 * left over from a former user of the vnode number.
 */
function settleMismatched(group: GroupModel, volume: VolumeModel): void {
  const { vnodes } = volume
  const isParents = ({ directory, vnode }: EntryPlace): boolean => vnodes.parent(vnodes.find(vnode)) === directory
  const ordered = [...volume.mismatched].sort((a, b) => Number(isParents(b)) - Number(isParents(a)))
  for (const place of ordered) {
    const slot = vnodes.find(place.vnode)
    const unique = vnodes.unique(slot)
    if (place.vnode !== place.directory && mayHaveName(volume, slot, place.directory)) {
      report(group, volume, "entry-unique", place, `, the vnode has uniquifier ${unique}`)
      volume.edit(place.directory, { kind: "lead", blob: place.blob, vnode: place.vnode, unique })
      takeEntry(volume, { ...place, unique })
    } else {
      report(group, volume, "entry-stale", place, `, the vnode has uniquifier ${unique}`)
      drop(volume, place)
    }
  }
}

/** It has no name yet, or fewer in this directory than its link count says. */
function mayHaveName({ vnodes }: VolumeModel, slot: number, directory: number): boolean {
  const holder = vnodes.holder(slot)
  const isLinked = holder === directory && !vnodes.isDirectory(slot) && vnodes.linkCount(slot) > vnodes.names(slot)
  return holder === 0 || isLinked
}

/** Where several directories name a vnode, one keeps it: one that can be reached, and that the vnode itself names. */
function settleContested(group: GroupModel, volume: VolumeModel): void {
  const { vnodes, contested } = volume
  for (const [vnode, rivals] of contested) {
    const slot = vnodes.find(vnode)
    const parent = vnodes.parent(slot)
    vnodes.setHolder(slot, rivals.has(parent) ? parent : Math.min(...rivals), 1)
  }
  markReached(volume)
  for (let changed = contested.size > 0; changed; ) changed = preferReachable(volume)
  for (const [vnode, rivals] of contested) {
    const slot = vnodes.find(vnode)
    const holder = vnodes.holder(slot)
    vnodes.setHolder(slot, holder, placesOf(group, volume, holder, slot).length)
    for (const rival of rivals) if (rival !== holder) dropNames(group, volume, rival, slot)
  }
}

/** Moves vnodes that cannot be reached to a directory that can. @returns true if one was moved */
function preferReachable(volume: VolumeModel): boolean {
  const { vnodes, contested } = volume
  for (const [vnode, rivals] of contested) {
    const slot = vnodes.find(vnode)
    if (isReached(volume, slot)) continue
    const better = [...rivals].find((rival) => vnodes.has(vnodes.find(rival), "reached"))
    if (better === undefined) continue
    vnodes.setHolder(slot, better, 1)
    markReached(volume)
    return true
  }
  return false
}

/** Marks every directory from which the chain of holders leads to the root, and tells whether there are orphans. */
export function markReached(volume: VolumeModel): void {
  const { vnodes } = volume
  if (!vnodes.treeChanged) return
  markDirectories(volume)
  volume.hasOrphans = hasUnreached(volume)
  vnodes.treeChanged = false
}

function hasUnreached(volume: VolumeModel): boolean {
  for (const slot of volume.vnodes.directories()) if (!isReached(volume, slot)) return true
  // with all directories a file is reached that one of them has
  for (const slot of volume.vnodes.inDoubt()) if (!isReached(volume, slot)) return true
  return false
}

/** True if the chain of holders leads from a vnode to the root, as far as that was marked. */
export function isReached({ vnodes }: VolumeModel, slot: number): boolean {
  if (vnodes.isDirectory(slot)) return vnodes.has(slot, "reached")
  const holder = vnodes.holder(slot)
  const directory = holder === 0 ? -1 : vnodes.find(holder)
  return directory >= 0 && vnodes.has(directory, "reached")
}

function markDirectories({ vnodes }: VolumeModel): void {
  const state = new Uint8Array(vnodes.count) // 0 unknown, 1 on the present path, 2 settled
  for (const slot of vnodes.directories()) {
    const path: number[] = []
    let at = slot
    while (at >= 0 && state[at] === 0 && vnodes.vnode(at) !== rootVnode) {
      state[at] = 1
      path.push(at)
      at = vnodes.holder(at) === 0 ? -1 : vnodes.find(vnodes.holder(at))
    }
    const isRoot = at >= 0 && vnodes.vnode(at) === rootVnode
    if (isRoot) vnodes.mark(at, "reached")
    const isReached = isRoot || (at >= 0 && state[at] === 2 && vnodes.has(at, "reached"))
    for (const passed of path) {
      state[passed] = 2
      if (isReached) vnodes.mark(passed, "reached")
      else vnodes.unmark(passed, "reached")
    }
  }
}

/** Entries of a directory that lead to a vnode. */
function placesOf(group: GroupModel, volume: VolumeModel, directory: number, slot: number): EntryPlace[] {
  const { vnodes } = volume
  const [vnode, unique] = [vnodes.vnode(slot), vnodes.unique(slot)]
  return entriesOf(group, volume, directory)
    .filter((entry) => entry.vnode === vnode && entry.unique === unique)
    .map(({ blob }) => ({ directory, blob, vnode, unique }))
}

function dropNames(group: GroupModel, volume: VolumeModel, directory: number, slot: number): void {
  for (const place of placesOf(group, volume, directory, slot)) {
    report(group, volume, "entry-surplus", place, `, which vnode ${volume.vnodes.holder(slot)} has`)
    drop(volume, place)
  }
}

/** A directory has one name; only files may have several. */
function dropSecondNames(group: GroupModel, volume: VolumeModel): void {
  const { vnodes } = volume
  for (const slot of vnodes.directories()) {
    if (vnodes.names(slot) <= 1) continue
    const [, ...surplus] = placesOf(group, volume, vnodes.holder(slot), slot)
    for (const place of surplus) {
      report(group, volume, "entry-surplus", place, ", a directory with another name already")
      drop(volume, place)
    }
    vnodes.setHolder(slot, vnodes.holder(slot), 1)
  }
}
