import test from "ava"
import { formatTable, printable, printJson, printTable } from "../../../common/cli/output.ts"

const columns = [
  { title: "NAME", value: (row: { name: string; size?: number }) => row.name },
  { title: "SIZE", value: (row: { name: string; size?: number }) => row.size, align: "right" },
] as const

function written(print: (out: { write(text: string): void }) => void): string {
  let all = ""
  print({
    write: (text) => {
      all += text
    },
  })
  return all
}

test("output: columns line up under their headings, and lines end without blanks", (t) => {
  t.is(
    formatTable([{ name: "root.cell", size: 7 }, { name: "x" }, { name: "y", size: 12_345 }], columns),
    "NAME        SIZE\nroot.cell      7\nx\ny          12345\n",
  )
})

test("output: a table of nothing is nothing", (t) => {
  t.is(
    written((out) => printTable([], columns, out)),
    "",
  )
})

test("output: a name read from a disk cannot move the cursor or start a line of its own", (t) => {
  t.is(printable("a\x1b[2Jb\nc\u2028d\x7f"), "a\\x1b[2Jb\\x0ac\\u2028d\\x7f")
  t.is(printable("naïve – ünïcode"), "naïve – ünïcode")
  t.is(formatTable([{ name: "a\nb" }], columns).split("\n").length, 3)
})

test("output: JSON is one document, and a number too large for it keeps its digits", (t) => {
  const text = written((out) => printJson({ id: 5n, inode: 0x1fff_ffff_ffff_ffffn }, out))
  t.deepEqual(JSON.parse(text), { id: 5, inode: "2305843009213693951" })
  t.true(text.endsWith("}\n"))
})
