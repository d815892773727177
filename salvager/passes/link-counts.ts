/**
 * Eleventh pass: who uses which data file, now that all records are settled. Files that nobody uses go; the link table says
 * what the records say. OpenAFS vol/vol-salvage.c (the end of SalvageVolumeGroup).
 */
import { basename } from "node:path"
import { tagCount } from "../../common/partition/inode-number.ts"
import { countIn, linkCountMax, withCount } from "../../common/partition/link-table-format.ts"
import { decodeInode } from "../../common/partition/namei-path.ts"
import type { FindingCode } from "../finding.ts"
import type { GroupModel } from "../model.ts"

/** Plans the rows of the link table, and which data files are removed. */
export function planLinks(group: GroupModel): void {
  markCloned(group)
  const rows = new Uint16Array(rowCount(group))
  const { files } = group
  group.dropIdleMoves()
  for (const { from, why } of group.moves) group.findings.add(why, { file: group.store.path(files.inode(from)) })
  const odd = new Set([...group.elsewhere.keys(), ...group.moves.map(({ from }) => from), ...group.replaced.keys()])
  const { columns } = files
  for (let file = 0; file < files.count; file++) {
    const users = columns.users[file] ?? 0
    const vnode = columns.vnode[file] ?? 0
    const tag = columns.tag[file] ?? 0
    const found = countIn(group.rows[vnode] ?? 0, tag)
    if (users > 0 && users <= linkCountMax && users === found && !odd.has(file)) {
      rows[vnode] = withCount(rows[vnode] ?? 0, tag, Math.max(users, countIn(rows[vnode] ?? 0, tag)))
      continue
    }
    const path = group.elsewhere.get(file)
    if (users > 0) count(group, rows, file, users)
    if (path !== undefined) planElsewhere(group, file, path, users > 0 || group.isMoving(file))
    else if (users === 0 && file < files.found && !group.isMoving(file)) reportUnused(group, file)
  }
  countVolumes(group, rows)
  reportDangling(group, rows)
  group.plannedRows = rows
}

/** What is nobody's stays where it does not belong, and goes where it is and only its name has bits that no server sets. */
function planElsewhere(group: GroupModel, file: number, path: string, isUsed: boolean): void {
  const named = decodeInode(basename(path))
  if (isUsed || named === undefined || group.store.path(named) !== path) reportMisplaced(group, file, path, isUsed)
  else {
    group.rubbish.push(named)
    reportUnused(group, file, path)
  }
}

function reportMisplaced(group: GroupModel, file: number, path: string, isUsed: boolean): void {
  const right = group.store.path(group.files.inode(file))
  const code = !isUsed ? "file-misplaced" : basename(path) === basename(right) ? "data-misplaced" : "data-misnamed"
  group.findings.add(code, { file: path, detail: `it would belong to ${right}` })
}

function rowCount(group: GroupModel): number {
  const { files } = group
  let highest = files.found === 0 ? 0 : files.vnode(files.found - 1) // they are in this order, planned ones are not
  for (let file = files.found; file < files.count; file++) highest = Math.max(highest, files.vnode(file))
  return Math.max(highest + 1, group.rows.length)
}

function count(group: GroupModel, rows: Uint16Array, file: number, users: number): void {
  const { files } = group
  const [vnode, tag] = [files.vnode(file), files.tag(file)]
  const wanted = Math.min(users, linkCountMax)
  // two files of one place (damage) share its count; the greater one keeps both
  rows[vnode] = withCount(rows[vnode] ?? 0, tag, Math.max(wanted, countIn(rows[vnode] ?? 0, tag)))
  const found = countIn(group.rows[vnode] ?? 0, tag)
  const isKnown = group.linkTable !== "missing" && group.linkTable !== "empty" && file < files.found
  // what this salvage itself changes is no damage
  const before = Math.min(users + (group.replaced.get(file) ?? 0), linkCountMax)
  if (users > linkCountMax) report(group, "link-count-full", file, `${users} volumes`)
  if (isKnown && found !== before && found !== wanted && !files.isOfUnfinished(file))
    report(group, "link-count", file, `${found}, used by ${users}`)
}

