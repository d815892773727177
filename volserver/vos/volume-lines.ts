/** Volumes as `vos examine` and `vos listvol` show them. OpenAFS volser/vos.c (DisplayFormat, XDisplayFormat). */
import { printable } from "../../common/cli/output.ts"
import type { VolumeCondition, VolumeStatus } from "../operations/examine.ts"
import { dateOrNever } from "./date.ts"

const shownCondition: Readonly<Record<VolumeCondition, string>> = {
  online: "On-line",
  offline: "Off-line",
  busy: "is busy",
  unfinished: "Unfinished",
  unreadable: "Could not attach volume",
}

/** The line of `listvol`; `examine` has two spaces before the condition. */
export function shortLine(volume: VolumeStatus, gap = " ", used = ""): string {
  const { id, type, diskused, condition, why } = volume
  const name = printable(volume.name).padEnd(32)
  if (condition === "unreadable") return `**** ${shownCondition.unreadable} ${id} ****  ${why ?? ""}\n`
  const size = String(diskused).padStart(10)
  const reason = why === undefined ? "" : `  (${printable(why)})`
  return `${name} ${String(id).padStart(10)} ${type} ${size} K${used}${gap}${shownCondition[condition]}${reason}\n`
}

/** All that `examine` shows. */
export function longLines(volume: VolumeStatus, extended = false): string {
  if (volume.condition === "unreadable") return shortLine(volume)
  const lines = [
    `    ${volume.path} `,
    `    RWrite ${idCell(volume.parentId)} ROnly ${idCell(volume.cloneId)} Backup ${idCell(volume.backupId)} `,
    `    MaxQuota ${String(volume.maxquota).padStart(10)} K `,
    `    Creation    ${dateOrNever(volume.creationDate)}`,
    `    Copy        ${dateOrNever(volume.copyDate)}`,
    `    Backup      ${dateOrNever(volume.backupDate)}`,
    ...(volume.accessDate === 0 ? [] : [`    Last Access ${dateOrNever(volume.accessDate)}`]),
    `    Last Update ${dateOrNever(volume.updateDate)}`,
    `    ${volume.dayUse} accesses in the past day (i.e., vnode references)`,
  ]
  if (volume.offlineMessage !== "" && volume.condition !== "online")
    lines.push(`    ${printable(volume.offlineMessage)}`)
  const used = extended ? ` used ${volume.filecount} files` : ""
  const tables = extended ? [...statisticsLines(volume)] : []
  return [shortLine(volume, extended ? " " : "  ", used), ...[...lines, ...tables, ""].map((line) => `${line}\n`)].join(
    "",
  )
}

const idCell = (id: number): string => String(id).padStart(10)
const cell = (number: number | undefined): string => String(number ?? 0).padStart(8)

const ages = ["0-60 sec ", "1-10 min ", "10min-1hr", "1hr-1day ", "1day-1wk ", "> 1wk    "]

function* statisticsLines({ statistics }: VolumeStatus): Generator<string> {
  const { reads, writes } = statistics
  const rule = "          |-------------------------------------------|"
  const split = "          |----------|----------|----------|----------|"
  yield ""
  yield "                      Raw Read/Write Stats"
  yield rule
  yield "          |    Same Network     |    Diff Network     |"
  yield split
  yield "          |  Total   |   Auth   |   Total  |   Auth   |"
  yield split
  yield `Reads     | ${[0, 1, 2, 3].map((index) => cell(reads[index])).join(" | ")} |`
  yield `Writes    | ${[0, 1, 2, 3].map((index) => cell(writes[index])).join(" | ")} |`
  yield rule
  yield ""
  yield "                   Writes Affecting Authorship"
  yield rule
  yield "          |   File Authorship   | Directory Authorship|"
  yield split
  yield "          |   Same   |   Diff   |    Same  |   Diff   |"
  yield split
  const { fileSameAuthor, fileDiffAuthor, dirSameAuthor, dirDiffAuthor } = statistics
  for (const [index, age] of ages.entries()) {
    const counts = [fileSameAuthor, fileDiffAuthor, dirSameAuthor, dirDiffAuthor].map((row) => cell(row[index]))
    yield `${age} | ${counts.join(" | ")} |`
  }
  yield rule
}
