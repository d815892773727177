/** Indexes that were written over with those of another volume of the group. */
import { readFileSync, writeFileSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { partitionProblems, readPartitionState, type VolumeState } from "../../support/partition-state.ts"
import { base, patchRow, recordOnDisk, specialPath } from "../../support/patch.ts"
import { undamagedState } from "../../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll } from "../../support/salvaged.ts"

const directoryType = 2
const volumes = Object.entries(base.ann)

/** Contents of a volume's files and links, by path. */
function contentsOf({ tree }: VolumeState): Map<string, string | undefined> {
  const contents = new Map<string, string | undefined>()
  for (const [path, { target }] of tree)
    if (target !== undefined && target.type !== directoryType) contents.set(path, target.content)
  return contents
}

function lostFrom(t: ExecutionContext, directory: string): string[] {
  t.deepEqual(partitionProblems(directory), [])
  const after = readPartitionState(directory)
  const lost: string[] = []
  for (const [, id] of volumes) {
    const [before, volume] = [undamagedState().volumes.get(id), after.volumes.get(id)]
    if (before === undefined || volume === undefined) throw new Error(`volume ${id} is gone`)
    const now = contentsOf(volume)
    for (const [path, content] of contentsOf(before)) if (now.get(path) !== content) lost.push(`${id} ${path}`)
  }
  return lost
}

for (const [name, id] of volumes) {
  for (const [otherName, other] of volumes) {
    if (id === other) continue
    for (const index of ["smallIndex", "largeIndex"] as const) {
      test(`the ${index} of ${name} is written over with that of ${otherName}: every file of every volume is as before`, async (t) => {
        const directory = damagedPartition(t, "base")
        const { rw } = base.ann
        writeFileSync(specialPath(directory, rw, id, index), readFileSync(specialPath(directory, rw, other, index)))
        await salvageAll(directory)
        t.deepEqual(lostFrom(t, directory), [])
        t.deepEqual(found(await salvageAll(directory)), [])
      })
    }
  }
}

test("a row of the link table that is wrong in just that way makes no record another volume's", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw } = base.ann
  const vnode = 36 // one version is the read-only volume's, the next the two others'
  patchRow(directory, rw, vnode, 2 | (1 << 3))
  const records = volumes.map(([, id]) => recordOnDisk(directory, rw, id, vnode))
  t.deepEqual(found(await salvageAll(directory)), [`link-count ${vnode}`, `link-count ${vnode}`])
  t.deepEqual(
    volumes.map(([, id]) => recordOnDisk(directory, rw, id, vnode)),
    records,
  )
})

/** What the table says of other vnodes' files looked like versions that volumes had exchanged. */
test("a link table whose rows are shifted, moved or lost costs no volume its version of a file", async (t) => {
  for (const [at, length] of [
    [256, 256],
    [64, 2],
    [100, 100],
    [300, 32],
    [8, 4],
  ] as const)
    for (const isCut of [true, false]) {
      const directory = damagedPartition(t, "base")
      const path = specialPath(directory, base.ann.rw, base.ann.rw, "linkTable")
      const bytes = readFileSync(path)
      const middle = isCut ? Buffer.alloc(0) : Buffer.alloc(length)
      writeFileSync(path, Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(isCut ? at + length : at)]))
      await salvageAll(directory)
      t.deepEqual(lostFrom(t, directory), [], `${length} bytes at ${at}${isCut ? " cut out" : " put in"}`)
    }
})
