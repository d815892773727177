/** Objects of which a volume lost record and name, while another volume of its group still knows them. */
import { rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { openPartition } from "../../../common/partition/partition.ts"
import { partitionProblems, readPartitionState, type VolumeState } from "../../support/partition-state.ts"
import { base, recordOnDisk, specialPath } from "../../support/patch.ts"
import { undamagedState } from "../../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll } from "../../support/salvaged.ts"

const { rw } = base.ann
const directoryType = 2

function volume(state: { readonly volumes: ReadonlyMap<number, VolumeState> }, id: number): VolumeState {
  const one = state.volumes.get(id)
  if (one === undefined) throw new Error(`volume ${id} is gone`)
  return one
}

/** Contents of all files and links of a volume, and how often each is there. */
function contents({ tree }: VolumeState): Set<string> {
  const found = new Set<string>()
  for (const { target } of tree.values())
    if (target !== undefined && target.type !== directoryType) found.add(target.content ?? "missing")
  return found
}

/** Overwrites the data files of all directories of the read-write volume with zeros. */
function wipeDirectories(directory: string): void {
  const store = new InodeStore(openPartition(directory), rw)
  for (const { target, vnode } of volume(undamagedState(), rw).tree.values()) {
    if (target?.type !== directoryType) continue
    const { inodeHigh: high, inodeLow: low } = recordOnDisk(directory, rw, rw, vnode)
    const path = store.path({ high, low })
    writeFileSync(path, Buffer.alloc(statSync(path).size))
  }
}

async function allIsThere(t: ExecutionContext, directory: string): Promise<void> {
  await salvageAll(directory)
  const after = readPartitionState(directory)
  for (const id of Object.values(base.ann)) {
    const present = contents(volume(after, id))
    const lost = [...contents(volume(undamagedState(), id))].filter((content) => !present.has(content))
    t.deepEqual(lost, [], `volume ${id}`)
  }
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
}

for (const [how, damage] of [
  ["missing", (path: string) => rmSync(path)],
  ["cut off at a record", (path: string) => truncateSync(path, 2 * 64)],
] as const) {
  for (const table of ["with", "without"] as const) {
    test(`the small index is ${how} and all directories are wiped, ${table} a link table: what clones have comes back to the read-write volume`, async (t) => {
      const directory = damagedPartition(t, "base")
      damage(specialPath(directory, rw, rw, "smallIndex"))
      if (table === "without") rmSync(specialPath(directory, rw, rw, "linkTable"))
      wipeDirectories(directory)
      await allIsThere(t, directory)
    })
  }
}

test("what a directory that can be read does not name stays gone, though a clone has it", async (t) => {
  const directory = damagedPartition(t, "base")
  rmSync(specialPath(directory, rw, rw, "smallIndex"))
  rmSync(specialPath(directory, rw, rw, "linkTable"))
  const before = volume(undamagedState(), rw)
  await salvageAll(directory)
  const after = volume(readPartitionState(directory), rw)
  t.deepEqual([...after.tree.keys()].sort(), [...before.tree.keys()].sort())
})
