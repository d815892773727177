/** What a salvage overwrites and cuts off is kept as it was. */
import { randomBytes } from "node:crypto"
import { readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { DiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { openPartition, type Partition } from "../../../common/partition/partition.ts"
import { undoSalvage } from "../../../salvager/salvage.ts"
import { shelfPath } from "../../../salvager/undo/journal.ts"
import { UndoRecorder } from "../../../salvager/undo/recorder.ts"
import { needsRoot } from "../../support/requirements.ts"
import { salvageTime, standaloneOptions } from "../../support/salvaged.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition } from "../../support/volume-builder.ts"

test("what is cut off in several pieces comes back whole", async (t) => {
  const path = join(temporaryDirectory(t), "vicepa")
  newPartition(path)
  const partition = openPartition(path)
  const file = join(path, "AFSIDat", "some")
  const before = randomBytes(5 * 2 ** 20 + 3)
  writeFileSync(file, before)
  const recorder = new UndoRecorder(partition, 536_870_912, salvageTime, 2 ** 30)
  {
    using open = recorder.store().partition.disk.open(file, "write")
    open.write(Buffer.from("new"), 10)
    open.truncate(100)
    open.write(Buffer.alloc(300), 90)
  }
  recorder.close()
  t.is(readFileSync(file).length, 390)
  await undoSalvage(partition, recorder.name ?? "", standaloneOptions.claimant)
  t.true(readFileSync(file).equals(before))
})

// A link that leads to itself could not be looked at, and so its removal, and the salvage of its group, failed.
for (const target of ["itself", "/nowhere", "/etc"])
  test(`a link to ${target} that goes comes back as a link`, async (t) => {
    const path = join(temporaryDirectory(t), "vicepa")
    newPartition(path)
    const link = join(path, "V0000000007.vol")
    symlinkSync(target === "itself" ? link : target, link)
    const recorder = new UndoRecorder(openPartition(path), 7, salvageTime, 2 ** 30)
    recorder.store().partition.disk.unlink(link)
    recorder.close()
    t.false(readdirSync(path).includes("V0000000007.vol"))
    await undoSalvage(openPartition(path), recorder.name ?? "", standaloneOptions.claimant)
    t.is(readlinkSync(link), target === "itself" ? link : target)
  })

test("what cannot be kept goes all the same", (t) => {
  const path = join(temporaryDirectory(t), "vicepa")
  newPartition(path)
  const file = join(path, "V0000000007.vol")
  writeFileSync(file, "")
  const link = (_existing: string, name: string): never => {
    throw new DiskError("link", name, Object.assign(new Error(), { code: "EMLINK" }))
  }
  const recorder = new UndoRecorder(openPartition(path, { ...nodeDisk, link }), 7, salvageTime, 2 ** 30)
  recorder.store().partition.disk.unlink(file)
  recorder.close()
  t.regex(recorder.failure ?? "", /EMLINK/)
  t.false(readdirSync(path).includes("V0000000007.vol"))
})

needsRoot("what root keeps on a user's development partition is the user's, to take back or to remove", (t) => {
  const path = join(temporaryDirectory(t), "vicepa")
  newPartition(path)
  const owner = { uid: 1234, gid: 1235 }
  const partition: Partition = { ...openPartition(path), ownerEncoding: "development", owner }
  const recorder = new UndoRecorder(partition, 7, salvageTime, 2 ** 30)
  writeFileSync(join(path, "V0000000007.vol"), "")
  recorder.store().partition.disk.unlink(join(path, "V0000000007.vol"))
  recorder.close()
  const folder = join(shelfPath(partition), recorder.name ?? "")
  t.like(statSync(folder), owner)
  t.like(statSync(join(folder, "journal")), owner)
})
