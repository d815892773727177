/** How results reach stdout: a table for people, one JSON document for programs. Everything else goes to stderr. */

/** One column of a table: its heading, and what it shows of a row (undefined: nothing). */
export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number | bigint | boolean | undefined
  /** Numbers are best on the right. Default `left`. */
  readonly align?: "left" | "right"
}

/** Where text goes; process.stdout is one. */
export interface TextSink {
  write(text: string): unknown
}

/** Text from a disk or a network may hold anything: what would move a terminal's cursor is shown as `\x1b`. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (character) => {
    const number = character.codePointAt(0) ?? 0
    return number < 0x100 ? `\\x${number.toString(16).padStart(2, "0")}` : `\\u${number.toString(16)}`
  })
}

function cellText<Row>(row: Row, column: Column<Row>): string {
  const value = column.value(row)
  return value === undefined ? "" : printable(String(value))
}

function pad(text: string, width: number, align: "left" | "right"): string {
  return align === "right" ? text.padStart(width) : text.padEnd(width)
}

/** A heading and a line for each row, columns two spaces apart, every line ended. No rows: nothing at all. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  if (rows.length === 0) return ""
  const lines = [columns.map((column) => column.title), ...rows.map((row) => columns.map((c) => cellText(row, c)))]
  const widths = columns.map((_, index) => lines.reduce((most, line) => Math.max(most, line[index]?.length ?? 0), 0))
  const format = (line: string[]): string =>
    columns
      .map((column, index) => pad(line[index] ?? "", widths[index] ?? 0, column.align ?? "left"))
      .join("  ")
      .trimEnd()
  return lines.map((line) => `${format(line)}\n`).join("")
}

/** Prints a table (formatTable). */
export function printTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  out: TextSink = process.stdout,
): void {
  out.write(formatTable(rows, columns))
}

/** A bigint is a JSON number where a number can hold it, else its digits as a string. */
function plainNumber(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value.toString()
}

/** Prints one JSON document, indented by two. */
export function printJson(value: unknown, out: TextSink = process.stdout): void {
  out.write(`${JSON.stringify(value, plainNumber, 2)}\n`)
}
