/** Header files. */
import { copyFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { volumeHeaderLayout } from "../../../common/volume/volume-header.ts"
import { partitionProblems } from "../../support/partition-state.ts"
import { base, patchBytes } from "../../support/patch.ts"
import { damagedPartition, found, salvageAll } from "../../support/salvaged.ts"

const headerOf = (directory: string, id: number): string => join(directory, `V0${id}.vol`)

for (const [field, offset] of Object.entries(volumeHeaderLayout.offsets)) {
  if (field === "reserved") continue
  test(`a header whose ${field} is wrong is written anew, byte by byte as it was`, async (t) => {
    const directory = damagedPartition(t, "base")
    const path = headerOf(directory, base.ann.ro)
    const before = readFileSync(path)
    patchBytes(path, offset, 4, (bytes) => bytes.writeUInt32LE((bytes.readUInt32LE() ^ 0x5a5a) >>> 0))
    const codes = found(await salvageAll(directory))
    t.deepEqual(codes, [`${field === "magic" ? "header-unreadable" : "header-wrong"} ${base.ann.ro}`])
    t.deepEqual(readFileSync(path), before)
    t.deepEqual(partitionProblems(directory), [])
  })
}

test("headers of all volumes of a group are made again when all are lost", async (t) => {
  const directory = damagedPartition(t, "base")
  const ids = Object.values(base.ann)
  const before = ids.map((id) => readFileSync(headerOf(directory, id)))
  for (const id of ids) rmSync(headerOf(directory, id))
  t.deepEqual(
    found(await salvageAll(directory)).sort(),
    ids.map((id) => `header-missing ${id}`),
  )
  t.deepEqual(
    ids.map((id) => readFileSync(headerOf(directory, id))),
    before,
  )
  t.is(statSync(headerOf(directory, base.ann.rw)).mode & 0o777, 0o644)
})

test("a header under another name than its volume's goes, and the right one is made", async (t) => {
  const directory = damagedPartition(t, "base")
  renameSync(headerOf(directory, base.docs), join(directory, `V${base.docs}.vol`))
  const codes = found(await salvageAll(directory))
  t.deepEqual(codes.sort(), [`header-misnamed ${base.docs}`, `header-missing ${base.docs}`])
  t.deepEqual(partitionProblems(directory), [])
})

test("files that are not named like headers are left alone", async (t) => {
  const directory = damagedPartition(t, "base")
  writeFileSync(join(directory, "notes.vol.txt"), "notes")
  copyFileSync(headerOf(directory, base.docs), join(directory, "copy-of-header"))
  t.deepEqual(found(await salvageAll(directory)), [])
  t.is(readFileSync(join(directory, "notes.vol.txt"), "utf8"), "notes")
})
