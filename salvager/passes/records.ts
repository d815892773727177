/**
 * Fifth pass: each vnode record of the volumes that stay. A record is put right where its data file, its place or another
 * volume's record of the same vnode says how; it is given up only when nothing of its content is left.
 */
import { vnodeMask } from "../../common/partition/inode-number.ts"
import { countIn } from "../../common/partition/link-table-format.ts"
import {
  classOf,
  lengthHalves,
  recordLength,
  type VnodeRecord,
  vnodeClasses,
  vnodeTypes,
} from "../../common/vnode/vnode-record.ts"
import type { FindingCode } from "../finding.ts"
import type { GroupModel, VolumeModel } from "../model.ts"
import { readStart } from "../read-data.ts"
import { rootVnode } from "./entry-accounts.ts"
import { misnamedFile } from "./misnamed-files.ts"

/** As OpenAFS does: clients may have been promised versions that the disk never saw. */
export const versionStep = 200
/** A mount point's text is looked at so far. */
const mountTextMax = 1024
const executeBits = 0o111

/** No link is like that, and no mount point whose text was damaged. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what tells text from anything else
const isTextOfLines = (text: string): boolean => /^[^#%\x00-\x08\x0b-\x1f][^\x00-\x08\x0b-\x1f]*\n/.test(text)

const isMountText = (text: string): boolean => /^[#%].*\.$/s.test(text)

/** Judges all records that are in doubt; needs the fates of the volumes. */
export function checkRecords(group: GroupModel): void {
  const kept = group.kept
  const total = kept.reduce((sum, { vnodes }) => sum + vnodes.count, 0)
  let done = 0
  for (const volume of kept) {
    for (const slot of volume.vnodes.inDoubt()) {
      group.advance(done + slot, total)
      new RecordCheck(group, volume, slot).run()
    }
    done += volume.vnodes.count
    volume.vnodes.doubtAll() // where each belongs is the next question
  }
}

/** Judges all of a record that was set aside but its data file. */
export function checkFields(group: GroupModel, volume: VolumeModel, slot: number): void {
  new RecordCheck(group, volume, slot).checkFields()
}

/** How many more volumes the link table counts for a file than use it by the records at hand. */
export function uncountedUsers(group: GroupModel, file: number): number {
  if (!group.rowsTrusted) return 0
  const counted = countIn(group.rows[group.files.vnode(file)] ?? 0, group.files.tag(file))
  return counted - group.files.users(file)
}

class RecordCheck {
  readonly #group: GroupModel
  readonly #volume: VolumeModel
  readonly #slot: number
  readonly #vnode: number
  #record: VnodeRecord

  constructor(group: GroupModel, volume: VolumeModel, slot: number) {
    this.#group = group
    this.#volume = volume
    this.#slot = slot
    this.#vnode = volume.vnodes.vnode(slot)
    this.#record = volume.vnodes.record(slot)
  }

