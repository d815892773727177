/**
 * Which salvages are kept of each group of a partition. A run of many groups makes an undo folder for each, and to list them
 * all for every one would take longer than the repair: what was listed is good as long as the shelf's date is that of the
 * last change made from here, and for a while where others change it too, as the other processes of the same run do with each
 * group. Who misses a change knows one salvage less that came before: that one cannot be taken back then, and nothing else goes
 * wrong. Those of one run are of different groups.
 */
import type { Partition } from "../../common/partition/partition.ts"
import { shelfPath } from "./journal.ts"

/** A shelf that others change is listed no more often than this. */
const goodForMs = 1000

interface Listed {
  /** When, by the clock of `performance`. */
  readonly listedAt: number
  /** Date of the shelf, milliseconds; undefined if there was none. */
  readonly modifiedMs: number | undefined
  /** Others have changed it since. */
  readonly isBehind: boolean
  readonly byGroup: Map<string, string[]>
}

const listed = new WeakMap<Partition["disk"], Map<string, Listed>>()

/** Names of the undo folders of a group; others may be among them that only look so. `now` as of `performance`. @throws DiskError */
export function shelvedNames(partition: Partition, group: number, now: number = performance.now()): readonly string[] {
  return current(partition, now).byGroup.get(String(group)) ?? []
}

/** A folder was made. @throws DiskError */
export function noteShelved(partition: Partition, name: string): void {
  const known = shelvesOf(partition).get(partition.path) ?? nothingListed()
  add(known.byGroup, name)
  shelvesOf(partition).set(partition.path, { ...known, modifiedMs: dateOf(partition) })
}

const nothingListed = (): Listed => ({
  listedAt: Number.NEGATIVE_INFINITY,
  modifiedMs: undefined,
  isBehind: true,
  byGroup: new Map(),
})

function current(partition: Partition, now: number): Listed {
  const modifiedMs = dateOf(partition)
  const known = shelvesOf(partition).get(partition.path)
  if (known !== undefined && !known.isBehind && known.modifiedMs === modifiedMs) return known
  const isGood = known !== undefined && now - known.listedAt < goodForMs
  const fresh = isGood ? { ...known, isBehind: true } : listedNow(partition, modifiedMs, now)
  shelvesOf(partition).set(partition.path, fresh)
  return fresh
}

/** `modifiedMs`: the shelf's date before the look. */
function listedNow(partition: Partition, modifiedMs: number | undefined, listedAt: number): Listed {
  const byGroup = new Map<string, string[]>()
  for (const { name } of partition.disk.list(shelfPath(partition)) ?? []) add(byGroup, name)
  return { listedAt, modifiedMs, isBehind: false, byGroup }
}

function add(byGroup: Map<string, string[]>, name: string): void {
  const group = name.slice(0, name.indexOf("-"))
  const names = byGroup.get(group)
  if (names === undefined) byGroup.set(group, [name])
  else names.push(name)
}

const dateOf = (partition: Partition): number | undefined => partition.disk.stat(shelfPath(partition))?.modifiedMs

function shelvesOf({ disk }: Partition): Map<string, Listed> {
  const shelves = listed.get(disk) ?? new Map<string, Listed>()
  listed.set(disk, shelves)
  return shelves
}
