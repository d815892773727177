/**
 * What a salvage can find: one table of stable codes, and the findings of one run. Passes report; they decide nothing here.
 *
 * A code never changes its meaning. Programs decide on codes, people read `text` and `repair`.
 */

/**
 * - `note`: nothing was wrong with the volume, or nothing that anybody could notice;
 * - `repaired`: damage that is mended without loss;
 * - `loss`: damage of which something could not be saved (content, a name, who may do what);
 * - `left`: damage that stays, because the options say so or because it is not ours to mend.
 */
export type Severity = "note" | "repaired" | "loss" | "left"

interface Row {
  readonly severity: Severity
  /** What is wrong, without the particulars. */
  readonly text: string
  /** What is done about it. */
  readonly repair: string
}

const row = (severity: Severity, text: string, repair: string): Row => ({ severity, text, repair })

export const findingCodes = {
  // files of a group
  "file-foreign": row("note", "a file that is none of a volume's lies among the data", "left alone"),
  "file-misplaced": row("left", "a data file lies in a folder where its name does not belong", "left alone"),
  "data-misplaced": row(
    "repaired",
    "a data file that is in use lies in a folder where its name does not belong",
    "moved to where it belongs",
  ),
  "data-misnamed": row("repaired", "a data file that is in use has another name than its own", "given its own name"),
  "file-owner": row("repaired", "owner, group and permissions of a file do not say what it is", "set right"),
  "special-obsolete": row("repaired", "a special file of a kind that no program uses", "removed"),
  "special-foreign": row("left", "special files of a volume that lives in another group", "left alone"),
  "group-empty": row("repaired", "folders of a volume group without any volume", "removed"),
  "data-superseded": row("note", "an older or unfinished version of a file that no volume uses", "removed"),
  "data-moved": row(
    "repaired",
    "a data file that nothing names, whose vnode number is another object's",
    "given a new number",
  ),
  "data-unused": row("note", "a data file that no volume uses, empty or already given up", "removed"),
  // link table
  "link-table-missing": row("repaired", "the link table is missing", "made again from what the volumes use"),
  "link-table-damaged": row("repaired", "the link table has a wrong stamp", "the stamp is set right"),
  "link-table-cut": row("repaired", "the link table ends in the middle of a row", "the row is completed"),
  "link-table-long": row(
    "repaired",
    "the link table is longer than the rows of all vnodes",
    "what is behind is cut off",
  ),
  "link-count": row("repaired", "a data file's link count is not the number of volumes that use it", "set right"),
  "link-count-full": row("left", "more volumes use a data file than a link count can say", "7, the most, is kept"),
  "link-count-dangling": row("repaired", "a link count for a data file that does not exist", "set to 0"),
  "link-count-group": row("repaired", "the link table counts another number of volumes than there are", "set right"),
  // header files
  "header-missing": row("repaired", "the volume's header file is missing", "made again"),
  "header-unreadable": row("repaired", "the volume's header file is short or has a bad magic", "written anew"),
  "header-wrong": row("repaired", "the volume's header file does not name its files", "written anew"),
  "header-misnamed": row("repaired", "a header file whose name is not that of its volume", "removed"),
  "header-stray": row("note", "a file with the ending of volume headers whose name is that of none", "put aside"),
  "header-without-data": row("repaired", "a header file of a volume of which nothing exists", "removed"),
  // whole volumes
  "volume-unfinished": row("repaired", "the volume was never finished, or was being deleted", "deleted"),
  "volume-unfinished-kept": row(
    "repaired",
    "the volume carries the mark of unfinished ones but has content of its own",
    "kept out of service, without the mark: put it online (vos online) or remove it (vos remove)",
  ),
  "volume-leftover": row("repaired", "special files of a clone that was deleted", "removed"),
  "draft-finished": row("note", "a restore or clone was complete but not yet in place", "put into place"),
  "draft-discarded": row("note", "a restore or clone was broken off", "thrown away"),
  "draft-waiting": row("left", "a complete restore or clone waits to be put into place", "put into place by a repair"),
  // VolumeInfo
  "info-missing": row("repaired", "VolumeInfo is missing", "made again"),
  "info-damaged": row("repaired", "VolumeInfo is damaged", "made again"),
  "info-lost": row(
    "loss",
    "name, quota and dates of the volume are lost",
    "a name is made up: give it its own (vos rename) and its quota (vos setfields)",
  ),
  "info-stamp": row("repaired", "VolumeInfo has a wrong stamp", "set right"),
  "info-field": row("repaired", "a field of VolumeInfo cannot be right", "set right"),
  "info-counts": row("repaired", "file count or disk usage are wrong", "set right"),
  "info-uniquifier": row("repaired", "the next uniquifier is in use", "raised"),
  "info-flag": row("repaired", "a flag of VolumeInfo has a value that no program writes", "set right"),
  "info-state": row("note", "the volume was in use by a program that is gone, or asked for a salvage", "released"),
  // vnode indexes
  "index-missing": row("repaired", "a vnode index is missing", "made again"),
  "index-stamp": row("repaired", "a vnode index has a wrong stamp", "set right"),
  "index-cut": row("repaired", "a vnode index does not end at the end of a record", "the whole records are kept"),
  "index-long": row(
    "repaired",
    "a vnode index is longer than the records of all vnodes",
    "what is behind the last is cut off",
  ),
  "vnode-magic": row("repaired", "a vnode record has a wrong magic", "set right"),
  "vnode-type": row("repaired", "a vnode record has an impossible type", "set right"),
  "vnode-inode": row("repaired", "a vnode record names a data file that is not its own", "it now names its own"),
  "vnode-unique": row("repaired", "a vnode record has another uniquifier than its data file", "set to the data file's"),
  "vnode-length": row("repaired", "a vnode record has another length than its data file", "set to the data file's"),
  "vnode-version": row("repaired", "a vnode record has a lower data version than its data file", "raised"),
  "vnode-lock": row("repaired", "a vnode record has an impossible lock count", "the lock is dropped"),
  "vnode-cloned": row("repaired", "a directory shares its data file but is not marked as cloned", "marked"),
  "vnode-garbage": row("repaired", "a vnode record that leads nowhere and says nothing", "freed"),
  "vnode-data-missing": row("loss", "the data file of a vnode is missing", "the vnode is given up"),
  "vnode-data-older": row("loss", "the data file of a vnode is missing", "an older version takes its place"),
  "vnode-rebuilt": row("repaired", "a data file has lost its vnode record", "rebuilt"),
  "vnode-guessed": row("loss", "a data file has lost its vnode record", "rebuilt: mode, owner and dates are guesses"),
  "vnode-parent": row("repaired", "a vnode record names another parent than the directory that has it", "set right"),
  "vnode-links": row("repaired", "a vnode's link count is not the number of its names", "set right"),
  "mount-point": row("repaired", "a mount point without the text of one", "made an ordinary symbolic link"),
  "acl-damaged": row("repaired", "a directory's access list is damaged", "mended from what is left of it"),
  "acl-lost": row("loss", "a directory's access list is lost", "system:administrators alone may enter: set it anew"),
  // directories
  "directory-damaged": row("repaired", "a directory is damaged", "rebuilt from the entries that can be read"),
  "directory-redone": row("note", "a directory is rebuilt on request", "rebuilt"),
  "directory-lost": row("repaired", "a directory's data file is missing", "made again"),
  "directory-dots": row("repaired", "'.' or '..' of a directory lead elsewhere", "set right"),
  "directory-cycle": row("repaired", "directories contain one another and nothing else contains them", "taken apart"),
  "directory-full": row("left", "a directory has no room for a name that belongs there", "left out"),
  "directory-waiting": row(
    "left",
    "a directory cannot be rewritten: its five versions are all in use",
    "left alone: remove a clone and salvage again",
  ),
  "entry-vnode": row("repaired", "an entry has another vnode number than the vnode of its uniquifier", "set right"),
  "entry-unique": row("repaired", "an entry has another uniquifier than its vnode", "set right"),
  "entry-dangling": row("loss", "an entry leads to nothing", "removed"),
  "entry-stale": row("repaired", "an entry leads to a former user of a vnode that has its own name", "removed"),
  "entry-surplus": row("repaired", "a vnode is named in several directories", "this name is removed"),
  "entry-duplicate": row("repaired", "two entries of a directory have the same name", "the second is renamed"),
  "entry-name": row("repaired", "an entry has a name that no client can use", "renamed"),
  "entry-unlinked": row("repaired", "a client removed a file that it had open, and never finished", "renamed"),
  "entry-recovered": row("repaired", "a lost entry is known from another version of the directory", "put back"),
  "root-missing": row("loss", "the volume has lost its root directory", "a new one is made"),
  "orphan-attached": row("repaired", "no directory leads to a vnode", "attached"),
  "orphan-removed": row("loss", "no directory leads to a vnode", "removed"),
  "orphan-left": row("left", "no directory leads to a vnode", "left alone"),
} as const satisfies Record<string, Row>

