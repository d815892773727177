/** One tree for each volume, whatever the directories say. */
import { readFileSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { partitionProblems, readPartitionState } from "../../support/partition-state.ts"
import { base, dataPath, entry, patchBytes, patchDirectory, patchRecord, recordOnDisk } from "../../support/patch.ts"
import { undamagedState } from "../../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll } from "../../support/salvaged.ts"

const { docs } = base
const root = (directory: string): string => dataPath(directory, docs, 1, 1)
const guide = (directory: string): string => dataPath(directory, docs, 3, 9)
const api = (directory: string): string => dataPath(directory, docs, 7, 25)
const v1 = (directory: string): string => dataPath(directory, docs, 9, 33)

const pathsOf = (directory: string): string[] => [
  ...(readPartitionState(directory).volumes.get(docs)?.tree.keys() ?? []),
]
const allPaths = (): string[] => [...(undamagedState().volumes.get(docs)?.tree.keys() ?? [])]

async function settled(t: ExecutionContext, directory: string): Promise<void> {
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
}

test("an entry that leads to the root, or of a directory to itself, is removed", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(guide(directory), (one) => {
    one.add(...entry("up", 1, 1))
    one.add(...entry("self", 3, 9))
  })
  t.deepEqual(found(await salvageAll(directory)), [`entry-surplus ${docs} 3`, `entry-surplus ${docs} 3`])
  t.deepEqual(pathsOf(directory), allPaths())
  await settled(t, directory)
})

test("a file that two directories name stays in the one that its record names", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(guide(directory), (one) => one.add(...entry("stolen", 44, 26)))
  t.deepEqual(found(await salvageAll(directory)), [`entry-surplus ${docs} 3`])
  t.deepEqual(pathsOf(directory), allPaths())
  await settled(t, directory)
})

/** OpenAFS's salvager leaves it to the order of vnode numbers. */
test("a directory that two name stays in the one that its record names, with all that is below it", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(guide(directory), (one) => one.add(...entry("api-too", 7, 25)))
  t.deepEqual(found(await salvageAll(directory)), [`entry-surplus ${docs} 3`])
  t.deepEqual(pathsOf(directory), allPaths())
  await settled(t, directory)
})

test("a file that only another directory than its record's names belongs to that", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(api(directory), (one) => one.remove(Buffer.from("amber022.dat")))
  patchDirectory(guide(directory), (one) => one.add(...entry("amber022.dat", 44, 26)))
  t.deepEqual(found(await salvageAll(directory)), [`vnode-parent ${docs} 44`])
  t.is(recordOnDisk(directory, docs, docs, 44).parent, 3)
  await settled(t, directory)
})

test("a directory has one name: of two in the same directory the second is removed, a file keeps both", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(root(directory), (one) => {
    one.add(...entry("api-too", 7, 25))
    one.add(...entry("river-too", 2, 2))
  })
  t.deepEqual(found(await salvageAll(directory)), [`entry-surplus ${docs} 1`, `vnode-links ${docs} 2`])
  t.deepEqual(pathsOf(directory).sort(), [...allPaths(), "/river-too"].sort())
  t.is(recordOnDisk(directory, docs, docs, 2).linkCount, 2)
  await settled(t, directory)
})

test("an entry with a wrong uniquifier is put right where nothing else names the vnode", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(api(directory), (one) => one.change(...entry("amber022.dat", 44, 9999)))
  t.deepEqual(found(await salvageAll(directory)), [`entry-unique ${docs} 7`])
  t.deepEqual(pathsOf(directory), allPaths())
  await settled(t, directory)
})

/** Put right like the former, it would give a new file a second name in a directory where it never was. */
test("an entry with a wrong uniquifier is removed where the vnode has its own name: a former user of the number", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(guide(directory), (one) => one.add(...entry("former", 44, 7)))
  t.deepEqual(found(await salvageAll(directory)), [`entry-stale ${docs} 3`])
  t.deepEqual(pathsOf(directory), allPaths())
  await settled(t, directory)
})

/** OpenAFS's salvager recurses until its stack is used up, and says nothing. */
test("directories in a circle are cut apart, whatever the length of the circle, and nothing in them is lost", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(root(directory), (one) => one.remove(Buffer.from("api")))
  patchDirectory(v1(directory), (one) => one.add(...entry("round", 7, 25)))
  patchRecord(directory, docs, docs, 7, { parent: 9 })
  const run = await salvageAll(directory)
  t.true(found(run).includes(`directory-cycle ${docs} 7`))
  const moved = pathsOf(directory).filter((path) => path.includes("__ORPHANDIR__.7.25"))
  t.is(moved.length, allPaths().filter((path) => path.startsWith("/api")).length)
  await settled(t, directory)
})

