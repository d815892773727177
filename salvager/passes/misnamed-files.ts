/**
 * Part of the fifth pass: data files whose name is damaged. A record that agrees with itself says what its data file is called;
 * where that is missing, a file of the vnode with another uniquifier that nobody uses, or a file in the same folder whose name
 * means nothing, is the one, if all else is as the record has it. It gets its own name back, so that no client's fid changes.
 */
import { dotBlob } from "../../common/directory/directory-page.ts"
import { dataInode, inodeParts, tagCount } from "../../common/partition/inode-number.ts"
import { countIn } from "../../common/partition/link-table-format.ts"
import { classOf, recordLength, type VnodeRecord } from "../../common/vnode/vnode-record.ts"
import { fidAt } from "../directory-image.ts"
import type { GroupModel } from "../model.ts"
import { readStart } from "../read-data.ts"

/** The first page of a directory as far as the end of `.`. */
const dotEnd = 32 * (dotBlob + 1)

/** The file that a record means, under the name that it shall have; -1 if there is none. */
export function misnamedFile(group: GroupModel, vnode: number, record: VnodeRecord): number {
  const tag = wantedTag(vnode, record)
  if (tag < 0 || recordLength(record) === 0) return -1
  const { files } = group
  const unique = record.uniquifier
  const isPlanned = (file: number): boolean => files.unique(file) === unique && files.tag(file) === tag
  const known = files.ofVnode(vnode).find((file) => file >= files.found && isPlanned(file)) // for another volume
  return known ?? ofOtherUnique(group, vnode, record, tag) ?? ofNoName(group, vnode, record, tag) ?? -1
}

/** The tag of the data file that a record names; -1 if the record does not agree with itself. */
function wantedTag(vnode: number, { inodeLow, inodeHigh, uniquifier }: VnodeRecord): number {
  const named = inodeParts({ high: inodeHigh, low: inodeLow })
  const isOwn = named.vnode === vnode && named.rest === 0 && named.tag < tagCount && inodeHigh === uniquifier
  return isOwn ? named.tag : -1
}

function ofOtherUnique(group: GroupModel, vnode: number, record: VnodeRecord, tag: number): number | undefined {
  const { files, rows, rowsTrusted } = group
  const candidates = files.ofVnode(vnode).filter((file) => {
    const isLost =
      file < files.found &&
      !group.isMoving(file) &&
      files.users(file) === 0 &&
      files.size(file) === recordLength(record)
    const isCounted = !rowsTrusted || countIn(rows[vnode] ?? 0, tag) > 0
    return isLost && isCounted && files.tag(file) === tag && files.unique(file) !== record.uniquifier
  })
  const [from, another] = candidates
  if (from === undefined || another !== undefined || !isOf(group, from, vnode, record)) return undefined
  const [size, version] = [files.size(from), files.version(from)]
  const to = files.plan({ vnode, unique: record.uniquifier, tag, size, version })
  group.move(from, to, "data-misnamed")
  return to
}

/** Nothing in its name speaks for a file: all else has to. */
function ofNoName(group: GroupModel, vnode: number, record: VnodeRecord, tag: number): number | undefined {
  const { files, store, strangers, partition } = group
  if (strangers.size === 0) return undefined
  const path = store.path(dataInode(vnode, record.uniquifier, tag))
  const folder = path.slice(0, path.lastIndexOf("/") + 1)
  const candidates: { path: string; size: number; version: number }[] = []
  for (const stranger of strangers) {
    if (!stranger.startsWith(folder)) continue
    const stat = partition.disk.stat(stranger)
    if (stat?.isFile !== true || stat.size !== recordLength(record)) continue
    const version = store.ownerOf(stat)?.parameter ?? 0
    const isOlder = version <= Math.max(record.dataVersion, 1)
    if (isOlder && store.ownerMatches(stat, { parameter: version, number: tag }))
      candidates.push({ path: stranger, size: stat.size, version })
  }
  const [found, another] = candidates
  if (found === undefined || another !== undefined) return undefined
  const file = files.plan({ vnode, unique: record.uniquifier, tag, size: found.size, version: found.version })
  group.elsewhere.set(file, found.path)
  strangers.delete(found.path)
  if (isOf(group, file, vnode, record)) return file
  group.elsewhere.delete(file)
  strangers.add(found.path)
  return undefined
}

/** A directory says itself whose it is. */
function isOf(group: GroupModel, file: number, vnode: number, { uniquifier }: VnodeRecord): boolean {
  if (classOf(vnode) === "small") return true
  const start = readStart(group, file, dotEnd)
  if (start.length < dotEnd) return false
  const dot = fidAt(start, dotBlob)
  return dot.vnode === vnode && dot.unique === uniquifier
}
