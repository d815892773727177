/**
 * Takes a salvage back: every change in reverse order. Only where nobody has worked on the volumes since; VolumeInfo alone,
 * which every attachment writes, may differ. Broken off, it is begun again from the end: each step sets what was before,
 * whatever is there.
 *
 * The one place beside volume transactions that changes a volume's metadata: it puts bytes back, and knows nothing of what
 * they mean.
 */
import { type Disk, type DiskFile, isDiskError } from "../../common/disk/disk.ts"
import { AfsError } from "../../common/error.ts"
import { makeFolder, type Partition } from "../../common/partition/partition.ts"
import { type JournalEntry, readJournal, shelfPath } from "./journal.ts"
import { dropFolder, type UndoLimits } from "./recorder.ts"
import { restampEarlier, whyNot } from "./standing.ts"

/** A salvage that can be taken back. */
export interface KeptSalvage {
  readonly name: string
  readonly group: number
  /** Seconds since 1970. */
  readonly time: number
  /** Of journal and saved files. */
  readonly bytes: number
}

/** A folder with fewer files than it should have is what is left of one; a salvage may just be making it. */
const remainsSeconds = 3600

/** All salvages of a partition that are kept, the oldest first. Folders that are no undo folders are left out. */
export function keptSalvages(partition: Partition): KeptSalvage[] {
  return foldersOf(partition).filter(({ isWhole }) => isWhole)
}

interface UndoFolder extends KeptSalvage {
  readonly isWhole: boolean
}

/** `GROUP-20261121T080241Z-PID` */
function foldersOf(partition: Partition): UndoFolder[] {
  const { disk } = partition
  const found: UndoFolder[] = []
  for (const { name } of disk.list(shelfPath(partition)) ?? []) {
    const [, group, year, month, day, hour, minute, second] =
      /^(\d+)-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-\d+$/.exec(name) ?? []
    if (group === undefined) continue
    const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000
    const folder = `${shelfPath(partition)}/${name}`
    const files = (disk.list(folder) ?? []).map((file) => file.name)
    const sizes = files.map((file) => disk.stat(`${folder}/${file}`)?.size ?? 0)
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    found.push({ name, group: Number(group), time, bytes, isWhole: files.includes("journal") })
  }
  return found.sort((a, b) => a.time - b.time || (a.name < b.name ? -1 : 1))
}

/** Removes what is too old, and then the oldest until the rest is small enough. */
export function expireSalvages(partition: Partition, limits: UndoLimits, now: number): void {
  const folders = foldersOf(partition)
  let bytes = folders.reduce((sum, one) => sum + one.bytes, 0)
  for (const { name, time, bytes: own, isWhole } of folders) {
    const age = now - time
    if (age <= (isWhole ? limits.seconds : remainsSeconds) && bytes <= limits.bytes) continue
    dropFolder(partition.disk, `${shelfPath(partition)}/${name}`)
    bytes -= own
  }
}

/**
 * Takes back the salvage of this name; the caller holds the volumes of its group. Its folder goes with it.
 * @throws AfsError ENOENT if it is not kept; DENIED, naming the file, if something has changed since, or if what was kept may be incomplete
 * @throws FormatError for a damaged journal; DiskError
 */
export function takeBack(partition: Partition, name: string): void {
  const { disk } = partition
  const folder = `${shelfPath(partition)}/${name}`
  if (!keptSalvages(partition).some((one) => one.name === name)) {
    const detail = `no salvage ${name} is kept`
    throw new AfsError("ENOENT", "undo", { partition: partition.name }, { detail })
  }
  const journal = readJournal(disk, `${folder}/journal`)
  const detail = disk.stat(`${folder}/begun`) === undefined ? whyNot(partition, name, journal) : undefined
  if (detail !== undefined) throw new AfsError("DENIED", "undo", { partition: partition.name }, { detail })
  mark(disk, `${folder}/begun`)
  for (const entry of journal.entries.toReversed()) takeBackOne(partition, folder, entry)
  restampEarlier(partition, journal)
  dropFolder(disk, folder)
}

function mark(disk: Disk, path: string): void {
  if (disk.stat(path) === undefined) disk.open(path, "create", 0o600).close()
}

function takeBackOne(partition: Partition, folder: string, { change, bytes }: JournalEntry): void {
  const { disk } = partition
  const path = `${partition.path}/${change.path}`
  switch (change.op) {
    case "bytes":
      changing(disk, path, (file) => putBack(file, change, bytes))
      return
    case "made":
      ignoring(() => disk.unlink(path), "ENOENT", "ENOTDIR")
      return
    case "gone":
      restore(disk, `${folder}/${change.saved}`, path)
      return
    case "owner":
      changing(disk, path, (file) => file.setOwner(change.uid, change.gid))
      return
    case "mode":
      changing(disk, path, (file) => file.setMode(change.mode))
      return
    case "aside":
      putInPlace(disk, `${partition.path}/${change.to}`, path)
      return
    case "folderMade":
      ignoring(() => disk.rmdir(path), "ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR")
      return
    case "folderGone":
      makeFolder(disk, path, change.mode)
  }
}

/** Does nothing where a later step has removed the file: then an earlier run of this one was here. */
function changing(disk: Disk, path: string, work: (file: DiskFile) => void): void {
  if (disk.stat(path) === undefined) return
  using file = disk.open(path, "write")
  work(file)
}

function putBack(file: DiskFile, { offset, size }: { offset: number; size: number }, bytes: Uint8Array): void {
  if (bytes.length > 0) file.write(bytes, offset)
  if (file.stat().size !== size) file.truncate(size)
  file.sync()
}

/** What was put aside goes back, whatever it is; what an earlier run has put back stays. */
function putInPlace(disk: Disk, aside: string, path: string): void {
  if ((disk.readLink(aside) ?? disk.stat(aside)) === undefined) return
  ignoring(() => disk.unlink(path), "ENOENT", "ENOTDIR")
  disk.rename(aside, path)
}

/** The saved file, or link, takes its old name again, in the place of whatever has it. */
function restore(disk: Disk, saved: string, path: string): void {
  const present = disk.readLink(path) === undefined ? disk.stat(path)?.identity : undefined
  if (present !== undefined && disk.readLink(saved) === undefined && present === disk.stat(saved)?.identity) return
  ignoring(() => disk.unlink(path), "ENOENT", "ENOTDIR")
  disk.link(saved, path)
}

function ignoring(work: () => void, ...codes: readonly string[]): void {
  try {
    work()
  } catch (error) {
    if (!isDiskError(error) || !codes.includes(error.code)) throw error
  }
}