export type FindingCode = keyof typeof findingCodes

/** What a finding is about; every field that is known is given. */
interface FindingSubject {
  readonly volume?: number
  readonly vnode?: number
  readonly unique?: number
  /** Path in the volume, with a leading slash; as far as it is known. */
  readonly path?: string
  /** Path of a file of the partition. */
  readonly file?: string
}

export interface Finding extends FindingSubject {
  readonly code: FindingCode
  readonly severity: Severity
  readonly group: number
  readonly text: string
  readonly repair: string
}

interface Particulars extends FindingSubject {
  /** What exactly was found. */
  readonly detail?: string
  /** What exactly is done, in place of the row's words. */
  readonly repair?: string
}

/** Findings of one code in one volume that are kept in full; beyond that they are counted. */
const keptPerCode = 1000

/** The findings of one group, in the order in which they were made. Memory is bounded: see `keptPerCode`. */
export class Findings {
  readonly group: number
  readonly #kept: Finding[] = []
  readonly #counts = new Map<string, number>()

  constructor(group: number) {
    this.group = group
  }

  add(code: FindingCode, particulars: Particulars = {}): void {
    if (this.#isKept(code, particulars.volume)) this.#keep(code, particulars)
  }

  /** The same; of findings of which there may be very many the particulars are asked for only if they are kept. */
  addLate(code: FindingCode, volume: number | undefined, particulars: () => Particulars): void {
    if (this.#isKept(code, volume)) this.#keep(code, { ...(volume !== undefined && { volume }), ...particulars() })
  }

  /** Counts one more. */
  #isKept(code: FindingCode, volume: number | undefined): boolean {
    const key = `${code} ${volume ?? ""}`
    const count = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, count)
    return count <= keptPerCode
  }