test("a directory that contains itself and nothing else contains is attached", async (t) => {
  const directory = damagedPartition(t, "base")
  patchDirectory(root(directory), (one) => one.remove(Buffer.from("api")))
  patchDirectory(api(directory), (one) => one.add(...entry("me", 7, 25)))
  patchRecord(directory, docs, docs, 7, { parent: 7 })
  await salvageAll(directory)
  t.true(pathsOf(directory).includes("/__ORPHANDIR__.7.25/amber022.dat"))
  await settled(t, directory)
})

test("two entries of one name: the second gets a name that can be found, and both files can be read", async (t) => {
  const directory = damagedPartition(t, "dir-duplicate-name")
  const { findings } = await salvageAll(directory)
  const repaired = findings.find(({ code }) => code === "entry-duplicate")
  t.regex(repaired?.repair ?? "", /renamed to ".*\.__DUPLICATE__\.\d+\.\d+"/)
  t.true(pathsOf(directory).some((path) => path.includes(".__DUPLICATE__.")))
  await settled(t, directory)
})

test("a name with a slash, which no client can ask for, is renamed", async (t) => {
  const directory = damagedPartition(t, "base")
  const path = api(directory)
  patchDirectory(path, (one) => one.add(...entry("a-b", 44, 26)))
  patchDirectory(path, (one) => one.remove(Buffer.from("amber022.dat")))
  const image = Buffer.alloc(2048)
  patchBytes(path, 0, 2048, (bytes) => {
    image.set(bytes)
    bytes.set(Buffer.from("a/b\0"), bytes.indexOf("a-b\0"))
  })
  const codes = found(await salvageAll(directory))
  t.true(codes.includes(`entry-name ${docs} 7`), codes.join())
  t.true(pathsOf(directory).includes("/api/a_b"))
  await settled(t, directory)
})

for (const [what, vnode] of [
  ["another vnode", 46],
  ["a free vnode", 900],
  ["a vnode beyond all", 0xffff_fff0],
  ["vnode 0", 0],
  ["the root", 1],
] as const)
  test(`an entry that leads to ${what} by its vnode number leads to the vnode of its uniquifier again`, async (t) => {
    const directory = damagedPartition(t, "base")
    patchEntry(api(directory), "amber022.dat", (bytes) => bytes.writeUInt32BE(vnode, 4))
    t.deepEqual(found(await salvageAll(directory)), [`entry-vnode ${docs} 7`])
    t.deepEqual(pathsOf(directory), allPaths())
    await settled(t, directory)
  })

/** OpenAFS's salvager keeps all names too. */
test("names of one file with wrong uniquifiers are all kept, as many as its link count says", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw } = base.ann
  const { inodeLow, inodeHigh } = recordOnDisk(directory, rw, rw, recordOnDisk(directory, rw, rw, 294).parent)
  const path = dataPath(directory, rw, inodeLow & 0x3ff_ffff, inodeHigh, inodeLow >>> 26)
  for (const name of ["hard1", "hard2"]) patchEntry(path, name, (bytes) => bytes.writeUInt32BE(9, 8))
  const codes = found(await salvageAll(directory))
  t.true(codes.length > 0 && codes.every((code) => code.startsWith("entry-unique")))
  t.deepEqual(
    [...(readPartitionState(directory).volumes.get(rw)?.tree.keys() ?? [])],
    [...(undamagedState().volumes.get(rw)?.tree.keys() ?? [])],
  )
  await settled(t, directory)
})

/** Changes the bytes of an entry with a short name. */
function patchEntry(path: string, name: string, change: (bytes: Buffer) => void): void {
  const image = readFileSync(path)
  const at = image.indexOf(`${name}\0`) - 12
  patchBytes(path, at, 32, change)
}

/** OpenAFS's salvager removes it, and does not look at clones. */
test("a file that a client removed while it was open gets an orphan's name in a read-write volume, and keeps its own in a clone", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw, bk } = base.proj
  const before = recordOnDisk(directory, rw, rw, 1)
  const path = dataPath(directory, rw, 1, 1, before.inodeLow >>> 26)
  const [name, tree] = ["/.__afs4711", (id: number) => readPartitionState(directory).volumes.get(id)?.tree]
  const [victim] = [...(tree(rw)?.entries() ?? [])].filter(([one]) => /^\/[^/]+\.[a-z]+$/.test(one)).map(([one]) => one)
  const { vnode, unique } = tree(rw)?.get(victim ?? "") ?? { vnode: 0, unique: 0 }
  patchDirectory(path, (one) => {
    one.remove(Buffer.from(victim?.slice(1) ?? ""))
    one.add(...entry(name.slice(1), vnode, unique))
  })
  t.deepEqual(found(await salvageAll(directory)), [`entry-unlinked ${rw} 1`])
  t.true(tree(rw)?.has(`/__ORPHANFILE__.${vnode}.${unique}`))
  t.false(tree(rw)?.has(name))
  t.true(tree(bk)?.has(name))
  await settled(t, directory)
})
