/** Vnode records against their data files. */
import { copyFileSync, renameSync, rmSync, truncateSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { classOf, type VnodeRecord } from "../../../common/vnode/vnode-record.ts"
import { describeTree, partitionProblems, readPartitionState } from "../../support/partition-state.ts"
import { base, dataPath, patchRecord, recordOnDisk } from "../../support/patch.ts"
import { needsRoot } from "../../support/requirements.ts"
import { undamagedState } from "../../support/salvage-outcome.ts"
import { damagedPartition, found, salvageAll } from "../../support/salvaged.ts"

const { docs } = base
/** /amber002.dat, vnode 4 uniquifier 3, and /api, vnode 7 uniquifier 25. */
const file = { vnode: 4, unique: 3 }
const folder = { vnode: 7, unique: 25 }

const cases: readonly { readonly vnode: number; readonly spoilt: Partial<VnodeRecord>; readonly code: string }[] = [
  { vnode: file.vnode, spoilt: { magic: 0 }, code: "vnode-magic" },
  { vnode: file.vnode, spoilt: { type: 2 }, code: "vnode-type" },
  { vnode: file.vnode, spoilt: { type: 7 }, code: "vnode-type" },
  { vnode: file.vnode, spoilt: { uniquifier: 77_000 }, code: "vnode-unique" },
  { vnode: file.vnode, spoilt: { lengthLow: 1 }, code: "vnode-length" },
  { vnode: file.vnode, spoilt: { lengthHigh: 1 }, code: "vnode-length" },
  { vnode: file.vnode, spoilt: { dataVersion: 0 }, code: "vnode-version" },
  { vnode: file.vnode, spoilt: { inodeHigh: 4711 }, code: "vnode-inode" },
  { vnode: file.vnode, spoilt: { inodeLow: 0 }, code: "vnode-inode" },
  { vnode: file.vnode, spoilt: { inodeLow: file.vnode | (3 << 26) }, code: "vnode-inode" },
  { vnode: file.vnode, spoilt: { lockCount: -7 }, code: "vnode-lock" },
  { vnode: file.vnode, spoilt: { linkCount: -3 }, code: "vnode-links" },
  { vnode: file.vnode, spoilt: { parent: 3 }, code: "vnode-parent" },
  { vnode: folder.vnode, spoilt: { magic: 0xda8c_041f }, code: "vnode-magic" },
  { vnode: folder.vnode, spoilt: { type: 1 }, code: "vnode-type" },
  { vnode: folder.vnode, spoilt: { parent: 7 }, code: "vnode-parent" },
  { vnode: folder.vnode, spoilt: { linkCount: 900 }, code: "vnode-links" },
  { vnode: 1, spoilt: { parent: 3 }, code: "vnode-parent" },
]

for (const { vnode, spoilt, code } of cases) {
  // a development partition does not record the data version that a file was created with
  const declare = code === "vnode-version" ? needsRoot : test
  declare(
    `vnode ${vnode} with ${JSON.stringify(spoilt)} is put right (${code}) and keeps its content, mode and owner`,
    async (t: ExecutionContext) => {
      const directory = damagedPartition(t, "base")
      const before = recordOnDisk(directory, docs, docs, vnode)
      patchRecord(directory, docs, docs, vnode, spoilt)
      t.deepEqual(found(await salvageAll(directory)), [`${code} ${docs} ${vnode}`])
      const after = recordOnDisk(directory, docs, docs, vnode)
      t.true(after.dataVersion >= before.dataVersion)
      const { dataVersion, serverModifyTime } = before
      t.deepEqual({ ...after, dataVersion, serverModifyTime }, before)
      t.deepEqual(partitionProblems(directory), [])
    },
  )
}

test("a symbolic link whose type is lost is told by what servers do: content, and data version 0 or a clone's record", async (t) => {
  const directory = damagedPartition(t, "base")
  // /lib of proj has a clone's record; /latest of docs has none
  patchRecord(directory, base.proj.rw, base.proj.rw, 186, { type: 6 })
  patchRecord(directory, docs, docs, 86, { type: 4, dataVersion: 0 })
  await salvageAll(directory)
  t.is(recordOnDisk(directory, base.proj.rw, base.proj.rw, 186).type, 3)
  t.is(recordOnDisk(directory, docs, docs, 86).type, 3)
})

/** OpenAFS's salvager gives the vnode up in the read-write volume and deletes the clone. */
test("a data file that is gone costs that file, in each volume that had it, and nothing else", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw, bk } = base.proj
  rmSync(dataPath(directory, rw, 86, 49))
  const run = await salvageAll(directory)
  t.deepEqual(
    run.findings.filter(({ severity }) => severity === "loss").map(({ code, volume }) => `${code} ${volume}`),
    [`vnode-data-missing ${rw}`, `vnode-data-missing ${bk}`, `entry-dangling ${rw}`, `entry-dangling ${bk}`],
  )
  const state = readPartitionState(directory)
  for (const id of [rw, bk]) {
    const [now, before] = [state.volumes.get(id), undamagedState().volumes.get(id)]
    if (now === undefined || before === undefined) return t.fail(`volume ${id} is gone`)
    const lost = Object.keys(describeTree(before)).filter((path) => !(path in describeTree(now)))
    t.deepEqual(lost, ["/doc/cedar043.log"])
  }
  t.deepEqual(state.problems, [])
})

