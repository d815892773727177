/** What each right alone allows: the same table against OpenAFS's fileserver and ours. */
import test from "ava"
import { cellAddress, startCell, wholeCell } from "../support/cell.ts"
import { startOurs } from "../support/fuse-work.ts"
import { expectedOutcomes } from "../support/one-right.ts"
import { needsCell } from "../support/requirements.ts"

const program = new URL("./one-right.program.js", import.meta.url).pathname

test("one right: the table names every operation for every right", (t) => {
  const counts = Object.values(expectedOutcomes()).map((row) => Object.keys(row).length)
  t.deepEqual(counts, Array(8).fill(43))
})

needsCell.serial("one right: OpenAFS's fileserver and ours allow the same with it", async (t) => {
  const cell = await startCell(t, ...wholeCell)
  const volume = await cell.createVolume("rights.theirs")
  const other = await cell.createVolume("rights.ours")
  const attempt = (id: number) => cell.exec(process.execPath, program, cellAddress, String(id))
  t.deepEqual(JSON.parse(await attempt(volume)), expectedOutcomes(), "dafileserver")
  await cell.stop("vol", "fs")
  await startOurs(cell)
  t.deepEqual(JSON.parse(await attempt(other)), expectedOutcomes(), "dafs fileserver")
})