/** `path`: default: where the file belongs. */
function report(group: GroupModel, code: FindingCode, file: number, detail: string, path?: string): void {
  const { files, store } = group
  group.findings.addLate(code, undefined, () => ({
    vnode: files.vnode(file),
    unique: files.unique(file),
    file: path ?? store.path(files.inode(file)),
    detail,
  }))
}

function reportUnused(group: GroupModel, file: number, path?: string): void {
  const { files, home } = group
  const vnode = files.vnode(file)
  const isSuperseded = home !== undefined && home.vnodes.find(vnode) >= 0
  if (group.unfinished || group.replaced.has(file)) return // it goes with what was unfinished, or for a better one
  report(group, isSuperseded ? "data-superseded" : "data-unused", file, `${files.size(file)} bytes`, path)
}

/** Row 0 counts the volumes of the group. */
function countVolumes(group: GroupModel, rows: Uint16Array): void {
  const volumes = group.kept.length
  rows[0] = withCount(0, 0, Math.min(volumes, linkCountMax))
  const found = group.rows[0] ?? 0
  const isKnown = group.linkTable !== "missing" && group.linkTable !== "empty"
  const hasDeleted = group.volumes.some((volume) => volume.fate === "delete")
  if (isKnown && found !== Math.min(volumes, linkCountMax) && !hasDeleted)
    group.findings.add("link-count-group", { detail: `${found}, there are ${volumes}` })
}

/** Counts of files that do not exist. */
function reportDangling(group: GroupModel, rows: Uint16Array): void {
  const isAllThere = group.files.count === group.files.found
  if (isAllThere && isSame(rows, group.rows)) return // each count is that of a file in use
  const existing = new Uint16Array(rows.length)
  const note = (file: number): void => {
    const vnode = group.files.vnode(file)
    existing[vnode] = withCount(existing[vnode] ?? 0, group.files.tag(file), 1)
  }
  for (let file = 0; file < group.files.found; file++) note(file)
  for (const file of misnamedFiles(group)) note(file)
  for (let vnode = 1; vnode < group.rows.length; vnode++) {
    for (let tag = 0; tag < tagCount; tag++) {
      const counted = countIn(group.rows[vnode] ?? 0, tag)
      if (counted > 0 && countIn(existing[vnode] ?? 0, tag) === 0)
        group.findings.add("link-count-dangling", { vnode, detail: `${counted} for tag ${tag}` })
    }
  }
}

/** Files that exist, and lack only their own names. */
function misnamedFiles({ elsewhere, moves }: GroupModel): number[] {
  return [...elsewhere.keys(), ...moves.filter(({ why }) => why === "data-misnamed").map(({ to }) => to)]
}

const isSame = (a: Uint16Array, b: Uint16Array): boolean =>
  a.length === b.length && Buffer.compare(bytesOf(a), bytesOf(b)) === 0

const bytesOf = (rows: Uint16Array): Uint8Array => new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)

/** A directory whose data file another volume uses too must say so: a server would change it in place. */
function markCloned(group: GroupModel): void {
  for (const volume of group.kept) {
    if (!volume.isReadWrite) continue
    const { vnodes } = volume
    for (const slot of vnodes.directories()) {
      const file = vnodes.file(slot)
      if (file < 0 || group.files.users(file) < 2 || vnodes.record(slot).cloned === 1) continue
      vnodes.change(slot, { cloned: 1 })
      if (vnodes.has(slot, "rebuilt") || file >= group.files.found) continue
      group.findings.add("vnode-cloned", { volume: volume.id, vnode: vnodes.vnode(slot), unique: vnodes.unique(slot) })
    }
  }
}