test("where a data file is gone but an older version of it is there, that takes its place, and the loss is told", async (t) => {
  const directory = damagedPartition(t, "base")
  const { rw } = base.ann
  // /tmp of ann: vnode 34 was changed twice after clones were made
  const { inodeLow, inodeHigh, uniquifier } = recordOnDisk(directory, rw, rw, 34)
  const path = dataPath(directory, rw, 34, inodeHigh, inodeLow >>> 26)
  truncateSync(path, 0)
  rmSync(path)
  const run = await salvageAll(directory)
  const codes = run.findings.filter(({ vnode }) => vnode === 34).map(({ code }) => code)
  t.true(codes.includes("vnode-data-older") || codes.includes("vnode-inode"), codes.join())
  t.is(recordOnDisk(directory, rw, rw, 34).uniquifier, uniquifier)
  t.deepEqual(partitionProblems(directory), [])
})

test("a record that leads nowhere and says nothing is freed without a word about loss", async (t) => {
  const directory = damagedPartition(t, "base")
  patchRecord(directory, docs, docs, 300, { type: 5, magic: 0x1234, uniquifier: 9, inodeLow: 1, inodeHigh: 2 })
  t.deepEqual(found(await salvageAll(directory)), [`vnode-garbage ${docs} 300`])
  t.is(recordOnDisk(directory, docs, docs, 300).type, 0)
})

test("a data file in the place of another is believed only where the record cannot be right", async (t) => {
  const directory = damagedPartition(t, "base")
  // a copy of the file under a tag that nobody counts, of the same size: the record's own file is the right one
  copyFileSync(dataPath(directory, docs, 4, 3), dataPath(directory, docs, 4, 3, 2))
  const { inodeLow } = recordOnDisk(directory, docs, docs, 4)
  await salvageAll(directory)
  t.is(recordOnDisk(directory, docs, docs, 4).inodeLow, inodeLow)
  t.is(classOf(4), "small")
  renameSync(dataPath(directory, docs, 4, 3), dataPath(directory, docs, 4, 3, 1))
  t.deepEqual(
    found(await salvageAll(directory)).filter((code) => code.startsWith("vnode")),
    [`vnode-inode ${docs} 4`],
  )
  t.deepEqual(partitionProblems(directory), [])
})

for (const { vnode, unique } of [file, folder])
  test(`vnode ${vnode} whose record has neither its uniquifier nor its data file comes back by its entry, with mode and owner`, async (t) => {
    const directory = damagedPartition(t, "base")
    const { linkCount, mode, owner } = recordOnDisk(directory, docs, docs, vnode)
    patchRecord(directory, docs, docs, vnode, { uniquifier: 900, inodeHigh: 901, inodeLow: 0 })
    t.deepEqual(found(await salvageAll(directory)), [`vnode-rebuilt ${docs} ${vnode}`])
    const after = recordOnDisk(directory, docs, docs, vnode)
    t.like(after, { uniquifier: unique, linkCount, mode, owner })
    t.deepEqual(partitionProblems(directory), [])
    t.deepEqual(found(await salvageAll(directory)), [])
  })

/** OpenAFS's salvager makes a symbolic link of it. */
test("a file whose record says that it is a symbolic link is a file again if it has lines", async (t) => {
  const directory = damagedPartition(t, "base")
  patchRecord(directory, docs, docs, 46, { type: 3 })
  t.deepEqual(found(await salvageAll(directory)), [`vnode-type ${docs} 46`])
  t.is(recordOnDisk(directory, docs, docs, 46).type, 1)
  t.is(recordOnDisk(directory, docs, docs, 46).mode, 0o444)
  t.deepEqual(found(await salvageAll(directory)), [])
})
