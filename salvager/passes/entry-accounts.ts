/** Which vnode an entry leads to, and which directory has it: counts, and lists of what does not fit. */
import { classOf } from "../../common/vnode/vnode-record.ts"
import { wordsPerEntry } from "../directory-image.ts"
import type { EntryPlace, VolumeModel } from "../model.ts"

export const rootVnode = 1

/** Enters an entry into the accounts of the vnode that it leads to. */
export function takeEntry(volume: VolumeModel, { directory, blob, vnode, unique }: EntryPlace): void {
  takeEntryOf(volume, directory, blob, vnode, unique)
}

/**
 * The same for all entries of a sound directory, see `entryWords`. Those of files that are as they should be, in this directory
 * alone and by one name, need nothing more; how many links a directory has is known when all are read.
 */
export function takeEntries(volume: VolumeModel, directory: number, entries: Uint32Array): void {
  const { vnodes } = volume
  for (let at = 0; at < entries.length; at += wordsPerEntry) {
    const vnode = entries[at + 1] ?? 0
    const unique = entries[at + 2] ?? 0
    const isSettled = classOf(vnode) === "small" && vnodes.settleIn(directory, vnode, unique)
    if (!isSettled) takeEntryOf(volume, directory, entries[at] ?? 0, vnode, unique)
  }
}

function takeEntryOf(volume: VolumeModel, directory: number, blob: number, vnode: number, unique: number): void {
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
