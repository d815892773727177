import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { readThisCell } from "../../../common/cell/this-cell.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { FormatError } from "../../../common/error.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

test("ThisCell: the first word of the first line is the cell, with or without a newline", (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, "ThisCell")
  t.is(readThisCell(directory, nodeDisk), undefined)
  for (const text of ["test.cell", "test.cell\n", "  test.cell and more\nother\n", "test.cell\r\n"]) {
    writeFileSync(path, text)
    t.is(readThisCell(directory, nodeDisk), "test.cell", JSON.stringify(text))
  }
})

test("ThisCell: a file that names no cell is an error with its path", (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, "ThisCell")
  for (const text of ["", "\n", "   \ntest.cell\n", "x".repeat(64), "b\u00fccher\n"]) {
    writeFileSync(path, text, "latin1")
    const error = t.throws(() => readThisCell(directory, nodeDisk), { instanceOf: FormatError }, JSON.stringify(text))
    t.is(error?.path, path)
  }
})
