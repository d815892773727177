/** The link table as the plan wants it: counts are raised before anything points to a file, and lowered when nothing does. */
import { type Inode, specialInode, specialTypes, tagCount } from "../common/partition/inode-number.ts"
import {
  countIn,
  linkTableMagic,
  linkTableStamp,
  linkTableVersion,
  rowOffset,
} from "../common/partition/link-table-format.ts"
import type { VolumeTransaction } from "../common/volume/volume-transaction.ts"
import type { GroupModel } from "./model.ts"
import type { RepairCommits } from "./repair-commits.ts"

interface CountChange {
  readonly vnode: number
  readonly tag: number
  readonly found: number
  readonly wanted: number
}

/** Makes a special file that is missing. */
type Make = (transaction: VolumeTransaction, inode: Inode, parameter: number, bytes: Uint8Array) => void

export class LinkTableRepair {
  readonly #group: GroupModel
  readonly #commits: RepairCommits
  readonly #make: Make
  /** Counts that change; known when the first are set. */
  #due: readonly CountChange[] | undefined

  constructor(group: GroupModel, commits: RepairCommits, make: Make) {
    this.#group = group
    this.#commits = commits
    this.#make = make
  }

  /** Mends the table itself, and raises counts. */
  raise(): void {
    const { id, linkTable, linkTableOwnerRight, linkTablePad, linkTableTooLong, plannedRows } = this.#group
    const inode = specialInode(id, "linkTable")
    if (this.#group.kept.length === 0) return
    const isWhole = linkTable === "sound" && linkTableOwnerRight && !linkTableTooLong && linkTablePad === 0
    if (!isWhole)
      this.#commits.commit((transaction) => {
        if (linkTable === "missing") this.#make(transaction, inode, id, tableBytes(plannedRows))
        else if (linkTable === "empty") transaction.write(inode, 0, tableBytes(plannedRows))
        else if (linkTable === "stamp") transaction.write(inode, 0, stampBytes())
        if (linkTableTooLong) transaction.add({ kind: "truncate", inode, size: endOfRows(plannedRows) })
        if (linkTablePad > 0) transaction.write(inode, linkTablePad, Uint8Array.of(0))
        if (!linkTableOwnerRight && linkTable !== "missing")
          transaction.add({ kind: "owner", inode, parameter: id, number: specialTypes.linkTable })
      })
    this.#setCounts((found, wanted) => wanted > found)
  }

  /** Lowers counts. */
  lower(): void {
    this.#setCounts((found, wanted) => wanted < found)
  }

  /** Sets the counts for which `isDue`. A table that was made anew has them already. */
  #setCounts(isDue: (found: number, wanted: number) => boolean): void {
    const { linkTable } = this.#group
    if (linkTable === "missing" || linkTable === "empty" || this.#group.kept.length === 0) return
    this.#due ??= [...this.#differences()]
    const due = this.#due.filter(({ found, wanted }) => isDue(found, wanted))
    const [found, wanted] = [this.#group.rows[0] ?? 0, this.#group.plannedRows[0] ?? 0]
    const isRowZeroDue = found !== wanted && isDue(found, wanted)
    if (due.length === 0 && !isRowZeroDue) return
    this.#commits.commit((transaction) => {
      for (const { vnode, tag, wanted: count } of due) transaction.add({ kind: "count", vnode, tag, count })
      if (isRowZeroDue) this.#writeRowZero(transaction, wanted)
    })
  }

  /** The volumes of the group. No other bit of this row means anything. */
  #writeRowZero(transaction: VolumeTransaction, row: number): void {
    transaction.write(specialInode(this.#group.id, "linkTable"), rowOffset(0), Uint8Array.of(row & 0xff, row >>> 8))
  }

  *#differences(): Generator<CountChange> {
    const { rows, plannedRows } = this.#group
    for (let vnode = 1; vnode < plannedRows.length; vnode++) {
      if (rows[vnode] === plannedRows[vnode]) continue
      for (let tag = 0; tag < tagCount; tag++) {
        const [found, wanted] = [countIn(rows[vnode] ?? 0, tag), countIn(plannedRows[vnode] ?? 0, tag)]
        if (found !== wanted) yield { vnode, tag, found, wanted }
      }
    }
  }
}

const stampBytes = (): Uint8Array => linkTableStamp.encode({ magic: linkTableMagic, version: linkTableVersion })

function tableBytes(rows: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(rowOffset(rows.length))
  bytes.set(stampBytes())
  for (let row = 0; row < rows.length; row++) {
    bytes[rowOffset(row)] = (rows[row] ?? 0) & 0xff
    bytes[rowOffset(row) + 1] = (rows[row] ?? 0) >>> 8
  }
  return bytes
}

/** Where a link table with these rows may end. */
function endOfRows(rows: Uint16Array): number {
  let count = rows.length
  while (count > 1 && rows[count - 1] === 0) count--
  return rowOffset(count)
}
