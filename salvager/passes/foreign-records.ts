/**
 * Records that are another volume's of the group: an index, or a piece of one, was written over with a clone's. Each is
 * sound by itself and its data file is there; but the link table then counts a user too few for that file, and one too many
 * for the version that was the volume's own. Where what else is known agrees, the volume gets its own version back.
 *
 * No content can be lost by this: the file that a record gives up has another user.
 */
import { countIn } from "../../common/partition/link-table-format.ts"
import { classOf, type VnodeClass, type VnodeRecord } from "../../common/vnode/vnode-record.ts"
import { blocksOf } from "../../common/volume/volume-info.ts"
import { readEntries } from "../directory-image.ts"
import type { GroupModel, VolumeModel } from "../model.ts"
import { readDirectory } from "../read-data.ts"
import { takeEntry } from "./entry-accounts.ts"
import { fitted } from "./lost-records.ts"

/** A vnode number of which one data file has more users than are counted, and another fewer. */
interface Exchange {
  /** Position of the file that too many records use. */
  readonly used: number
  /** Position of the file that a record should use. */
  readonly missed: number
}

/** Gives volumes their own versions back; directories before they are read, files when all entries are known. */
export function returnForeignRecords(group: GroupModel, cls: VnodeClass): void {
  if (group.unfinished || !group.rowsTrusted || group.kept.length < 2) return
  // each round settles one volume's index
  for (const _volume of group.kept) {
    const exchanges = exchangesOf(group, cls)
    const found = exchanges.length === 0 ? undefined : likeliest(group, cls, exchanges)
    if (found === undefined) return
    for (const exchange of found.exchanges) giveBack(group, found.volume, exchange)
    retakeEntries(found.volume)
  }
}

function exchangesOf(group: GroupModel, cls: VnodeClass): Exchange[] {
  const { files } = group
  const found: Exchange[] = []
  for (let file = 0; file < files.found; file++) {
    const vnode = files.vnode(file)
    if (surplusOf(group, file) >= 0 || classOf(vnode) !== cls) continue
    const used = files.ofVnode(vnode).find((other) => surplusOf(group, other) > 0 && files.users(other) > 1)
    if (used !== undefined) found.push({ used, missed: file })
  }
  return found
}

/** How many more records use a file than the link table counts. */
function surplusOf({ files, rows }: GroupModel, file: number): number {
  return files.users(file) - countIn(rows[files.vnode(file)] ?? 0, files.tag(file))
}

interface Verdict {
  readonly volume: VolumeModel
  readonly exchanges: readonly Exchange[]
  readonly evidence: number
}

/** The volume for which most speaks; undefined if nothing does, and no content is at stake. */
function likeliest(group: GroupModel, cls: VnodeClass, exchanges: readonly Exchange[]): Verdict | undefined {
  let best: Verdict | undefined
  for (const volume of group.kept) {
    const own = exchanges.filter((exchange) => isPossible(group, volume, exchange))
    if (own.length === 0) continue
    const evidence = evidenceFor(group, volume, cls, own)
    if (best === undefined || evidence > best.evidence) best = { volume, exchanges: own, evidence }
  }
  if (best === undefined) return undefined
  const isAtStake = best.exchanges.some(({ missed }) => group.files.users(missed) === 0)
  return isAtStake || (best.evidence > 0 && isTableLikely(group)) ? best : undefined
}

/**
 * Do foreign records explain most of what the link table has against the records? Else the table is what is damaged, and the
 * records are right.
 */
function isTableLikely(group: GroupModel): boolean {
  let odd = 0
  for (let file = 0; file < group.files.found; file++) if (surplusOf(group, file) !== 0) odd++
  const explained = 2 * (exchangesOf(group, "large").length + exchangesOf(group, "small").length)
  return 2 * explained >= odd
}

function isPossible({ files }: GroupModel, { vnodes }: VolumeModel, { used, missed }: Exchange): boolean {
  const slot = vnodes.find(files.vnode(used))
  if (slot < 0 || vnodes.file(slot) !== used) return false
  // what a directory names is there
  return vnodes.holder(slot) === 0 || vnodes.unique(slot) === files.unique(missed)
}

