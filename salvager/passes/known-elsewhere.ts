/**
 * Part of the seventh pass: objects that a volume lost record and name of, and that another volume of the group still has.
 * A directory that can be read in full says by silence that a name is gone; one that is damaged says nothing, and then the
 * other volume's record is the last that knows of the object.
 */
import { recordOffset } from "../../common/vnode/vnode-record.ts"
import type { GroupModel, VolumeModel } from "../model.ts"
import { fileFor } from "./lost-records.ts"
import { uncountedUsers } from "./records.ts"

/** Makes the record of a data file in a volume, and reads it if it is a directory. */
export type Adopt = (volume: VolumeModel, file: number, parent: number) => void

/** Brings back what volumes with damaged directories lost and other volumes know. */
export function rebuildKnownElsewhere(group: GroupModel, adopt: Adopt): void {
  if (group.unfinished) return // what is thrown away is counted, and known, too
  for (const volume of group.kept) {
    // a directory that comes back may be damaged too, and hold others
    while (hasDamage(volume) && adoptFromSiblings(group, volume, adopt));
  }
}

function hasDamage({ vnodes }: VolumeModel): boolean {
  for (const slot of vnodes.directories()) if (vnodes.has(slot, "damaged")) return true
  return false
}

/** @returns true if a directory came back */
function adoptFromSiblings(group: GroupModel, volume: VolumeModel, adopt: Adopt): boolean {
  let cameBack = false
  for (const sibling of group.siblingsOf(volume)) {
    for (const slot of sibling.vnodes.live()) {
      const vnode = sibling.vnodes.vnode(slot)
      const parent = sibling.vnodes.parent(slot)
      if (volume.vnodes.find(vnode) >= 0 || !isDamaged(volume, parent)) continue
      const file = fileFor(group, volume, vnode, sibling.vnodes.unique(slot))
      if (file < 0 || !wasOurs(group, volume, file)) continue
      adopt(volume, file, parent)
      cameBack ||= sibling.vnodes.isDirectory(slot)
    }
  }
  return cameBack
}

function isDamaged({ vnodes }: VolumeModel, directory: number): boolean {
  const slot = vnodes.find(directory)
  return slot >= 0 && vnodes.has(slot, "damaged")
}

/**
 * Did the volume have the object at its end? The link table tells: it counts one user more than there are. Without a table
 * that is to be believed it did if its record's place is damaged or cut off, for an index never becomes shorter in a
 * read-write volume; a clone cannot have what came into being after it.
 */
function wasOurs(group: GroupModel, volume: VolumeModel, file: number): boolean {
  if (group.rowsTrusted) return uncountedUsers(group, file) > 0
  const vnode = group.files.vnode(file)
  const isOldEnough = volume.isReadWrite || group.files.unique(file) < (volume.info?.uniquifier ?? 0)
  return isOldEnough && (hasLostPlace(volume, vnode) || recordOffset(vnode) >= volume.index(vnode).size)
}

/**
 * The record's place is damaged, or lies behind where the index broke off. An index that merely ends proves nothing: one of
 * a smaller volume ends there too.
 */
export function hasLostPlace(volume: VolumeModel, vnode: number): boolean {
  const { size, tail, stampRight } = volume.index(vnode)
  const isBroken = tail > 0 || !stampRight
  return volume.garbage.has(vnode) || (isBroken && recordOffset(vnode) >= size - tail)
}
