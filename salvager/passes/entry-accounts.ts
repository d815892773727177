/** Which vnode an entry leads to, and which directory has it: counts, and lists of what does not fit. */
import type { EntryPlace, VolumeModel } from "../model.ts"

export const rootVnode = 1

/** Enters an entry into the accounts of the vnode that it leads to. */
export function takeEntry(volume: VolumeModel, { directory, blob, vnode, unique }: EntryPlace): void {
  takeEntryOf(volume, directory, blob, vnode, unique)
}

/** The same, without an object for each of a great number of entries. */
export function takeEntryOf(volume: VolumeModel, directory: number, blob: number, vnode: number, unique: number): void {
  const { vnodes } = volume
  const slot = vnodes.find(vnode)
  const isImpossible = vnode === rootVnode || vnode === directory
  if (!isImpossible && slot >= 0 && vnodes.unique(slot) === unique) {
    takeName(volume, slot, directory)
    return
  }
  const odd = isImpossible ? volume.impossible : slot < 0 ? volume.missing : volume.mismatched
  odd.push({ directory, blob, vnode, unique })
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
