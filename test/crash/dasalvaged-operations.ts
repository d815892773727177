/**
 * Cuts as in cut-operations.ts, mended by OpenAFS's salvager. It knows nothing of our drafts: a volume that was cut off in
 * the middle of the switch, between the renaming of its large index and that of its VolumeInfo, is the one thing that it
 * cannot put right. And it leaves counts of files that do not exist, which cost nothing but a tag.
 */
import test, { type ExecutionContext } from "ava"
import { contentsOf, crashCases, harmedVolumes, isCrashCase } from "../support/crash-cases.ts"
import { CrashFolder, type CutImage } from "../support/cut-images.ts"
import { runDasalvagerOn } from "../support/dasalvager-batch.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { needsCell, needsCellAndPatience } from "../support/requirements.ts"

/** Its runs take their time: unless there is some, every fifth cut has to do. */
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
  for (const name of names) images.push(...(await folder.images(name, every)))
  await runDasalvagerOn(
    t,
    images.map(({ directory }) => directory),
  )
  return images
}

/** The change that was cut is one that finds the large index renamed and VolumeInfo not. */
const isWithinSwitch = ({ call }: CutImage): boolean => /\.switch\/(small|info)$/.test(call)
const isNotIdleCount = (problem: string): boolean => !/link table counts \d for absent/.test(problem)

for (const name of names) {
  needsCell(`crash: ${name}, cut and salvaged by OpenAFS: nothing is lost`, async (t) => {
    t.timeout(600_000)
    const images = await salvagedImages(t)
    const { before, after } = await folder.outcomes(name)
    const cuts = images.filter((image) => image.name === name)
    t.true(cuts.length > 0)
    t.true(cuts.filter(isWithinSwitch).length <= 2)
    for (const image of cuts.filter((cut) => !isWithinSwitch(cut))) {
      const where = `cut ${image.at}: ${image.call}`
      t.deepEqual(partitionProblems(image.directory).filter(isNotIdleCount), [], where)
      t.deepEqual(harmedVolumes(before, after, contentsOf(image.directory)), [], where)
    }
  })
}
