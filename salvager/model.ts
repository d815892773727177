/**
 * One volume group in memory: what is on disk, and what a salvage plans to make of it. The passes read the disk, change
 * this model and report findings; nothing is written before the plan is complete (repair.ts).
 */
import { AfsError } from "../common/error.ts"
import { type Inode, type SpecialType, vnodeMask } from "../common/partition/inode-number.ts"
import type { InodeStore } from "../common/partition/inode-store.ts"
import type { Partition } from "../common/partition/partition.ts"
import { classOf, type VnodeClass } from "../common/vnode/vnode-record.ts"
import type { VolumeInfo } from "../common/volume/volume-info.ts"
import { DataFiles } from "./data-files.ts"
import type { DirectoriesAhead } from "./directories-ahead.ts"
import { Findings } from "./finding.ts"
import type { ScanThreads } from "./scan-threads.ts"
import type { HeaderFile, Survey } from "./survey.ts"
import { VnodeTable } from "./vnode-table.ts"

/** What to do with vnodes that no directory leads to. */
export const orphanPolicies = ["ignore", "remove", "attach"] as const
export type OrphanPolicy = (typeof orphanPolicies)[number]

export interface PlanOptions {
  readonly orphans: OrphanPolicy
  /** Rebuild every directory, sound or not. */
  readonly salvageDirs: boolean
  /** Seconds since 1970. */
  readonly now: number
  /** Threads that read too, where there is much. */
  readonly threads?: ScanThreads | undefined
}

/** A special file that was found. */
export interface SpecialFile {
  readonly size: number
  /** Owner data is as it should be. */
  readonly ownerRight: boolean
}

/**
 * - `keep`: checked and repaired;
 * - `delete`: goes away with what only it uses;
 * - `foreign`: belongs to another group; what it uses here is left alone.
 */
export type VolumeFate = "keep" | "delete" | "foreign"

/** What is known of one vnode index file. */
export interface IndexState {
  /** Bytes of the file; 0 if there is none. */
  size: number
  stampRight: boolean
  /** Bytes behind the last whole record. */
  tail: number
}

/** A directory of a volume, as it was read. */
export interface DirectoryFacts {
  /** Why it has to be rebuilt, if it has. */
  readonly fault: string | undefined
  /** What `.` and `..` lead to; undefined where they could not be read. */
  readonly self: Fid | undefined
  readonly parent: Fid | undefined
}

/** Vnode number and uniquifier. */
export interface Fid {
  readonly vnode: number
  readonly unique: number
}

/** An entry, by the directory it is in and the blob that it begins with. */
export interface EntryPlace extends Fid {
  /** Vnode number of the directory. */
  readonly directory: number
  readonly blob: number
}

/** A planned change of a directory. */
export type DirectoryEdit =
  | { readonly kind: "drop"; readonly blob: number }
  | ({ readonly kind: "lead"; readonly blob: number } & Fid)
  | ({ readonly kind: "add"; readonly name: Buffer } & Fid)

export class VolumeModel {
  readonly id: number
  readonly group: number
  fate: VolumeFate = "keep"
  readonly specials = new Map<SpecialType, SpecialFile>()
  headerFile: HeaderFile | undefined
  /** The header file has to be written. */
  headerWrong = false
  /** As planned. */
  info: VolumeInfo | undefined
  /** VolumeInfo as it is on disk, if it is whole; what the plan is compared with. */
  infoOnDisk: Uint8Array | undefined
  /** VolumeInfo's name, quota and dates had to be made up. */
  infoInvented = false
  readonly indexes: Record<VnodeClass, IndexState> = {
    small: { size: 0, stampRight: false, tail: 0 },
    large: { size: 0, stampRight: false, tail: 0 },
  }
  readonly vnodes = new VnodeTable()
  /** Planned access lists (192 bytes), by vnode number. */
  readonly accessLists = new Map<number, Uint8Array>()
  /** Access lists on disk that cannot be used (192 bytes), by vnode number. */
  readonly badAccessLists = new Map<number, Uint8Array>()
  /** Records that could not be used as they are but may still tell something, by vnode number. */
  readonly leftovers = new Map<number, Uint8Array>()
  /** Vnode numbers of free records on disk that have the magic of one in use, until data files are known. */
  readonly freeWithMagic: number[] = []
  /** The records at the ends of indexes that are cut off in them, filled up with zeros, by vnode number. */
  readonly cutRecords = new Map<number, Uint8Array>()
  /** Vnode numbers of records on disk that say nothing and are not in `vnodes`. */
  readonly garbage = new Set<number>()
  /** Directories that were read, by vnode number. */
  readonly directories = new Map<number, DirectoryFacts>()
  /** Entries that lead to no record, or to one with another uniquifier. */
  readonly missing: EntryPlace[] = []
  readonly mismatched: EntryPlace[] = []
  /** Entries that lead to nothing, and will be removed. */
  readonly dangling: EntryPlace[] = []
  /** Entries that can never be right: to the root, or of a directory to itself. */
  readonly impossible: EntryPlace[] = []
  /** Vnodes that were made for data files that no directory named. */
  readonly unnamed: number[] = []
  /** Vnodes that several directories name, and these. */
  readonly contested = new Map<number, Set<number>>()
  /** Planned changes of directories, by vnode number; a directory with none may still have to be rebuilt. */
  readonly edits = new Map<number, DirectoryEdit[]>()
  /** Positions of the data files that rewritten directories have on disk (-1: none), by vnode number. */
  readonly sources = new Map<number, number>()
  /** There are vnodes that no chain of directories connects with the root. */
  hasOrphans = false
  /** A new root directory was made, without content of its own. */
  rootMade = false
  /** Vnode records or directories changed. */
  contentChanged = false

