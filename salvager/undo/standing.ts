/**
 * Whether a group is still as a salvage left it, so that the salvage can be taken back without harm to anybody's work.
 *
 * One that came to its end has written down size and date of all that it changed. One that was broken off has not: its journal
 * is whole after a kill, but after a power failure the end of it may be missing, and nothing would tell. It stands only as long
 * as the machine runs, and while no file of it is younger than its journal. The salvage that follows writes down for it how it
 * left the files, and when that one is taken back itself, how they are then.
 */
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { FormatError } from "../../common/error.ts"
import { inodeParts, specialTypes } from "../../common/partition/inode-number.ts"
import { decodeInode } from "../../common/partition/namei-path.ts"
import type { Partition } from "../../common/partition/partition.ts"
import { encodeEnd, type Journal, readJournal, shelfPath, stampOf } from "./journal.ts"
import { shelvedNames } from "./shelf.ts"

/** Between a record of the journal and the change that it describes, and for dates that are kept by ticks. */
const slackMs = 2000

let boot: string | undefined

/** Changes whenever the machine is started; empty where the system does not tell. */
export function bootOf(): string {
  boot ??= Buffer.from(nodeDisk.readFile("/proc/sys/kernel/random/boot_id") ?? [])
    .toString("latin1")
    .trim()
  return boot
}

/** Why a salvage must not be taken back; undefined if it may. */
export function whyNot(partition: Partition, name: string, journal: Journal): string | undefined {
  const { stamps, head } = journal
  const changed = stamps === undefined ? youngerThanJournal(partition, name, journal) : changedSince(partition, stamps)
  if (changed !== undefined) return `${changed} has changed since the salvage`
  if (stamps !== undefined || head.boot === bootOf()) return undefined
  return "the salvage was broken off and the machine was started since: what it kept may be incomplete"
}

/** The first path that is not as it was; VolumeInfo, which every attachment writes, may be different. */
function changedSince(partition: Partition, stamps: NonNullable<Journal["stamps"]>): string | undefined {
  return stamps.find(({ path, stamp }) => !isVolumeInfo(path) && stampOf(partition, path) !== stamp)?.path
}

function youngerThanJournal(partition: Partition, name: string, { entries }: Journal): string | undefined {
  const { disk, path } = partition
  const last = disk.stat(journalPath(partition, name))?.modifiedMs ?? 0
  return pathsOf(entries).find((one) => {
    const stat = isVolumeInfo(one) ? undefined : disk.stat(`${path}/${one}`)
    return stat?.isFile === true && stat.modifiedMs > last + slackMs
  })
}

function isVolumeInfo(path: string): boolean {
  const inode = decodeInode(path.slice(path.lastIndexOf("/") + 1))
  if (inode === undefined || !path.includes("/special/")) return false
  return inodeParts(inode).tag === specialTypes.volumeInfo
}

/**
 * Before a salvage changes a group: which earlier ones of it can be taken back now. Those that were broken off are told by
 * stamps from now on. The caller holds the group.
 * @throws DiskError
 */
export function settleEarlier(partition: Partition, group: number): string[] {
  return shelvedNames(partition, group).filter((name) => {
    const journal = journalOf(partition, name)
    if (journal === undefined || whyNot(partition, name, journal) !== undefined) return false
    if (journal.stamps === undefined) stampAnew(partition, name, journal)
    return true
  })
}

/**
 * After a salvage was taken back: those before it which could be taken back when it began can be again, unless somebody has
 * worked on what it did not touch.
 * @throws DiskError
 */
export function restampEarlier(partition: Partition, { head, entries }: Journal): void {
  const takenBack = new Set(pathsOf(entries))
  for (const name of head.after) {
    const journal = journalOf(partition, name)
    const others = journal?.stamps?.filter(({ path }) => !takenBack.has(path))
    if (journal === undefined || others === undefined || changedSince(partition, others) !== undefined) continue
    stampAnew(partition, name, journal)
  }
}

/** Undefined if it is gone or damaged. */
function journalOf(partition: Partition, name: string): Journal | undefined {
  const path = journalPath(partition, name)
  try {
    return partition.disk.stat(path) === undefined ? undefined : readJournal(partition.disk, path)
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

/** A record that was cut off goes: it is of a change that was never made. */
function stampAnew(partition: Partition, name: string, { entries, length }: Journal): void {
  using file = partition.disk.open(journalPath(partition, name), "write")
  file.truncate(length)
  file.write(encodeEnd(partition, pathsOf(entries)), length)
}

const journalPath = (partition: Partition, name: string): string => `${shelfPath(partition)}/${name}/journal`

const pathsOf = (entries: Journal["entries"]): string[] => [...new Set(entries.map(({ change }) => change.path))]