  run(): void {
    if (this.#findData()) this.checkFields()
  }

  checkFields(): void {
    this.#checkMagic()
    this.#checkUnique()
    this.#checkType()
    this.#checkLength()
    this.#checkVersion()
    if (this.#record.lockCount < -1) this.#fix("vnode-lock", `${this.#record.lockCount}`, { lockCount: 0, lockTime: 0 })
    this.#checkMountPoint()
  }

  get #file(): number {
    return this.#volume.vnodes.file(this.#slot)
  }

  #report(code: FindingCode, detail: string): void {
    const { vnode, unique } = { vnode: this.#vnode, unique: this.#record.uniquifier }
    this.#group.findings.add(code, { volume: this.#volume.id, vnode, unique, detail })
  }

  #fix(code: FindingCode, detail: string, fields: Partial<VnodeRecord>): void {
    this.#report(code, detail)
    this.#volume.vnodes.change(this.#slot, fields)
    Object.assign(this.#record, fields)
  }

  /** Makes sure that the record has a data file; false if it has to go. A directory may do without: it is made again. */
  #findData(): boolean {
    const better = this.#betterFile()
    if (better >= 0) this.#take(better)
    if (this.#file >= 0 || (this.#vnode === rootVnode && this.#takeMisnamed())) return true
    if (this.#vnode !== rootVnode && this.#mayHaveFile()) {
      this.#setAside()
      return false
    }
    if (classOf(this.#vnode) === "large") {
      this.#report("directory-lost", this.#namedFile())
      return true
    }
    this.#report("vnode-data-missing", this.#namedFile())
    this.#volume.vnodes.mark(this.#slot, "freed")
    this.#volume.contentChanged = true
    return false
  }

  /** No entry names the root, which could tell. */
  #takeMisnamed(): boolean {
    const file = misnamedFile(this.#group, this.#vnode, this.#record)
    if (file < 0) return false
    this.#volume.vnodes.setFile(this.#slot, file)
    this.#group.files.use(file)
    return true
  }

  /**
   * There is no file of its name, but one that may be its own: the numbers of the record may be damaged, or another volume's,
   * or those in the name of the file. What the directories say decides.
   */
  #mayHaveFile(): boolean {
    const { files, rowsTrusted, strangers } = this.#group
    if (strangers.size > 0) return true
    return files
      .ofVnode(this.#vnode)
      .some((file) => files.users(file) === 0 || !rowsTrusted || uncountedUsers(this.#group, file) > 0)
  }

  /** An entry that names the record, or the file, brings the record back. */
  #setAside(): void {
    const { vnodes, leftovers, garbage } = this.#volume
    leftovers.set(this.#vnode, vnodes.bytes(this.#slot).slice())
    vnodes.mark(this.#slot, "freed")
    garbage.add(this.#vnode)
    this.#volume.contentChanged = true
  }

  #namedFile(): string {
    const { inodeLow, inodeHigh } = this.#record
    const name = `vnode ${inodeLow & vnodeMask}, uniquifier ${inodeHigh}, tag ${(inodeLow >>> 26) & 7}`
    return `it names the file of ${name}, modified ${new Date(1000 * this.#record.unixModifyTime).toISOString()}`
  }

  /** The file that the record should have, if that is not the one it has; else -1. */
  #betterFile(): number {
    const { files } = this.#group
    const length = recordLength(this.#record)
    if (this.#file >= 0 && files.size(this.#file) === length) return -1
    const unique = this.#file >= 0 ? files.unique(this.#file) : this.#record.uniquifier
    const all = files.ofVnode(this.#vnode).filter((file) => files.unique(file) === unique && file !== this.#file)
    if (this.#file < 0) return best(all, (file) => this.#rank(file, length))
    // its own file has another length: only one that is nobody else's and fits is likelier
    return best(
      all.filter((file) => files.users(file) === 0 && files.size(file) === length),
      (file) => this.#rank(file, length),
    )
  }

  #rank(file: number, length: number): number {
    const { files } = this.#group
    const fits = files.size(file) === length ? 8 : 0
    const unused = files.users(file) === 0 ? 4 : 0
    const counted = uncountedUsers(this.#group, file) > 0 ? 2 : 0
    return fits + unused + counted + files.version(file) / 2 ** 33
  }

  #take(file: number): void {
    const { files } = this.#group
    const isOlder = files.users(file) > 0 && files.size(file) !== recordLength(this.#record)
    this.#report(isOlder ? "vnode-data-older" : "vnode-inode", this.#namedFile())
    if (this.#file >= 0) files.use(this.#file, -1)
    files.use(file)
    this.#volume.vnodes.setFile(this.#slot, file)
    const { high: inodeHigh, low: inodeLow } = files.inode(file)
    const dataVersion = (this.#record.dataVersion + versionStep) >>> 0
    this.#volume.vnodes.change(this.#slot, { inodeHigh, inodeLow, dataVersion })
    this.#record = this.#volume.vnodes.record(this.#slot)
    if (isOlder) this.#volume.vnodes.mark(this.#slot, "contentChanged")
  }

  #checkMagic(): void {
    const wanted = vnodeClasses[classOf(this.#vnode)].recordMagic
    if (this.#record.magic !== wanted)
      this.#fix("vnode-magic", `0x${this.#record.magic.toString(16)}`, { magic: wanted })
  }

  #checkUnique(): void {
    if (this.#file < 0) return
    const unique = this.#group.files.unique(this.#file)
    const found = this.#record.uniquifier
    if (found !== unique) this.#fix("vnode-unique", `${found}, the data file has ${unique}`, { uniquifier: unique })
  }

  #checkType(): void {
    const { type } = this.#record
    const isDirectory = classOf(this.#vnode) === "large"
    const isFileByContent = type === vnodeTypes.symlink && this.#isFileByContent()
    const isPossible = type === vnodeTypes.file || type === vnodeTypes.symlink
    if (isDirectory ? type === vnodeTypes.directory : isPossible && !isFileByContent) return
    const wanted = isDirectory
      ? vnodeTypes.directory
      : isFileByContent
        ? vnodeTypes.file
        : smallTypeOf(this.#group, this.#volume, this.#vnode, this.#record)
    this.#fix("vnode-type", `${type}, should be ${wanted}`, { type: wanted })
  }

  /** What would be a mount point has the content of a file, or is one in another volume. */
  #isFileByContent(): boolean {
    if (this.#file < 0 || (this.#record.mode & executeBits) !== 0) return false
    const text = readStart(this.#group, this.#file, mountTextMax).toString("latin1")
    if (isMountText(text)) return false
    const sibling = siblingOf(this.#group, this.#volume, this.#vnode, this.#record.uniquifier)
    if (sibling !== undefined) return sibling.volume.vnodes.record(sibling.slot).type === vnodeTypes.file
    return isTextOfLines(text)
  }

  #checkLength(): void {
    if (this.#file < 0) return
    const size = this.#group.files.size(this.#file)
    const found = recordLength(this.#record)
    if (found === size) return
    const dataVersion = (this.#record.dataVersion + 1) >>> 0
    this.#fix("vnode-length", `${found}, the data file has ${size}`, { dataVersion, ...lengthHalves(size) })
    this.#volume.vnodes.mark(this.#slot, "contentChanged")
  }

  /** A symbolic link, or a file that was never written, has 0 in its record and 1 in its data file: that is as it should be. */
  #checkVersion(): void {
    if (this.#file < 0 || classOf(this.#vnode) === "large") return
    const version = this.#group.files.version(this.#file)
    const found = this.#record.dataVersion
    const isUnwritten = recordLength(this.#record) === 0 || this.#record.type === vnodeTypes.symlink
    if (found >= version || (found === 0 && version === 1 && isUnwritten)) return
    this.#fix("vnode-version", `${found}, the data file has ${version}`, { dataVersion: version })
  }

  /** A symbolic link that nobody may execute is a mount point. OpenAFS vol/vol-salvage.c (JudgeEntry). */
  #checkMountPoint(): void {
    const { type, mode } = this.#record
    if (type !== vnodeTypes.symlink || (mode & executeBits) !== 0 || this.#file < 0) return
    const text = readStart(this.#group, this.#file, mountTextMax).toString("latin1")
    if (isMountText(text)) return
    this.#fix("mount-point", `its text is ${JSON.stringify(text.slice(0, 64))}`, { mode: mode | executeBits })
  }
}

function best(files: readonly number[], rank: (file: number) => number): number {
  let chosen = -1
  for (const file of files) if (chosen < 0 || rank(file) > rank(chosen)) chosen = file
  return chosen
}

/** Another volume's record of the same object: that of the volume nearest in time. */
export function siblingOf(
  group: GroupModel,
  volume: VolumeModel,
  vnode: number,
  unique: number,
): { volume: VolumeModel; slot: number } | undefined {
  for (const other of group.siblingsOf(volume)) {
    const slot = other.vnodes.find(vnode)
    if (slot >= 0 && other.vnodes.unique(slot) === unique && !other.vnodes.has(slot, "rebuilt"))
      return { volume: other, slot }
  }
  return undefined
}

/**
 * File or symbolic link? As another volume's record has it; else by what servers do: only a symbolic link has content
 * and data version 0.
 */
function smallTypeOf(group: GroupModel, volume: VolumeModel, vnode: number, record: VnodeRecord): number {
  const sibling = siblingOf(group, volume, vnode, record.uniquifier)
  if (sibling !== undefined) {
    const { type } = sibling.volume.vnodes.record(sibling.slot)
    if (type === vnodeTypes.file || type === vnodeTypes.symlink) return type
  }
  return record.dataVersion === 0 && recordLength(record) > 0 ? vnodeTypes.symlink : vnodeTypes.file
}
