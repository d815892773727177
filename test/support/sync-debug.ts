/** OpenAFS's debugging tools against a server in a cell: many commands in one go, and what each printed. */
import type { Cell } from "./cell.ts"

/** What a command printed, line by line. */
export type Transcript = ReadonlyMap<string, readonly string[]>

const mark = "=== "

/** Runs `tool` with each line of words, in order; equal lines are numbered. */
export async function transcriptOf(cell: Cell, tool: string, commands: readonly string[]): Promise<Transcript> {
  const script = commands.map((words) => `echo "${mark}${words}"; ${tool} ${words} 2>&1`).join("\n")
  const { stdout } = await cell.try("bash", ["-c", script])
  const transcript = new Map<string, readonly string[]>()
  for (const block of stdout.split(mark).slice(1)) {
    const [title = "", ...lines] = block.split("\n").map((line) => line.trim())
    let name = title
    for (let count = 2; transcript.has(name); count++) name = `${title} #${count}`
    transcript.set(
      name,
      lines.filter((line) => line !== "" && !/^\w{3} \w{3} +\d+ [\d:]+ \d{4} /.test(line)),
    )
  }
  return transcript
}

/** What no two servers print alike: addresses (set or not is what counts) and moments (past or never). */
export function comparable(line: string): string {
  if (/\(\*\*UNKNOWN\*\*\)$/.test(line)) return line.replace(/-?\d+/, "NUMBER") // of memory that was never set
  const [, field, value] = /^(\S+(?: \S+)?)\s*=\s*(.*)$/.exec(line) ?? []
  if (field === undefined || value === undefined) return line.replace(/0x[0-9a-f]{6,}/g, "SET")
  if (value === "(nil)") return `${field} = UNSET`
  if (/^0x[0-9a-f]+$/.test(value)) return `${field} = SET`
  if (/^(last_\w+|updateTime|\w+Date)$/.test(field)) return `${field} = ${/^0\b/.test(value) ? "NEVER" : "SOME TIME"}`
  if (/^(pid|tid|pkt_seq|com_seq)$/.test(field)) return `${field} = NUMBER`
  return `${field} = ${value}`
}

/** Lines that differ, as `command: theirs | ours`, without those that `deliberate` knows. */
export function differences(theirs: Transcript, ours: Transcript, deliberate: readonly RegExp[]): string[] {
  const found: string[] = []
  for (const [command, lines] of theirs) {
    const [a, b] = [lines.map(comparable), (ours.get(command) ?? []).map(comparable)]
    for (let index = 0; index < Math.max(a.length, b.length); index++) {
      const difference = `${command}: ${a[index] ?? ""} | ${b[index] ?? ""}`
      if (a[index] !== b[index] && !deliberate.some((known) => known.test(difference))) found.push(difference)
    }
  }
  return found
}
