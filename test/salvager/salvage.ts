/** Salvages of groups and partitions as a library. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { isAfsError } from "../../common/error.ts"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { openPartition, ownFolder, type Partition } from "../../common/partition/partition.ts"
import { openVolume, requireHeader } from "../../common/volume/volume.ts"
import { findDraft, installDraft, VolumeDraft } from "../../common/volume/volume-draft.ts"
import { type SalvageEvent, salvagePartition, salvageVolume, undoSalvage } from "../../salvager/salvage.ts"
import { damagedFixtures, unpackDamaged } from "../support/fixture.ts"
import { partitionProblems, readPartitionState } from "../support/partition-state.ts"
import { base, dataPath, patchRow, recordOnDisk } from "../support/patch.ts"
import { damagedPartition, found, salvageAll, snapshot, standaloneOptions } from "../support/salvaged.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

test("salvage of one volume: its group, by whichever of its ids, and no other", async (t) => {
  const directory = damagedPartition(t, "multi-crash")
  const partition = openPartition(directory)
  const results = []
  for (const id of Object.values(base.ann))
    results.push(await salvageVolume(partition, id, standaloneOptions, () => undefined))
  t.deepEqual(
    results.map(({ group, status }) => [group, status]),
    [
      [base.ann.rw, "repaired"],
      [base.ann.rw, "clean"],
      [base.ann.rw, "clean"],
    ],
  )
  t.true(partitionProblems(directory).some((problem) => problem.includes(String(base.proj.rw))))
})

test("salvage of a volume that does not exist: nothing is found, nothing is made", async (t) => {
  const directory = damagedPartition(t, "base")
  const before = snapshot(directory)
  const result = await salvageVolume(openPartition(directory), 4711, standaloneOptions, () => undefined)
  t.deepEqual([result.status, result.volumes], ["clean", []])
  t.deepEqual(snapshot(directory), before)
})

test("salvage of a partition: a group that somebody has is busy, and the others are salvaged", async (t) => {
  const directory = damagedPartition(t, "multi-crash")
  using _lock = lockVolume(openPartition(directory), base.proj.bk, "read", "a dump")
  const { results } = await salvageAll(directory)
  const busy = results.find(({ group }) => group === base.proj.rw)
  t.like(busy, { status: "busy", error: { code: "LOCKED" } })
  t.regex(busy?.error?.message ?? "", /a dump/)
  t.deepEqual(
    results.filter(({ group }) => group !== base.proj.rw).map(({ status }) => status),
    ["repaired", "repaired", "clean"],
  )
})

test("salvage: events come in order: phases, then what was found, then the group; findings say whether they were mended", async (t) => {
  const directory = damagedPartition(t, "vnode-links-dir")
  for (const readOnly of [true, false]) {
    const events: SalvageEvent[] = []
    await salvageVolume(openPartition(directory), base.proj.rw, { ...standaloneOptions, readOnly }, (event) =>
      events.push(event),
    )
    const kinds = events.map(({ type }) => type)
    t.deepEqual(
      kinds,
      [...kinds].sort((a, b) => ["phase", "finding", "group"].indexOf(a) - ["phase", "finding", "group"].indexOf(b)),
    )
    const findings = events.filter((event) => event.type === "finding")
    t.deepEqual(
      findings.map(({ code, done, path }) => [code, done, path]),
      [["vnode-links", !readOnly, "/src"]],
    )
    t.is(events.at(-1)?.type === "group" && events.at(-1), events.at(-1))
    t.like(events.at(-1), { status: readOnly ? "damaged" : "repaired", counts: { repaired: 1 } })
  }
})

test("salvage that is told to stop: between two groups it does", async (t) => {
  const directory = damagedPartition(t, "multi-crash")
  const stop = new AbortController()
  const error = await t.throwsAsync(
    salvagePartition(openPartition(directory), { ...standaloneOptions, signal: stop.signal }, (event) => {
      if (event.type === "group") stop.abort()
    }),
  )
  t.true(isAfsError(error, "INTERRUPTED"))
  t.deepEqual(
    found(await salvageAll(directory)).filter((code) => code.startsWith("info-counts")),
    [],
    "the first group was done",
  )
})

/** Prepares a draft of /docs with a new name, complete or not. */
function leaveDraft(t: ExecutionContext, isComplete: boolean): string {
  const directory = damagedPartition(t, "base")
  const partition = openPartition(directory)
  const store = new InodeStore(partition, base.docs)
  const header = requireHeader(partition, base.docs)
  const draft = VolumeDraft.begin(store, header)
  {
    using volume = openVolume(partition, base.docs, "write")
    const next = { ...volume.info, name: "next" }
    for (const [from, to] of [
      [volume.large.file, draft.large],
      [volume.small.file, draft.small],
    ] as const) {
      const bytes = new Uint8Array(from.stat().size)
      from.read(bytes, 0)
      to.write(bytes, 0)
    }
    if (isComplete) draft.complete(next)
  }
  draft.close()
  if (isComplete) cutAfterTurn(t, partition, store)
  return directory
}