  constructor(id: number, group: number) {
    this.id = id
    this.group = group
  }

  get isReadWrite(): boolean {
    return this.id === this.group
  }

  /** True if the volume had records before the salvage, or has them now. */
  get hasVnodes(): boolean {
    return !this.vnodes.live().next().done
  }

  index(vnode: number): IndexState {
    return this.indexes[classOf(vnode)]
  }

  /** Plans a change of a directory. */
  edit(directory: number, edit: DirectoryEdit): void {
    const edits = this.edits.get(directory)
    if (edits === undefined) this.edits.set(directory, [edit])
    else edits.push(edit)
  }
}

/** An inode as a key. */
export const inodeKey = ({ high, low }: Inode): string => `${high} ${low}`

/** How the link table was found: with a wrong stamp its rows are there but prove nothing; empty is too short for a stamp. */
export type LinkTableState = "sound" | "stamp" | "empty" | "missing"

/** Steps of a plan, for progress. */
export type PlanPhase = "scan" | "records" | "directories" | "tree" | "counts"

/** Told of each phase as it begins, and then, where that can be known, how much of it is done. */
export type PlanProgress = (phase: PlanPhase, done: number, total: number) => void

/** Told how much of a phase is done; called often, so it must be cheap. */
export type Advance = (done: number, total: number) => void

/** Its vnode number is another object's, or its name is not what its record says. */
type MoveReason = "data-moved" | "data-misnamed"

export class GroupModel {
  readonly #progress: PlanProgress
  #phase: PlanPhase = "scan"
  readonly partition: Partition
  readonly store: InodeStore
  readonly survey: Survey
  readonly id: number
  readonly findings: Findings
  readonly files = new DataFiles()
  /** Directories that were read while threads scanned; nothing where there was no time for it. */
  ahead: DirectoriesAhead | undefined
  readonly volumes: VolumeModel[] = []
  linkTable: LinkTableState = "missing"
  /** Bytes of its file. */
  linkTableSize = 0
  linkTableOwnerRight = true
  /** True if it is longer than the rows of all vnodes. */
  linkTableTooLong = false
  /** Size of a link table that ends in the middle of a row; 0 if it does not. */
  linkTablePad = 0
  /** Rows as on disk; empty if there is no usable link table. */
  rows: Uint16Array = new Uint16Array(0)
  /** The rows are good enough to tell who used what. */
  rowsTrusted = false
  /** Rows as they shall be. */
  plannedRows: Uint16Array = new Uint16Array(0)
  /** The group has a folder. */
  hasFolder = false
  /** Names of the hidden folders in it. */
  readonly hiddenNames: string[] = []
  /** Special files to remove: of kinds that no program uses, and link tables of other groups. */
  readonly rubbish: Inode[] = []
  /** Data files that lie in a folder where they do not belong, while nothing is where they do: paths, by position. */
  readonly elsewhere = new Map<number, string>()
  /** The same before positions are known: paths, by `inodeKey`. */
  readonly misplaced = new Map<string, { readonly path: string; readonly inode: Inode }>()
  /** Paths of files among the data whose names mean nothing, until it is known whether one is somebody's. */
  readonly strangers = new Set<string>()
  /** Data files whose owner data is wrong, and the data version that it says. */
  readonly wrongOwners: { readonly inode: Inode; readonly parameter: number }[] = []
  /** Header files to remove, by name: of volumes that do not exist, and misnamed ones. */
  readonly headersToRemove: string[] = []
  /** Rewritten directories, by what they replace and what they will hold: volumes that share one go on sharing. */
  readonly rewritten = new Map<string, number>()
  /** New data files of directories: position, and from which volume's plan the content comes. */
  readonly newFiles: { readonly file: number; readonly volume: VolumeModel; readonly directory: number }[] = []
  /** How many records give a data file up in this salvage, for a rewritten one or because they go: by position. */
  readonly replaced = new Map<number, number>()
  /** Directories that are written over, because no version of theirs is free. */
  readonly overwrites: { readonly volume: VolumeModel; readonly directory: number; readonly size: number }[] = []
  /** Data files that get another name, and why: positions. */
  moves: { readonly from: number; readonly to: number; readonly why: MoveReason }[] = []
  /** Where the bytes of planned files are now that get another name: by position. */
  readonly #origins = new Map<number, number>()
  #moving = new Set<number>()
  readonly #siblings = new Map<VolumeModel, readonly VolumeModel[]>()
  #lastVnode = 0
  #lastUnique = 0
  /** Volumes whose broken-off restore or clone is thrown away. */
  readonly draftsToDiscard: number[] = []
  /** Something unfinished is thrown away in this run: what only it used goes with it. */
  unfinished = false

