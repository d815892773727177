/** What directories hold after a salvage, and what the records say of them. */
import test from "ava"
import { partitionProblems, readPartitionState } from "../../support/partition-state.ts"
import { base, dataPath, patchBytes, patchRow, recordOnDisk } from "../../support/patch.ts"
import { damagedPartition, found, salvageAll, salvageTime } from "../../support/salvaged.ts"

const { rw, bk } = base.proj

/** /src/cmd of proj, vnode 9 uniquifier 37: one data file that the read-write volume and its backup share. */
function withDamagedShared(t: Parameters<typeof damagedPartition>[0]): string {
  const directory = damagedPartition(t, "base")
  patchBytes(dataPath(directory, rw, 9, 37), 32, 1, (bytes) => bytes.fill(46)) // allocation map
  return directory
}

test("a rewritten directory is a new data file with a higher version, and the record says when", async (t) => {
  const directory = withDamagedShared(t)
  const before = recordOnDisk(directory, rw, rw, 9)
  t.deepEqual(found(await salvageAll(directory)), [`directory-damaged ${rw} 9`, `directory-damaged ${bk} 9`])
  const after = recordOnDisk(directory, rw, rw, 9)
  t.not(after.inodeLow, before.inodeLow)
  t.is(after.dataVersion, before.dataVersion + 200)
  t.is(after.serverModifyTime, salvageTime)
  t.deepEqual([after.mode, after.owner, after.unixModifyTime], [before.mode, before.owner, before.unixModifyTime])
  t.deepEqual(partitionProblems(directory), [])
})

/** Each with a version of its own, a few clones would use up the five versions that a vnode can have. */
test("volumes that share a damaged directory go on sharing the repaired one", async (t) => {
  const directory = withDamagedShared(t)
  await salvageAll(directory)
  const [one, other] = [recordOnDisk(directory, rw, rw, 9), recordOnDisk(directory, rw, bk, 9)]
  t.deepEqual([one.inodeLow, one.inodeHigh], [other.inodeLow, other.inodeHigh])
  t.is(one.cloned, 1)
})

test("a repaired directory that shares with nobody is not marked as cloned; one that does is", async (t) => {
  const directory = damagedPartition(t, "base")
  patchBytes(dataPath(directory, base.docs, 7, 25), 32, 1, (bytes) => bytes.fill(46))
  await salvageAll(directory)
  t.is(recordOnDisk(directory, base.docs, base.docs, 7).cloned, 0)
})

test("where all versions of a directory are in use it is written in place", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = dataPath(directory, base.docs, 7, 25)
  patchBytes(path, 32, 1, (bytes) => bytes.fill(46))
  const { readFileSync, writeFileSync, chmodSync, chownSync } = await import("node:fs")
  for (const tag of [1, 2, 3, 4]) {
    // versions that nobody uses any more, but that the count table still knows
    const other = dataPath(directory, base.docs, 7, 25, tag)
    writeFileSync(other, readFileSync(path), { mode: 0o600 })
    if (process.geteuid?.() !== 0) continue
    chownSync(other, 1, 0)
    chmodSync(other, tag)
  }
  patchRow(directory, base.docs, 7, 0o11111)
  const { inodeLow } = recordOnDisk(directory, base.docs, base.docs, 7)
  t.true(found(await salvageAll(directory)).includes(`directory-damaged ${base.docs} 7`))
  t.is(recordOnDisk(directory, base.docs, base.docs, 7).inodeLow, inodeLow)
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
})

test("--salvagedirs rebuilds every directory: names and contents stay, a second ordinary run finds nothing", async (t) => {
  const directory = damagedPartition(t, "base")
  const tree = (): string[] => [...(readPartitionState(directory).volumes.get(rw)?.tree.keys() ?? [])]
  const before = tree()
  const codes = found(await salvageAll(directory, { salvageDirs: true }))
  t.true(codes.length > 30)
  t.true(codes.every((code) => code.startsWith("directory-redone")))
  t.deepEqual(tree(), before)
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
})
