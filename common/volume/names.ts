/**
 * Making and removing names: files, directories, symbolic links, further names of files. The order of checks is that of
 * OpenAFS viced/afsfileprocs.c (docs/serving.md); rights and the syntax of fids are the operations' business.
 *
 * Each change writes in an order that loses nothing if it breaks off, and leaves nothing behind for ever: a new name comes
 * before the record that it leads to, and a removed record goes before its name, since a salvage drops a name that leads
 * nowhere, but keeps a vnode that no name leads to.
 */

import { checkEntryName } from "../directory/entry-name.ts"
import { AfsError } from "../error.ts"
import type { VnodeId } from "../ids.ts"
import type { Vnode } from "../vnode/vnode.ts"
import { copyRecord, type VnodeRecord, vnodeClasses, vnodeTypes } from "../vnode/vnode-record.ts"
import { idOf, VolumeChange } from "./volume-change.ts"
import type { VolumeCore } from "./volume-core.ts"
import { blocksOf } from "./volume-info.ts"

/** What a new file, directory or symbolic link begins with. Dates in seconds since 1970. */
export interface NewVnode {
  readonly owner: number
  /** Undefined: the directory's. */
  readonly group: number | undefined
  readonly author: number
  /** 12 permission bits. */
  readonly mode: number
  readonly clientModTime: number
  readonly now: number
}

/** Who changes a directory, and when (seconds since 1970). */
export interface ChangeBy {
  readonly author: number
  readonly now: number
}

/** What a removal did: `gone` if the vnode has no other name. */
export interface Removed {
  readonly vnode: Vnode
  readonly gone: boolean
}

/** `linkCount` has 16 bits with a sign. */
const linkCountMax = 32_767
const pageBlocks = 2
const none = new Uint8Array(0)
const dot = Buffer.from(".")
const dotDot = Buffer.from("..")

export const isDots = (name: Uint8Array): boolean => dot.equals(name) || dotDot.equals(name)

/** What a name leads to. @throws AfsError ENOTDIR */
export function lookupName(core: VolumeCore, directory: Vnode, name: Uint8Array): VnodeId | undefined {
  return core.directory(directory).lookup(name)
}

export function createFile(core: VolumeCore, directory: Vnode, name: Uint8Array, fields: NewVnode): Vnode {
  return makeSmall(core, directory, name, fields, { type: vnodeTypes.file, content: none })
}

export function makeSymlink(
  core: VolumeCore,
  directory: Vnode,
  name: Uint8Array,
  target: Uint8Array,
  fields: NewVnode,
): Vnode {
  return makeSmall(core, directory, name, fields, { type: vnodeTypes.symlink, content: target })
}

function makeSmall(
  core: VolumeCore,
  directory: Vnode,
  name: Uint8Array,
  fields: NewVnode,
  { type, content }: { readonly type: number; readonly content: Uint8Array },
): Vnode {
  const operation = type === vnodeTypes.file ? "createFile" : "makeSymlink"
  requireNewName(core, directory, name, operation)
  core.usage.require(blocksOf(content.length), "create", core.id)
  using change = new VolumeChange(core, operation)
  const vnode = change.make("small", newRecord(directory, fields, type, 1), undefined, () => content)
  change.editNames(directory, (names) => names.add(name, idOf(vnode)))
  change.writeRecord(directory, changedDirectory(directory, fields, 0))
  change.writeRecord(vnode, vnode.record)
  change.commit(fields.now)
  return vnode
}

export function makeDirectory(core: VolumeCore, directory: Vnode, name: Uint8Array, fields: NewVnode): Vnode {
  requireNewName(core, directory, name, "makeDirectory")
  requireLinks(core, directory, "makeDirectory")
  core.usage.require(pageBlocks, "create", core.id)
  using change = new VolumeChange(core, "makeDirectory")
  const record = newRecord(directory, fields, vnodeTypes.directory, 2)
  const vnode = change.make("large", record, directory.accessList, (self) =>
    VolumeChange.newDirectoryPage(self, directory),
  )
  change.editNames(directory, (names) => names.add(name, idOf(vnode)))
  change.writeRecord(directory, changedDirectory(directory, fields, 1))
  change.writeRecord(vnode, vnode.record)
  change.commit(fields.now)
  return vnode
}

/** A second name for a file in its own directory. */
export function makeLink(core: VolumeCore, directory: Vnode, name: Uint8Array, file: Vnode, by: ChangeBy): void {
  core.requireWritable("makeLink")
  checkEntryName(name, "makeLink")
  core.directory(directory)
  if (!file.isFile) throw failure(core, "EISDIR", "makeLink", file, "only files have several names")
  if (file.record.parent !== directory.number)
    throw failure(core, "EXDEV", "makeLink", file, "its directory is another one")
  requireNewName(core, directory, name, "makeLink")
  requireLinks(core, file, "makeLink")
  using change = new VolumeChange(core, "makeLink")
  const record = copyRecord(file.record)
  record.linkCount++
  record.author = by.author
  record.serverModifyTime = by.now
  change.writeRecord(file, record)
  change.editNames(directory, (names) => names.add(name, idOf(file)))
  change.writeRecord(directory, changedDirectory(directory, by, 0))
  change.commit(by.now)
}

