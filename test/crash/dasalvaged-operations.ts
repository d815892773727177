/**
 * Cuts as in cut-operations.ts, mended by OpenAFS's salvager. It knows nothing of our drafts and meets a whole volume all the
 * same, also in the middle of a switch, of which it leaves the folder and the links for ours to tidy up: a salvage of ours
 * then changes nothing else. Counts of files that do not exist stay too; they cost nothing but a tag.
 */
import test, { type ExecutionContext } from "ava"
import { contentsOf, crashCases, harmedVolumes, isCrashCase } from "../support/crash-cases.ts"
import { CrashFolder, type CutImage } from "../support/cut-images.ts"
import { runDasalvagerOn } from "../support/dasalvager-batch.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { needsCell, needsCellAndPatience } from "../support/requirements.ts"
import { salvageHere } from "../support/salvage-here.ts"

/** Its runs take their time: unless there is some, every fifth cut has to do, and all of those around a switch. */
const every = needsCellAndPatience.met ? 1 : 5
const names = Object.keys(crashCases).filter(isCrashCase)
const folder = new CrashFolder()
test.after.always(() => folder.remove())

let salvaged: Promise<CutImage[]> | undefined
/** All cuts of all cases, salvaged together in one cell by the test that comes first. */
function salvagedImages(t: ExecutionContext): Promise<CutImage[]> {
  salvaged ??= makeAndSalvage(t)
  return salvaged
}

async function makeAndSalvage(t: ExecutionContext): Promise<CutImage[]> {
  const images: CutImage[] = []
  await folder.prepare("openafs")
  for (const name of names) {
    for (const image of await folder.images(name, 1)) {
      if (image.at % every === 1 % every || isAroundSwitch(image)) images.push(image)
      else folder.drop(name, "cut", image.at)
    }
  }
  await runDasalvagerOn(
    t,
    images.map(({ directory }) => directory),
  )
  return images
}

/** The change that was cut is one by which a draft takes a volume's place. */
const isAroundSwitch = ({ call }: CutImage): boolean => /\.switch/.test(call)
/** Files below the folder of a switch, which is hidden from OpenAFS, and a group of which nothing else is left. */
function isLeftOfSwitch(problem: string, _index: number, all: readonly string[]): boolean {
  const group = problem.split(":")[0]
  const isStray = (one: string): boolean => /stray file \.V\d+\.switch\//.test(one)
  return (
    isStray(problem) ||
    (/no link table/.test(problem) && all.some((one) => one.startsWith(`${group}:`) && isStray(one)))
  )
}
const isNotIdleCount = (problem: string): boolean => !/link table counts \d for absent/.test(problem)

const switching: readonly string[] = [
  "make a clone",
  "renew a clone",
  "restore into a new volume",
  "restore over a volume",
  "restore over a volume, incrementally",
  "turn a read-only volume into a read-write one",
]

for (const name of names) {
  needsCell(`crash: ${name}, cut and salvaged by OpenAFS: nothing is lost`, async (t) => {
    t.timeout(600_000)
    const images = await salvagedImages(t)
    const { before, after } = await folder.outcomes(name)
    const cuts = images.filter((image) => image.name === name)
    t.true(cuts.length > 0)
    for (const image of cuts) {
      const where = `cut ${image.at}: ${image.call}`
      const problems = partitionProblems(image.directory).filter(isNotIdleCount)
      t.deepEqual(
        problems.filter((...problem) => !isLeftOfSwitch(...problem)),
        [],
        where,
      )
      const mended = contentsOf(image.directory)
      t.deepEqual(harmedVolumes(before, after, mended), [], where)
      if (!isAroundSwitch(image)) continue
      await salvageHere(image.directory)
      t.deepEqual(partitionProblems(image.directory), [], where)
      t.deepEqual(contentsOf(image.directory), mended, where)
    }
    t.is(cuts.some(isAroundSwitch), switching.includes(name))
  })
}
