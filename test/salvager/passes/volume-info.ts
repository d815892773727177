/** VolumeInfo: judged field by field, made again where it is lost. */
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import test from "ava"
import type { VolumeInfo } from "../../../common/volume/volume-info.ts"
import { isVolumeName } from "../../../salvager/passes/volume-info.ts"
import { partitionProblems } from "../../support/partition-state.ts"
import { base, patchBytes, patchVolumeInfo, specialPath, volumeInfoOnDisk } from "../../support/patch.ts"
import { damagedPartition, found, salvageAll } from "../../support/salvaged.ts"

const { rw, ro, bk } = base.ann

const cases: readonly { readonly volume: number; readonly spoilt: Partial<VolumeInfo>; readonly code: string }[] = [
  { volume: rw, spoilt: { id: 7 }, code: "info-field" },
  { volume: rw, spoilt: { parentId: 7 }, code: "info-field" },
  { volume: rw, spoilt: { type: 9 }, code: "info-field" },
  { volume: ro, spoilt: { type: 0 }, code: "info-field" },
  { volume: bk, spoilt: { type: -5 }, code: "info-field" },
  { volume: ro, spoilt: { name: "" }, code: "info-field" },
  { volume: bk, spoilt: { name: "an\u0001n" }, code: "info-field" },
  { volume: rw, spoilt: { magic: 1 }, code: "info-stamp" },
  { volume: rw, spoilt: { version: 2 }, code: "info-stamp" },
  { volume: rw, spoilt: { uniquifier: 3 }, code: "info-uniquifier" },
  { volume: rw, spoilt: { filecount: 3 }, code: "info-counts" },
  { volume: rw, spoilt: { diskused: -1 }, code: "info-counts" },
  { volume: rw, spoilt: { inUse: 1 }, code: "info-state" },
  { volume: rw, spoilt: { needsSalvaged: 1 }, code: "info-state" },
  { volume: rw, spoilt: { inService: 0x40 }, code: "info-flag" },
  { volume: rw, spoilt: { destroyMe: 0x7f }, code: "info-flag" },
  { volume: rw, spoilt: { maxquota: -9 }, code: "info-flag" },
]

for (const { volume, spoilt, code } of cases) {
  test(`VolumeInfo of ${volume} with ${JSON.stringify(spoilt)} is put right (${code}), all else stays`, async (t) => {
    const directory = damagedPartition(t, "base")
    const before = volumeInfoOnDisk(directory, rw, volume)
    patchVolumeInfo(directory, rw, volume, spoilt)
    t.deepEqual(found(await salvageAll(directory)), [`${code} ${volume}`])
    const after = volumeInfoOnDisk(directory, rw, volume)
    const { uniquifier, ...rest } = after
    t.true(uniquifier >= before.uniquifier)
    t.deepEqual({ ...rest, uniquifier: before.uniquifier }, before)
    t.deepEqual(partitionProblems(directory), [])
  })
}

const { docs, proj } = base

for (const [what, group, id, otherGroup, other, name] of [
  ["a volume alone in its group, that of another group's backup volume", docs, docs, proj.rw, proj.bk, `bogus.${docs}`],
  ["a read-write volume, that of its backup volume", rw, rw, rw, bk, "ann"],
  ["a read-only volume, that of its read-write volume", rw, ro, rw, rw, "ann.readonly"],
] as const)
  test(`VolumeInfo of ${what}: it does not become that volume`, async (t) => {
    const directory = damagedPartition(t, "base")
    const { type } = volumeInfoOnDisk(directory, group, id)
    const foreign = readFileSync(specialPath(directory, otherGroup, other, "volumeInfo"))
    writeFileSync(specialPath(directory, group, id, "volumeInfo"), foreign)
    t.true(found(await salvageAll(directory)).includes(`info-damaged ${id}`))
    const after = volumeInfoOnDisk(directory, group, id)
    t.deepEqual([after.name, after.id, after.parentId, after.type], [name, id, group, type])
    t.deepEqual(partitionProblems(directory), [])
    t.deepEqual(found(await salvageAll(directory)), [])
  })

/** OpenAFS's salvager turns every volume on that it has looked at, also one that an operator had taken offline. */
test("a volume that an operator took out of service stays so", async (t) => {
  const directory = damagedPartition(t, "base")
  patchVolumeInfo(directory, rw, rw, { inService: 0, filecount: 3 })
  await salvageAll(directory)
  t.is(volumeInfoOnDisk(directory, rw, rw).inService, 0)
})

