/**
 * Disks that fail in the middle of an operation: the error says what failed, volumes that were there are unharmed at once,
 * without a salvage, and what is left over a salvage clears.
 */
import test from "ava"
import { DiskError, isDiskError } from "../../common/disk/disk.ts"
import { AfsError, FormatError } from "../../common/error.ts"
import { contentsOf, crashCases, harmedVolumes, isCrashCase, markedVolumes, workOn } from "../support/crash-cases.ts"
import { type Cut, cutDisk } from "../support/cut-disk.ts"
import { CrashFolder } from "../support/cut-images.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { salvageHere } from "../support/salvage-here.ts"

const folder = new CrashFolder()
test.before(() => folder.prepare())
test.after.always(() => folder.remove())

interface Failing {
  readonly title: string
  readonly cut: (at: number) => Cut
  /** Whether a volume may be something in between until a salvage has run, without being marked for it. */
  readonly mayBreak: boolean
}

const kinds: readonly Failing[] = [
  { title: "a full disk", cut: (at) => ({ at, how: "ENOSPC", lasting: true }), mayBreak: false },
  { title: "one failing call", cut: (at) => ({ at, how: "EIO" }), mayBreak: true },
]

/** The errno of a failure, however deep it lies. */
function errnoOf(error: unknown): string | undefined {
  if (isDiskError(error)) return error.code
  return error instanceof Error && error.cause !== undefined ? errnoOf(error.cause) : undefined
}

for (const [index, { title, cut, mayBreak }] of kinds.entries()) {
  for (const name of Object.keys(crashCases).filter(isCrashCase)) {
    test(`crash: ${name}, on ${title}: a clear error, and no volume is harmed`, async (t) => {
      t.timeout(300_000)
      const { before, after } = await folder.outcomes(name)
      for (let at = 1 + index; ; at += 3) {
        const directory = folder.copy(title, name, at)
        const disk = cutDisk(cut(at))
        const failure: unknown = await workOn(disk, directory, name).catch((error: unknown) => error)
        const where = `change ${at}: ${disk.history[at - 1]}`
        if (!disk.isCut) break
        if (failure !== undefined) {
          const isClear = failure instanceof AfsError || failure instanceof DiskError || failure instanceof FormatError
          t.true(isClear, `${where}: ${failure}`)
          t.is(errnoOf(failure), cut(at).how, `${where}: ${failure}`)
        }
        if (!mayBreak) {
          const marked = markedVolumes(directory).map((id) => `volume ${id}:`)
          const harmed = harmedVolumes(before, after, contentsOf(directory))
          t.deepEqual(
            harmed.filter((words) => !marked.some((mark) => words.startsWith(mark))),
            [],
            where,
          )
        }
        await salvageHere(directory)
        t.deepEqual(partitionProblems(directory), [], where)
        t.deepEqual(harmedVolumes(before, after, contentsOf(directory)), [], where)
        folder.drop(title, name, at)
      }
    })
  }
}
