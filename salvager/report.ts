/** What a salvage says: to people, to programs (one JSON object per line), or as OpenAFS's SalvageLog. */
import { printable, type TextSink } from "../common/cli/output.ts"
import type { Emit, GroupResult, SalvageEvent } from "./salvage.ts"

export type ReportStyle = "text" | "json" | "log"

/** Totals of a whole run. */
export interface SalvageSummary {
  readonly type: "summary"
  readonly partition: string
  readonly readOnly: boolean
  /** Number of groups by what became of them. */
  readonly groups: Readonly<Record<GroupResult["status"], number>>
  /** Number of findings by severity. */
  readonly findings: Readonly<Record<"note" | "repaired" | "loss" | "left", number>>
}

type Finding = Extract<SalvageEvent, { type: "finding" }>

export function summaryOf(partition: string, readOnly: boolean, results: readonly GroupResult[]): SalvageSummary {
  const groups = { clean: 0, repaired: 0, damaged: 0, skipped: 0, busy: 0, failed: 0 }
  const findings = { note: 0, repaired: 0, loss: 0, left: 0 }
  for (const { status, counts } of results) {
    groups[status]++
    for (const severity of ["note", "repaired", "loss", "left"] as const) findings[severity] += counts[severity]
  }
  return { type: "summary", partition, readOnly, groups, findings }
}

/** Takes what a run says. */
export interface Reporter {
  readonly emit: Emit
  end(summary: SalvageSummary): void
}

/** Prints events as they come, and the summary; phases only in JSON and on request. */
export function reporter(style: ReportStyle, out: TextSink, withPhases = false): Reporter {
  if (style === "log") return logReporter(out)
  if (style === "json") {
    const print = (value: object): void => void out.write(`${JSON.stringify(value)}\n`)
    return { emit: (event) => (withPhases || event.type !== "phase") && print(event), end: print }
  }
  const print = (lines: readonly string[]): void => {
    if (lines.length > 0) out.write(`${lines.join("\n")}\n`)
  }
  return { emit: (event) => print(textOf(event)), end: (summary) => print(summaryText(summary)) }
}

/** Lines as in OpenAFS's SalvageLog, for people and scripts that look for them there. OpenAFS vol/vol-salvage.c (Log). */
function logReporter(out: TextSink): Reporter {
  const print = (lines: readonly string[]): void => {
    const date = logDate(new Date())
    if (lines.length > 0) out.write(`${lines.map((line) => `${date} ${line}`).join("\n")}\n`)
  }
  return {
    emit: (event) => print(event.type === "group" ? groupLog(event) : textOf(event)),
    end: (summary) => print([...summaryText(summary), `SALVAGING OF PARTITION ${summary.partition} COMPLETED`]),
  }
}

/** First lines of a run. */
export function logOpening(words: readonly string[], partitions: readonly string[], readOnly: boolean): string {
  const date = logDate(new Date())
  const kind = readOnly ? " (READONLY mode)" : ""
  const lines = [
    `STARTING DAFS SALVAGER (${words.map(printable).join(" ")})`,
    ...partitions.map((partition) => `SALVAGING FILE SYSTEM PARTITION ${partition}${kind}`),
  ]
  return lines.map((line) => `${date} ${line}\n`).join("")
}

function groupLog(result: GroupResult): string[] {
  const { status, volumes } = result
  if (status === "busy" || status === "failed") return groupText(result)
  if (status === "skipped") return []
  return volumes.map(({ volume, name, fate, files, blocks }) => {
    const named = `${printable(name ?? "(without a name)")} (${volume})`
    return fate === "deleted" ? `Deleted ${named}` : `Salvaged ${named}: ${files} files, ${blocks} blocks`
  })
}

/** `Sat Nov 21 08:02:41 2026`, as every line of a SalvageLog begins. */
function logDate(date: Date): string {
  const [day, month, number] = date.toDateString().split(" ")
  return `${day} ${month} ${number} ${date.toTimeString().slice(0, 8)} ${date.getFullYear()}`
}

function textOf(event: SalvageEvent): string[] {
  if (event.type === "phase") return []
  return (event.type === "finding" ? findingText(event) : groupText(event)).map(printable)
}

const marks = { note: "note", repaired: "repaired", loss: "LOSS", left: "LEFT" } as const

function findingText({ severity, volume, group, vnode, unique, path, file, text, repair, done }: Finding): string[] {
  const where = [
    ...(volume !== undefined ? [`volume ${volume}`] : group === 0 ? [] : [`group ${group}`]),
    ...(path === undefined ? [] : [path]),
    ...(vnode === undefined ? [] : [unique === undefined ? `(vnode ${vnode})` : `(vnode ${vnode}.${unique})`]),
    ...(file === undefined ? [] : [file]),
  ]
  const mark = done ? marks[severity] : severity === "note" || severity === "left" ? marks[severity] : "DAMAGE"
  return [`${mark.padEnd(8)} ${where.join(" ")}: ${text}; ${done ? "" : "would be: "}${repair}`]
}

function groupText(result: GroupResult): string[] {
  const { partition, group, status, volumes, error, milliseconds } = result
  const said = volumes.map(
    ({ volume, name, fate, files, blocks }) =>
      `  ${name ?? "(without a name)"} (${volume}): ${fate === "deleted" ? "deleted" : `${files} files, ${blocks} blocks`}`,
  )
  const why = error === undefined ? "" : `: ${error.message}`
  return [
    `${partition} group ${group}: ${status}${why} (${milliseconds} ms)`,
    ...(status === "skipped" ? [] : said),
    ...undoText(result),
  ]
}

function undoText({ undo, undoFailure, path }: GroupResult): string[] {
  const words = path === undefined ? `--undo ${undo}` : `--partition ${path} --undo ${undo}`
  if (undo !== undefined) return [`  what was changed is kept: dafs salvager ${words} takes it back`]
  return undoFailure === undefined ? [] : [`  this salvage cannot be taken back: ${undoFailure}`]
}

function summaryText({ partition, readOnly, groups, findings }: SalvageSummary): string[] {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ") || "none"
  const next = nextStep(readOnly, groups, findings)
  return [`${partition}: groups: ${list(groups)}; findings: ${list(findings)}`, ...(next === undefined ? [] : [next])]
}

function nextStep(
  readOnly: boolean,
  groups: SalvageSummary["groups"],
  findings: SalvageSummary["findings"],
): string | undefined {
  if (readOnly && groups.damaged > 0) return "Nothing was written. Run again without --nowrite to repair."
  if (groups.failed > 0) return "Some groups could not be salvaged: mend what the messages say, and run again."
  if (groups.busy > 0) return "Some groups are in use: run again when their holders have given them back."
  if (findings.loss > 0) return "Some things could not be saved: restore what is marked LOSS from a dump."
  return undefined
}
