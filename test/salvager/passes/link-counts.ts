/** The link table against what the volumes use. */
import { appendFileSync, rmSync, statSync, truncateSync } from "node:fs"
import test from "ava"
import { partitionProblems } from "../../support/partition-state.ts"
import { base, dataPath, patchBytes, patchRecord, patchRow, recordOnDisk, specialPath } from "../../support/patch.ts"
import { damagedPartition, found, salvageAll } from "../../support/salvaged.ts"

const { rw } = base.ann
const table = (directory: string): string => specialPath(directory, rw, rw, "linkTable")

test("counts that are too high or too low are set to what the volumes use", async (t) => {
  const directory = damagedPartition(t, "base")
  patchRow(directory, rw, 4, 1)
  patchRow(directory, rw, 6, 7)
  patchRow(directory, rw, 8, 0)
  t.deepEqual(found(await salvageAll(directory)), ["link-count 4", "link-count 6", "link-count 8"])
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
})

/** Such a place is never used again, and five of them make a vnode unusable. OpenAFS never clears them. */
test("counts of data files that do not exist are cleared", async (t) => {
  const directory = damagedPartition(t, "base")
  patchRow(directory, rw, 900, 0o12345)
  const codes = found(await salvageAll(directory))
  t.deepEqual(codes, Array(5).fill("link-count-dangling 900"))
  t.deepEqual(partitionProblems(directory), [])
})

test("row 0 counts the volumes of the group, and nothing else is in it", async (t) => {
  for (const row of [0, 1, 7, 0xffff]) {
    const directory = damagedPartition(t, "base")
    patchRow(directory, rw, 0, row)
    t.deepEqual(found(await salvageAll(directory)), ["link-count-group"], `${row}`)
    patchBytes(table(directory), 8, 2, (bytes) => t.is(bytes.readUInt16LE(), 3))
    t.deepEqual(found(await salvageAll(directory)), [])
  }
})

for (const [words, damage] of [
  ["missing", (path: string) => rmSync(path)],
  ["empty", (path: string) => truncateSync(path, 0)],
  ["cut in its stamp", (path: string) => truncateSync(path, 5)],
  ["cut in a row", (path: string) => truncateSync(path, 51)],
  ["cut between rows", (path: string) => truncateSync(path, 50)],
  ["without its magic", (path: string) => patchBytes(path, 0, 4, (bytes) => bytes.fill(0))],
  ["of another version", (path: string) => patchBytes(path, 4, 4, (bytes) => bytes.writeUInt32LE(2))],
  ["longer than any row", (path: string) => appendFileSync(path, Buffer.alloc(7, 0x5a))],
] as const) {
  test(`a link table that is ${words} is put right in one run, row 0 too`, async (t) => {
    const directory = damagedPartition(t, "base")
    damage(table(directory))
    t.true(found(await salvageAll(directory)).length > 0)
    t.deepEqual(partitionProblems(directory), [])
    t.deepEqual(found(await salvageAll(directory)), [])
    t.is(statSync(table(directory)).size % 2, 0)
  })
}

/** A server that takes it for its own writes into the clone's directory. */
test("a directory of a read-write volume that shares its data file is marked as cloned", async (t) => {
  const directory = damagedPartition(t, "base")
  t.is(recordOnDisk(directory, rw, rw, 3).cloned, 1)
  patchRecord(directory, rw, rw, 3, { cloned: 0 })
  t.deepEqual(found(await salvageAll(directory)), [`vnode-cloned ${rw} 3`])
  t.is(recordOnDisk(directory, rw, rw, 3).cloned, 1)
})

test("a count that is right in the end is not told as a wrong one, whatever versions take one another's place", async (t) => {
  const directory = damagedPartition(t, "base")
  rmSync(dataPath(directory, rw, 25, 73, 1)) // of two volumes: they take the third's version, and then make one of their own
  const codes = found(await salvageAll(directory))
  t.true(codes.includes("link-count-dangling 25"))
  t.false(codes.includes("link-count 25"))
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
})
