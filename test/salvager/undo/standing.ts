/** When salvages may be taken back, and when that would harm what was done since. */
import { readFileSync, truncateSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { isAfsError } from "../../../common/error.ts"
import { openPartition } from "../../../common/partition/partition.ts"
import { undoSalvage } from "../../../salvager/salvage.ts"
import { readJournal, shelfPath } from "../../../salvager/undo/journal.ts"
import { keptSalvages } from "../../../salvager/undo/reversal.ts"
import { cutDisk, DiskCut, locksAside } from "../../support/cut-disk.ts"
import { base, patchRecord, specialPath } from "../../support/patch.ts"
import { damagedPartition, salvageAll, salvageTime, snapshot, standaloneOptions } from "../../support/salvaged.ts"

const undo = { seconds: 86_400, bytes: 2 ** 30 }
/** Salvages are named by their seconds. */
const at = (second: number) => ({ undo, now: () => salvageTime + second })

function state(directory: string): Record<string, string> {
  return Object.fromEntries(Object.entries(snapshot(directory)).filter(([path]) => !path.startsWith(".dafs")))
}

const names = (directory: string): string[] => keptSalvages(openPartition(directory)).map(({ name }) => name)
const journalPath = (directory: string, name: string): string =>
  join(shelfPath(openPartition(directory)), name, "journal")
const takeBack = (directory: string, name: string): Promise<void> =>
  undoSalvage(openPartition(directory), name, standaloneOptions.claimant)

async function isRefused(t: ExecutionContext, directory: string, name: string, why: RegExp): Promise<void> {
  const before = state(directory)
  const error = await t.throwsAsync(takeBack(directory, name))
  t.true(isAfsError(error, "DENIED"))
  t.regex(error.message, why)
  t.deepEqual(state(directory), before)
}

/** A salvage that is killed when half of its changes are made. @returns its name */
async function breakOff(t: ExecutionContext, directory: string): Promise<string> {
  const counting = cutDisk()
  await salvageAll(damagedPartition(t, "vnode-zeroed-root"), at(0), locksAside(counting))
  const disk = locksAside(cutDisk({ at: Math.floor(counting.changes * 0.8), how: "throw" }))
  await t.throwsAsync(salvageAll(directory, at(0), disk), { instanceOf: DiskCut })
  const [name] = names(directory)
  t.is(readJournal(openPartition(directory).disk, journalPath(directory, name ?? "")).stamps, undefined)
  return name ?? ""
}

test("a salvage that was killed can be taken back as it is, and so can it when the one that completed it was taken back", async (t) => {
  for (const isCompleted of [false, true]) {
    const directory = damagedPartition(t, "vnode-zeroed-root")
    const before = state(directory)
    const first = await breakOff(t, directory)
    const between = state(directory)
    if (isCompleted) {
      await salvageAll(directory, at(1))
      const second = names(directory).filter((name) => name !== first)
      t.is(second.length, 1)
      await takeBack(directory, second[0] ?? "")
      t.deepEqual(state(directory), between)
    }
    t.notDeepEqual(between, before)
    await takeBack(directory, first)
    t.deepEqual(state(directory), before)
  }
})

test("a salvage that was killed is not taken back once another one has completed it, or somebody has worked on the volume", async (t) => {
  const directory = damagedPartition(t, "vnode-zeroed-root")
  const first = await breakOff(t, directory)
  await salvageAll(directory, at(1))
  await isRefused(t, directory, first, /has changed since the salvage/)

  const other = damagedPartition(t, "vnode-zeroed-root")
  const name = await breakOff(t, other)
  const later = Date.now() / 1000 + 60
  utimesSync(specialPath(other, base.docs, base.docs, "largeIndex"), later, later)
  await isRefused(t, other, name, /has changed since the salvage/)
})

test("a salvage that was broken off is not taken back when the machine was started since: its journal may have lost its end", async (t) => {
  const directory = damagedPartition(t, "vnode-zeroed-root")
  const name = await breakOff(t, directory)
  const path = journalPath(directory, name)
  const journal = readFileSync(path, "latin1")
  writeFileSync(path, journal.replace(/"boot":"[^"]*"/, '"boot":"another"'), "latin1")
  await isRefused(t, directory, name, /may be incomplete/)
  await salvageAll(directory, at(1))
  await isRefused(t, directory, name, /may be incomplete|has changed/)
})

test("a journal that a power failure emptied is refused, and nothing is changed", async (t) => {
  const directory = damagedPartition(t, "vnode-zeroed-root")
  const name = await breakOff(t, directory)
  truncateSync(journalPath(directory, name), 0)
  const before = state(directory)
  const error = await t.throwsAsync(takeBack(directory, name))
  t.regex(error.message, /undo journal/)
  t.deepEqual(state(directory), before)
})

for (const isWorkedOn of [false, true]) {
  const end = isWorkedOn ? "not if somebody has worked on what only the earlier one changed" : "byte for byte"
  test(`of two salvages of a group the later is taken back, then the earlier: ${end}`, async (t) => {
    const directory = damagedPartition(t, "vnode-links-dir")
    const before = state(directory)
    await salvageAll(directory, at(0))
    const between = state(directory)
    patchRecord(directory, base.proj.rw, base.proj.rw, 38, { linkCount: 9 })
    const damaged = state(directory)
    await salvageAll(directory, at(1))
    const [first = "", second = ""] = names(directory)
    await takeBack(directory, second)
    t.deepEqual(state(directory), damaged)
    t.notDeepEqual(between, before)
    if (isWorkedOn) patchRecord(directory, base.proj.rw, base.proj.rw, 3, { linkCount: 8 })
    if (isWorkedOn) await isRefused(t, directory, first, /has changed since the salvage/)
    else {
      patchRecord(directory, base.proj.rw, base.proj.rw, 38, { linkCount: 1 })
      await takeBack(directory, first)
      t.deepEqual(state(directory), before)
    }
  })
}

test("two salvages of a group in one second, by processes of the same number, are kept beside one another", async (t) => {
  const directory = damagedPartition(t, "vnode-links-dir")
  await salvageAll(directory, at(0))
  const between = names(directory)
  patchRecord(directory, base.proj.rw, base.proj.rw, 38, { linkCount: 9 })
  const damaged = state(directory)
  await salvageAll(directory, at(0))
  const [second = ""] = names(directory).filter((name) => !between.includes(name))
  t.is(names(directory).length, 2)
  await takeBack(directory, second)
  t.deepEqual(state(directory), damaged)
})
