/**
 * Every operation is cut off at each of its changes to the disk. What it left is salvaged, and no volume that was complete
 * before may be anything but what it was or what the operation was to make of it.
 */
import { existsSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { headerPath, openPartition } from "../../common/partition/partition.ts"
import { zapVolume } from "../../volserver/operations/zap.ts"
import { contentsOf, crashCases, crashIds, harmedVolumes, isCrashCase, workOn } from "../support/crash-cases.ts"
import { atEveryCut, cutDisk } from "../support/cut-disk.ts"
import { CrashFolder, type Outcomes } from "../support/cut-images.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { salvageHere } from "../support/salvage-here.ts"
import { standaloneContext } from "../support/volume-builder.ts"

const folder = new CrashFolder()
test.before(() => folder.prepare())
test.after.always(() => folder.remove())

function requireUnharmed(t: ExecutionContext, directory: string, { before, after }: Outcomes, where: string): void {
  t.deepEqual(partitionProblems(directory), [], where)
  t.deepEqual(harmedVolumes(before, after, contentsOf(directory)), [], where)
}

/** A write may also be cut in its middle. */
for (const torn of [false, true]) {
  for (const name of Object.keys(crashCases).filter(isCrashCase)) {
    const how = torn ? "in the middle of changes" : "before every change"
    test(`crash: ${name}, cut ${how} and salvaged: every volume is the old or the new one`, async (t) => {
      t.timeout(300_000)
      const outcomes = await folder.outcomes(name)
      const copy = (at: number): readonly [string, number, boolean] => [name, at, torn]
      const cuts = await atEveryCut(
        async (disk, at) => workOn(disk, folder.copy(...copy(at).map(String)), name),
        async (at, call) => {
          const names = copy(at).map(String)
          await salvageHere(folder.path(...names))
          requireUnharmed(t, folder.path(...names), outcomes, `cut ${at}: ${call}`)
          folder.drop(...names)
        },
        { torn, every: torn ? 3 : 1 },
      )
      t.log(`${cuts} cuts`)
      t.true(cuts >= 1)
    })
  }
}

test("crash: uncut, the work of every case leaves nothing to repair, and changes what it should", async (t) => {
  for (const name of Object.keys(crashCases).filter(isCrashCase)) {
    const directory = folder.copy(name, "uncut")
    const before = contentsOf(directory)
    const disk = cutDisk()
    await workOn(disk, directory, name)
    t.deepEqual(partitionProblems(directory), [], name)
    t.true(disk.changes > 0)
    if (name !== "set fields") t.notDeepEqual(contentsOf(directory), before, name)
  }
})

// A switch of contents that a crash broke off is finished by whoever works on the volume next, without a salvage.
test("crash: an operation that was cut can be started again after a salvage, and goes through", async (t) => {
  for (const name of ["create", "restore into a new volume", "restore over a volume", "make a clone"] as const) {
    const { after } = await folder.outcomes(name)
    for (const image of await folder.images(name, 7, "again")) {
      await salvageHere(image.directory)
      const done = contentsOf(image.directory)
      if (harmedVolumes(after, after, done).length > 0) await workOn(cutDisk(), image.directory, name)
      t.deepEqual(harmedVolumes(after, after, contentsOf(image.directory)), [], `${name}, cut ${image.at}`)
      t.deepEqual(partitionProblems(image.directory), [], `${name}, cut ${image.at}`)
    }
  }
})

// A count that is lowered twice for one volume takes the file from under another.
test("crash: a removal that was cut can be finished by zap without a salvage, and no clone loses a file", async (t) => {
  const name = "remove a volume whose clones stay"
  const { before, after } = await folder.outcomes(name)
  for (const image of await folder.images(name, 1, "zapped")) {
    const partition = openPartition(image.directory)
    const place = { partition, id: crashIds.target }
    if (existsSync(headerPath(partition, crashIds.target))) {
      await zapVolume(standaloneContext([partition]), place, { force: true })
    }
    const found = contentsOf(image.directory)
    t.deepEqual(harmedVolumes(before, after, found), [], `cut ${image.at}: ${image.call}`)
    t.false(found.has(crashIds.target))
  }
})
