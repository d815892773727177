/** How a repair writes what was planned. */
import { readFileSync } from "node:fs"
import test from "ava"
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { openPartition } from "../../common/partition/partition.ts"
import { recordOffset, vnodeRecordLayout } from "../../common/vnode/vnode-record.ts"
import { planGroup } from "../../salvager/plan.ts"
import { repairGroup } from "../../salvager/repair.ts"
import { salvagePartition } from "../../salvager/salvage.ts"
import { Survey } from "../../salvager/survey.ts"
import { cutDisk } from "../support/cut-disk.ts"
import { manyFiles } from "../support/dump-builder.ts"
import { patchBytes } from "../support/patch.ts"
import { damagedPartition, found, salvageAll, salvageTime, snapshot, standaloneOptions } from "../support/salvaged.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, volumeOf } from "../support/volume-builder.ts"

test("records that lie near one another are written together, and those between them stay as they are", async (t) => {
  const directory = temporaryDirectory(t)
  await volumeOf(newPartition(directory), "v", manyFiles(300, 300))
  const [group = 0] = new Survey(openPartition(directory)).allGroups()
  const index = new InodeStore(openPartition(directory), group).path(specialInode(group, "smallIndex"))
  const before = readFileSync(index)
  const isDamaged = (vnode: number): boolean => vnode % 14 === 0 && vnode < 500
  const lengthAt = vnodeRecordLayout.offsets.lengthLow
  for (let vnode = 2; recordOffset(vnode) < before.length; vnode += 2)
    if (isDamaged(vnode)) patchBytes(index, recordOffset(vnode) + lengthAt, 4, (bytes) => bytes.writeUInt32LE(4711))
  const disk = cutDisk()
  await salvagePartition(openPartition(directory, disk), standaloneOptions, () => undefined)
  const writes = disk.history.filter((line) => /^write .*zzzz9/.test(line))
  t.is(writes.length, 1, writes.join("\n"))
  const after = readFileSync(index)
  t.is(after.length, before.length)
  for (let vnode = 2; recordOffset(vnode) < before.length; vnode += 2) {
    const [start, end] = [recordOffset(vnode), recordOffset(vnode) + vnodeRecordLayout.size]
    if (isDamaged(vnode)) t.is(after.readUInt32LE(start + lengthAt), before.readUInt32LE(start + lengthAt))
    else t.true(after.subarray(start, end).equals(before.subarray(start, end)), `vnode ${vnode}`)
  }
  t.deepEqual(found(await salvageAll(directory)), [])
})

test("where a plan has no finding a repair has nothing to write, so that a salvage need not try", async (t) => {
  for (const name of ["base", "multi-crash", "restore-interrupted", "linktable-missing", "vnode-links-dir"]) {
    const directory = damagedPartition(t, name)
    await salvageAll(directory)
    const partition = openPartition(directory)
    const survey = new Survey(partition)
    const before = snapshot(directory)
    for (const group of survey.allGroups()) {
      const { model, findings } = planGroup(survey, group, { orphans: "attach", salvageDirs: false, now: salvageTime })
      if (findings.length > 0) continue
      const repaired = repairGroup(model, { program: 7, callbacksBroken: false, now: salvageTime })
      t.deepEqual(repaired, { deleted: [], created: [], changed: [], wrote: false }, `${name}, group ${group}`)
    }
    t.deepEqual(snapshot(directory), before)
  }
})
