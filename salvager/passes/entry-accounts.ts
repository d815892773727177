/** Which vnode an entry leads to, and which directory has it: counts, and lists of what does not fit. */
import type { EntryPlace, VolumeModel } from "../model.ts"

export const rootVnode = 1

/** Enters an entry into the accounts of the vnode that it leads to. */
export function takeEntry(volume: VolumeModel, place: EntryPlace): void {
  const { vnodes } = volume
  const { directory, vnode, unique } = place
  const slot = vnodes.find(vnode)
  if (vnode === rootVnode || vnode === directory) volume.impossible.push(place)
  else if (slot < 0) volume.missing.push(place)
  else if (vnodes.unique(slot) !== unique) volume.mismatched.push(place)
  else takeName(volume, slot, directory)
}

function takeName(volume: VolumeModel, slot: number, directory: number): void {
  const { vnodes } = volume
  const holder = vnodes.holder(slot)
  if (holder === 0) vnodes.setHolder(slot, directory, 1)
  else if (holder === directory) vnodes.setHolder(slot, directory, vnodes.names(slot) + 1)
  else {
    const vnode = vnodes.vnode(slot)
    const rivals = volume.contested.get(vnode) ?? new Set([holder])
    volume.contested.set(vnode, rivals.add(directory))
    vnodes.mark(slot, "contested")
  }
}
