/** Which groups need not be looked at. */
import { rmSync, truncateSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { openPartition } from "../../common/partition/partition.ts"
import { needsNoSalvage } from "../../salvager/quick-check.ts"
import { Survey } from "../../salvager/survey.ts"
import { base, patchBytes, patchVolumeInfo, specialPath } from "../support/patch.ts"
import { damagedPartition } from "../support/salvaged.ts"

const { rw, ro, bk } = base.ann
const isSkipped = (directory: string): boolean => needsNoSalvage(new Survey(openPartition(directory)), rw)

test("quick check: a group whose volumes are all marked as consistent, with headers and stamps right, is skipped", (t) => {
  t.true(isSkipped(damagedPartition(t, "base")))
})

/** OpenAFS's salvager skips a volume that a crash left in use while the mark still stood, and clears inUse. */
const reasons: readonly (readonly [string, (directory: string) => void])[] = [
  ["a volume without the mark", (directory) => patchVolumeInfo(directory, rw, bk, { dontSalvage: 0 })],
  ["a volume in use", (directory) => patchVolumeInfo(directory, rw, rw, { inUse: 1 })],
  ["a volume that asks for a salvage", (directory) => patchVolumeInfo(directory, rw, ro, { needsSalvaged: 1 })],
  ["a volume marked as unfinished", (directory) => patchVolumeInfo(directory, rw, rw, { destroyMe: 0xd3 })],
  ["a missing header", (directory) => rmSync(join(directory, `V0${ro}.vol`))],
  ["a wrong header", (directory) => patchBytes(join(directory, `V0${ro}.vol`), 12, 4, (bytes) => bytes.fill(1))],
  ["a lost VolumeInfo", (directory) => rmSync(specialPath(directory, rw, ro, "volumeInfo"))],
  ["a lost index", (directory) => rmSync(specialPath(directory, rw, bk, "smallIndex"))],
  ["a cut index", (directory) => truncateSync(specialPath(directory, rw, bk, "smallIndex"), 1000)],
  [
    "a wrong stamp of an index",
    (directory) => patchBytes(specialPath(directory, rw, rw, "largeIndex"), 4, 4, (b) => b.fill(9)),
  ],
  ["a lost link table", (directory) => rmSync(specialPath(directory, rw, rw, "linkTable"))],
]

for (const [words, damage] of reasons) {
  test(`quick check: ${words} is reason to look at the group`, (t) => {
    const directory = damagedPartition(t, "base")
    damage(directory)
    t.false(isSkipped(directory))
  })
}