/** What speaks for the volume's having lost these records; below 0 if more speaks against it. */
function evidenceFor(group: GroupModel, volume: VolumeModel, cls: VnodeClass, exchanges: readonly Exchange[]): number {
  const { vnodes, isReadWrite, info } = volume
  let evidence = blockEvidence(group, volume, exchanges)
  for (const exchange of exchanges) {
    const { files } = group
    const slot = vnodes.find(files.vnode(exchange.used))
    // a clone has nothing that came into being after it; of two versions the newer is rather the read-write volume's
    const { serverModifyTime } = vnodes.record(slot)
    if (!isReadWrite && info !== undefined && serverModifyTime > Math.max(info.creationDate, info.copyDate))
      evidence += 2
    if (files.tag(exchange.missed) > files.tag(exchange.used) === isReadWrite) evidence += 0.001
    evidence += cls === "large" ? fitEvidence(group, volume, exchange) : nameEvidence(group, volume, exchange)
  }
  return evidence
}

/** Disk usage as VolumeInfo has it: right only with the volume's own records. */
function blockEvidence({ files }: GroupModel, { vnodes, info }: VolumeModel, exchanges: readonly Exchange[]): number {
  if (info === undefined) return 0
  let change = 0
  for (const { used, missed } of exchanges) change += blocksOf(files.size(missed)) - blocksOf(files.size(used))
  let present = 0
  for (const slot of vnodes.live()) present += blocksOf(vnodes.file(slot) < 0 ? 0 : files.size(vnodes.file(slot)))
  const [before, after] = [Math.abs(info.diskused - present), Math.abs(info.diskused - present - change)]
  return before === after ? 0 : after === 0 ? 100 : before === 0 ? -100 : Math.sign(before - after)
}

/** How many more of its entries than of the present version's lead to files of the volume. */
function fitEvidence(group: GroupModel, volume: VolumeModel, { used, missed }: Exchange): number {
  const fitting = (file: number): number => {
    const entries = readEntries(readDirectory(group, file), false)
    const leading = entries.filter(({ vnode, unique }) => {
      const slot = volume.vnodes.find(vnode)
      return classOf(vnode) === "small" && slot >= 0 && volume.vnodes.unique(slot) === unique
    })
    return 2 * leading.length - entries.length
  }
  return Math.sign(fitting(missed) - fitting(used))
}

/** A directory of the volume names just the object that the link table misses. */
function nameEvidence({ files }: GroupModel, { mismatched }: VolumeModel, { missed }: Exchange): number {
  const isNamed = mismatched.some(
    ({ vnode, unique }) => vnode === files.vnode(missed) && unique === files.unique(missed),
  )
  return isNamed ? 4 : 0
}

function giveBack(group: GroupModel, volume: VolumeModel, { used, missed }: Exchange): void {
  const { files, findings } = group
  const { vnodes } = volume
  const vnode = files.vnode(used)
  const slot = vnodes.find(vnode)
  const unique = files.unique(missed)
  const detail = `it names that of another volume, uniquifier ${files.unique(used)}, tag ${files.tag(used)}`
  findings.add("vnode-inode", { volume: volume.id, vnode, unique, detail })
  vnodes.change(slot, ownRecord(group, volume, slot, missed))
  vnodes.setFile(slot, missed)
  vnodes.mark(slot, "contentChanged")
  volume.contentChanged = true
  files.use(used, -1)
  files.use(missed)
}

/** As another volume that uses the file has it, else the present record with what the file says. */
function ownRecord(group: GroupModel, volume: VolumeModel, slot: number, file: number): VnodeRecord {
  const vnode = volume.vnodes.vnode(slot)
  for (const { vnodes } of group.siblingsOf(volume)) {
    const other = vnodes.find(vnode)
    if (other >= 0 && vnodes.file(other) === file) return fitted(group, vnodes.record(other), file)
  }
  return { ...fitted(group, volume.vnodes.record(slot), file), uniquifier: group.files.unique(file) }
}

/** Entries that had another uniquifier than the record fit now. */
function retakeEntries(volume: VolumeModel): void {
  for (const place of volume.mismatched.splice(0)) takeEntry(volume, place)
}