/** Installs the draft up to the change that follows the one by which the volume becomes the new one. */
function cutAfterTurn(t: ExecutionContext, partition: Partition, store: InodeStore): void {
  let turned = false
  const { rename, ...rest } = partition.disk
  const disk = {
    ...rest,
    rename(from: string, to: string): void {
      if (turned) throw new Error("cut")
      rename(from, to)
      turned = findDraft(store, base.docs) === "complete"
    },
  }
  t.throws(() => installDraft(new InodeStore({ ...partition, disk }, base.docs), base.docs), { message: "cut" })
}

const drafts = (directory: string): string[] =>
  readdirSync(join(directory, ownFolder)).filter((name) => name.startsWith("V"))

test("salvage with a complete restore that waits: it is put into place first; to look only, that is all that is said", async (t) => {
  const directory = leaveDraft(t, true)
  const before = snapshot(directory)
  t.deepEqual(found(await salvageAll(directory, { readOnly: true })), [`draft-waiting ${base.docs}`])
  t.deepEqual(snapshot(directory), before)
  t.deepEqual(found(await salvageAll(directory)), [`draft-finished ${base.docs}`])
  t.is(readPartitionState(directory).volumes.get(base.docs)?.info?.name, "next")
  t.deepEqual(drafts(directory), [])
  t.deepEqual(partitionProblems(directory), [])
})

test("salvage that put a complete restore into place, taken back: the volume is whole, the one or the other", async (t) => {
  const directory = leaveDraft(t, true)
  const { results } = await salvageAll(directory, { undo: { seconds: 60, bytes: 2 ** 30 } })
  const partition = openPartition(directory)
  t.true(results.some(({ undo }) => undo !== undefined))
  for (const { undo } of results) if (undo !== undefined) await undoSalvage(partition, undo, standaloneOptions.claimant)
  await salvageAll(directory)
  t.is(readPartitionState(directory).volumes.get(base.docs)?.info?.name, "next")
  t.deepEqual(partitionProblems(directory), [])
})

/** Attached as orphans, the thousands of files of a broken-off restore would fill the volume's root. */
test("salvage with a restore that was broken off: it is thrown away, with the data files it had made", async (t) => {
  const directory = leaveDraft(t, false)
  const partition = openPartition(directory)
  const made = new InodeStore(partition, base.docs).create({ high: 7, low: 500 }, 1)
  made.write(new Uint8Array(100), 0)
  made.close()
  patchRow(directory, base.docs, 500, 1)
  t.deepEqual(
    found(await salvageAll(directory)),
    [`draft-discarded ${base.docs}`, "link-count-dangling 500"].slice(0, 1),
  )
  t.deepEqual(drafts(directory), [])
  t.false(existsSync(dataPath(directory, base.docs, 500, 7)))
  t.deepEqual(partitionProblems(directory), [])
  t.deepEqual(found(await salvageAll(directory)), [])
})

test("salvage of a development partition, which has no owner data: the same damages are mended", async (t) => {
  for (const { name } of damagedFixtures().filter((_, index) => index % 5 === 0)) {
    const directory = temporaryDirectory(t)
    unpackDamaged(name, directory, { encoding: "development" })
    await salvageAll(directory)
    t.deepEqual(
      partitionProblems(directory).filter((problem) => !/stray file/.test(problem)),
      [],
      name,
    )
    t.deepEqual(found(await salvageAll(directory)), [], name)
  }
  const directory = temporaryDirectory(t)
  unpackDamaged("vnode-zeroed-file", directory, { encoding: "development" })
  await salvageAll(directory)
  t.is(recordOnDisk(directory, base.proj.rw, base.proj.rw, 38).type, 1)
})