  #keep(code: FindingCode, { detail, repair, ...subject }: Particulars): void {
    const known = findingCodes[code]
    const text = detail === undefined ? known.text : `${known.text}: ${detail}`
    const finding = {
      code,
      severity: known.severity,
      group: this.group,
      ...subject,
      text,
      repair: repair ?? known.repair,
    }
    this.#kept.push(finding)
  }

  /** Number of findings, those that are only counted included. */
  get count(): number {
    let sum = 0
    for (const count of this.#counts.values()) sum += count
    return sum
  }

  /** Number of findings by severity. */
  counts(): Record<Severity, number> {
    const sums: Record<Severity, number> = { note: 0, repaired: 0, loss: 0, left: 0 }
    for (const [key, count] of this.#counts) {
      const code = key.split(" ")[0] ?? ""
      if (isFindingCode(code)) sums[findingCodes[code].severity] += count
    }
    return sums
  }

  /** The findings; where there are very many of a kind, the rest of them as one. `pathOf` fills in paths. */
  list(pathOf: (volume: number, vnode: number) => string | undefined): Finding[] {
    const listed = this.#kept.map((finding) => withPath(finding, pathOf))
    for (const [key, count] of this.#counts) {
      const [code = "", volume = ""] = key.split(" ")
      if (count <= keptPerCode || !isFindingCode(code)) continue
      const { severity, text, repair } = findingCodes[code]
      const about = volume === "" ? {} : { volume: Number(volume) }
      const more = `${text}: ${count - keptPerCode} more of these`
      listed.push({ code, severity, group: this.group, ...about, text: more, repair })
    }
    return listed
  }
}

function isFindingCode(code: string): code is FindingCode {
  return code in findingCodes
}

function withPath(finding: Finding, pathOf: (volume: number, vnode: number) => string | undefined): Finding {
  if (finding.path !== undefined || finding.volume === undefined || finding.vnode === undefined) return finding
  const path = pathOf(finding.volume, finding.vnode)
  return path === undefined ? finding : { ...finding, path }
}
