/** Salvages that are taken back. */
import { appendFileSync, existsSync, readdirSync, utimesSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { DiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { isAfsError } from "../../../common/error.ts"
import { openPartition } from "../../../common/partition/partition.ts"
import { salvageVolume, undoSalvage } from "../../../salvager/salvage.ts"
import { shelfPath } from "../../../salvager/undo/journal.ts"
import { expireSalvages, keptSalvages, takeBack } from "../../../salvager/undo/reversal.ts"
import { cutDisk, DiskCut } from "../../support/cut-disk.ts"
import { damagedFixtures } from "../../support/fixture.ts"
import { lookDisk } from "../../support/look-disk.ts"
import { base, patchBytes, specialPath } from "../../support/patch.ts"
import {
  damagedPartition,
  found,
  salvageAll,
  salvageTime,
  snapshot,
  standaloneOptions,
} from "../../support/salvaged.ts"

const undo = { seconds: 86_400, bytes: 2 ** 30 }
const { claimant } = standaloneOptions

/** All files of the partition but our own. */
function state(directory: string): Record<string, string> {
  return Object.fromEntries(Object.entries(snapshot(directory)).filter(([path]) => !path.startsWith(".dafs")))
}

async function takeAllBack(directory: string): Promise<void> {
  const partition = openPartition(directory)
  for (const { name } of keptSalvages(partition).reverse()) await undoSalvage(partition, name, claimant)
}

/** Folders are made at need, and do not go again where something is left in them. */
const files = (all: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(all).filter(([, text]) => !text.endsWith("folder")))

const names = damagedFixtures().map(({ name }) => name)
for (let part = 0; part < 4; part++) {
  test(`a salvage of every fourth damaged fixture from ${part} can be taken back: every byte, owner and name is as before`, async (t) => {
    t.timeout(120_000)
    for (const name of names.filter((_, index) => index % 4 === part)) {
      const directory = damagedPartition(t, name)
      const before = state(directory)
      const { results } = await salvageAll(directory, { undo })
      for (const { status, undo: kept } of results) t.is(kept !== undefined, status === "repaired", name)
      await takeAllBack(directory)
      t.deepEqual(files(state(directory)), files(before), name)
      const shelf = shelfPath(openPartition(directory))
      t.deepEqual(existsSync(shelf) ? readdirSync(shelf) : [], [], name)
    }
  })
}

test("after it was taken back, a salvage comes to the same end again", async (t) => {
  const directory = damagedPartition(t, "multi-crash")
  const first = found(await salvageAll(directory, { undo }))
  const after = state(directory)
  await takeAllBack(directory)
  t.deepEqual(found(await salvageAll(directory, { undo })), first)
  t.deepEqual(state(directory), after)
})

test("a salvage is not taken back once somebody has worked on the volume; an attachment alone does not matter", async (t) => {
  const directory = damagedPartition(t, "vnode-links-dir")
  const before = state(directory)
  await salvageAll(directory, { undo })
  const [kept] = keptSalvages(openPartition(directory))
  const group = kept?.group ?? 0
  patchBytes(specialPath(directory, group, group, "volumeInfo"), 44, 1, (bytes) => bytes.fill(1))
  await takeAllBack(directory)
  t.deepEqual(files(state(directory)), files(before))
  await salvageAll(directory, { undo })
  const large = specialPath(directory, group, group, "largeIndex")
  patchBytes(large, 256 + 20, 1, (bytes) => bytes.fill((bytes[0] ?? 0) ^ 1))
  const refused = await t.throwsAsync(takeAllBack(directory))
  t.true(isAfsError(refused, "DENIED"))
  t.regex(refused.message, /has changed since the salvage/)
})

function isCutShort(t: ExecutionContext, directory: string, at: number): boolean {
  const disk = cutDisk({ at, how: "throw", torn: at % 2 === 0 })
  const partition = openPartition(directory, disk)
  try {
    for (const { name } of keptSalvages(partition).reverse()) takeBack(partition, name)
    return false
  } catch (error) {
    t.true(error instanceof DiskCut)
    return true
  }
}

for (const name of ["multi-headers", "volume-half-deleted"]) {
  test(`taking ${name} back, cut off at any write, is completed by the next try`, async (t) => {
    t.timeout(120_000)
    for (let at = 1, isCut = true; isCut; at++) {
      const directory = damagedPartition(t, name)
      const before = state(directory)
      await salvageAll(directory, { undo })
      isCut = isCutShort(t, directory, at)
      await takeAllBack(directory)
      t.deepEqual(files(state(directory)), files(before), `cut at ${at}`)
    }
  })
}

test("where the undo folder would grow too large nothing is kept, the salvage is done, and it is told", async (t) => {
  const [directory, other] = [damagedPartition(t, "data-extra"), damagedPartition(t, "data-extra")]
  // a rebuilt record has the date of its data file
  for (const path of [directory, other])
    for (const name of readdirSync(path, { recursive: true, encoding: "utf8" }))
      utimesSync(join(path, name), salvageTime, salvageTime)
  const { results } = await salvageAll(directory, { undo: { seconds: 86_400, bytes: 200 } })
  const failed = results.filter(({ undoFailure }) => undoFailure !== undefined)
  t.is(failed.length, 1)
  t.regex(failed[0]?.undoFailure ?? "", /200 bytes/)
  t.deepEqual(keptSalvages(openPartition(directory)), [])
  await salvageAll(other)
  t.deepEqual(state(directory), state(other))
})

test("kept salvages go when they are too old, and the oldest first when there are too many", async (t) => {
  const directory = damagedPartition(t, "multi-crash")
  await salvageAll(directory, { undo })
  const partition = openPartition(directory)
  const [first, ...others] = keptSalvages(partition)
  t.true(others.length > 0)
  const bytes = others.reduce((sum, one) => sum + one.bytes, 0)
  expireSalvages(partition, { seconds: 86_400, bytes }, salvageTime)
  t.false(keptSalvages(partition).some(({ name }) => name === first?.name))
  t.is(keptSalvages(partition).length, others.length)
  expireSalvages(partition, undo, salvageTime + 86_401)
  t.deepEqual(keptSalvages(partition), [])
})

test("kept salvages that another process removes at the same time are gone, without a failure", async (t) => {
  const directory = damagedPartition(t, "multi-crash")
  await salvageAll(directory, { undo })
  const twice = (work: (path: string) => void) => (path: string) => {
    work(path)
    work(path) // as it is for who comes second
  }
  const disk = { ...nodeDisk, unlink: twice(nodeDisk.unlink), rmdir: twice(nodeDisk.rmdir) }
  expireSalvages(openPartition(directory, disk), undo, salvageTime + 86_401)
  const partition = openPartition(directory)
  t.deepEqual(keptSalvages(partition), [])
  t.deepEqual(readdirSync(shelfPath(partition)), [])
})

test("kept salvages that cannot be read: the next salvage is done all the same, and a list names them", async (t) => {
  const directory = damagedPartition(t, "vnode-links-dir")
  await salvageAll(directory, { undo })
  const shelf = shelfPath(openPartition(directory))
  const journal = join(shelf, readdirSync(shelf)[0] ?? "", "journal")
  const disk = lookDisk((call, path) => {
    if (path === journal) throw new DiskError(call, path, Object.assign(new Error("EIO"), { code: "EIO" }))
  })
  const partition = openPartition(directory, disk)
  const result = await salvageVolume(partition, base.proj.rw, { ...standaloneOptions, undo }, () => undefined)
  t.is(result.status, "clean")
  t.throws(() => keptSalvages(partition), { message: new RegExp(`${journal}: EIO`) })
})

test("a damaged journal is an error that names it, and changes nothing", async (t) => {
  const directory = damagedPartition(t, "vnode-links-dir")
  await salvageAll(directory, { undo })
  const partition = openPartition(directory)
  const [kept] = keptSalvages(partition)
  appendFileSync(
    join(shelfPath(partition), kept?.name ?? "", "journal"),
    '{"op":"made","path":"../../etc","length":0}\n',
  )
  const after = files(state(directory))
  const error = await t.throwsAsync(takeAllBack(directory))
  t.regex(error.message, /undo journal .*journal/)
  t.deepEqual(files(state(directory)), after)
  t.true(existsSync(join(shelfPath(partition), kept?.name ?? "")))
})
