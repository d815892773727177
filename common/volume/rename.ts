/**
 * Renaming: OpenAFS viced/afsfileprocs.c (SAFSS_Rename), with its order of checks. Two deliberate differences: a target that
 * exists is replaced in place, so that its name is never missing on disk; and an empty directory that is replaced goes
 * completely, where OpenAFS leaves its vnode and its parent's link behind.
 *
 * Order of writes: what moves to another directory · the new name · the old name · what was replaced. A crash leaves the old
 * name, the new one, or both. Of two names in different directories OpenAFS's salvager keeps that which it meets first, and
 * this may be the old one: so a file that is replaced from another directory has a spare name until the old name is gone.
 */
import { checkEntryName } from "../directory/entry-name.ts"
import { AfsError, FormatError } from "../error.ts"
import type { Vnode } from "../vnode/vnode.ts"
import { copyRecord } from "../vnode/vnode-record.ts"
import {
  type ChangeBy,
  changedDirectory,
  dropName,
  failure,
  isDots,
  namedVnode,
  nextVersion,
  type Removed,
  requireEmpty,
  requireLinks,
} from "./names.ts"
import { idOf, VolumeChange } from "./volume-change.ts"
import type { VolumeCore } from "./volume-core.ts"

/** What a rename did beside the two directories. */
export interface Renamed {
  readonly moved: Vnode
  /** What had the new name before; `gone`: it had no other name. */
  readonly replaced: Removed | undefined
  /** A directory has another parent now: its own data (`..`) changed. */
  readonly changedParents: boolean
}

/** One rename that may be done. */
interface Plan {
  readonly from: Vnode
  readonly oldName: Uint8Array
  readonly to: Vnode
  readonly newName: Uint8Array
  readonly moved: Vnode
  readonly target: Vnode | undefined
  readonly by: ChangeBy
}

/** More levels than any tree has: beyond it parents go round in a circle. */
const depthMax = 1 << 16
const dotDot = Buffer.from("..")

export function rename(
  core: VolumeCore,
  from: Vnode,
  oldName: Uint8Array,
  to: Vnode,
  newName: Uint8Array,
  by: ChangeBy,
): Renamed {
  const plan = planOf(core, from, oldName, to, newName, by)
  using change = new VolumeChange(core, "rename")
  const { moved, target } = plan
  const isMove = from !== to
  const spareName = isMove ? keepTarget(change, plan) : undefined
  if (isMove) {
    moveVnode(change, plan)
    change.countChanged()
  }
  addNewName(change, plan)
  if (isMove) change.writeRecord(to, changedDirectory(to, by, linksOfTarget(plan)))
  change.editNames(from, (names) => names.remove(oldName))
  change.writeRecord(from, changedDirectory(from, by, linksOfSource(plan)))
  if (spareName !== undefined) change.editNames(to, (names) => names.remove(spareName))
  const gone = target === undefined ? undefined : dropTarget(change, target, by)
  change.commit(by.now)
  const replaced = target === undefined || gone === undefined ? undefined : { vnode: target, gone }
  return { moved, replaced, changedParents: isMove && moved.isDirectory }
}

/** The checks, in OpenAFS's order. */
function planOf(
  core: VolumeCore,
  from: Vnode,
  oldName: Uint8Array,
  to: Vnode,
  newName: Uint8Array,
  by: ChangeBy,
): Plan {
  core.requireWritable("rename")
  checkEntryName(newName, "rename")
  if (oldName.length === 0 || isDots(oldName) || isDots(newName)) throw failure(core, "EINVAL", "rename", from)
  core.directory(to)
  const moved = namedVnode(core, from, oldName, "rename")
  if (moved === from || moved === to) throw loop(core, moved)
  const isMove = from !== to
  if (isMove && !moved.isDirectory && moved.record.linkCount > 1) {
    throw failure(core, "EXDEV", "rename", moved, "it has other names in its directory")
  }
  const plan = { from, oldName, to, newName, moved, target: targetOf(core, to, newName), by }
  if (plan.target !== undefined) requireReplaceable(core, plan, plan.target)
  if (isMove && moved.isDirectory) {
    requireNotBelow(core, to, moved)
    if (plan.target === undefined) requireLinks(core, to, "rename")
  }
  return plan
}

function targetOf(core: VolumeCore, to: Vnode, newName: Uint8Array): Vnode | undefined {
  return core.directory(to).lookup(newName) === undefined ? undefined : namedVnode(core, to, newName, "rename")
}

function requireReplaceable(core: VolumeCore, { from, to, moved }: Plan, target: Vnode): void {
  if (target === moved || target === from || target === to) throw failure(core, "EINVAL", "rename", target)
  if (target.isDirectory && !moved.isDirectory) throw failure(core, "EISDIR", "rename", target)
  if (target.isDirectory) requireEmpty(core, target, "rename")
  else if (moved.isDirectory) throw failure(core, "ENOTDIR", "rename", target)
}

/** @throws AfsError ELOOP_QUIRK if `directory` is `moved` or below it; FormatError if its parents lead in a circle */
function requireNotBelow(core: VolumeCore, directory: Vnode, moved: Vnode): void {
  let vnode = directory
  for (let depth = 0; depth < depthMax; depth++) {
    if (vnode === moved) throw loop(core, moved)
    if (core.isRoot(vnode)) return
    vnode = core.parentOf(vnode)
  }
  throw new FormatError(`vnode ${directory.number}`, {}, "parents that lead in a circle", "a way to the root")
}

function loop(core: VolumeCore, vnode: Vnode): AfsError {
  return new AfsError("ELOOP_QUIRK", "rename", core.subject(vnode.number))
}

/** The spare name of a file that is being replaced: not one that begins with `.__afs`, which OpenAFS's salvager removes. */
function keepTarget(change: VolumeChange, { to, target }: Plan): Uint8Array | undefined {
  if (target === undefined || target.isDirectory || target.record.linkCount > 1) return undefined
  const spareName = Buffer.from(`.replaced.${target.number}.${target.unique}`)
  let isAdded = false
  change.editNames(to, (names) => {
    if (names.lookup(spareName) !== undefined || !names.hasRoom(spareName)) return
    names.add(spareName, idOf(target))
    isAdded = true
  })
  return isAdded ? spareName : undefined
}

/** A target's name leads elsewhere at once: there is no moment without it. */
function addNewName(change: VolumeChange, { to, newName, moved, target }: Plan): void {
  change.editNames(to, (names) => {
    if (target === undefined) names.add(newName, idOf(moved))
    else names.change(newName, idOf(moved))
  })
}

/** A file has another parent; a directory also another `..`. */
function moveVnode(change: VolumeChange, { to, moved, by }: Plan): void {
  const record = copyRecord(moved.record)
  record.parent = to.number
  record.serverModifyTime = by.now
  if (moved.isDirectory) {
    change.editNames(moved, (names) => names.change(dotDot, idOf(to)))
    record.dataVersion = nextVersion(record.dataVersion)
  }
  change.writeRecord(moved, record)
}

/** A directory that was replaced, or that has moved, counts in its parent's links. */
function linksOfTarget({ moved, target }: Plan): number {
  return (moved.isDirectory ? 1 : 0) - (target?.isDirectory === true ? 1 : 0)
}

function linksOfSource(plan: Plan): number {
  if (plan.from === plan.to) return plan.target?.isDirectory === true ? -1 : 0
  return plan.moved.isDirectory ? -1 : 0
}

function dropTarget(change: VolumeChange, target: Vnode, by: ChangeBy): boolean {
  if (!target.isDirectory) return dropName(change, target, by)
  change.remove(target)
  return true
}
