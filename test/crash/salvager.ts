/**
 * A salvager that ends at any of its writes: a second one comes to the same end as one that was left alone. Otherwise a
 * crash during a salvage would make of little damage a great one.
 */
import test from "ava"
import { type Disk, DiskError } from "../../common/disk/disk.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { type Cut, cutDisk, DiskCut, locksAside } from "../support/cut-disk.ts"
import { damagedPartition, outcome, salvageAll } from "../support/salvaged.ts"

/** Damages whose repair takes every kind of write: new files, records, headers, counts, removals. */
const damages = [
  "multi-crash",
  "multi-headers",
  "dir-cut",
  "index-large-missing",
  "index-small-cut-mid-record",
  "data-extra",
  "vnode-zeroed-root",
  "volume-half-deleted",
  "special-leftover-clone",
  "linktable-missing",
]

async function isCutShort(directory: string, cut: Cut): Promise<boolean> {
  try {
    await salvageAll(directory, {}, locksAside(cutDisk(cut)))
    return false
  } catch (error) {
    if (error instanceof DiskCut) return true
    throw error
  }
}

for (const name of damages) {
  test(`salvage of ${name} cut off at any of its writes: the next one comes to the end that one run comes to`, async (t) => {
    t.timeout(120_000)
    const whole = damagedPartition(t, name)
    const counting = cutDisk()
    await salvageAll(whole, {}, locksAside(counting))
    const wanted = outcome(whole)
    t.deepEqual(wanted.problems, [])
    for (let at = 1; at <= counting.changes; at++) {
      const directory = damagedPartition(t, name)
      t.true(await isCutShort(directory, { at, how: "throw", torn: at % 2 === 0 }))
      const { results } = await salvageAll(directory)
      t.deepEqual(
        results.filter(({ error }) => error !== undefined),
        [],
      )
      t.deepEqual(outcome(directory), wanted, `cut at ${counting.history[at - 1]}`)
    }
  })
}

test("salvage that keeps what it changes, cut off at every third of its writes: the next one comes to the same end", async (t) => {
  t.timeout(120_000)
  const keeping = { undo: { seconds: 86_400, bytes: 2 ** 30 } }
  const whole = damagedPartition(t, "multi-headers")
  const counting = cutDisk()
  await salvageAll(whole, keeping, locksAside(counting))
  for (let at = 1; at <= counting.changes; at += 3) {
    const directory = damagedPartition(t, "multi-headers")
    const disk = locksAside(cutDisk({ at, how: "throw", torn: at % 2 === 0 }))
    await t.throwsAsync(salvageAll(directory, keeping, disk), { instanceOf: DiskCut })
    await salvageAll(directory, keeping)
    t.deepEqual(outcome(directory), outcome(whole), `cut at ${counting.history[at - 1]}`)
  }
})

test("salvage on a disk that is full but for the repair: it is done, and what it changed is not kept", async (t) => {
  const [whole, directory] = [damagedPartition(t, "multi-headers"), damagedPartition(t, "multi-headers")]
  await salvageAll(whole)
  const full: Disk = new Proxy(nodeDisk, {
    get(target, name) {
      const open: Disk["open"] = (path, mode, permissions) => {
        if (path.endsWith("/journal")) throw new DiskError("open", path, Object.assign(new Error(), { code: "ENOSPC" }))
        return target.open(path, mode, permissions)
      }
      return name === "open" ? open : Reflect.get(target, name)
    },
  })
  const { results } = await salvageAll(directory, { undo: { seconds: 86_400, bytes: 2 ** 30 } }, full)
  t.true(results.some(({ undoFailure }) => undoFailure?.includes("ENOSPC") === true))
  t.deepEqual(outcome(directory), outcome(whole))
})

for (const how of ["ENOSPC", "EIO"] as const) {
  test(`salvage on a disk that fails with ${how}: that group fails and says so, the others are salvaged, and a second run completes it`, async (t) => {
    const name = "multi-crash"
    const whole = damagedPartition(t, name)
    const counting = cutDisk()
    await salvageAll(whole, {}, locksAside(counting))
    for (const at of [2, 5, Math.floor(counting.changes / 2), counting.changes]) {
      const directory = damagedPartition(t, name)
      const { results } = await salvageAll(directory, {}, locksAside(cutDisk({ at, how })))
      const failed = results.filter(({ status }) => status === "failed")
      t.true(failed.length <= 1)
      for (const { error } of failed)
        t.regex(error?.message ?? "", new RegExp(how === "ENOSPC" ? "ENOSPC|full" : "EIO|error"))
      await salvageAll(directory)
      t.deepEqual(outcome(directory), outcome(whole))
    }
  })
}