test("a lost VolumeInfo is made again from a clone's: name, quota and dates, and the volume goes online as before", async (t) => {
  const directory = damagedPartition(t, "base")
  const before = volumeInfoOnDisk(directory, rw, rw)
  rmSync(specialPath(directory, rw, rw, "volumeInfo"))
  t.deepEqual(found(await salvageAll(directory)), [`info-missing ${rw}`])
  const after = volumeInfoOnDisk(directory, rw, rw)
  const kept = ({
    name,
    type,
    id,
    parentId,
    cloneId,
    backupId,
    blessed,
    inService,
    filecount,
    diskused,
    maxquota,
  }: VolumeInfo) => ({ name, type, id, parentId, cloneId, backupId, blessed, inService, filecount, diskused, maxquota })
  t.deepEqual(kept(after), kept(before))
  t.true(after.uniquifier >= before.uniquifier)
})

test("a clone's lost VolumeInfo gets the clone's own name and type", async (t) => {
  for (const [volume, name, type] of [
    [ro, "ann.readonly", 1],
    [bk, "ann.backup", 2],
  ] as const) {
    const directory = damagedPartition(t, "base")
    truncateSync(specialPath(directory, rw, volume, "volumeInfo"), 0)
    await salvageAll(directory)
    const info = volumeInfoOnDisk(directory, rw, volume)
    t.deepEqual([info.name, info.type, info.inService], [name, type, 1])
  }
})

test("a lost VolumeInfo without a clone: the volume is served under a made-up name, and the loss is told", async (t) => {
  const directory = damagedPartition(t, "base")
  rmSync(specialPath(directory, base.docs, base.docs, "volumeInfo"))
  t.deepEqual(found(await salvageAll(directory)), [`info-missing ${base.docs}`, `info-lost ${base.docs}`])
  const info = volumeInfoOnDisk(directory, base.docs, base.docs)
  t.deepEqual([info.name, info.blessed, info.inService, info.maxquota], [`bogus.${base.docs}`, 1, 1, 0])
})

test("of a VolumeInfo that is cut off behind the counts, all that is there is kept", async (t) => {
  const directory = damagedPartition(t, "base")
  const before = volumeInfoOnDisk(directory, base.docs, base.docs)
  truncateSync(specialPath(directory, base.docs, base.docs, "volumeInfo"), 200)
  t.deepEqual(found(await salvageAll(directory)), [`info-damaged ${base.docs}`, `info-field ${base.docs}`])
  const { name, maxquota, backupId, uniquifier } = volumeInfoOnDisk(directory, base.docs, base.docs)
  t.deepEqual(
    [name, maxquota, backupId, uniquifier],
    [before.name, before.maxquota, before.backupId, before.uniquifier],
  )
})

test("volume names: printable, not empty, without spaces, at most 31 bytes", (t) => {
  t.true(["a", "root.cell", "x".repeat(31)].every(isVolumeName))
  t.false(["", "a b", "x".repeat(32), "ä", "a\n"].some(isVolumeName))
})

/** OpenAFS's salvager leaves the volume unblessed: it would not go online again. */
test("flags that were wiped together with what is never 0 are set again; an operator's stay as they are", async (t) => {
  const { docs, proj } = base
  const directory = damagedPartition(t, "base")
  patchVolumeInfo(directory, docs, docs, { blessed: 0, inService: 0, uniquifier: 0, parentId: 0 })
  patchVolumeInfo(directory, proj.rw, proj.rw, { inService: 0, uniquifier: 0 })
  await salvageAll(directory)
  t.like(volumeInfoOnDisk(directory, docs, docs), { blessed: 1, inService: 1, parentId: docs })
  t.like(volumeInfoOnDisk(directory, proj.rw, proj.rw), { blessed: 1, inService: 0 })
  t.deepEqual(found(await salvageAll(directory)), [])
})

test("two volumes of a group that have one another's VolumeInfo get their own back", async (t) => {
  const directory = damagedPartition(t, "base")
  const before = [volumeInfoOnDisk(directory, rw, rw), volumeInfoOnDisk(directory, rw, bk)]
  const [first, second] = [specialPath(directory, rw, rw, "volumeInfo"), specialPath(directory, rw, bk, "volumeInfo")]
  const bytes = readFileSync(first)
  patchBytes(first, 0, bytes.length, (own) => readFileSync(second).copy(own))
  patchBytes(second, 0, bytes.length, (own) => bytes.copy(own))
  t.deepEqual(found(await salvageAll(directory)), [`info-damaged ${rw}`, `info-damaged ${bk}`])
  for (const [index, volume] of [rw, bk].entries()) {
    const { name, type, id, cloneId, backupId, maxquota } = before[index] ?? {}
    t.like(volumeInfoOnDisk(directory, rw, volume), { name, type, id, cloneId, backupId, maxquota })
  }
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
})
