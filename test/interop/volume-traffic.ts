/** What VolumeInfo counts of a volume's traffic is the same whether dafileserver or ours serves it, and is on disk at the end. */
import { openPartition } from "../../common/partition/partition.ts"
import { type Cell, cellAddress, startCell, wholeCell } from "../support/cell.ts"
import { untilDayLasts } from "../support/day.ts"
import { startOurs } from "../support/fuse-work.ts"
import { builtProgram } from "../support/project.ts"
import { needsCell } from "../support/requirements.ts"
import { infoOnDisk } from "../support/served-volumes.ts"

const program = builtProgram("test/interop/volume-traffic.program.ts")
/** Of another network than the cell's, on the cell's own machine. */
const far = "192.168.77.1"

/** The rows of numbers that `vos` shows: reads, writes, authorship by age; and the accesses of the day. */
async function countersOf(cell: Cell, name: string): Promise<number[][]> {
  const shown = await cell.vos("examine", name, "-extended", "-noauth")
  const rows = shown.split("\n").filter((line) => /^(Reads|Writes|\d|>).*\|/.test(line))
  const accesses = /(\d+) accesses/.exec(shown)?.[1]
  return [...rows.map((row) => row.split("|").slice(1, -1).map(Number)), [Number(accesses)]]
}

async function traffic(cell: Cell, name: string): Promise<number[][]> {
  await cell.exec(process.execPath, program, cellAddress, String(await cell.volumeId(name)), far)
  return await countersOf(cell, name)
}

/** The same from the disk. */
function countersOnDisk(cell: Cell, volume: number): number[][] {
  const info = infoOnDisk(openPartition(cell.partition("a")), volume)
  const { statFileSameAuthor, statFileDiffAuthor, statDirSameAuthor, statDirDiffAuthor } = info
  const columns = [statFileSameAuthor, statFileDiffAuthor, statDirSameAuthor, statDirDiffAuthor]
  const ages = [...statFileSameAuthor].map((_, slot) => columns.map((column) => column[slot] ?? Number.NaN))
  return [[...info.statReads], [...info.statWrites], ...ages, [info.dayUse]]
}

needsCell("traffic: reads, writes, authorship and accesses are counted as dafileserver counts them", async (t) => {
  t.timeout(400_000)
  await untilDayLasts(90)
  const cell = await startCell(t, ...wholeCell)
  await cell.exec("ip", "address", "add", `${far}/32`, "dev", "lo")
  const [, volume] = [await cell.createVolume("theirs"), await cell.createVolume("ours")]
  const theirs = await traffic(cell, "theirs")
  await cell.stop("fs")
  await startOurs(cell)
  const ours = await traffic(cell, "ours")
  t.deepEqual(ours, theirs)
  t.deepEqual(ours[0], [2, 0, 2, 0])
  t.is(ours.length, 9)
  await cell.stop("vol", "fs")
  t.deepEqual(countersOnDisk(cell, volume), ours)
})
