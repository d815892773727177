/**
 * Clients' changes are cut off at each of their writes, as by a killed fileserver, and the volume is salvaged: nothing that was
 * complete before is lost, and clones are what they were.
 */
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { isAfsError } from "../../common/error.ts"
import { openPartition } from "../../common/partition/partition.ts"
import { tellsDamage } from "../../common/volume/attached-volume.ts"
import { TestVolume, testCaches } from "../support/attached.ts"
import { atEveryCut, type Cut, cutDisk } from "../support/cut-disk.ts"
import { runDasalvagerOn } from "../support/dasalvager-batch.ts"
import { failureOf } from "../support/failure-of.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { needsCell, needsCellAndPatience } from "../support/requirements.ts"
import { salvageHere } from "../support/salvage-here.ts"
import {
  cloneId,
  foundIn,
  losses,
  type ServingCaseName,
  ServingFolder,
  type Sharing,
  servedId,
  serveOn,
  servingCaseNames,
  servingCases,
  sharings,
} from "../support/serving-cases.ts"

/** Unless there is patience, not every cut of every case is looked at. */
const hasPatience = needsCellAndPatience.met
const folder = new ServingFolder()
const realFolder = new ServingFolder()
test.before(() => folder.prepare())
test.after.always(() => folder.remove())
test.after.always(() => realFolder.remove())

/** What a killed fileserver leaves by itself; a count without a file costs nothing but a tag until the next salvage. */
const usual = /is marked in use by 1|disk used \d+, should be|file count \d+, there are|link table counts \d for absent/
/** What was replaced may be left without a name, which a salvage that keeps orphans does not clear away. */
const nameless = /cannot be reached from the root|vnode 1: link count 6, 7 entries/

function problemsOf(directory: string, name: ServingCaseName): string[] {
  const problems = partitionProblems(directory).filter((problem) => !usual.test(problem))
  return / over /.test(name) ? problems.filter((problem) => !nameless.test(problem)) : problems
}

function requireNothingLost(
  t: ExecutionContext,
  from: ServingFolder,
  [sharing, name]: readonly [Sharing, ServingCaseName],
  directory: string,
  where: string,
): void {
  const { before, after } = from.outcomes(nodeDisk, sharing, name)
  t.deepEqual(losses(name, sharing, before, after, foundIn(directory, servedId)), [], where)
  if (sharing === "shared") t.deepEqual([...foundIn(directory, cloneId)], [...before], where)
}

for (const sharing of sharings) {
  test(`crash: every change of a volume that is ${sharing}, cut at every write and salvaged: nothing is lost`, async (t) => {
    t.timeout(600_000)
    let total = 0
    for (const name of servingCaseNames) {
      let directory = ""
      total += await atEveryCut(
        (disk) => {
          directory = folder.copy(sharing, name, "cut")
          try {
            serveOn(disk, directory, name)
          } finally {
            if (!disk.isCut) folder.drop(directory)
          }
        },
        async (at, call) => {
          const where = `${name}, cut ${at}: ${call}`
          await salvageHere(directory)
          t.deepEqual(problemsOf(directory, name), [], where)
          requireNothingLost(t, folder, [sharing, name], directory, where)
          folder.drop(directory)
        },
        { every: sharing === "shared" && !hasPatience ? 2 : 1 },
      )
    }
    t.log(`${total} cuts`)
    t.true(total > 4 * servingCaseNames.length)
  })
}

/** Changes of the disk that attaching makes: the same each time. */
function changesOfAttach(): number {
  const directory = folder.copy("alone", "attached")
  const disk = cutDisk()
  new TestVolume(openPartition(directory, disk), servedId, testCaches()).volume.close()
  folder.drop(directory)
  return disk.changes
}

/** The volume refuses all service until a salvage, or it is whole at once. Gives whether the disk failed at all. */
async function failAt(t: ExecutionContext, sharing: Sharing, name: ServingCaseName, cut: Cut): Promise<boolean> {
  const directory = folder.copy(sharing, name, cut.how, cut.at)
  const disk = cutDisk(cut)
  const home = new TestVolume(openPartition(directory, disk), servedId, testCaches())
  const failure = failureOf(() => servingCases[name].work(home))
  const where = `${name}, ${cut.how} at ${cut.at}: ${disk.history[cut.at - 1]}: ${failure}`
  const isDamaged = failure !== undefined && tellsDamage(failure)
  if (failure !== undefined) t.true(isAfsError(failure, "VDISKFULL", "VIO", "VSALVAGE"), where)
  if (isDamaged)
    t.is(
      failureOf(() => home.root),
      failure,
      where,
    )
  home.volume.close()
  if (isDamaged) await salvageHere(directory)
  t.deepEqual(problemsOf(directory, name), [], where)
  requireNothingLost(t, folder, [sharing, name], directory, where)
  if (failure !== undefined && !isDamaged) requireNothingDone(t, sharing, name, directory, where)
  folder.drop(directory)
  return disk.isCut
}

/** Stores keep what they have written; other changes that fail have not happened. */
function requireNothingDone(
  t: ExecutionContext,
  sharing: Sharing,
  name: ServingCaseName,
  directory: string,
  where: string,
): void {
  if ("mixes" in servingCases[name]) return
  t.deepEqual([...foundIn(directory, servedId)], [...folder.outcomes(nodeDisk, sharing, name).before], where)
}

for (const [how, lasting, words] of [
  ["ENOSPC", true, "a full disk"],
  ["EIO", false, "one failing call"],
] as const) {
  for (const sharing of sharings) {
    test(`crash: every change of a volume that is ${sharing}, on ${words}: done, not done, or refused until a salvage`, async (t) => {
      t.timeout(600_000)
      const first = changesOfAttach() + 1
      for (const name of servingCaseNames) {
        for (let at = first; await failAt(t, sharing, name, { at, how, lasting }); at += hasPatience ? 1 : 4);
      }
    })
  }
}

interface CutImage {
  readonly sharing: Sharing
  readonly name: ServingCaseName
  readonly where: string
  readonly directory: string
}

async function cutImages(): Promise<CutImage[]> {
  const images: CutImage[] = []
  for (const sharing of sharings) {
    for (const name of servingCaseNames) {
      let directory = ""
      await atEveryCut(
        (disk, at) => {
          directory = realFolder.copy(sharing, name, at)
          serveOn(disk, directory, name)
        },
        (at, call) => void images.push({ sharing, name, where: `${name}, cut ${at}: ${call}`, directory }),
        { every: hasPatience ? 1 : 4 },
      )
    }
  }
  return images
}

needsCell("crash: every change, cut and salvaged by OpenAFS: nothing is lost", async (t) => {
  t.timeout(600_000)
  await realFolder.prepare("openafs")
  const images = await cutImages()
  await runDasalvagerOn(
    t,
    images.map(({ directory }) => directory),
  )
  for (const { sharing, name, where, directory } of images) {
    t.deepEqual(problemsOf(directory, name), [], where)
    requireNothingLost(t, realFolder, [sharing, name], directory, where)
  }
  t.log(`${images.length} cuts`)
})