  constructor(survey: Survey, store: InodeStore, progress: PlanProgress) {
    this.survey = survey
    this.partition = survey.partition
    this.store = store
    this.id = store.group
    this.findings = new Findings(store.group)
    this.#progress = progress
  }

  /** A phase begins. */
  enter(phase: PlanPhase): void {
    this.#phase = phase
    this.#progress(phase, 0, 0)
  }

  /**
   * So much of the phase is done. A method, not a function that each phase puts here: by such functions V8 keeps the models of
   * groups that are done until it collects the old generation too.
   */
  advance(done: number, total: number): void {
    this.#progress(this.#phase, done, total)
  }

  /** Volumes that are checked and repaired, the read-write volume first. */
  get kept(): VolumeModel[] {
    return this.volumes.filter((volume) => volume.fate === "keep")
  }

  volume(id: number): VolumeModel | undefined {
    return this.volumes.find((volume) => volume.id === id)
  }

  /** The other volumes that stay, those nearest in time first: a clone is as old as its creation, a read-write volume is of now. */
  siblingsOf(volume: VolumeModel): readonly VolumeModel[] {
    const known = this.#siblings.get(volume)
    if (known !== undefined) return known
    const age = ({ isReadWrite, info }: VolumeModel): number => (isReadWrite ? 2 ** 32 : (info?.creationDate ?? 0))
    const distance = (other: VolumeModel): number => Math.abs(age(other) - age(volume))
    const siblings = this.volumes.filter((other) => other !== volume && other.fate !== "delete")
    siblings.sort((a, b) => distance(a) - distance(b))
    this.#siblings.set(volume, siblings)
    return siblings
  }

  /** A vnode number of a class that nothing in the group has used. @throws AfsError VDISKFULL if there is none */
  freshVnode(cls: VnodeClass): number {
    if (this.#lastVnode === 0) this.#lastVnode = this.#highestVnode()
    this.#lastVnode += classOf(this.#lastVnode + 1) === cls ? 1 : 2
    if (this.#lastVnode < vnodeMask) return this.#lastVnode
    throw new AfsError("VDISKFULL", "salvage", { volume: this.id }, { detail: "no vnode number is left" })
  }

  #highestVnode(): number {
    let highest = this.files.found === 0 ? 0 : this.files.vnode(this.files.found - 1)
    for (const volume of this.volumes) for (const vnode of volume.garbage) highest = Math.max(highest, vnode)
    return Math.max(
      highest,
      this.#highest((volume, slot) => volume.vnodes.vnode(slot)),
    )
  }

  /** A uniquifier that nothing in the group has used. */
  freshUnique(volume: VolumeModel): number {
    if (this.#lastUnique === 0) this.#lastUnique = this.#highest((other, slot) => other.vnodes.unique(slot))
    this.#lastUnique = Math.max(this.#lastUnique, volume.info?.uniquifier ?? 0) + 1
    return this.#lastUnique
  }

  #highest(numberOf: (volume: VolumeModel, slot: number) => number): number {
    let highest = 1
    for (const volume of this.volumes)
      for (const slot of volume.vnodes.live()) highest = Math.max(highest, numberOf(volume, slot))
    return highest
  }

  /** Plans another name for a data file. */
  move(from: number, to: number, why: MoveReason): void {
    this.moves.push({ from, to, why })
    this.#moving.add(from)
    this.#origins.set(to, from)
  }

  /** True for a data file that gets another name. */
  isMoving(file: number): boolean {
    return this.#moving.has(file)
  }

  /** A file whose record goes in the end, as that of an orphan that is removed, needs no new name. */
  dropIdleMoves(): void {
    this.moves = this.moves.filter(({ to }) => this.files.users(to) > 0)
    this.#moving = new Set(this.moves.map(({ from }) => from))
  }

  /** Where the bytes of a data file are on disk now, which may be to get another name, another place, or both. */
  presentPath(file: number): string {
    const origin = this.#origins.get(file) ?? file
    return this.elsewhere.get(origin) ?? this.store.path(this.files.inode(origin))
  }

  /** A record gives up its data file, which was rightly its own. */
  giveUp(file: number): void {
    this.files.use(file, -1)
    this.replaced.set(file, (this.replaced.get(file) ?? 0) + 1)
  }

  /** Where files that no volume uses are attached: the read-write volume, else a read-only one, else any. */
  get home(): VolumeModel | undefined {
    const kept = this.kept
    return kept.find((volume) => volume.isReadWrite) ?? kept.find((volume) => volume.info?.type === 1) ?? kept[0]
  }
}
