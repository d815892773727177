/** Which salvages are kept of a group, without a look at all folders for each. */
import { mkdirSync, rmdirSync, utimesSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { makeNewOwnFolder, openPartition } from "../../../common/partition/partition.ts"
import { shelfPath } from "../../../salvager/undo/journal.ts"
import { noteShelved, shelvedNames } from "../../../salvager/undo/shelf.ts"
import { lookDisk } from "../../support/look-disk.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition } from "../../support/volume-builder.ts"

test("the salvages of a group are those whose folders begin with its number, made here or elsewhere, and no others", (t) => {
  const partition = newPartition(temporaryDirectory(t))
  t.deepEqual(shelvedNames(partition, 5, 0), [])
  const make = (name: string): void => {
    t.true(makeNewOwnFolder(partition, "salvages", name))
    noteShelved(partition, name)
  }
  make("5-20261121T080241Z-1")
  make("55-20261121T080241Z-1")
  t.deepEqual(shelvedNames(partition, 5, 0), ["5-20261121T080241Z-1"])
  // another process makes one, and one goes; a clock that keeps ticks of some milliseconds must not hide it from a test
  mkdirSync(`${shelfPath(partition)}/5-20261121T090000Z-2`)
  rmdirSync(`${shelfPath(partition)}/55-20261121T080241Z-1`)
  utimesSync(shelfPath(partition), 2_000_000_000, 2_000_000_000)
  t.deepEqual(shelvedNames(partition, 5, 1000).toSorted(), ["5-20261121T080241Z-1", "5-20261121T090000Z-2"])
  t.deepEqual(shelvedNames(partition, 55, 1000), [])
})

test("a shelf to which several processes add is not listed anew for each folder, and no folder stays unseen", (t) => {
  const directory = temporaryDirectory(t)
  newPartition(directory)
  let lists = 0
  const disk = lookDisk((call, path) => {
    if (call === "list" && path.endsWith("salvages")) lists++
  })
  const partition = openPartition(directory, disk)
  t.deepEqual(shelvedNames(partition, 0, 0), [])
  const begun = lists
  for (let group = 1; group <= 100; group++) {
    mkdirSync(join(shelfPath(partition), `${group}-20261121T090000Z-2`), { recursive: true })
    utimesSync(shelfPath(partition), 2_000_000_000 + group, 2_000_000_000 + group)
    shelvedNames(partition, 1000 + group, group)
    makeNewOwnFolder(partition, "salvages", `${1000 + group}-20261121T080241Z-1`)
    noteShelved(partition, `${1000 + group}-20261121T080241Z-1`)
  }
  t.is(lists, begun)
  t.deepEqual(shelvedNames(partition, 1, 1100), ["1-20261121T090000Z-2"])
  t.deepEqual(shelvedNames(partition, 1100, 1100), ["1100-20261121T080241Z-1"])
  t.is(lists, begun + 1)
})

test("a folder of our own is made with those above it, once", (t) => {
  const partition = newPartition(temporaryDirectory(t))
  t.true(makeNewOwnFolder(partition, "salvages", "one"))
  t.false(makeNewOwnFolder(partition, "salvages", "one"))
  t.true(makeNewOwnFolder(partition, "salvages", "two"))
})
