/**
 * Which salvages are kept of each group of a partition. A run of many groups makes an undo folder for each, and to list them
 * all for every one would take longer than the repair: what was listed is good as long as the shelf's date is that of the
 * last change made from here. Who misses a change all the same, because another process made it in the same instant, knows one
 * salvage less that came before: that one cannot be taken back then, and nothing else goes wrong.
 */
import type { Partition } from "../../common/partition/partition.ts"
import { shelfPath } from "./journal.ts"

interface Listed {
  /** Date of the shelf, milliseconds; undefined if there was none. */
  readonly modifiedMs: number | undefined
  readonly byGroup: Map<string, string[]>
}

const listed = new WeakMap<Partition["disk"], Map<string, Listed>>()

/** Names of the undo folders of a group; others may be among them that only look so. @throws DiskError */
export function shelvedNames(partition: Partition, group: number): readonly string[] {
  return current(partition).byGroup.get(String(group)) ?? []
}

/** A folder was made. @throws DiskError */
export function noteShelved(partition: Partition, name: string): void {
  const { byGroup } = shelvesOf(partition).get(partition.path) ?? { byGroup: new Map<string, string[]>() }
  add(byGroup, name)
  shelvesOf(partition).set(partition.path, { byGroup, modifiedMs: dateOf(partition) })
}

function current(partition: Partition): Listed {
  const known = shelvesOf(partition).get(partition.path)
  const modifiedMs = dateOf(partition)
  if (known !== undefined && known.modifiedMs === modifiedMs) return known
  const byGroup = new Map<string, string[]>()
  for (const { name } of partition.disk.list(shelfPath(partition)) ?? []) add(byGroup, name)
  const fresh = { modifiedMs, byGroup }
  shelvesOf(partition).set(partition.path, fresh)
  return fresh
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