export function removeFile(core: VolumeCore, directory: Vnode, name: Uint8Array, by: ChangeBy): Removed {
  const vnode = namedVnode(core, directory, name, "removeFile")
  if (vnode.isDirectory) throw failure(core, "EISDIR", "removeFile", vnode)
  using change = new VolumeChange(core, "removeFile")
  const gone = dropName(change, vnode, by)
  change.editNames(directory, (names) => names.remove(name))
  change.writeRecord(directory, changedDirectory(directory, by, 0))
  change.commit(by.now)
  return { vnode, gone }
}

export function removeDirectory(core: VolumeCore, directory: Vnode, name: Uint8Array, by: ChangeBy): Vnode {
  const vnode = namedVnode(core, directory, name, "removeDirectory")
  if (!vnode.isDirectory) throw failure(core, "ENOTDIR", "removeDirectory", vnode)
  requireEmpty(core, vnode, "removeDirectory")
  using change = new VolumeChange(core, "removeDirectory")
  change.remove(vnode)
  change.editNames(directory, (names) => names.remove(name))
  change.writeRecord(directory, changedDirectory(directory, by, -1))
  change.commit(by.now)
  return vnode
}

/** A file or symbolic link has one name less. True if that was its last. */
export function dropName(change: VolumeChange, vnode: Vnode, by: ChangeBy): boolean {
  if (vnode.record.linkCount <= 1) {
    change.remove(vnode)
    return true
  }
  const record = copyRecord(vnode.record)
  record.linkCount--
  record.serverModifyTime = by.now
  change.writeRecord(vnode, record)
  return false
}

/** A directory's record after a change of its names, and of its link count by `links`. */
export function changedDirectory(directory: Vnode, by: ChangeBy, links: number): VnodeRecord {
  const record = copyRecord(directory.record)
  record.dataVersion = nextVersion(record.dataVersion)
  record.linkCount += links
  record.author = by.author
  record.unixModifyTime = by.now
  record.serverModifyTime = by.now
  return record
}

/** Versions are 32 bits wide and start again at 0. */
export const nextVersion = (dataVersion: number): number => (dataVersion + 1) >>> 0

/** The vnode behind a name. @throws AfsError EINVAL for `.` and `..`, ENOENT; FormatError if the name leads to nothing */
export function namedVnode(core: VolumeCore, directory: Vnode, name: Uint8Array, operation: string): Vnode {
  core.requireWritable(operation)
  const names = core.directory(directory)
  if (isDots(name)) throw failure(core, "EINVAL", operation, directory, "`.` and `..` stay")
  const id = names.lookup(name)
  if (id === undefined) throw failure(core, "ENOENT", operation, directory, shown(name))
  const vnode = core.findNumber(id.vnode)
  if (vnode?.unique === id.unique) return vnode
  throw core.recordDamage(
    directory,
    "inodeLow",
    `a name for ${id.vnode}.${id.unique}, which is no vnode`,
    "names of vnodes",
  )
}

/** @throws AfsError EEXIST, as OpenAFS has it, unless `.` and `..` are all there is */
export function requireEmpty(core: VolumeCore, directory: Vnode, operation: string): void {
  for (const { name } of core.directory(directory).entries()) {
    if (!isDots(name)) throw failure(core, "EEXIST", operation, directory, "the directory is not empty")
  }
}

/** @throws AfsError EMLINK if one more link or subdirectory cannot be counted */
export function requireLinks(core: VolumeCore, vnode: Vnode, operation: string): void {
  if (vnode.record.linkCount < linkCountMax) return
  throw failure(core, "EMLINK", operation, vnode, `it has ${vnode.record.linkCount} links`)
}

function requireNewName(core: VolumeCore, directory: Vnode, name: Uint8Array, operation: string): void {
  core.requireWritable(operation)
  checkEntryName(name, operation)
  if (core.directory(directory).lookup(name) !== undefined)
    throw failure(core, "EEXIST", operation, directory, shown(name))
}

/** What is still 0 follows when number and data file are known. */
function newRecord(directory: Vnode, fields: NewVnode, type: number, linkCount: number): VnodeRecord {
  return {
    type,
    cloned: 0,
    mode: fields.mode & 0o7777,
    linkCount,
    lengthLow: 0,
    uniquifier: 0,
    dataVersion: 0,
    inodeLow: 0,
    unixModifyTime: fields.clientModTime,
    author: fields.author,
    owner: fields.owner,
    parent: directory.number,
    magic: vnodeClasses[type === vnodeTypes.directory ? "large" : "small"].recordMagic,
    lockCount: 0,
    lockTime: 0,
    serverModifyTime: fields.now,
    group: fields.group ?? directory.record.group,
    inodeHigh: 0,
    lengthHigh: 0,
  }
}

export function failure(
  core: VolumeCore,
  code: ConstructorParameters<typeof AfsError>[0],
  operation: string,
  vnode: Vnode,
  detail?: string,
): AfsError {
  return new AfsError(code, operation, core.subject(vnode.number), detail === undefined ? {} : { detail })
}

const shown = (name: Uint8Array): string => JSON.stringify(Buffer.from(name).toString())
