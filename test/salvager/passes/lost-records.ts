/** Records that are gone although their data files are there. */
import { rmSync, truncateSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { describeTree, partitionProblems, readPartitionState } from "../../support/partition-state.ts"
import { base, patchBytes, patchRecord, recordOnDisk, specialPath, zeroRecord } from "../../support/patch.ts"
import { undamagedState } from "../../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll } from "../../support/salvaged.ts"

type Tree = Record<string, string>

/** All but versions and times, which a rebuilt record cannot know. */
const withoutVersions = (tree: Tree): Tree =>
  Object.fromEntries(Object.entries(tree).map(([path, line]) => [path, line.replace(/ version \d+/, "")]))

function trees(directory: string, id: number): { now: Tree; before: Tree } {
  const now = readPartitionState(directory).volumes.get(id)
  const before = undamagedState().volumes.get(id)
  if (now === undefined || before === undefined) throw new Error(`volume ${id} is gone`)
  const options = { dates: false }
  return { now: withoutVersions(describeTree(now, options)), before: withoutVersions(describeTree(before, options)) }
}

async function settled(t: ExecutionContext, directory: string): Promise<void> {
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
}

/** OpenAFS's salvager makes empty indexes and then removes all data files. */
test("both indexes of a volume without clones are lost: every file comes back at its path, with its content", async (t) => {
  const directory = damagedPartition(t, "base")
  const { docs } = base
  rmSync(specialPath(directory, docs, docs, "smallIndex"))
  truncateSync(specialPath(directory, docs, docs, "largeIndex"), 0)
  await salvageAll(directory)
  const { now, before } = trees(directory, docs)
  const content = (tree: Tree): string[] =>
    Object.entries(tree).map(([path, line]) => `${path} ${/content \S+/.exec(line)?.[0] ?? "directory"}`)
  const wanted = content(before).map((line) => line)
  t.deepEqual(content(now), wanted)
  t.regex(now["/latest"] ?? "", /^link/, "its text is the path of another file")
  await settled(t, directory)
})

for (const [which, id] of [
  ["read-write volume", base.ann.rw],
  ["read-only clone", base.ann.ro],
  ["backup clone", base.ann.bk],
] as const) {
  test(`an index of the ${which} of a group is lost: modes, owners and access lists come from the other volumes, its own versions of files from the link counts`, async (t) => {
    const directory = damagedPartition(t, "base")
    rmSync(specialPath(directory, base.ann.rw, id, "smallIndex"))
    rmSync(specialPath(directory, base.ann.rw, id, "largeIndex"))
    await salvageAll(directory)
    const { now, before } = trees(directory, id)
    const content = (line: string | undefined): string | undefined => /content \S+/.exec(line ?? "")?.[0]
    t.deepEqual(Object.keys(now), Object.keys(before))
    for (const [path, line] of Object.entries(before)) t.is(content(now[path]), content(line), path)
    // a mode that was changed between two clones is that of the nearest one
    const alike = Object.entries(before).filter(([path, line]) => now[path] === line)
    t.true(alike.length > 0.95 * Object.keys(before).length)
    for (const other of Object.values(base.ann)) {
      if (other === id) continue
      const others = trees(directory, other)
      t.deepEqual(others.now, others.before)
    }
    await settled(t, directory)
  })
}

test("a lost record is made again from the clone's record of the same object", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw } = base.proj
  const before = recordOnDisk(directory, rw, rw, 38)
  zeroRecord(directory, rw, rw, 38)
  t.deepEqual(found(await salvageAll(directory)), [`vnode-rebuilt ${rw} 38`])
  const after = recordOnDisk(directory, rw, rw, 38)
  t.deepEqual({ ...after, serverModifyTime: 0 }, { ...before, serverModifyTime: 0 })
  await settled(t, directory)
})

test("a record whose type alone was lost is taken as it is", async (t) => {
  const directory = damagedPartition(t, "base")
  const { docs } = base
  const before = recordOnDisk(directory, docs, docs, 44)
  patchRecord(directory, docs, docs, 44, { type: 0 })
  t.deepEqual(found(await salvageAll(directory)), [`vnode-rebuilt ${docs} 44`])
  const { mode, owner, unixModifyTime, type } = recordOnDisk(directory, docs, docs, 44)
  t.deepEqual([mode, owner, unixModifyTime, type], [before.mode, before.owner, before.unixModifyTime, 1])
})

test("a directory that lost its record, access list and all, has no clone: administrators alone may enter, and it is told", async (t) => {
  const directory = damagedPartition(t, "base")
  const { docs } = base
  zeroRecord(directory, docs, docs, 7)
  const codes = found(await salvageAll(directory))
  t.true(codes.includes(`acl-lost ${docs} 7`))
  const { now } = trees(directory, docs)
  t.regex(now["/api"] ?? "", /acl -204:127/)
  await settled(t, directory)
})

test("a directory that lost its record but not the access list behind it keeps that", async (t) => {
  const directory = damagedPartition(t, "base")
  const { docs } = base
  patchBytes(specialPath(directory, docs, docs, "largeIndex"), 4 * 256, 64, (bytes) => bytes.fill(0))
  const codes = found(await salvageAll(directory))
  t.true(codes.includes(`vnode-guessed ${docs} 7`))
  t.false(codes.includes(`acl-lost ${docs} 7`))
  const { now, before } = trees(directory, docs)
  const acl = (line: string | undefined): string | undefined => /acl \S+/.exec(line ?? "")?.[0]
  t.is(acl(now["/api"]), acl(before["/api"]))
})

test("an access list whose head is damaged is mended; one that is garbage comes from a clone", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw } = base.proj
  const large = specialPath(directory, rw, rw, "largeIndex")
  patchBytes(large, 256 + 64, 4, (bytes) => bytes.writeInt32LE(0)) // size, root
  patchBytes(large, 2 * 256 + 64, 64, (bytes) => bytes.fill(0xa5)) // all, vnode 3
  t.deepEqual(found(await salvageAll(directory)), [`acl-damaged ${rw} 1`, `acl-damaged ${rw} 3`])
  const { now, before } = trees(directory, rw)
  t.deepEqual(now, before)
  await settled(t, directory)
})

test("an index that ends in the middle of a record: the whole records stay as they are, the rest is rebuilt", async (t) => {
  const directory = damagedPartition(t, "base")
  const { docs } = base
  for (const [type, size] of [
    ["smallIndex", 40 * 64 + 37],
    ["largeIndex", 5 * 256 + 100],
  ] as const)
    truncateSync(specialPath(directory, docs, docs, type), size)
  await salvageAll(directory)
  const { now, before } = trees(directory, docs)
  t.deepEqual(Object.keys(now), Object.keys(before))
  await settled(t, directory)
})
